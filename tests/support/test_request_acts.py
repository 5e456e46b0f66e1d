"""Every act on a deletion request, by everybody, in every state: what fits leaves its event, all else leaves nothing.

What fits is written down here a second time; the pages and the decisions have it from decisions.actions_for.
"""

from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from memoryportal.accounts.models import User
from memoryportal.accounts.waiting import Letter
from memoryportal.erasure.models import Erasure, Identified, Scope
from memoryportal.erasure.states import TERMINAL, State
from memoryportal.support.attaching import Candidate

from .requests import GROUND, a_request, everything_about, outside, story
from .staffing import actions, broken_trail, last_event, linked, newest, said, signed_in, staff_member
from .test_matrix import PEOPLE

pytestmark = pytest.mark.django_db
BEFORE = {"received", "identity", "approval", "waiting", "on-hold"}
OPEN = {str(state) for state in State if state not in TERMINAL}
# act -> (the states that it fits, its event)
ACTS: dict[str, tuple[set[str], str]] = {
    "confirm": (OPEN, "request.confirmed"),
    "identity": ({"identity"}, "identity.proven"),
    "attach": ({"identity", "approval"}, "request.attached"),
    "approve": ({"approval"}, "request.approved"),
    "hold": (BEFORE, "request.held"),
    "release": ({"on-hold"}, "request.released"),
    "refuse": (BEFORE, "request.refused"),
    "extend": (OPEN, "request.extended"),
    "again": ({"needs-attention"}, "request.released"),
}
BECOMES = {"approve": "waiting", "hold": "on-hold", "refuse": "refused", "again": "erasing", "identity": "approval"}


def given(erasure: Erasure) -> dict[str, Any]:
    """What every form of every act would take."""
    until = (date.today() + timedelta(days=60)).isoformat()
    ids = [Candidate(subject, "", True).key for subject in erasure.subjects]
    return {"reason": GROUND, "until": until, "on": date.today().isoformat(), "note": "By hand", "ids": ids}


def act(client: Client, erasure: Erasure, name: str, **changes: Any) -> Any:
    return client.post(story(erasure, f"{name}/"), {**given(erasure), **changes})


def offered(client: Client, erasure: Erasure) -> set[str]:
    """The acts that the page of the request has links to."""
    page = client.get(story(erasure))
    return {name for name in ACTS if f'href="{story(erasure, f"{name}/")}"' in page.content.decode()}


@pytest.mark.parametrize("state", State.values)
@pytest.mark.parametrize("name", ACTS)
def test_an_officer_does_what_fits_the_state_and_nothing_else(
    name: str, state: str, privacy: User, privacy_client: Client
) -> None:
    erasure = a_request("u-1", state=state)
    stood, before = everything_about(erasure), newest()
    fits, event = state in ACTS[name][0], ACTS[name][1]
    assert privacy_client.get(story(erasure, f"{name}/")).status_code == (200 if fits else 409)
    assert (everything_about(erasure), newest()) == (stood, before), "looking changes nothing"
    answer = act(privacy_client, erasure, name)
    if not fits:
        assert answer.status_code in (409, 422)
        assert "Nothing was changed." in said(answer) or answer.status_code == 422
        assert (everything_about(erasure), newest()) == (stood, before)
        return
    assert answer.headers["Location"] == story(erasure)
    assert actions(before) == [event]
    noted = last_event(event)
    assert (noted.actor, noted.role, noted.object) == (str(privacy.pk), "privacy", erasure.reference)
    erasure.refresh_from_db()
    assert erasure.state == BECOMES.get(name, "identity" if name == "release" else state)
    assert everything_about(erasure) != stood


@pytest.mark.parametrize("state", State.values)
def test_the_page_of_a_request_offers_exactly_what_fits(state: str, privacy_client: Client) -> None:
    erasure = a_request("u-1", state=state)
    assert offered(privacy_client, erasure) == {name for name, (fits, _) in ACTS.items() if state in fits}


