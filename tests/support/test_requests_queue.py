"""The queue: who sees which requests, what they wait for, which is due first, and that it names nobody."""

import itertools
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from memoryportal.accounts.models import User
from memoryportal.erasure.clocks import Law
from memoryportal.erasure.models import Channel, Erasure, Scope
from memoryportal.erasure.states import TERMINAL, State
from memoryportal.support import request_queue
from memoryportal.support.request_queue import PAGE, Group, Wanted

from .requests import a_request, story
from .staffing import actions, last_event, newest, said, signed_in, staff_member

pytestmark = pytest.mark.django_db
QUEUE = "/support/requests/"
TODAY = datetime(2026, 3, 10, 12, tzinfo=UTC)


def listed(client: Client, query: str = "") -> list[str]:
    """The references of the page, in their order."""
    answer = client.get(QUEUE + query)
    assert answer.status_code == 200
    return [row.reference for row in answer.context["rows"]]


def references(*requests: Erasure) -> list[str]:
    return [erasure.reference for erasure in requests]


class TestWhoSeesWhat:
    @pytest.fixture
    def requests(self, support: User) -> tuple[Erasure, Erasure]:
        """One that support wrote down, and one that somebody else did."""
        return a_request("u-1", filed_by=support, channel=Channel.SUPPORT), a_request("u-2", address="x@example.com")

    def test_privacy_and_auditors_see_all(
        self, requests: tuple[Erasure, Erasure], privacy_client: Client, auditor_client: Client
    ) -> None:
        for client in (privacy_client, auditor_client):
            assert sorted(listed(client)) == sorted(references(*requests))

    def test_support_sees_what_they_wrote_down(self, requests: tuple[Erasure, Erasure], support_client: Client) -> None:
        assert listed(support_client) == references(requests[0])
        answer = support_client.get(QUEUE)
        assert answer.context["counts"].open == 1
        assert requests[1].reference not in answer.content.decode()

    def test_another_one_of_support_sees_none_of_them(self, requests: tuple[Erasure, Erasure]) -> None:
        assert listed(signed_in(staff_member("second", "support"))) == []

    def test_somebody_with_two_roles_sees_what_the_wider_one_sees(self, requests: tuple[Erasure, Erasure]) -> None:
        assert len(listed(signed_in(staff_member("both", "support", "auditor")))) == 2

    def test_people_find_no_such_page(self, requests: tuple[Erasure, Erasure], alice_client: Client) -> None:
        assert alice_client.get(QUEUE).status_code == 404

    def test_only_privacy_is_offered_to_write_one_down(
        self, privacy_client: Client, support_client: Client, auditor_client: Client
    ) -> None:
        offers = [
            "/support/requests/new/" in client.get(QUEUE).content.decode()
            for client in (privacy_client, support_client, auditor_client)
        ]
        assert offers == [True, False, False]


class TestByReference:
    def test_holding_it_is_enough(self, support_client: Client) -> None:
        erasure = a_request("u-1")
        spoken = erasure.reference.lower().replace("-", " ")
        for typed in (erasure.reference, f" {erasure.reference.lower()} ", spoken, spoken.replace(" ", "")):
            assert support_client.get(QUEUE, {"reference": typed}).headers["Location"] == story(erasure)
        assert support_client.get(story(erasure)).status_code == 200

    def test_letters_that_are_read_as_digits_are(self, support_client: Client) -> None:
        erasure = a_request("u-1", reference="MP-0011-ABCD")
        assert support_client.get(QUEUE, {"reference": "MP-OOIL-ABCD"}).headers["Location"] == story(erasure)

    @pytest.mark.parametrize("typed", ["MP-0000-0000", "MP-0000", "x", "", "alice@example.com", "MP-0000-000U", "\0"])
    def test_nothing_similar_is_found(self, typed: str, support_client: Client) -> None:
        a_request("u-1", reference="MP-0000-0001")
        answer = support_client.get(QUEUE, {"reference": typed})
        assert answer.status_code == 200
        assert "There is a problem" in said(answer)
        assert "MP-0000-0001" not in answer.content.decode()

    def test_a_miss_leaves_an_event(self, support: User, support_client: Client) -> None:
        before = newest()
        support_client.get(QUEUE, {"reference": "MP-0000-0000"})
        support_client.get(story(Erasure(reference="MP-0000-0002")))
        assert actions(before) == ["access.denied", "access.denied"]
        event = last_event("access.denied")
        assert (event.actor, event.role) == (str(support.pk), "support")
        assert event.details == {"page": "support:request", "kind": "reference"}

    def test_the_id_of_somebody_elses_opens_nothing(self, support: User, support_client: Client) -> None:
        mine, other = a_request("u-1", filed_by=support), a_request("u-2")
        assert support_client.get(f"{QUEUE}{mine.pk}/").status_code == 200
        assert support_client.get(f"{QUEUE}{other.pk}/").status_code == 404


