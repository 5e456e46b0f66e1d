"""Whose data a request is about, and the places that the portal cannot read: what privacy finds out and reports."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from memoryportal.accounts.models import User
from memoryportal.erasure import engine, services
from memoryportal.erasure.models import Channel, Erasure
from memoryportal.memory import SubjectId
from memoryportal.support.attaching import Candidate

from .requests import a_request, everything_about, outside, story
from .staffing import actions, last_event, linked, newest, said, signed_in
from .test_request_acts import act, offered

pytestmark = pytest.mark.django_db


class TestIds:
    """Whose data it is: looked for exactly, chosen by a key, approved by somebody else."""

    def look(self, client: Client, erasure: Erasure, words: str) -> Any:
        return client.post(story(erasure, "attach/find/"), {"words": words})

    def choose(self, client: Client, erasure: Erasure, *subjects: str) -> Any:
        return client.post(story(erasure, "attach/"), {"ids": [Candidate(each, "", True).key for each in subjects]})

    def test_those_of_an_account_are_found_by_its_address(self, alice: User, privacy_client: Client) -> None:
        linked(alice, "u-alice", "Shop")
        erasure, before = a_request(), newest()
        assert self.look(privacy_client, erasure, "alice@example.com").headers["Location"] == story(erasure, "attach/")
        assert actions(before) == ["person.found"]
        page = privacy_client.get(story(erasure, "attach/"))
        words = said(page)
        assert "a…@example.com: an assistant's id (Shop), connected on" in words
        assert "a…@example.com: the id that this portal gave them" in words
        for hidden in ("u-alice", alice.subject, "alice@"):
            assert hidden not in page.content.decode()
        assert page.content.decode().count(" checked") == 2
        assert self.choose(privacy_client, erasure, "u-alice", alice.subject).headers["Location"] == story(erasure)
        erasure.refresh_from_db()
        assert (erasure.subjects, erasure.account) == (["u-alice", alice.subject], alice)
        assert sorted(erasure.open_rows.values_list("subject", flat=True)) == sorted(erasure.subjects)

    def test_by_an_id_only_that_one_is_ticked(self, alice: User, privacy_client: Client) -> None:
        linked(alice, "u-alice")
        erasure = a_request()
        self.look(privacy_client, erasure, "u-alice")
        page = privacy_client.get(story(erasure, "attach/")).content.decode()
        assert page.count(" checked") == 1
        assert page.count('type="checkbox"') == 2

    def test_one_that_no_account_has_is_shown_and_not_ticked(self, privacy_client: Client) -> None:
        erasure, before = a_request("u-1"), newest()
        self.look(privacy_client, erasure, " customer-9 ")
        assert actions(before) == ["person.missed"]
        page = privacy_client.get(story(erasure, "attach/"))
        assert "“customer-9”, an id that no account here has" in said(page)
        assert page.content.decode().count(" checked") == 1
        self.choose(privacy_client, erasure, "u-1", "customer-9")
        erasure.refresh_from_db()
        assert erasure.subjects == ["u-1", "customer-9"]

    @pytest.mark.parametrize("words", ["nobody @example.com", "*", "a b", "x" * 200])
    def test_what_can_be_no_id_is_refused(self, words: str, privacy_client: Client) -> None:
        erasure = a_request()
        answer = self.look(privacy_client, erasure, words)
        assert answer.status_code == 422
        assert "it can be no id" in said(answer)
        assert b'type="checkbox"' not in privacy_client.get(story(erasure, "attach/")).content

    def test_look_ups_are_counted(self, alice: User, privacy_client: Client, settings: Any) -> None:
        settings.FINDS_PER_HOUR = 1
        erasure = a_request()
        self.look(privacy_client, erasure, "nobody")
        answer = self.look(privacy_client, erasure, "alice@example.com")
        assert answer.status_code == 429
        assert "Nobody was looked for." in said(answer)
        assert last_event("access.denied").details == {"kind": "quota"}

    def test_what_was_found_for_one_request_is_not_offered_for_another(
        self, alice: User, privacy_client: Client
    ) -> None:
        one, other = a_request(), a_request()
        self.look(privacy_client, one, "alice@example.com")
        assert self.choose(privacy_client, other, alice.subject).status_code == 422
        other.refresh_from_db()
        assert other.subjects == []

    def test_it_is_forgotten_after_five_minutes(self, alice: User, privacy: User) -> None:
        with time_machine.travel("2026-03-10T12:00:00Z", tick=False) as clock:
            erasure, client = a_request(), signed_in(privacy)
            self.look(client, erasure, "alice@example.com")
            clock.shift(301)
            assert self.choose(client, erasure, alice.subject).status_code == 422

    def test_nobody_attaches_their_own(self, privacy: User, privacy_client: Client) -> None:
        erasure = a_request("u-1")
        self.look(privacy_client, erasure, privacy.email)
        stood = everything_about(erasure)
        answer = self.choose(privacy_client, erasure, "u-1", privacy.subject)
        assert answer.status_code == 409
        assert "This request is about you" in said(answer)
        assert everything_about(erasure) == stood

    def test_the_same_asked_for_twice_ends_as_a_duplicate(self, alice: User, privacy_client: Client) -> None:
        there = a_request(alice.subject, account=alice)
        there.open_rows.create(subject=alice.subject)
        erasure = a_request()
        self.look(privacy_client, erasure, "alice@example.com")
        answer = self.choose(privacy_client, erasure, alice.subject)
        erasure.refresh_from_db()
        assert (erasure.state, erasure.duplicate_of) == ("cancelled", there)
        assert f"the same was asked for in {there.reference}" in said(privacy_client.get(answer.headers["Location"]))
        there.refresh_from_db()
        assert there.state == "identity"

    def test_of_somebodys_own_request_nobody_changes_them(self, alice: User, privacy_client: Client) -> None:
        erasure = a_request(alice.subject, channel=Channel.SELF, account=alice)
        stood = everything_about(erasure)
        assert self.look(privacy_client, erasure, "alice@example.com").status_code == 409
        assert act(privacy_client, erasure, "attach").status_code == 409
        assert everything_about(erasure) == stood
        assert "attach" not in offered(privacy_client, erasure)


class TestOutsidePlaces:
    def test_a_report_has_a_name_a_date_and_a_note(self, privacy: User, privacy_client: Client) -> None:
        erasure = a_request("u-1", state="waiting")
        place, other = outside(erasure, "Crash reports", "Newsletter")
        before = newest()
        answer = act(privacy_client, erasure, f"outside/{place.pk}", on="2026-05-03", note="By  Kim, ticket 7")
        assert answer.headers["Location"] == story(erasure)
        place.refresh_from_db()
        assert (place.reported_by, place.note) == (privacy, "Emptied on 3 May 2026. By Kim, ticket 7")
        assert place.reported_at is not None
        assert actions(before) == ["outside.reported"]
        page = said(privacy_client.get(story(erasure)))
        assert "Reported as emptied by you on" in page
        assert "not verified by us. Emptied on 3 May 2026. By Kim, ticket 7" in page
        assert story(erasure, f"outside/{other.pk}/") in privacy_client.get(story(erasure)).content.decode()

    def test_it_is_reported_once(self, privacy: User, colleague: User) -> None:
        erasure = a_request("u-1")
        (place,) = outside(erasure, "Crash reports")
        one, other = signed_in(privacy), signed_in(colleague)
        act(one, erasure, f"outside/{place.pk}")
        stood, before = everything_about(erasure), newest()
        assert act(other, erasure, f"outside/{place.pk}", note="Again").status_code == 409
        assert (everything_about(erasure), newest()) == (stood, before)

    def test_what_was_erased_at_once_is_reported_afterwards(
        self, privacy_client: Client, alice: User, alice_client: Client, settings: Any
    ) -> None:
        """What people erase themselves has ended before anybody can look."""
        settings.OUTSIDE_PLACES = ["Crash reports", "Newsletter"]
        erasure = engine.run(services.ask(alice, SubjectId(alice.subject)))
        listed = "/support/requests/?show=outside"
        assert erasure.state == "completed"
        assert "1 erased, with places outside to report" in said(privacy_client.get("/support/"))
        assert erasure.reference in said(privacy_client.get(listed))
        for place in erasure.outside.all():
            page = f"outside/{place.pk}"
            assert "The receipt was signed before" in said(privacy_client.get(story(erasure, f"{page}/")))
            with time_machine.travel(timezone.now() + timedelta(minutes=10)):
                assert act(privacy_client, erasure, page).status_code == 302
        assert "emptied, after the receipt was signed." in said(alice_client.get(f"/erasure/{erasure.id}/"))
        assert Erasure.objects.get().receipt == erasure.receipt
        assert "with places outside to report" not in said(privacy_client.get("/support/"))
        assert erasure.reference not in said(privacy_client.get(listed))

    @pytest.mark.parametrize("state", ["refused", "cancelled", "unconfirmed"])
    def test_not_where_nothing_was_erased(self, state: str, privacy_client: Client) -> None:
        erasure = a_request("u-1", state=state)
        (place,) = outside(erasure, "Crash reports")
        stood = everything_about(erasure)
        assert act(privacy_client, erasure, f"outside/{place.pk}").status_code == 409
        assert everything_about(erasure) == stood
        assert f"outside/{place.pk}/" not in privacy_client.get(story(erasure)).content.decode()

    def test_a_place_of_another_request_is_none(self, privacy_client: Client) -> None:
        erasure, other = a_request("u-1"), a_request("u-2")
        (place,) = outside(other, "Crash reports")
        assert act(privacy_client, erasure, f"outside/{place.pk}").status_code == 404
        place.refresh_from_db()
        assert place.reported_at is None

    @pytest.mark.parametrize("on", ["", "tomorrow", "2999-01-01"])
    def test_without_a_day_it_is_no_report(self, on: str, privacy_client: Client) -> None:
        erasure = a_request("u-1")
        (place,) = outside(erasure, "Crash reports")
        answer = act(privacy_client, erasure, f"outside/{place.pk}", on=on)
        assert answer.status_code == 422
        assert "By hand" in said(answer)
        place.refresh_from_db()
        assert place.reported_at is None
