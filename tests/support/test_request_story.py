"""One request as a story: everything that is known of it in words, nobody named, and each opening an event."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from memoryportal.accounts.models import User
from memoryportal.accounts.staff import pseudonym_of_staff
from memoryportal.audit.actions import Action
from memoryportal.audit.record import NOBODY, SYSTEM, Actor, record
from memoryportal.erasure import engine, receipts, services
from memoryportal.erasure.models import Channel, Erasure, ErasureStep, Identified, Scope
from memoryportal.memory import ScopedMemory, SubjectId
from tests.mydata.remembered import remember

from .requests import a_request, outside, story
from .staffing import actions, broken_trail, last_event, linked, newest, open_access, page_of, said, signed_in

pytestmark = pytest.mark.django_db
HIDDEN = ("alice@example.com", "letter@example.com", "u-alice", "customer 4711")


@pytest.fixture
def erasure(alice: User, support: User) -> Erasure:
    """A request of Alice's with everything that is not for everybody's eyes."""
    linked(alice, "u-alice")
    about = {"address": "letter@example.com", "told": "I am customer 4711", "account": alice, "filed_by": support}
    return a_request("u-alice", "customer-9", channel=Channel.SUPPORT, ticket="T-7", **about)


class TestHidden:
    def test_ids_and_addresses_are_in_no_page_before_they_are_asked_for(
        self, erasure: Erasure, privacy_client: Client, support_client: Client, auditor_client: Client
    ) -> None:
        for client in (privacy_client, support_client, auditor_client):
            text = client.get(story(erasure)).content.decode()
            assert not [word for word in HIDDEN if word in text]
        words = said(privacy_client.get(story(erasure)))
        assert "Account a…@example.com" in words
        assert "Address for mails l…@example.com" in words
        assert "Ids 2, hidden" in words
        assert "What they wrote hidden" in words

    def test_only_privacy_is_told_even_the_first_letter(
        self, erasure: Erasure, support_client: Client, auditor_client: Client
    ) -> None:
        for client in (support_client, auditor_client):
            words = said(client.get(story(erasure)))
            assert "a…@" not in words
            assert "they have one here" in words
            assert "Show what is hidden" not in words

    def test_showing_them_is_an_event_of_its_own(self, erasure: Erasure, privacy: User, privacy_client: Client) -> None:
        before = newest()
        assert privacy_client.post(story(erasure, "ids/")).headers["Location"] == story(erasure)
        assert actions(before) == ["request.revealed"]
        event = last_event("request.revealed")
        assert (event.actor, event.role, event.object) == (str(privacy.pk), "privacy", erasure.reference)
        assert event.details == {"count": 2}
        words = said(privacy_client.get(story(erasure)))
        assert "Connected to the account a…@example.com u-alice" in words
        assert "An id that no account here has customer-9" in words
        assert "Account alice@example.com" in words
        assert "Address for mails letter@example.com" in words
        assert "I am customer 4711" in words
        assert "Show what is hidden" not in words

    def test_they_are_hidden_again_after_five_minutes(self, erasure: Erasure, privacy: User) -> None:
        with time_machine.travel(timezone.now(), tick=False) as clock:
            client = signed_in(privacy)
            client.post(story(erasure, "ids/"))
            clock.shift(299)
            assert "u-alice" in said(client.get(story(erasure)))
            clock.shift(2)
            assert "u-alice" not in said(client.get(story(erasure)))

    def test_one_request_is_shown_and_no_other(self, erasure: Erasure, privacy: User, colleague: User) -> None:
        client, other = signed_in(privacy), a_request("u-other", address="other@example.com")
        client.post(story(erasure, "ids/"))
        assert "u-other" not in client.get(story(other)).content.decode()
        assert "u-alice" not in signed_in(colleague).get(story(erasure)).content.decode(), "nor in another session"

    def test_looking_alone_shows_nothing(self, erasure: Erasure, privacy_client: Client) -> None:
        assert privacy_client.get(story(erasure, "ids/")).status_code == 405

    def test_the_way_back_is_one_of_ours(self, erasure: Erasure, privacy_client: Client) -> None:
        for back, path in (("approve", "approve/"), ("attach", "attach/"), ("//evil.example", ""), ("x", "")):
            answer = privacy_client.post(story(erasure, "ids/"), {"back": back})
            assert answer.headers["Location"] == story(erasure, path)

    @pytest.mark.django_db(transaction=True)
    def test_without_its_event_nothing_is_shown(self, privacy_client: Client) -> None:
        erasure = a_request("u-alice")
        with broken_trail():
            assert privacy_client.post(story(erasure, "ids/")).status_code == 503
            assert privacy_client.get(story(erasure)).status_code == 503
        assert "u-alice" not in said(privacy_client.get(story(erasure)))


class TestOpening:
    def test_is_an_event_for_everybody(
        self, erasure: Erasure, privacy_client: Client, support_client: Client, auditor_client: Client
    ) -> None:
        for client, role in ((privacy_client, "privacy"), (support_client, "support"), (auditor_client, "auditor")):
            before = newest()
            client.get(story(erasure))
            assert actions(before) == ["request.opened"]
            event = last_event("request.opened")
            assert (event.role, event.object) == (role, erasure.reference)

    def test_the_person_reads_that_it_was_opened(
        self, alice: User, alice_client: Client, privacy: User, privacy_client: Client
    ) -> None:
        erasure = a_request(alice.subject, account=alice)
        for _ in range(3):
            privacy_client.get(story(erasure))
        words = said(alice_client.get("/activity/"))
        assert "looked at your deletion request, not at your memories" in words
        assert pseudonym_of_staff(privacy.pk) in words

    def test_a_request_that_never_was_is_not_found(self, privacy_client: Client) -> None:
        for name in ("MP-0000-0000", "5b0c2f1e-0000-4000-8000-000000000001", "MP-0000-000", "new2", "1"):
            assert privacy_client.get(f"/support/requests/{name}/").status_code == 404


class TestTheWords:
    def test_what_was_asked(self, erasure: Erasure, support: User, privacy_client: Client) -> None:
        words = said(privacy_client.get(story(erasure)))
        assert f"Request {erasure.reference}" in words
        assert "Everything that is remembered: asked for on" in words
        assert "How it came in by support, on a ticket" in words
        assert "Case T-7" in words
        assert f"Written down by staff member {pseudonym_of_staff(support.pk)}" in words
        assert support.email not in words

    def test_ones_own_part_reads_you(self, erasure: Erasure, support_client: Client) -> None:
        assert "Written down by you" in said(support_client.get(story(erasure)))

    @pytest.mark.parametrize(
        ("law", "due", "rests"),
        [("gdpr", "8 April 2026", True), ("ccpa", "16 April 2026", False), ("both", "8 April 2026", True)],
    )
    def test_the_clock(self, law: str, due: str, rests: bool, privacy: User) -> None:
        """It came in on 2 March and has waited for proof of who asks for six days."""
        with time_machine.travel("2026-03-02T12:00:00Z", tick=False):
            erasure = a_request("u-1", law=law)
        with time_machine.travel("2026-03-08T12:00:00Z", tick=False):
            words = said(signed_in(privacy).get(story(erasure)))
        assert f"To be done by {due}" in words
        assert ("The clock rests since 2 March 2026" in words) == rests
        confirm = "They were told that it came in not yet; it has to be by 16 March 2026"
        assert (confirm in words) == (law != "gdpr")

    def test_after_the_rest_the_days_are_named(self, privacy: User) -> None:
        with time_machine.travel("2026-03-02T12:00:00Z", tick=False):
            erasure = a_request("u-1")
        with time_machine.travel("2026-03-05T12:00:00Z", tick=False):
            client = signed_in(privacy)
            client.post(story(erasure, "identity/"), {"reason": "She called back from the number we have"})
            words = said(client.get(story(erasure)))
        assert "The clock rested 3 days so far" in words
        assert "To be done by 5 April 2026" in words
        assert "checked by the privacy team, you, on 5 March 2026, 12:00" in words
        assert "How it was checked She called back from the number we have" in words

    def test_how_it_was_checked_is_for_privacy_only(
        self, support_client: Client, auditor_client: Client, privacy: User
    ) -> None:
        erasure = a_request("u-1", state="approval", identity_note="Passport seen", identified_by=privacy)
        for client in (support_client, auditor_client):
            assert "Passport" not in said(client.get(story(erasure)))

    def test_links_by_mail_are_counted(self, privacy_client: Client) -> None:
        erasure = a_request("u-1", address="a@example.com")
        assert "Links by mail the first goes out in a moment" in said(privacy_client.get(story(erasure)))
        sent = datetime(2026, 3, 8, 9, tzinfo=UTC)
        for number in range(2):
            erasure.links.create(digest=str(number), until=sent, sent_at=sent + timedelta(days=number))
        assert "2 of 3 sent, the last on 9 March 2026, 09:00" in said(privacy_client.get(story(erasure)))

    def test_without_an_address_somebody_has_to_tell_them(self, privacy_client: Client) -> None:
        words = said(privacy_client.get(story(a_request("u-1"))))
        assert "none: somebody of us has to tell them" in words
        assert "Links by mail" not in words

    def test_a_hold_and_its_end(self, privacy_client: Client) -> None:
        erasure = a_request("u-1", state="on-hold", held_until=date(2027, 5, 3))
        words = said(privacy_client.get(story(erasure)))
        assert "On hold until 3 May 2027" in words
        assert "Ground A court has ordered us to keep it, case 12" in words

    def test_attempts_and_the_next_try(self, privacy_client: Client) -> None:
        soon = timezone.now() + timedelta(hours=1)
        erasure = a_request("u-1", state="retrying", attempts=4, next_at=soon, began_at=timezone.now())
        words = said(privacy_client.get(story(erasure)))
        assert "Attempts 4" in words
        assert f"Next try {soon:%-d %B %Y, %H:%M}" in words
        Erasure.objects.filter(pk=erasure.pk).update(lease_until=soon)
        assert "Right now the portal is at work on it" in said(privacy_client.get(story(erasure)))

    def test_place_by_place(self, privacy_client: Client) -> None:
        erasure = a_request("u-1", state="verifying")
        now = timezone.now()
        rows: list[dict[str, Any]] = [
            {"place": "memories", "found": 12, "removed": 12, "left": 0, "verified_at": now},
            {"place": "history", "found": 3, "removed": 2, "left": 1, "verified_at": now, "problem": "one came back"},
            {"place": "entities", "found": 4, "removed": 4},
            {"place": "messages"},
        ]
        ErasureStep.objects.bulk_create(ErasureStep(erasure=erasure, order=n, **row) for n, row in enumerate(rows))
        words = said(privacy_client.get(story(erasure)))
        assert "Memories 12 found, 12 removed, 0 left when it was read again." in words
        assert "3 found, 2 removed, 1 left when it was read again. One came back." in words
        assert "4 found, 4 removed, not read again yet." in words
        assert "Not begun." in words

    def test_one_assistant_is_named_and_escaped(self, privacy_client: Client) -> None:
        erasure = a_request("u-1", scope=Scope.ASSISTANT, agent="<b>bot</b>")
        assert "<b>bot" not in privacy_client.get(story(erasure)).content.decode()

    def test_a_duplicate_points_to_the_first(self, privacy_client: Client) -> None:
        first = a_request("u-1")
        erasure = a_request("u-2", state="cancelled", duplicate_of=first)
        assert f"The same as {first.reference}" in said(privacy_client.get(story(erasure)))


class TestTheTimeline:
    def test_it_has_everything_in_words_newest_first(self, privacy: User, colleague: User, alice: User) -> None:
        client = signed_in(privacy)
        erasure = a_request("u-1", state="approval")
        for action, actor in (
            (Action.REQUEST_FILED, NOBODY),
            (Action.IDENTITY_ASKED, SYSTEM),
            (Action.IDENTITY_PROVEN, Actor(str(alice.pk), "person")),
            (Action.REQUEST_HELD, Actor(str(colleague.pk), "privacy")),
        ):
            record(action, actor=actor, object=erasure.reference, reason="A court said so" if "held" in action else "")
        record(Action.REQUEST_REFUSED, actor=Actor(str(colleague.pk), "privacy"), object="MP-OTHE-R001")
        client.get(story(erasure))
        page = client.get(story(erasure))
        lines = [(line.what, line.who, line.times, line.why) for line in page.context["timeline"]]
        assert lines == [
            ("Looked at a deletion request", "you", 2, ""),
            (
                "Put a deletion request on hold",
                f"privacy, staff member {pseudonym_of_staff(colleague.pk)}",
                1,
                "A court said so",
            ),
            ("It was shown who asks", "the person", 1, ""),
            ("Asked by mail whether they asked for it", "this portal, by itself", 1, ""),
            ("A deletion request came in", "somebody who was not signed in", 1, ""),
        ]
        assert colleague.email not in page.content.decode()

    def test_accesses_for_it_are_in_it(self, alice: User, alice_memory: ScopedMemory, privacy_client: Client) -> None:
        erasure = a_request(alice.subject, account=alice, state="waiting")
        assert f'value="{erasure.reference}"' in privacy_client.get(story(erasure)).content.decode()
        grant = open_access(privacy_client, erasure.reference, ticket=erasure.reference, category="deletion")
        privacy_client.post(page_of(grant, "end/"))
        lines = [line.what for line in privacy_client.get(story(erasure)).context["timeline"]]
        assert lines[1:3] == ["Access ended", "Was given access for a while"]


class TestTheReceipt:
    def test_it_is_the_signed_document(
        self, alice: User, alice_memory: ScopedMemory, privacy_client: Client, auditor_client: Client
    ) -> None:
        from memoryportal.base.keys import key_ring

        remember(alice_memory, "Grows quillwort behind the greenhouse.")
        erasure = engine.run(services.ask(alice, SubjectId(alice.subject)))
        assert erasure.state == "completed"
        for client in (privacy_client, auditor_client):
            before = newest()
            answer = client.get(story(erasure, "receipt/"))
            assert answer.headers["Content-Type"] == "application/json"
            assert f"receipt-{erasure.reference}.json" in answer.headers["Content-Disposition"]
            verdict = receipts.verify(answer.content, key_ring().public)
            assert verdict.valid, verdict.why
            assert alice.subject not in answer.content.decode()
            assert actions(before) == ["request.opened"]
        assert story(erasure, "receipt/") in privacy_client.get(story(erasure)).content.decode()

    def test_there_is_none_before_the_end(self, privacy_client: Client) -> None:
        erasure = a_request("u-1")
        assert privacy_client.get(story(erasure, "receipt/")).status_code == 404
        assert story(erasure, "receipt/") not in privacy_client.get(story(erasure)).content.decode()


def test_a_page_costs_the_same_for_short_and_long_stories(
    privacy_client: Client, django_assert_max_num_queries: Any
) -> None:
    erasure = a_request("u-1", state="approval", identified_how=Identified.OFFICER)
    privacy_client.get(story(erasure))
    with django_assert_max_num_queries(12) as few:
        privacy_client.get(story(erasure))
    outside(erasure, *(f"Place {number}" for number in range(12)))
    for number in range(30):
        record(Action.ERASURE_FAILED, actor=Actor(str(number), "privacy"), object=erasure.reference)
        ErasureStep.objects.create(erasure=erasure, order=number, place=f"place-{number}", found=number)
    with django_assert_max_num_queries(12) as many:
        privacy_client.get(story(erasure))
    assert len(many) == len(few)