class TestOrderAndLateness:
    def test_due_first(self, privacy_client: Client) -> None:
        with time_machine.travel(TODAY, tick=False):
            late, soon, later = (
                a_request(f"u-{days}", state="approval", asked_at=TODAY - timedelta(days=days)) for days in (40, 25, 3)
            )
            assert listed(privacy_client) == references(late, soon, later)
            words = said(privacy_client.get(QUEUE))
        assert "3 have not ended. 1 of them is late." in words
        assert words.index("10 days late") < words.index("Due in 3 days") < words.index("Due in 28 days")

    @pytest.mark.parametrize(
        ("asked", "today", "words", "look"),
        [
            ("2026-01-31", "2026-02-28", "Due today", "tag-warning"),
            ("2026-01-31", "2026-03-01", "1 day late", "tag-danger"),
            ("2028-01-31", "2028-02-28", "Due in 1 day", "tag-warning"),
            ("2028-01-31", "2028-02-29", "Due today", "tag-warning"),
            ("2026-12-31", "2027-01-31", "Due today", "tag-warning"),
            ("2026-01-15", "2026-02-07", "Due in 8 days", ""),
            ("2026-01-15", "2026-02-08", "Due in 7 days", "tag-warning"),
        ],
    )
    def test_lateness_is_a_word_and_then_a_colour(
        self, asked: str, today: str, words: str, look: str, privacy: User
    ) -> None:
        with time_machine.travel(f"{asked}T12:00:00Z", tick=False):
            a_request("u-1", state="approval")
        with time_machine.travel(f"{today}T12:00:00Z", tick=False):
            (row,) = signed_in(privacy).get(QUEUE).context["rows"]
        assert (row.due, row.look) == (words, look)

    def test_a_clock_that_rests_moves_its_date(self, privacy: User) -> None:
        with time_machine.travel("2026-03-02T12:00:00Z", tick=False):
            resting, other = a_request("u-1", address="a@example.com"), a_request("u-2", state="approval")
        with time_machine.travel("2026-03-08T12:00:00Z", tick=False):
            page = signed_in(privacy).get(QUEUE)
            assert [row.due for row in page.context["rows"]] == ["Due in 25 days", "Due in 31 days"]
            assert [row.reference for row in page.context["rows"]] == references(other, resting)

    @pytest.mark.parametrize(
        ("law", "rests", "extended"), [*itertools.product(["gdpr", "ccpa", "both"], [0, 3, 20, 60], [False, True])]
    )
    def test_the_date_of_the_list_is_that_of_the_clock(self, law: Law, rests: int, extended: bool) -> None:
        """Two ways to one date: SQL for the order, Clock for the law."""
        for asked in (date(2026, 1, 31), date(2026, 2, 28), date(2028, 1, 30), date(2026, 7, 15)):
            at = datetime(asked.year, asked.month, asked.day, 23, 30, tzinfo=UTC)
            with time_machine.travel(at, tick=False):
                erasure = a_request("u-1", law=law, rested_days=2, extended_at=at if extended else None)
            with time_machine.travel(at + timedelta(days=rests), tick=False):
                (found,) = request_queue.page(Erasure.objects.filter(pk=erasure.pk), Wanted()).requests
                assert found.due_now == erasure.clock().due  # type: ignore[attr-defined]

    def test_the_last_that_ended_stands_on_top(self, privacy_client: Client) -> None:
        ended = []
        for day in (3, 1, 2):
            with time_machine.travel(TODAY + timedelta(days=day), tick=False):
                ended.append(a_request(f"u-{day}", state="refused", ground="Not theirs to ask for"))
        assert listed(privacy_client, "?show=ended") == references(ended[0], ended[2], ended[1])
        assert "late" not in said(privacy_client.get(f"{QUEUE}?show=ended")).partition("Ended")[2]


