"""Opening access: to one person, for a reason, for a while, one at a time."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from memoryportal.accounts.models import SubjectLink, User
from memoryportal.erasure import decisions, services
from memoryportal.erasure.models import Channel, Erasure
from memoryportal.memory import ScopedMemory, SubjectId
from memoryportal.support.models import AccessGrant
from tests.erasure.making import an_erasure

from .staffing import (
    WHY,
    actions,
    find,
    last_event,
    linked,
    newest,
    open_access,
    page_of,
    said,
    signed_in,
    staff_member,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("minutes", [15, 30, 60])
def test_access_is_opened_for_as_long_as_was_chosen(minutes: int, alice: User, support: User) -> None:
    client, before = signed_in(support), timezone.now()
    seen = newest()
    grant = open_access(client, minutes=str(minutes))
    assert (grant.staff, grant.person, grant.subject) == (support, alice, alice.subject)
    assert (grant.kind, grant.category, grant.ticket, grant.reason) == ("support", *list(WHY.values())[:3])
    assert grant.ends_at - grant.opened_at == timedelta(minutes=minutes)
    assert before <= grant.opened_at <= timezone.now()
    assert actions(seen) == ["person.found", "grant.opened"]
    event = last_event("grant.opened")
    assert (event.actor, event.role, event.grant) == (str(support.pk), "support", str(grant.pk))
    assert (event.object, event.reason) == ("ticket:T-4711", WHY["reason"])
    assert event.details == {"minutes": minutes, "category": "question", "kind": "support"}


def test_what_was_found_opens_one_access_and_no_second(alice: User, support_client: Client) -> None:
    grant = open_access(support_client)
    support_client.post(page_of(grant, "end/"))
    assert support_client.post("/support/grants/", WHY).headers["Location"] == "/support/people/"
    assert AccessGrant.objects.count() == 1


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"reason": " " * 40}, "Say why, in at least 10 characters."),
        ({"reason": "\u200b\u2060" * 20}, "Say why, in at least 10 characters."),
        ({"reason": "\u00a0too short\u2003"}, "Say why, in at least 10 characters."),
        ({"reason": "x" * 501}, "at most 500 characters"),
        ({"reason": "a long reason with \0"}, "Null characters are not allowed."),
        ({"ticket": ""}, "Write the case number."),
        ({"ticket": "mail to alice@example.com"}, "Use letters, digits and"),
        ({"ticket": "T-1\nBcc: x"}, "Use letters, digits and"),
        ({"ticket": "T" * 41}, "at most 40 characters"),
        ({"category": "curiosity"}, "Select a valid choice."),
        ({"category": ""}, "Choose what it is about."),
        ({"minutes": "90"}, "Select a valid choice."),
        ({"minutes": ""}, "Choose for how long."),
        ({"minutes": "15.5"}, "Select a valid choice."),
    ],
)
def test_a_reason_that_is_none_opens_nothing(wrong: dict[str, str], sentence: str, alice: User, support: User) -> None:
    client = signed_in(support)
    find(client, "alice@example.com")
    before = newest()
    answer = client.post("/support/grants/", {**WHY, **wrong})
    assert answer.status_code == 422
    assert sentence in said(answer)
    assert "You found a…@example.com" in said(answer)
    assert not AccessGrant.objects.exists()
    assert actions(before) == []


def test_a_reason_keeps_its_lines_and_loses_what_nobody_sees(alice: User, support_client: Client) -> None:
    grant = open_access(support_client, reason="  She asked\u200b twice.\r\nBy telephone. ")
    assert grant.reason == "She asked twice.\r\nBy telephone."


def test_an_address_in_the_reason_does_not_enter_the_trail(alice: User, support_client: Client) -> None:
    open_access(support_client, reason="alice@example.com asked what is stored")
    assert last_event("grant.opened").reason == "(address) asked what is stored"


def test_nobody_opens_access_to_themselves(support: User, support_client: Client) -> None:
    find(support_client, "support@example.com")
    refused(support_client, "use your own pages")


def test_nobody_opens_access_to_themselves_by_a_request(support: User, support_client: Client) -> None:
    """The erasure names no account, but the id is theirs."""
    erasure = an_erasure(support.subject, state="completed")
    find(support_client, erasure.reference)
    refused(support_client, "use your own pages")


@pytest.mark.parametrize("role", ["support", "privacy", "auditor", "superuser"])
def test_nobody_opens_access_to_a_member_of_the_staff(role: str, support_client: Client) -> None:
    colleague = staff_member("colleague", role)
    User.objects.filter(pk=colleague.pk).update(is_superuser=role == "superuser")
    linked(colleague, "u_colleague")
    for words in ("colleague@example.com", colleague.subject, "u_colleague"):
        find(support_client, words)
        refused(support_client, "member of the staff")


def test_somebody_who_joins_the_staff_after_the_find_is_refused(alice: User, support_client: Client) -> None:
    find(support_client, "alice@example.com")
    alice.groups.add(Group.objects.get(name="auditor"))
    refused(support_client, "member of the staff")


def refused(client: Client, sentence: str) -> None:
    before = newest()
    answer = client.post("/support/grants/", WHY)
    assert answer.status_code == 409
    assert sentence in said(answer)
    assert not AccessGrant.objects.exists()
    assert actions(before) == ["grant.refused"]


def test_two_at_once_are_one(alice: User, bob: User, support_client: Client) -> None:
    grant = open_access(support_client)
    find(support_client, "bob@example.com")
    before = newest()
    answer = support_client.post("/support/grants/", WHY)
    assert answer.status_code == 409
    assert "You have access to somebody already: end that first." in said(answer)
    assert list(AccessGrant.objects.all()) == [grant]
    assert actions(before) == ["grant.refused"]
    assert support_client.get(page_of(grant)).status_code == 200


def test_two_members_of_the_staff_may_look_at_one_person(alice: User, support_client: Client) -> None:
    open_access(support_client)
    open_access(signed_in(staff_member("second", "support")))
    assert AccessGrant.objects.filter(ended_at=None).count() == 2


def test_one_that_is_over_is_in_nobodys_way(alice: User, support_client: Client) -> None:
    first = open_access(support_client)
    AccessGrant.objects.update(ends_at=timezone.now() - timedelta(seconds=1))
    open_access(support_client)
    first.refresh_from_db()
    assert first.ended_how == "time"


class TestIds:
    """A person with several ids is looked at under one of them, chosen by a key and never by the id itself."""

    @pytest.fixture
    def link(self, alice: User) -> SubjectLink:
        return linked(alice, "u_alice", "Shop")

    @pytest.fixture
    def found(self, link: SubjectLink, support_client: Client) -> Client:
        find(support_client, "alice@example.com")
        return support_client

    def test_they_are_offered_without_naming_them(self, found: Client, alice: User) -> None:
        page = found.get("/support/grants/")
        assert "an assistant's id (Shop), connected on" in said(page)
        assert "u_alice" not in page.content.decode()
        assert alice.subject not in page.content.decode()

    def test_the_connected_one_comes_first(self, found: Client, link: SubjectLink) -> None:
        assert f'value="{link.pk}" id="id_under_0" checked' in found.get("/support/grants/").content.decode()

    def test_without_a_choice_it_is_the_one_that_was_found(self, found: Client) -> None:
        found.post("/support/grants/", WHY)
        assert AccessGrant.objects.get().subject == "u_alice"

    def test_the_chosen_one_counts(self, found: Client, alice: User) -> None:
        found.post("/support/grants/", {**WHY, "under": "issued"})
        assert AccessGrant.objects.get().subject == alice.subject

    @pytest.mark.parametrize("under", ["u_alice", "999999", "bob"])
    def test_no_other_key_opens_anything(self, under: str, found: Client, bob: User) -> None:
        link = linked(bob, "u_bob")
        answer = found.post("/support/grants/", {**WHY, "under": str(link.pk) if under == "bob" else under})
        assert answer.status_code == 422
        assert not AccessGrant.objects.exists()

    def test_a_key_means_nothing_where_there_is_no_choice(self, bob: User, support_client: Client) -> None:
        find(support_client, "bob@example.com")
        support_client.post("/support/grants/", {**WHY, "under": "u_alice"})
        assert AccessGrant.objects.get().subject == bob.subject


class TestPrivacy:
    """Privacy looks for a deletion request, which has to be there."""

    def test_a_request_of_the_person_opens_access(self, alice: User, privacy_client: Client) -> None:
        erasure = an_erasure(alice.subject, account=alice, state="waiting")
        grant = open_access(privacy_client, erasure.reference, ticket=erasure.reference.lower(), category="deletion")
        assert (grant.kind, grant.ticket) == ("request", erasure.reference)
        assert last_event("grant.opened").role == "privacy"
        assert privacy_client.get(page_of(grant)).status_code == 200

    @pytest.mark.parametrize("whose", ["nobody", "bob"])
    def test_nothing_else_does(self, whose: str, alice: User, bob: User, privacy_client: Client) -> None:
        other = an_erasure(bob.subject, account=bob)
        find(privacy_client, "alice@example.com")
        ticket = other.reference if whose == "bob" else "T-4711"
        answer = privacy_client.post("/support/grants/", {**WHY, "ticket": ticket})
        assert answer.status_code == 422
        assert "This person has no deletion request with this reference." in said(answer)
        assert not AccessGrant.objects.exists()

    @pytest.mark.parametrize("state", ["completed", "completed-with-exceptions", "refused", "cancelled", "unconfirmed"])
    def test_a_request_that_has_ended_does_not(self, state: str, alice: User, privacy_client: Client) -> None:
        erasure = an_erasure(alice.subject, account=alice, state=state)
        assert "This request has ended" in turned_away(privacy_client, erasure)

    def test_one_of_the_public_form_that_nobody_confirmed_does_not(self, alice: User, privacy_client: Client) -> None:
        """Anybody can send it, a curious officer too."""
        erasure = services.file(Channel.FORM, [SubjectId(alice.subject)], account=alice)
        assert "Nobody has shown yet who asks" in turned_away(privacy_client, erasure)

    def test_one_officer_alone_does_not_make_the_occasion(
        self, alice: User, privacy: User, privacy_client: Client, colleague: User
    ) -> None:
        erasure = services.file(Channel.PRIVACY, [SubjectId(alice.subject)], account=alice, by=privacy)
        assert "You worked on this request yourself" in turned_away(privacy_client, erasure)
        decisions.check_identity(erasure.pk, privacy, "Called back on the number that we have")
        assert "You worked on this request yourself" in turned_away(privacy_client, erasure)
        second = open_access(signed_in(colleague), ticket=erasure.reference)
        assert second.kind == "request", "the one who is to approve it can look"
        decisions.approve(erasure.pk, colleague)
        assert open_access(privacy_client, ticket=erasure.reference).kind == "request"

    def test_who_found_the_ids_of_a_stranger_does_not(self, alice: User, privacy: User, privacy_client: Client) -> None:
        """A request from an address that is nobody's account's: its link proves who reads the mails, not whose data."""
        erasure = services.file(Channel.FORM, address="privacy@private.example")
        Erasure.objects.filter(pk=erasure.pk).update(identified_at=timezone.now(), identified_how="mail")
        decisions.attach(erasure.pk, privacy, [SubjectId(alice.subject)])
        assert "You worked on this request yourself" in turned_away(privacy_client, erasure)

    def test_a_letter_that_the_person_confirmed_does(self, alice: User, privacy: User, privacy_client: Client) -> None:
        erasure = services.file(Channel.PRIVACY, [SubjectId(alice.subject)], account=alice, by=privacy)
        Erasure.objects.filter(pk=erasure.pk).update(identified_at=timezone.now(), identified_how="session")
        assert open_access(privacy_client, ticket=erasure.reference).kind == "request"


def turned_away(client: Client, erasure: Erasure) -> str:
    """What is said when no access is opened for this request."""
    find(client, "alice@example.com")
    before = newest()
    answer = client.post("/support/grants/", {**WHY, "ticket": erasure.reference})
    assert answer.status_code == 409
    assert actions(before) == ["grant.refused"]
    assert not AccessGrant.objects.exists()
    return said(answer)


def test_the_list_has_ones_own_accesses_only(grant: AccessGrant, support_client: Client, bob: User) -> None:
    other = open_access(signed_in(staff_member("second", "support")), "bob@example.com", ticket="T-0815")
    page = said(support_client.get("/support/grants/"))
    assert grant.reference in page
    assert "open until" in page
    assert other.reference not in page
    assert "T-0815" not in page


def test_an_ended_one_says_how(grant: AccessGrant, support_client: Client) -> None:
    support_client.post(page_of(grant, "end/"))
    assert "you ended it" in said(support_client.get("/support/grants/"))


def test_people_and_auditors_have_none(alice: User, bob_client: Client, auditor_client: Client) -> None:
    for client in (bob_client, auditor_client):
        assert client.get("/support/grants/").status_code == 404
        assert client.post("/support/grants/", WHY).status_code == 404
    assert not AccessGrant.objects.exists()


def test_the_page_tells_what_the_person_will_read(alice: User, support_client: Client) -> None:
    find(support_client, "alice@example.com")
    assert "The person gets a note at the end" in said(support_client.get("/support/grants/"))


def test_memories_are_not_touched_by_opening(items: Any, alice_memory: ScopedMemory, support_client: Client) -> None:
    held = alice_memory.held()
    open_access(support_client)
    assert alice_memory.held() == held
