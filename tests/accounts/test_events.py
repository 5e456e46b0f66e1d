"""What signing in, and everything that signing in needs, leaves in the trail; and what it never leaves there."""

import io
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.core.management import call_command
from django.test import Client

from memoryportal.accounts.models import User
from memoryportal.audit.models import Event
from memoryportal.audit.pseudonyms import known_pseudonym
from memoryportal.memory import SubjectId

from .helpers import PASSWORD, add_totp, code_now, copy_of, links_in, prove, sign_in

pytestmark = pytest.mark.django_db
NEW = "a-new-password-17"


def events(since: int = 0) -> list[tuple[str, str, str, dict[str, Any]]]:
    """(action, actor, role, details), oldest first."""
    found = Event.objects.filter(seq__gt=since).order_by("seq")
    return [(event.action, event.actor, event.role, event.details) for event in found]


def newest() -> int:
    last = Event.objects.order_by("seq").last()
    return last.seq if last else 0


def own(user: User, action: str, **details: Any) -> tuple[str, str, str, dict[str, Any]]:
    return action, str(user.pk), "person", details


def everything() -> str:
    return repr(list(Event.objects.values()))


# --- sessions --------------------------------------------------------------------------------------------------------


def test_a_sign_in_and_a_sign_out(alice: User, client: Client) -> None:
    sign_in(client, "alice@example.com")
    client.post("/accounts/logout/")
    assert events() == [own(alice, "session.begun", method="password"), own(alice, "session.ended")]
    subjects = set(Event.objects.values_list("subject", flat=True))
    assert subjects == {known_pseudonym(SubjectId(alice.subject))}
    assert all(len(request) == 32 for request in Event.objects.values_list("request_id", flat=True))


def test_a_sign_in_with_two_factors(alice: User, client: Client) -> None:
    secret = add_totp(alice)
    before = newest()
    sign_in(client, "alice@example.com")
    assert events(before) == [], "half a sign-in is none"
    client.post("/accounts/2fa/authenticate/", {"code": "000000"})
    client.post("/accounts/2fa/authenticate/", {"code": code_now(secret)})
    assert events(before) == [
        ("session.refused", "anonymous", "anonymous", {"method": "totp"}),
        own(alice, "session.begun", method="mfa+password"),
    ]
    refused = Event.objects.get(action="session.refused")
    assert refused.subject == known_pseudonym(SubjectId(alice.subject)), "she learns that somebody knew her password"


@pytest.mark.parametrize("address", ["alice@example.com", "nobody@example.com", "my-password-by-mistake"])
def test_a_refused_sign_in_names_nobody(address: str, alice: User, client: Client) -> None:
    sign_in(client, address, "another-password")
    found = events()
    if address == "my-password-by-mistake":  # no address: the form refuses it before anybody is asked
        assert found == []
    else:
        assert found == [("session.refused", "anonymous", "anonymous", {"method": "password"})]
        assert Event.objects.get().subject is None
    for typed in ("alice", "nobody", "by-mistake", "another-password"):
        assert typed not in everything()


def test_a_confirmation_and_a_wrong_one(alice: User, alice_client: Client) -> None:
    before = newest()
    prove(alice_client, "a wrong one")
    prove(alice_client)
    assert events(before) == [
        own(alice, "session.refused", method="password"),
        own(alice, "session.confirmed", method="password"),
    ]


def test_sessions_that_are_ended_from_another_one(alice: User, alice_client: Client, client: Client) -> None:
    from allauth.usersessions.models import UserSession

    sign_in(client, "alice@example.com")
    client.get("/settings/")
    alice_client.get("/settings/")
    before = newest()
    other = UserSession.objects.exclude(session_key=alice_client.session.session_key).get()
    alice_client.post(f"/settings/sessions/{other.pk}/end/")
    sign_in(client, "alice@example.com")
    client.get("/settings/")
    alice_client.post("/accounts/sessions/")
    assert events(before) == [
        own(alice, "session.ended", kind="other"),
        own(alice, "session.begun", method="password"),
        own(alice, "session.ended", kind="others", count=1),
    ]


def test_sessions_that_an_operator_ends(alice: User, alice_client: Client) -> None:
    before = newest()
    call_command("end_sessions", "alice@example.com", stdout=io.StringIO())
    assert events(before) == [("session.ended", "operator", "operator", {"kind": "all"})]


def test_a_session_that_is_too_old_ends_with_an_event(alice: User, alice_client: Client, settings: Any) -> None:
    before = newest()
    settings.SESSION_ABSOLUTE_SECONDS = -1
    alice_client.get("/memories/")
    assert events(before) == [own(alice, "session.ended")]