@pytest.mark.parametrize("role", [role for role in PEOPLE if role != "privacy"])
@pytest.mark.parametrize("state", State.values)
def test_nobody_else_does_anything(role: str, state: str) -> None:
    user = PEOPLE[role]()
    client, erasure = signed_in(user), a_request("u-1", state=state, filed_by=user)
    (place,) = outside(erasure, "Crash reports")
    stood, before = everything_about(erasure), newest()
    refused = 403 if role == "privacy without a second factor" else 404
    for name in (*ACTS, "attach/find", "ids", f"outside/{place.pk}"):
        assert act(client, erasure, name).status_code == refused, name
        if state == "approval":
            assert client.get(story(erasure, f"{name}/")).status_code == refused, name
    assert everything_about(erasure) == stood
    assert set(actions(before)) <= {"access.denied"}


def test_nobody_at_all_does_anything(client: Client) -> None:
    erasure = a_request("u-1")
    stood = everything_about(erasure)
    for name in ACTS:
        assert act(client, erasure, name).headers["Location"].startswith("/accounts/login/")
    assert everything_about(erasure) == stood


def own_by_account(user: User, state: str) -> Erasure:
    return a_request("u-1", state=state, account=user)


def own_by_id(user: User, state: str) -> Erasure:
    linked(user, "u-own")
    return a_request("u-1", "u-own", state=state)


def own_by_address(user: User, state: str) -> Erasure:
    return a_request("u-1", state=state, address=user.email)


OWN = [(own_by_account, state) for state in State.values] + [
    (own, state) for own in (own_by_id, own_by_address) for state in ("identity", "approval", "on-hold")
]


@pytest.mark.parametrize(("own", "state"), OWN)
def test_nobody_works_on_their_own_request(own: Any, state: str, privacy: User) -> None:
    erasure, client = own(privacy, state), signed_in(privacy)
    (place,) = outside(erasure, "Crash reports")
    stood, before = everything_about(erasure), newest()
    for name in (*ACTS, f"outside/{place.pk}"):
        answer = act(client, erasure, name)
        assert answer.status_code in (409, 422), name
        if name in ACTS and state in ACTS[name][0]:
            assert "This request is about you" in said(client.get(story(erasure, f"{name}/"))), name
            assert "This request is about you" in said(answer), name
    assert client.post(story(erasure, "ids/")).status_code == 404
    assert (everything_about(erasure), newest()) == (stood, before)
    assert offered(client, erasure) == set()
    assert "This request is about you." in said(client.get(story(erasure)))


class TestTheSecondPerson:
    @pytest.mark.parametrize("part", ["filed_by", "identified_by", "attached_by"])
    def test_is_nobody_who_worked_on_it(self, part: str, privacy: User, privacy_client: Client) -> None:
        erasure = a_request("u-1", state="approval", **{part: privacy})
        stood, before = everything_about(erasure), newest()
        assert "a second person has to approve it" in said(privacy_client.get(story(erasure, "approve/")))
        answer = act(privacy_client, erasure, "approve")
        assert answer.status_code == 409
        assert "You have worked on this request already" in said(answer)
        assert (everything_about(erasure), newest()) == (stood, before)
        assert "approve" not in offered(privacy_client, erasure)
        assert "it has to be somebody else" in said(privacy_client.get(story(erasure)))

    def test_is_somebody_else_of_privacy(self, privacy: User, colleague: User) -> None:
        one, other = signed_in(privacy), signed_in(colleague)
        erasure = a_request("u-1")
        assert act(one, erasure, "attach").status_code == 302
        assert act(one, erasure, "identity").status_code == 302
        assert act(one, erasure, "approve").status_code == 409
        assert act(other, erasure, "approve").status_code == 302
        erasure.refresh_from_db()
        assert (erasure.state, erasure.approved_by, erasure.identified_by) == ("waiting", colleague, privacy)
        assert (erasure.identified_how, erasure.identity_note) == (Identified.OFFICER, GROUND)

    def test_cannot_approve_what_nobody_is_named_in(self, privacy_client: Client) -> None:
        erasure = a_request(state="approval")
        assert "add the ids first" in said(privacy_client.get(story(erasure, "approve/")))
        assert act(privacy_client, erasure, "approve").status_code == 409
        assert "approve" not in offered(privacy_client, erasure)

    def test_does_not_let_an_account_go_that_holds_a_role(self, auditor: User, privacy_client: Client) -> None:
        """The erasure could not come to an end: the engine refuses to remove it."""
        about = {"scope": Scope.ACCOUNT, "account": auditor, "identified_how": Identified.OFFICER}
        erasure = a_request(auditor.subject, state="approval", **about)
        stood = everything_about(erasure)
        answer = act(privacy_client, erasure, "approve")
        assert answer.status_code == 409
        assert "This account works for us (auditor)" in said(answer)
        assert everything_about(erasure) == stood

    def test_approves_again_when_the_ids_change(self, privacy: User, colleague: User) -> None:
        """What was approved is this list of ids and no other."""
        erasure = a_request("u-1", state="approval", identified_by=privacy)
        act(signed_in(colleague), erasure, "attach")
        answer = act(signed_in(colleague), erasure, "approve")
        assert answer.status_code == 409
        erasure.refresh_from_db()
        assert erasure.state == "approval"


