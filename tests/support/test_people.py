"""Finding a person: exactly, not often, and never by the address of a page."""

import time
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.test import Client
from django.utils import timezone

from memoryportal.accounts.models import User
from memoryportal.audit.models import Event
from memoryportal.audit.pseudonyms import pseudonym
from memoryportal.memory import SubjectId
from memoryportal.support.models import Quota
from tests.erasure.making import an_erasure

from .staffing import WHY, actions, find, last_event, linked, newest, open_access, said, signed_in, staff_member

pytestmark = pytest.mark.django_db


def test_the_form_is_there_and_nobody_is_listed(support_client: Client, alice: User) -> None:
    answer = support_client.get("/support/people/")
    assert answer.status_code == 200
    assert "30 look-ups left" in said(answer)
    assert "alice" not in answer.content.decode()


@pytest.mark.parametrize("words", ["alice@example.com", "  ALICE@Example.com ", "u_alice", "subject", "reference"])
def test_somebody_is_found_exactly(words: str, alice: User, support_client: Client) -> None:
    linked(alice, "u_alice")
    erasure = an_erasure(alice.subject, account=alice, state="completed")
    before = newest()
    words = {"subject": alice.subject, "reference": erasure.reference.lower()}.get(words, words)
    answer = find(support_client, words)
    assert answer.headers["Location"] == "/support/grants/"
    assert actions(before) == ["person.found"]
    assert "You found a…@example.com" in said(support_client.get("/support/grants/"))


@pytest.mark.parametrize(
    "words", ["alic@example.com", "alice", "alice@example.com.", "%", "*", "MP-0000-0000", "ＡＬＩＣＥ"]
)
def test_nobody_similar_is_found_and_the_miss_leaves_an_event(words: str, alice: User, support_client: Client) -> None:
    before = newest()
    answer = find(support_client, words)
    assert answer.status_code == 200
    assert "Nobody was found." in said(answer)
    assert "Nobody was found: Find a person" in answer.content.decode()  # the title, which is read aloud first
    assert actions(before) == ["person.missed"]
    assert Quota.objects.get().misses == 1
    assert support_client.get("/support/grants/").content.count(b"<form") == 1  # sign out


def test_an_address_that_nobody_has_confirmed_finds_nobody(alice: User, support_client: Client) -> None:
    """It may be a slip: whoever really has it, and calls, would be told what is remembered about Alice."""
    EmailAddress.objects.filter(user=alice).update(verified=False)
    before = newest()
    assert "Nobody was found." in said(find(support_client, alice.email))
    assert actions(before) == ["person.missed"]
    assert find(support_client, alice.subject).headers["Location"] == "/support/grants/"


def test_what_was_typed_is_in_no_event_and_no_log(alice: User, support_client: Client, caplog: Any) -> None:
    caplog.set_level("DEBUG")
    find(support_client, "alice@example.com")
    find(support_client, "mallory@example.org")
    rows = str(list(Event.objects.values_list("actor", "object", "reason", "subject", "details")))
    assert "example" not in rows
    assert alice.subject not in rows
    assert "mallory" not in caplog.text
    assert "alice@" not in caplog.text


def test_the_event_names_whom_under_a_pseudonym(alice: User, support: User, support_client: Client) -> None:
    find(support_client, "alice@example.com")
    event = last_event("person.found")
    assert (event.actor, event.role) == (str(support.pk), "support")
    assert event.subject == pseudonym(SubjectId(alice.subject))


def test_words_in_the_address_are_not_looked_at(alice: User, support_client: Client) -> None:
    before = newest()
    answer = support_client.get("/support/people/?words=alice@example.com")
    assert "alice" not in answer.content.decode()
    assert actions(before) == []
    assert not Quota.objects.exists()


@pytest.mark.parametrize("words", ["", "   ", "x" * 255, "a\0b"])
def test_words_that_cannot_be_are_refused_without_a_look_up(words: str, support_client: Client) -> None:
    answer = find(support_client, words)
    assert answer.status_code == 422
    assert "There is a problem" in said(answer)
    assert not Quota.objects.exists()


def test_the_quota_of_the_hour_is_kept(alice: User, support: User, support_client: Client, settings: Any) -> None:
    settings.FINDS_PER_HOUR = 3
    now = timezone.now().replace(minute=10)
    with time_machine.travel(now, tick=False):
        client = signed_in(support)
        for words in ("nobody", "alice@example.com", "nobody"):
            find(client, words)
        before = newest()
        answer = find(client, "alice@example.com")
        assert answer.status_code == 429
        assert "used up" in said(answer)
        assert actions(before) == ["access.denied"]
        assert (
            client.post("/support/grants/", WHY).headers["Location"] == "/support/people/"
        )  # nobody is found any more
        assert find(signed_in(staff_member("other", "support")), "alice@example.com").status_code == 302
    with time_machine.travel(now + timedelta(minutes=51), tick=False):
        assert find(signed_in(support), "alice@example.com").status_code == 302


def test_what_was_found_is_forgotten_after_five_minutes(alice: User, support: User) -> None:
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        client = signed_in(support)
        find(client, "alice@example.com")
    with time_machine.travel(now + timedelta(seconds=299), tick=False):
        assert "You found" in said(client.get("/support/grants/"))
    for later in (301, -1):  # a clock that was set back, too
        with time_machine.travel(now + timedelta(seconds=later), tick=False):
            assert "You found" not in said(client.get("/support/grants/"))
            answer = client.post("/support/grants/", WHY)
            assert answer.headers["Location"] == "/support/people/"
            assert alice.subject not in str(dict(client.session))
            find(client, "alice@example.com")


def test_a_miss_forgets_whom_was_found_before(alice: User, support_client: Client) -> None:
    find(support_client, "alice@example.com")
    find(support_client, "nobody")
    assert "You found" not in said(support_client.get("/support/grants/"))


def test_what_was_found_is_in_no_form_and_no_address(alice: User, support_client: Client) -> None:
    find(support_client, "alice@example.com")
    page = support_client.get("/support/grants/").content.decode()
    assert alice.subject not in page
    assert "alice@" not in page


def test_whom_an_id_belongs_to_now_counts_and_not_who_had_it(alice: User, bob: User, support_client: Client) -> None:
    erasure = an_erasure("u_17", account=alice, state="completed")
    linked(bob, "u_17")
    grant = open_access(support_client, erasure.reference)
    assert (grant.person, grant.subject) == (bob, "u_17")


def test_people_and_auditors_cannot_look(alice: User, bob_client: Client, auditor_client: Client) -> None:
    for client in (bob_client, auditor_client):
        assert client.get("/support/people/").status_code == 404
        assert find(client, "alice@example.com").status_code == 404
    assert not Quota.objects.exists()


def test_privacy_looks_people_up_too(alice: User, privacy_client: Client) -> None:
    assert find(privacy_client, "alice@example.com").status_code == 302
    assert last_event("person.found").role == "privacy"


@pytest.mark.parametrize("verb", ["put", "patch", "delete"])
def test_other_verbs_do_nothing(verb: str, support_client: Client) -> None:
    assert getattr(support_client, verb)("/support/people/").status_code == 405


def test_the_time_of_a_find_is_the_sessions_own(alice: User, support_client: Client) -> None:
    """A form cannot say whom, or that it was just found."""
    answer = support_client.post("/support/grants/", {**WHY, "subject": alice.subject, "at": str(time.time())})
    assert answer.headers["Location"] == "/support/people/"
