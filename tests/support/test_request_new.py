"""Privacy writes a request down from a letter: exact, once, and nothing begins by that."""

from datetime import date
from typing import Any

import pytest
import time_machine
from django.test import Client
from procrastinate.contrib.django.models import ProcrastinateJob

from memoryportal.accounts.models import User
from memoryportal.erasure import identity, tasks
from memoryportal.erasure.models import Channel, Erasure, Scope, office_day
from memoryportal.memory import ScopedMemory
from tests.mydata.remembered import everything, remember

from .requests import a_request, story
from .staffing import actions, broken_trail, last_event, linked, newest, said, signed_in, staff_member

pytestmark = pytest.mark.django_db
NEW = "/support/requests/new/"
LETTER = {"words": "alice@example.com", "told": "", "scope": "everything", "agent": "", "ticket": "L-12", "address": ""}
LETTER["received"] = office_day().isoformat()


def write(client: Client, **changes: str) -> Any:
    return client.post(NEW, {**LETTER, **changes})


def rung() -> list[str]:
    """The requests for which the worker was rung to ask by mail."""
    jobs = ProcrastinateJob.objects.filter(task_name="memoryportal.erasure.tasks.send_link")
    return [job.args["erasure_id"] for job in jobs]


def refused(answer: Any, sentence: str, status: int = 422) -> None:
    assert answer.status_code == status, said(answer)
    assert sentence in said(answer)
    assert not Erasure.objects.exists()


class TestWithAnAccount:
    def test_it_is_written_down_for_all_their_ids(
        self,
        alice: User,
        privacy: User,
        privacy_client: Client,
        alice_memory: ScopedMemory,
        django_capture_on_commit_callbacks: Any,
    ) -> None:
        linked(alice, "u-alice")
        remember(alice_memory, "Grows quillwort.")
        before = newest()
        with django_capture_on_commit_callbacks(execute=True):
            answer = write(privacy_client)
        erasure = Erasure.objects.get()
        assert answer.headers["Location"] == story(erasure)
        assert (erasure.channel, erasure.account, erasure.filed_by) == (Channel.PRIVACY, alice, privacy)
        assert (erasure.subjects, erasure.ticket, erasure.state) == (["u-alice", alice.subject], "L-12", "identity")
        assert (erasure.address, erasure.attached_by, erasure.identified_at) == ("", None, None)
        assert actions(before) == ["person.found", "request.filed"]
        event = last_event("request.filed")
        assert (event.actor, event.role, event.details) == (str(privacy.pk), "privacy", {"form": "privacy"})
        assert rung() == [str(erasure.pk)], "the person is asked by mail at once"
        assert len(everything(alice_memory)) == 1
        assert f"Written down as {erasure.reference}." in said(privacy_client.get(story(erasure)))

    def test_an_id_of_theirs_finds_them(self, alice: User, privacy_client: Client) -> None:
        linked(alice, "u-alice")
        write(privacy_client, words="u-alice")
        assert Erasure.objects.get().subjects == ["u-alice", alice.subject]

    def test_one_assistant(self, alice: User, privacy_client: Client) -> None:
        write(privacy_client, scope="assistant", agent="shop_bot")
        erasure = Erasure.objects.get()
        assert (erasure.scope, erasure.agent) == (Scope.ASSISTANT, "shop_bot")

    def test_an_assistant_that_was_typed_and_then_not_chosen_counts_for_nothing(
        self, alice: User, privacy_client: Client
    ) -> None:
        write(privacy_client, agent="a bot that is *")
        assert Erasure.objects.get().agent == ""

    def test_the_account_too(self, alice: User, privacy_client: Client) -> None:
        write(privacy_client, scope="account")
        assert Erasure.objects.get().scope == Scope.ACCOUNT

    def test_one_that_is_open_is_shown_instead(self, alice: User, privacy_client: Client) -> None:
        linked(alice, "u-alice")
        there = a_request("u-alice", account=alice)
        there.open_rows.create(subject="u-alice")
        answer = write(privacy_client)
        assert answer.headers["Location"] == story(there)
        assert list(Erasure.objects.all()) == [there]
        page = said(privacy_client.get(story(there)))
        assert f"There is {there.reference} already, which has not ended. Nothing was written down." in page


