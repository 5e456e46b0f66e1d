"""Roles: one administrator asks, another approves, all are told; what is taken away is gone at once."""

from datetime import timedelta

import pytest
from django.core import mail
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from memoryportal.accounts import granting, letters
from memoryportal.accounts.granting import ADMINISTRATOR
from memoryportal.accounts.models import User
from memoryportal.accounts.roles import roles_of
from memoryportal.accounts.waiting import Letter, RoleAsk
from memoryportal.audit.models import Event

from .helpers import add_totp, person, signed_in, trail_shut

pytestmark = pytest.mark.django_db
WHY = "She starts in support on Monday"


def administrator(name: str) -> User:
    user = person(f"{name}@example.com", is_superuser=True)
    add_totp(user)
    return user


def client_of(user: User) -> Client:
    return signed_in(user)


@pytest.fixture
def ann(db: None) -> User:
    return administrator("ann")


@pytest.fixture
def ben(db: None) -> User:
    return administrator("ben")


def path(account: User, rest: str = "") -> str:
    return f"/admin/accounts/user/{account.pk}/roles/{rest}"


def ask(client: Client, account: User, role: str = "support", reason: str = WHY) -> str:
    """The page that follows."""
    return client.post(path(account), {"role": role, "reason": reason}, follow=True).content.decode()


def approve(client: Client, account: User) -> str:
    return client.post(path(account, f"{RoleAsk.objects.get().pk}/approve/"), follow=True).content.decode()


def told(kind: str) -> set[str]:
    return set(Letter.objects.filter(kind=kind).values_list("to", flat=True))


def trail(action: str) -> list[tuple[str, str, str]]:
    found = Event.objects.filter(action=action).order_by("seq")
    return [(event.actor, event.details["role"], event.reason) for event in found]


def test_one_asks_another_approves_and_all_are_told(ann: User, ben: User, alice: User) -> None:
    assert "Another administrator has to approve" in ask(client_of(ann), alice)
    assert roles_of(alice) == set()
    assert told("role_asked") == {"ann@example.com", "ben@example.com"}
    assert "support for alice@example.com" in client_of(ben).get("/admin/").content.decode()
    assert "Granted." in approve(client_of(ben), alice)
    assert roles_of(alice) == {"support"}
    assert told("role_granted") == {"ann@example.com", "ben@example.com"}
    assert trail("role.asked") == [(str(ann.pk), "support", WHY)]
    assert trail("role.granted") == [(str(ben.pk), "support", WHY)]
    assert not RoleAsk.objects.exists()


def test_the_mails_name_no_address(ann: User, ben: User, alice: User) -> None:
    ask(client_of(ann), alice)
    approve(client_of(ben), alice)
    granting.revoke(ann, alice, "support")
    for pk in Letter.objects.values_list("pk", flat=True):
        letters.deliver(str(pk))
    assert len(mail.outbox) == 6
    for message in mail.outbox:
        assert "alice@" not in message.body + message.subject
        assert f"account {alice.pk}" in message.body
        assert '"support"' in message.body


def test_whoever_asked_does_not_approve(ann: User, ben: User, alice: User) -> None:
    client = client_of(ann)
    page = ask(client, alice)
    assert "Approve support" not in page
    assert "not for their own account" in approve(client, alice)
    assert roles_of(alice) == set()
    assert RoleAsk.objects.count() == 1


def test_nobody_approves_a_role_of_their_own(ann: User, ben: User) -> None:
    ask(client_of(ann), ben)
    assert "not for their own account" in approve(client_of(ben), ben)
    assert roles_of(ben) == set()


def test_asking_for_oneself_takes_somebody_else(ann: User, ben: User) -> None:
    ask(client_of(ann), ann, "auditor")
    approve(client_of(ann), ann)
    assert roles_of(ann) == set()
    approve(client_of(ben), ann)
    assert roles_of(ann) == {"auditor"}


def test_an_administrator_is_made_the_same_way(ann: User, ben: User, alice: User) -> None:
    ask(client_of(ann), alice, ADMINISTRATOR)
    assert not User.objects.get(pk=alice.pk).is_superuser
    approve(client_of(ben), alice)
    assert User.objects.get(pk=alice.pk).is_superuser
    assert granting.held(User.objects.get(pk=alice.pk)) == [ADMINISTRATOR]


def test_an_ask_of_somebody_who_is_no_administrator_any_more_is_void(ann: User, ben: User, alice: User) -> None:
    ask(client_of(ann), alice)
    granting.revoke(ben, ann, ADMINISTRATOR)
    assert "no administrator any more" in approve(client_of(ben), alice)
    assert roles_of(alice) == set()


