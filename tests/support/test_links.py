"""Connecting an id takes two people of privacy, and never for oneself."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from memoryportal.accounts import links
from memoryportal.accounts.models import SubjectLink, User
from memoryportal.accounts.subjects import own_subjects
from memoryportal.accounts.waiting import Letter, LinkAsk
from memoryportal.memory import SubjectId
from tests.erasure.making import an_erasure

from .staffing import actions, broken_trail, last_event, newest, said, signed_in, staff_member

pytestmark = pytest.mark.django_db
ASK = {
    "words": "alice@example.com",
    "subject": "customer-1",
    "issuer": "The shop",
    "reason": "She showed her contract, ticket 12",
}


@pytest.fixture
def second(db: None) -> User:
    return staff_member("privacy2", "privacy")


@pytest.fixture
def second_client(second: User) -> Client:
    return signed_in(second)


def ask(client: Client, **change: str) -> Any:
    return client.post("/support/links/", {**ASK, **change})


def approve(client: Client, ask_id: int | None = None) -> str:
    """The sentence that the page shows afterwards."""
    number = LinkAsk.objects.get().pk if ask_id is None else ask_id
    return said(client.post(f"/support/links/{number}/approve/", follow=True))


def test_one_asks_and_another_approves(
    alice: User, privacy: User, second: User, privacy_client: Client, second_client: Client
) -> None:
    since = newest()
    assert ask(privacy_client).status_code == 302
    assert not SubjectLink.objects.exists()
    page = said(second_client.get("/support/links/"))
    assert "customer-1" in page
    assert "She showed her contract" in page
    assert "Connected." in approve(second_client)
    link = SubjectLink.objects.get()
    assert (link.account, link.subject, link.proof, link.issuer, link.reason, link.by, link.approved_by) == (
        alice,
        "customer-1",
        "privacy",
        "The shop",
        ASK["reason"],
        privacy,
        second,
    )
    assert not LinkAsk.objects.exists()
    assert actions(since) == ["person.found", "link.asked", "link.made"]
    asked, made = last_event("link.asked"), last_event("link.made")
    assert (asked.actor, made.actor, made.role) == (str(privacy.pk), str(second.pk), "privacy")
    assert asked.subject == made.subject
    assert Letter.objects.get().to == "alice@example.com"


def test_whoever_asked_does_not_approve(alice: User, privacy_client: Client) -> None:
    ask(privacy_client)
    page = said(privacy_client.get("/support/links/"))
    assert "Somebody else of privacy has to approve this" in page
    assert "Approve" not in page
    assert "somebody else has to approve it" in approve(privacy_client)
    assert not SubjectLink.objects.exists()
    assert last_event("link.refused").details == {"method": "privacy", "kind": "same"}


def test_nobody_asks_for_their_own_account(privacy: User, privacy_client: Client) -> None:
    for words in (privacy.email, privacy.subject):
        answer = ask(privacy_client, words=words)
        assert answer.status_code == 409
        assert "your own account" in said(answer)
    assert not LinkAsk.objects.exists()
    assert last_event("link.refused").details["kind"] == "own"


def test_nobody_approves_for_their_own_account(second: User, privacy_client: Client, second_client: Client) -> None:
    ask(privacy_client, words=second.email)
    assert "others decide" in said(second_client.get("/support/links/"))
    assert "You cannot approve a connection of your own account" in approve(second_client)
    assert not SubjectLink.objects.exists()
    assert own_subjects(second) == [second.subject]


def test_an_ask_of_somebody_who_lost_the_role_is_not_approved(
    alice: User, privacy: User, privacy_client: Client, second_client: Client
) -> None:
    ask(privacy_client)
    privacy.groups.remove(Group.objects.get(name="privacy"))
    assert "no longer works for privacy" in approve(second_client)
    assert not SubjectLink.objects.exists()


def test_an_ask_does_not_wait_for_ever(alice: User, privacy_client: Client, second_client: Client) -> None:
    ask(privacy_client)
    LinkAsk.objects.update(asked_at=timezone.now() - timedelta(days=8))
    assert "too long ago" in approve(second_client)
    assert not SubjectLink.objects.exists()


def test_an_id_of_somebody_else_is_refused_at_once_and_at_the_end(
    alice: User, bob: User, privacy_client: Client, second_client: Client
) -> None:
    for taken in (bob.subject,):
        assert "belongs to another account" in said(ask(privacy_client, subject=taken))
    assert not LinkAsk.objects.exists()
    ask(privacy_client)
    links.link(bob, SubjectId("customer-1"), reason="meanwhile")
    assert "belongs to another account by now" in approve(second_client)
    assert SubjectLink.objects.get().account == bob
    assert last_event("link.refused").details["kind"] == "taken"


@pytest.mark.parametrize("subject", ["*", "a,b", " customer-1", "customer-1 ", "", "x" * 129])
def test_a_hostile_id_is_refused(subject: str, alice: User, privacy_client: Client) -> None:
    assert ask(privacy_client, subject=subject).status_code == 422
    assert not LinkAsk.objects.exists()


def test_a_reason_of_spaces_is_none(alice: User, privacy_client: Client) -> None:
    assert ask(privacy_client, reason=" " * 40).status_code == 422
    assert not LinkAsk.objects.exists()


def test_nobody_is_found_by_something_similar(alice: User, privacy_client: Client) -> None:
    assert "no account with exactly this address" in said(ask(privacy_client, words="alice@example"))
    assert last_event("person.missed").role == "privacy"


def test_look_ups_are_counted(alice: User, privacy_client: Client, settings: Any) -> None:
    settings.FINDS_PER_HOUR = 1
    ask(privacy_client, words="nobody@example.com")
    assert ask(privacy_client).status_code == 429
    assert not LinkAsk.objects.exists()


def test_it_is_asked_for_once(alice: User, privacy_client: Client, second_client: Client) -> None:
    ask(privacy_client)
    assert ask(second_client).status_code == 409
    assert LinkAsk.objects.count() == 1


def test_it_is_decided_once(alice: User, privacy_client: Client, second_client: Client) -> None:
    ask(privacy_client)
    number = LinkAsk.objects.get().pk
    approve(second_client, number)
    assert "decided this already" in approve(second_client, number)
    assert SubjectLink.objects.count() == 1


def test_an_ask_can_be_dropped(alice: User, privacy_client: Client, second_client: Client) -> None:
    for client, kind in ((privacy_client, "withdrawn"), (second_client, "declined")):
        ask(privacy_client)
        client.post(f"/support/links/{LinkAsk.objects.get().pk}/drop/")
        assert not LinkAsk.objects.exists()
        assert last_event("link.refused").details["kind"] == kind
    assert not SubjectLink.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_without_its_event_nothing_is_asked_or_made(alice: User, privacy_client: Client, second_client: Client) -> None:
    with broken_trail():
        assert ask(privacy_client).status_code == 503
    assert not LinkAsk.objects.exists()
    ask(privacy_client)
    number = LinkAsk.objects.get().pk
    with broken_trail():
        assert second_client.post(f"/support/links/{number}/approve/").status_code == 503
    assert LinkAsk.objects.filter(pk=number).exists()
    assert not SubjectLink.objects.exists()
    assert not Letter.objects.exists()


def test_nobody_else_meets_the_page(
    alice: User, alice_client: Client, support_client: Client, auditor_client: Client, privacy_client: Client
) -> None:
    ask(privacy_client)
    number = LinkAsk.objects.get().pk
    for client in (alice_client, support_client, auditor_client):
        assert client.get("/support/links/").status_code == 404
        assert ask(client, subject="customer-2").status_code == 404
        for act in ("approve", "drop"):
            assert client.post(f"/support/links/{number}/{act}/").status_code == 404
    assert LinkAsk.objects.get().pk == number
    assert not SubjectLink.objects.exists()


def test_the_daily_housekeeping_forgets_old_asks(alice: User, privacy_client: Client) -> None:
    from memoryportal.accounts.tasks import clear_sessions

    ask(privacy_client)
    clear_sessions(0)
    assert LinkAsk.objects.count() == 1
    with time_machine.travel(timezone.now() + timedelta(days=8)):
        clear_sessions(0)
    assert not LinkAsk.objects.exists()


def test_an_id_that_is_being_erased_for_somebody_else_waits(
    alice: User, bob: User, privacy_client: Client, second_client: Client
) -> None:
    ask(privacy_client)
    an_erasure("customer-1", state="retrying", account=bob)
    assert "A deletion request is in the way" in approve(second_client)
    assert not SubjectLink.objects.exists()
    assert last_event("link.refused").details["kind"] == "busy"