class TestWithoutOne:
    def test_what_they_wrote_and_an_address_are_enough(
        self, privacy_client: Client, django_capture_on_commit_callbacks: Any
    ) -> None:
        before = newest()
        with django_capture_on_commit_callbacks(execute=True):
            write(privacy_client, words="", told=" I am  customer\n4711 ", address="Carol@Example.com")
        erasure = Erasure.objects.get()
        assert (erasure.subjects, erasure.account, erasure.told) == ([], None, "I am customer 4711")
        assert (erasure.address, erasure.state) == ("carol@example.com", "identity")
        assert actions(before) == ["request.filed"]
        assert rung() == [str(erasure.pk)]

    def test_without_an_address_nobody_is_written_to(
        self, privacy_client: Client, django_capture_on_commit_callbacks: Any
    ) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            write(privacy_client, words="", told="I am customer 4711")
        assert rung() == []
        page = said(privacy_client.get("/support/requests/"))
        assert "Somebody has to check who asks: there is no e-mail address" in page

    def test_sent_twice_it_is_written_down_once(self, privacy_client: Client) -> None:
        """Without an id nothing else stands in the way of a second one."""
        for _ in range(2):
            answer = write(privacy_client, words="", told="I am customer 4711")
        assert answer.headers["Location"] == story(Erasure.objects.get())

    def test_two_letters_are_two(self, privacy_client: Client, colleague: User) -> None:
        other = signed_in(colleague)
        for client, ticket in ((privacy_client, "L-1"), (privacy_client, "L-2"), (other, "L-2")):
            write(client, words="", told="I am customer 4711", ticket=ticket)
        assert Erasure.objects.count() == 3


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"words": ""}, "Say who it is about: their account, or what they wrote."),
        ({"words": "", "told": "  \n "}, "Say who it is about"),
        ({"words": "", "ticket": ""}, "Say who it is about: their account, or what they wrote."),
        ({"words": "nobody@example.com"}, "No account has exactly this address or id."),
        ({"words": "alice@example"}, "No account has exactly this address or id."),
        ({"words": "customer-9"}, "look for the id on the page of the request"),
        ({"ticket": ""}, "Write the case number."),
        ({"ticket": "mail to carol@example.com"}, "Use letters, digits and"),
        ({"scope": ""}, "This field is required."),
        ({"scope": "nothing"}, "Select a valid choice."),
        ({"scope": "assistant"}, "Write which assistant it is about."),
        ({"scope": "assistant", "agent": "*"}, "stores read as"),
        ({"scope": "assistant", "agent": "a b"}, "white space"),
        ({"received": ""}, "Say when it came in."),
        ({"received": "2999-01-01"}, "not after today"),
        ({"received": "2020-01-01"}, "within the last year"),
        ({"address": "x"}, "Enter a valid email address."),
        ({"address": "mallory@example.com"}, "Their account has an address, and mails go there."),
        ({"words": "", "told": "I am 4711", "scope": "account"}, "There is no account that could go"),
        ({"told": "x" * 501}, "at most 500 characters"),
        ({"told": "a\0b"}, "Null characters are not allowed."),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_lost(
    changes: dict[str, str], says: str, alice: User, privacy_client: Client
) -> None:
    before = newest()
    refused(answer := write(privacy_client, **changes), says)
    assert set(actions(before)) <= {"person.found", "person.missed"}
    if changes.get("ticket", "L-12") == "L-12":
        assert 'value="L-12"' in answer.content.decode()