class TestGroups:
    @pytest.mark.parametrize(
        ("state", "about", "group"),
        [
            ("approval", {}, "somebody"),
            ("needs-attention", {}, "somebody"),
            ("identity", {}, "somebody"),
            ("identity", {"address": "a@example.com"}, "person"),
            ("identity", {"address": "a@example.com", "law": "ccpa"}, "person"),
            ("waiting", {}, "running"),
            ("waiting", {"law": "ccpa"}, "somebody"),
            ("waiting", {"law": "ccpa", "confirmed_at": TODAY}, "running"),
            ("erasing", {}, "running"),
            ("verifying", {}, "running"),
            ("watching", {}, "running"),
            ("retrying", {}, "running"),
            ("on-hold", {"held_until": date(2026, 12, 1)}, "held"),
            ("on-hold", {"held_until": date(2026, 3, 15)}, "somebody"),
            *((state, {}, "ended") for state in sorted(TERMINAL)),
        ],
    )
    def test_each_is_in_one(self, state: str, about: dict[str, Any], group: str, privacy: User) -> None:
        with time_machine.travel(TODAY, tick=False):
            erasure = a_request("u-1", state=state, **about)
            client = signed_in(privacy)
            found = [name for name in Group.values if listed(client, f"?show={name}")]
            assert found == [group]
            assert listed(client) == ([] if group == "ended" else [erasure.reference])
            rows = client.get(f"{QUEUE}?show={group}").context["rows"]
        assert bool(rows[0].waits) == (group == "somebody"), "whatever needs somebody says what for"

    def test_its_receipt_is_confirmed_in_time(self, privacy: User) -> None:
        """Ten business days from Tuesday, 10 March. A mail that never went out is noticed three days before."""
        with time_machine.travel(TODAY, tick=False):
            a_request("u-1", address="a@example.com", law="ccpa")
        for day, group in (("2026-03-20", "person"), ("2026-03-21", "somebody")):
            with time_machine.travel(f"{day}T12:00:00Z", tick=False):
                (row,) = signed_in(privacy).get(f"{QUEUE}?show={group}").context["rows"]
        assert row.waits == "They have to be told by 24 March 2026 that it came in"

    def test_they_are_counted(self, privacy: User) -> None:
        with time_machine.travel(TODAY, tick=False):
            a_request("u-1", state="approval")
            a_request("u-2", state="waiting", asked_at=TODAY - timedelta(days=60))
            a_request("u-3", state="completed")
            counts = signed_in(privacy).get(QUEUE).context["counts"]
        assert counts.groups == {"somebody": 1, "running": 1}
        assert (counts.open, counts.late, counts.soon, counts.second) == (2, 1, 0, 1)

    def test_law_and_channel_narrow_it(self, privacy_client: Client) -> None:
        form = a_request("u-1", law="gdpr")
        letter = a_request("u-2", law="ccpa", channel=Channel.PRIVACY)
        assert listed(privacy_client, "?law=ccpa") == references(letter)
        assert listed(privacy_client, "?channel=form") == references(form)
        assert listed(privacy_client, "?channel=form&law=ccpa") == []
        assert listed(privacy_client, "?show=somebody&law=ccpa") == references(letter)

    @pytest.mark.parametrize(
        "query", ["show=nonsense", "law=%00", "channel=x", "after=x", "after=2026-99-99~x", "show="]
    )
    def test_odd_words_narrow_nothing(self, query: str, privacy_client: Client) -> None:
        erasure = a_request("u-1")
        assert listed(privacy_client, f"?{query}") == references(erasure)


class TestPages:
    @pytest.mark.parametrize("query", ["", "?show=ended"])
    def test_every_request_stands_on_one_page(self, query: str, privacy_client: Client) -> None:
        """Also where many are due on one day, or ended at one moment."""
        with time_machine.travel(TODAY, tick=False):
            made = [a_request(f"u-{n}", state="refused" if query else "approval") for n in range(2 * PAGE + 3)]
        seen, url = list[str](), query
        for _ in range(3):
            page = privacy_client.get(QUEUE + url)
            seen += [row.reference for row in page.context["rows"]]
            url = page.context["older"].removeprefix(QUEUE)
        assert url == ""
        assert len(seen) == len(set(seen)) == len(made)
        assert page.context["newer"].removeprefix(QUEUE) == query

    def test_ended_ones_are_read_from_an_index(self, privacy_client: Client) -> None:
        """They pile up for two years."""
        for number in range(3):
            a_request(f"u-{number}", state="refused")
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
        with CaptureQueriesContext(connection) as captured:
            request_queue.page(Erasure.objects.all(), Wanted(group="ended"))
        (query,) = captured.captured_queries
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN " + query["sql"])
            plan = " ".join(line for (line,) in cursor.fetchall())
        assert "erasure_by_its_end" in plan
        assert "Sort" not in plan

    def test_a_page_costs_the_same_for_short_and_long_queues(
        self, privacy_client: Client, django_assert_max_num_queries: Any
    ) -> None:
        a_request("u-1")
        privacy_client.get(QUEUE)
        with django_assert_max_num_queries(6) as few:
            privacy_client.get(QUEUE)
        for number in range(PAGE + 5):
            a_request(f"n-{number}", state="approval")
        with django_assert_max_num_queries(6) as many:
            privacy_client.get(QUEUE)
        assert len(many) == len(few)


def test_it_names_nobody(alice: User, support: User, privacy_client: Client) -> None:
    about = {"address": "letter@example.com", "told": "I am customer 4711", "account": alice, "filed_by": support}
    a_request(alice.subject, "u-alice", ticket="T-1", **about)
    text = privacy_client.get(QUEUE).content.decode()
    for word in (alice.email, alice.subject, "u-alice", "letter@", "4711", support.email):
        assert word not in text, word


def test_the_scope_is_in_words(privacy_client: Client) -> None:
    a_request("u-1", scope=Scope.ASSISTANT, agent="<shop_bot>")
    answer = privacy_client.get(QUEUE)
    assert "What the assistant “<shop_bot>” remembers" in said(answer)
    assert "<shop_bot>" not in answer.content.decode()


def test_every_state_has_a_group() -> None:
    for state in State:
        a_request(f"u-{state}", state=state)
    found = request_queue.grouped(Erasure.objects.all(), timezone.localdate()).values_list("group", flat=True)
    assert set(found) == {"somebody", "running", "held", "ended"}