def test_a_stolen_cookie_leaves_nothing_by_itself(alice: User, alice_client: Client) -> None:
    thief = copy_of(alice_client)
    before = newest()
    thief.get("/memories/")
    assert events(before) == []


# --- factors ---------------------------------------------------------------------------------------------------------


def test_factors_added_and_removed(alice: User, alice_client: Client) -> None:
    prove(alice_client)
    before = newest()
    secret = alice_client.get("/accounts/2fa/totp/activate/").context["form"].secret
    alice_client.post("/accounts/2fa/totp/activate/", {"code": code_now(secret)})
    assert events(before) == [
        own(alice, "factor.added", kind="totp"),
        own(alice, "factor.reset", kind="recovery_codes"),
    ]
    before = newest()
    alice_client.post("/accounts/2fa/recovery-codes/generate/")
    assert events(before) == [own(alice, "factor.reset", kind="recovery_codes")]
    before = newest()
    alice_client.post("/accounts/2fa/totp/deactivate/")
    assert not Authenticator.objects.exists()
    assert events(before) == [own(alice, "factor.removed", kind="totp")]
    assert secret not in everything()


def test_a_factor_that_is_used_or_renamed_is_no_new_factor(alice: User) -> None:
    add_totp(alice)
    before = newest()
    Authenticator.objects.get().record_usage()
    assert events(before) == []


def test_a_factor_that_goes_with_a_shell_is_the_operators(alice: User) -> None:
    add_totp(alice)
    before = newest()
    Authenticator.objects.all().delete()
    assert events(before) == [("factor.removed", "operator", "operator", {"kind": "totp"})]


# --- password and address --------------------------------------------------------------------------------------------


def test_a_password_that_is_changed(alice: User, alice_client: Client) -> None:
    prove(alice_client)
    before = newest()
    form = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    alice_client.post("/accounts/password/change/", form)
    assert events(before) == [own(alice, "password.changed")]
    assert NEW not in everything()


def test_a_password_that_is_reset_by_mail(alice: User, client: Client) -> None:
    client.post("/accounts/password/reset/", {"email": "alice@example.com"})
    (link,) = [link for link in links_in(mail.outbox[-1].body) if "/key/" in link]
    page = client.get(link, follow=True)
    before = newest()
    client.post(page.request["PATH_INFO"], {"password1": NEW, "password2": NEW})
    assert events(before)[0] == ("password.changed", "anonymous", "anonymous", {})
    assert Event.objects.filter(action="password.changed").get().subject == known_pseudonym(SubjectId(alice.subject))


def test_an_address_that_is_changed(alice: User, alice_client: Client) -> None:
    prove(alice_client)
    before = newest()
    alice_client.post("/accounts/email/", {"action_add": "", "email": "new@example.com"})
    assert events(before) == [], "nothing changes before it is confirmed"
    (link,) = [link for link in links_in(mail.outbox[-1].body) if "confirm-email" in link]
    alice_client.post(link)
    assert events(before) == [own(alice, "address.changed")]
    assert "example.com" not in everything()


def test_a_first_address_is_no_change(client: Client) -> None:
    client.post("/accounts/signup/", {"email": "new@example.com", "password1": NEW, "password2": NEW})
    (link,) = [link for link in links_in(mail.outbox[-1].body) if "confirm-email" in link]
    client.post(link)
    assert "address.changed" not in [action for action, *_ in events()]


# --- ids -------------------------------------------------------------------------------------------------------------


def test_ids_that_an_operator_connects(alice: User) -> None:
    call_command(
        "link_subject",
        "alice@example.com",
        "customer-1",
        "--reason",
        "Ticket 12 of bob@example.com",
        stdout=io.StringIO(),
    )
    call_command("link_subject", "alice@example.com", "customer-1", "--remove", stdout=io.StringIO())
    made, removed = Event.objects.order_by("seq")
    assert [made.action, removed.action] == ["link.made", "link.removed"]
    assert made.actor == removed.actor == "operator"
    assert made.subject == removed.subject == known_pseudonym(SubjectId("customer-1"))
    assert made.details["target"] == alice.pk
    assert made.reason == "Ticket 12 of (address)"


def test_ids_that_are_refused_leave_no_event(alice: User) -> None:
    from django.core.management import CommandError

    for subject in ("*", alice.subject):
        with pytest.raises(CommandError):
            call_command("link_subject", "alice@example.com", subject, "--reason", "ticket 12")
    assert events() == []