@pytest.mark.parametrize(("received", "due"), [("2026-02-28", "28 March 2026"), ("2026-01-31", "28 February 2026")])
def test_the_clock_begins_on_the_day_on_which_it_came_in(
    received: str, due: str, alice: User, privacy: User, settings: Any
) -> None:
    with time_machine.travel("2026-03-03T12:00:00Z", tick=False):
        client = signed_in(privacy)
        write(client, received=received)
        erasure = Erasure.objects.get()
        assert office_day(erasure.asked_at).isoformat() == received
        assert erasure.rests_since == date(2026, 3, 3), "it rests only from the day on which proof is asked for"
        page = said(client.get(story(erasure)))
        assert f"To be done by {due}" in page
        assert identity.links_left(erasure) == 3
        tasks.watch_clocks(0)
        erasure.refresh_from_db()
        assert erasure.state == "identity", "they have a week from now to confirm it"


def test_nobody_writes_their_own_down(privacy: User, privacy_client: Client) -> None:
    linked(privacy, "u-own")
    for changes in ({"words": privacy.email}, {"words": "u-own"}, {"words": privacy.subject}):
        refused(write(privacy_client, **changes), "This is about you")
    refused(write(privacy_client, words="", told="Forget me", address=privacy.email), "This is about you")


def test_an_account_with_a_role_does_not_go(privacy_client: Client) -> None:
    staff_member("kim", "auditor")
    refused(write(privacy_client, words="kim@example.com", scope="account"), "This account works for us (auditor)")


def test_look_ups_are_counted(alice: User, privacy_client: Client, settings: Any) -> None:
    settings.FINDS_PER_HOUR = 0
    refused(write(privacy_client), "Nothing was written down.", 429)
    assert last_event("access.denied").details == {"kind": "quota"}


def test_nobody_else_writes_one_down(
    alice: User, alice_client: Client, support_client: Client, auditor_client: Client
) -> None:
    for client in (alice_client, support_client, auditor_client):
        assert client.get(NEW).status_code == 404
        assert write(client).status_code == 404
    assert not Erasure.objects.exists()


def test_the_page_says_what_will_happen(privacy_client: Client) -> None:
    words = said(privacy_client.get(NEW))
    assert "Nothing is erased before it is known who asks." in words
    assert "30 look-ups left in this hour." in words


@pytest.mark.django_db(transaction=True)
def test_without_its_event_nothing_is_written_down(alice: User, privacy_client: Client) -> None:
    with broken_trail():
        assert write(privacy_client).status_code == 503
        assert write(privacy_client, words="", told="I am customer 4711").status_code == 503
    assert not Erasure.objects.exists()
    assert rung() == []


class TestConfirmedByMail:
    """Who may confirm it decides whether a second person is needed."""

    @pytest.fixture
    def confirm(self) -> Any:
        from memoryportal.erasure import intake
        from memoryportal.erasure.identity import digest

        def confirmed(erasure: Erasure) -> Erasure:
            erasure.links.create(digest=digest("token"), until=erasure.asked_at.replace(year=2099))
            return intake.confirm("token")

        return confirmed

    def test_the_owner_of_the_account_needs_nobody_else(
        self, alice: User, privacy_client: Client, confirm: Any
    ) -> None:
        write(privacy_client)
        assert confirm(Erasure.objects.get()).state == "waiting"

    def test_an_address_of_a_letter_is_nobodys_proof(
        self, alice: User, privacy_client: Client, colleague: User, confirm: Any
    ) -> None:
        """Mallory writes that she is Alice. She reads the mail, and a second person looks at it."""
        write(privacy_client, words="", told="I am Alice", address="mallory@example.com")
        erasure = Erasure.objects.get()
        privacy_client.post(story(erasure, "attach/find/"), {"words": "alice@example.com"})
        page = privacy_client.get(story(erasure, "attach/"))
        (key,) = [each.key for each in page.context["form"].candidates]
        privacy_client.post(story(erasure, "attach/"), {"ids": [key]})
        assert confirm(erasure).state == "approval"
        assert privacy_client.post(story(erasure, "approve/")).status_code == 409
        assert signed_in(colleague).post(story(erasure, "approve/")).status_code == 302