def test_an_ask_does_not_wait_for_ever(ann: User, ben: User, alice: User) -> None:
    ask(client_of(ann), alice)
    RoleAsk.objects.update(asked_at=timezone.now() - timedelta(days=8))
    assert "too long ago" in approve(client_of(ben), alice)
    assert roles_of(alice) == set()


@pytest.mark.parametrize(("role", "reason"), [("root", WHY), ("", WHY), ("support", "short"), ("support", " " * 40)])
def test_an_ask_that_is_not_complete_is_refused(role: str, reason: str, ann: User, alice: User) -> None:
    answer = client_of(ann).post(path(alice), {"role": role, "reason": reason})
    assert answer.status_code == 422
    assert not RoleAsk.objects.exists()


def test_what_is_held_or_asked_for_is_not_asked_for_again(ann: User, ben: User, alice: User) -> None:
    ask(client_of(ann), alice)
    assert "asked for this already" in ask(client_of(ben), alice)
    approve(client_of(ben), alice)
    assert "holds the role already" in ask(client_of(ann), alice)
    assert not RoleAsk.objects.exists()


def test_a_closed_account_gets_no_role(ann: User, ben: User, alice: User) -> None:
    ask(client_of(ann), alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert "may not sign in" in approve(client_of(ben), alice)
    alice.refresh_from_db()
    assert "cannot be granted" in ask(client_of(ann), alice, "privacy")
    assert granting.held(alice) == []


def test_it_is_decided_once(ann: User, ben: User, alice: User) -> None:
    ask(client_of(ann), alice)
    number = RoleAsk.objects.get().pk
    client_of(ben).post(path(alice, f"{number}/drop/"))
    assert not RoleAsk.objects.exists()
    assert client_of(ben).post(path(alice, f"{number}/approve/")).status_code == 404
    assert roles_of(alice) == set()
    assert [event.actor for event in Event.objects.filter(action="role.refused")] == [str(ben.pk)]


def test_an_ask_is_reached_through_its_own_account_only(ann: User, ben: User, alice: User, bob: User) -> None:
    ask(client_of(ann), alice)
    assert client_of(ben).post(path(bob, f"{RoleAsk.objects.get().pk}/approve/")).status_code == 404
    assert roles_of(alice) == roles_of(bob) == set()


def test_a_role_is_taken_away_at_once_and_all_are_told(ann: User, ben: User, alice: User) -> None:
    ask(client_of(ann), alice)
    approve(client_of(ben), alice)
    add_totp(alice)
    staff = client_of(alice)
    assert staff.get("/support/people/").status_code == 200
    client_of(ann).post(path(alice, "support/revoke/"))
    assert staff.get("/support/people/").status_code == 404
    assert told("role_revoked") == {"ann@example.com", "ben@example.com"}
    assert trail("role.revoked") == [(str(ann.pk), "support", "")]


def test_the_last_administrator_stays(ann: User, ben: User) -> None:
    client = client_of(ann)
    client.post(path(ben, f"{ADMINISTRATOR}/revoke/"))
    assert told("role_revoked") == {"ann@example.com", "ben@example.com"}
    assert client_of(ben).get("/admin/").status_code == 404
    assert "last administrator" in client.post(path(ann, f"{ADMINISTRATOR}/revoke/"), follow=True).content.decode()
    assert User.objects.get(pk=ann.pk).is_superuser


def test_what_is_not_held_is_not_taken_away(ann: User, alice: User) -> None:
    for role in ("support", ADMINISTRATOR, "root"):
        assert "does not hold" in client_of(ann).post(path(alice, f"{role}/revoke/"), follow=True).content.decode()
    assert trail("role.revoked") == []
    assert told("role_revoked") == set()


def test_without_its_event_no_role_changes(ann: User, ben: User, alice: User) -> None:
    ask(client_of(ann), alice)
    with trail_shut(), pytest.raises(Exception, match="could not be written"):
        granting.approve(ben, RoleAsk.objects.get().pk)
    assert roles_of(alice) == set()
    assert RoleAsk.objects.count() == 1
    assert told("role_granted") == set()


def test_a_get_grants_and_takes_nothing(ann: User, ben: User, alice: User) -> None:
    ask(client_of(ann), alice)
    number = RoleAsk.objects.get().pk
    for rest in (f"{number}/approve/", f"{number}/drop/", "administrator/revoke/"):
        assert client_of(ben).get(path(alice, rest)).status_code == 405
    assert RoleAsk.objects.count() == 1


def test_the_first_administrators_come_from_the_command_line() -> None:
    call_command("createsuperuser", email="first@example.com", interactive=False)
    made = User.objects.get()
    assert granting.held(made) == [ADMINISTRATOR]
    assert trail("role.granted") == [("operator", ADMINISTRATOR, "")]