@pytest.mark.parametrize("name", [name for name in ACTS if name not in ("attach",)])
def test_sent_twice_is_done_once(name: str, privacy_client: Client) -> None:
    erasure = a_request("u-1", state=min(ACTS[name][0] & {"identity", "approval", "on-hold", "needs-attention"}))
    assert act(privacy_client, erasure, name).status_code == 302
    stood, before = everything_about(erasure), newest()
    answer = act(privacy_client, erasure, name)
    assert answer.status_code == 409
    assert "Nothing was changed." in said(answer)
    assert (everything_about(erasure), newest()) == (stood, before)


@pytest.mark.parametrize(
    ("name", "changes", "says"),
    [
        ("refuse", {"reason": "no"}, "Say why, in at least 10 characters."),
        ("refuse", {"reason": "\u200b" * 30}, "Say why, in at least 10 characters."),
        ("refuse", {"reason": "x" * 501}, "at most 500 characters"),
        ("extend", {"reason": ""}, "Say why"),
        ("identity", {"reason": ""}, "Say how, in at least 10 characters."),
        ("hold", {"until": ""}, "Say until when."),
        ("hold", {"until": "2020-01-01"}, "still to come"),
        ("hold", {"until": date.today().isoformat()}, "still to come"),
        ("hold", {"until": "9999-12-31"}, "within ten years"),
        ("hold", {"until": "soon"}, "Enter a valid date."),
        ("attach", {"ids": ["another"]}, "Select a valid choice"),
        ("attach", {"ids": ["u-2"]}, "Select a valid choice"),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_lost(
    name: str, changes: dict[str, Any], says: str, privacy_client: Client
) -> None:
    erasure = a_request("u-1")
    stood, before = everything_about(erasure), newest()
    answer = act(privacy_client, erasure, name, **changes)
    assert answer.status_code == 422
    assert says in said(answer)
    if name == "hold":
        assert GROUND in said(answer)
    assert (everything_about(erasure), newest()) == (stood, before)


class TestTheWords:
    def test_the_person_reads_the_ground(self, privacy_client: Client) -> None:
        for name, kind in (("refuse", "request_refused"), ("hold", "request_held"), ("extend", "request_extended")):
            erasure = a_request("u-1", state="approval", address="bob@example.com")
            assert "The person is told by mail" in said(privacy_client.get(story(erasure, f"{name}/")))
            act(privacy_client, erasure, name)
            letter = Letter.objects.get(kind=kind)
            assert (letter.to, letter.about["ground"]) == ("bob@example.com", GROUND)
            Erasure.objects.filter(pk=erasure.pk).delete()

    def test_somebody_without_an_address_is_told_by_hand(self, privacy_client: Client) -> None:
        erasure = a_request("u-1", state="approval")
        for name in ("hold", "refuse", "extend"):
            assert "tell the person yourself" in said(privacy_client.get(story(erasure, f"{name}/"))), name
        act(privacy_client, erasure, "refuse")
        assert not Letter.objects.exists()

    @pytest.mark.parametrize(
        ("law", "asked", "first", "later"),
        [
            ("gdpr", "2026-01-31", "28 February 2026", "30 April 2026"),
            ("gdpr", "2027-11-30", "30 December 2027", "29 February 2028"),
            ("ccpa", "2026-03-02", "16 April 2026", "31 May 2026"),
            ("both", "2026-03-02", "2 April 2026", "31 May 2026"),
        ],
    )
    def test_an_extension_shows_the_new_date(self, law: str, asked: str, first: str, later: str, privacy: User) -> None:
        with time_machine.travel(f"{asked}T12:00:00Z", tick=False):
            erasure, client = a_request("u-1", state="approval", law=law), signed_in(privacy)
            page = said(client.get(story(erasure, "extend/")))
            assert f"It has to be done by {later} instead of {first}." in page
            act(client, erasure, "extend", until="")
            assert f"To be done by {later}" in said(client.get(story(erasure)))

    def test_an_extension_is_told_within_the_first_period(self, privacy: User) -> None:
        with time_machine.travel("2026-01-31T12:00:00Z", tick=False):
            erasure = a_request("u-1", state="approval")
        for day, status in (("2026-03-01", 409), ("2026-02-28", 302)):
            with time_machine.travel(f"{day}T12:00:00Z", tick=False):
                client = signed_in(privacy)
                assert ("extend" in offered(client, erasure)) == (status == 302)
                assert act(client, erasure, "extend").status_code == status

    def test_approving_says_exactly_what_will_be_erased(self, privacy_client: Client) -> None:
        erasure = a_request("u-1", "u-2", state="approval")
        page = said(privacy_client.get(story(erasure, "approve/")))
        assert "Everything that is held under 2 ids is erased, in every place: memories, noted names, history" in page
        assert "It begins in 72 hours. Until then it can be taken back." in page
        assert "cannot be undone" in page
        assert "u-1" not in page
        assert "account goes" not in page

    def test_approving_for_one_assistant_names_it(self, privacy_client: Client) -> None:
        erasure = a_request("u-1", state="approval", scope=Scope.ASSISTANT, agent="shop_bot")
        page = said(privacy_client.get(story(erasure, "approve/")))
        assert "What the assistant “shop_bot” remembers under 1 id is erased. What others remember stays." in page

    def test_approving_for_an_account_says_that_it_goes(self, alice: User, privacy_client: Client) -> None:
        erasure = a_request(
            alice.subject, state="approval", scope=Scope.ACCOUNT, account=alice, identified_how=Identified.OFFICER
        )
        assert "The account goes, too" in said(privacy_client.get(story(erasure, "approve/")))

    def test_only_approving_is_a_red_button(self, privacy_client: Client) -> None:
        for state in ("identity", "approval", "on-hold", "needs-attention"):
            erasure = a_request(f"u-{state}", state=state)
            assert b"button-danger" not in privacy_client.get(story(erasure)).content
            for name in offered(privacy_client, erasure):
                red = b"button-danger" in privacy_client.get(story(erasure, f"{name}/")).content
                assert red == (name == "approve"), name


class TestHolds:
    def test_a_hold_can_be_made_longer(self, privacy_client: Client) -> None:
        erasure = a_request("u-1", state="approval")
        act(privacy_client, erasure, "hold")
        until = (date.today() + timedelta(days=90)).isoformat()
        assert act(privacy_client, erasure, "hold", until=until).status_code == 302
        erasure.refresh_from_db()
        assert (erasure.state, erasure.held_from, erasure.held_until) == (
            "on-hold",
            "approval",
            date.fromisoformat(until),
        )

    def test_it_goes_on_where_it_was(self, privacy_client: Client) -> None:
        erasure = a_request("u-1", state="approval")
        act(privacy_client, erasure, "hold")
        act(privacy_client, erasure, "release")
        erasure.refresh_from_db()
        assert (erasure.state, erasure.ground, erasure.held_until) == ("approval", "", None)


@pytest.mark.django_db(transaction=True)
def test_without_its_event_nothing_is_done(privacy_client: Client) -> None:
    for name, (fits, _) in ACTS.items():
        erasure = a_request(f"u-{name}", state=min(fits & {"identity", "approval", "on-hold", "needs-attention"}))
        stood = everything_about(erasure)
        with broken_trail():
            answer = act(privacy_client, erasure, name)
            assert answer.status_code == 503, name
            assert privacy_client.get(story(erasure)).status_code == 503
        assert "So nothing was done." in said(answer)
        assert everything_about(erasure) == stood
    assert not Letter.objects.exists()


def test_it_works_for_somebody_who_is_of_support_too() -> None:
    erasure = a_request("u-1", state="approval")
    assert act(signed_in(staff_member("both", "support", "privacy")), erasure, "approve").status_code == 302
