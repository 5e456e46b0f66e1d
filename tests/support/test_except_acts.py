"""The pages on which two of privacy let a request end without a place that can never be read again."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from mem0.memory.storage import SQLiteManager

from memoryportal.accounts.models import User
from memoryportal.erasure import engine, services
from memoryportal.erasure.lease import MAX_ATTEMPTS
from memoryportal.erasure.models import Erasure
from memoryportal.erasure.states import State
from memoryportal.memory import Item, SubjectId

from .requests import a_request, everything_about, story
from .staffing import actions, broken_trail, newest, said, signed_in, staff_member

pytestmark = pytest.mark.django_db
REASON = "The machine was given back to its owner in May"
GIVEN = {"category": "decommissioned", "reason": REASON}


@pytest.fixture
def stuck(alice: User, items: list[Item], tmp_path: Path, settings: Any) -> Erasure:
    """Its history file was on a machine that is gone."""
    settings.MEM0_HISTORY_PATHS = [str(tmp_path / "history.db")]
    settings.ERASURE_LEDGER = str(tmp_path / "ledger.jsonl")
    erasure = services.ask(alice, SubjectId(alice.subject))
    for _ in range(MAX_ATTEMPTS):
        Erasure.objects.filter(pk=erasure.pk).update(next_at=None)
        erasure = engine.run(erasure)
    return erasure


def offered(client: Client, erasure: Erasure) -> set[str]:
    page = client.get(story(erasure)).content.decode()
    return {name for name in ("except", "agree", "again") if f'href="{story(erasure, f"{name}/")}"' in page}


def test_the_page_says_what_could_not_be_read(stuck: Erasure, privacy_client: Client) -> None:
    page = said(privacy_client.get(story(stuck)))
    assert "History files Not counted, 0 removed, could not be read again. Mem0's history file 1 (history.db)" in page
    assert "Memories 3 found, 3 removed, 0 left when it was read again." in page
    assert offered(privacy_client, stuck) == {"again", "except"}


def test_two_people_let_it_end_and_the_person_reads_why(stuck: Erasure, privacy: User, colleague: User) -> None:
    one, other = signed_in(privacy), signed_in(colleague)
    before = newest()
    asking = said(one.get(story(stuck, "except/")))
    assert "Not read: History files. Mem0's history file 1 (history.db) is not there." in asking
    assert "a second person of privacy has to agree" in asking
    assert one.post(story(stuck, "except/"), GIVEN).headers["Location"] == story(stuck)
    assert "You have asked that it ends without a place" in said(one.get(story(stuck)))
    assert offered(one, stuck) == {"again"}
    assert offered(other, stuck) == {"again", "agree"}
    assert "A second person has to agree" in said(other.get("/support/requests/"))
    agreeing = other.get(story(stuck, "agree/"))
    assert f"it was taken out of service. In their words: {REASON}" in said(agreeing)
    assert b"button-danger" in agreeing.content
    assert other.post(story(stuck, "agree/")).headers["Location"] == story(stuck)
    assert [action for action in actions(before) if action.startswith("exception")] == [
        "exception.asked",
        "exception.agreed",
    ]
    assert engine.run(stuck).state == State.COMPLETED_WITH_EXCEPTIONS
    ended = said(other.get(story(stuck)))
    assert "To end without History files" in ended
    assert f"it was taken out of service: {REASON}" in ended
    alices = signed_in(stuck.account)
    page = said(alices.get(f"/erasure/{stuck.pk}/"))
    assert "Erased, except: history files" in page
    assert "History files: this was not read, because it was taken out of service." in page
    assert f"The reason: {REASON}" in page
    receipt = said(alices.get(f"/erasure/{stuck.pk}/receipt/"))
    assert "Not read Two people of the privacy team agreed" in receipt
    assert "History files It was taken out of service, agreed on" in receipt
    assert REASON not in receipt
    activity = said(alices.get("/activity/"))
    assert "agreed that your deletion request ends without a place that cannot be read" in activity


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({**GIVEN, "reason": "no"}, "Say why, in at least 10 characters."),
        ({**GIVEN, "reason": "\u200b" * 30}, "Say why, in at least 10 characters."),
        ({**GIVEN, "category": ""}, "Choose why."),
        ({**GIVEN, "category": "bored"}, "Select a valid choice"),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_changed(
    stuck: Erasure, privacy_client: Client, given: dict[str, str], says: str
) -> None:
    stood, before = everything_about(stuck), newest()
    answer = privacy_client.post(story(stuck, "except/"), given)
    assert (answer.status_code, says in said(answer)) == (422, True)
    assert (everything_about(stuck), newest()) == (stood, before)


def test_whoever_asked_cannot_agree(stuck: Erasure, privacy_client: Client) -> None:
    privacy_client.post(story(stuck, "except/"), GIVEN)
    stood, before = everything_about(stuck), newest()
    assert "You have asked for this yourself" in said(privacy_client.get(story(stuck, "agree/")))
    assert privacy_client.post(story(stuck, "agree/")).status_code == 409
    assert privacy_client.post(story(stuck, "except/"), GIVEN).status_code == 409
    assert (everything_about(stuck), newest()) == (stood, before)


@pytest.mark.parametrize("state", State.values)
def test_it_is_offered_only_where_something_was_not_read(state: str, privacy_client: Client) -> None:
    erasure = a_request("u-1", state=state)
    stood, before = everything_about(erasure), newest()
    for name in ("except", "agree"):
        assert privacy_client.get(story(erasure, f"{name}/")).status_code == 409
        assert privacy_client.post(story(erasure, f"{name}/"), GIVEN).status_code == 409
    assert not {"except", "agree"} & offered(privacy_client, erasure)
    kept = [action for action in actions(before) if action != "request.opened"]
    assert (everything_about(erasure), kept) == (stood, [])


@pytest.mark.parametrize("role", ["support", "auditor"])
def test_it_is_for_privacy_only(role: str, stuck: Erasure) -> None:
    client, stood = signed_in(staff_member(role, role)), everything_about(stuck)
    for name in ("except", "agree"):
        assert client.post(story(stuck, f"{name}/"), GIVEN).status_code == 404
    assert everything_about(stuck) == stood


def test_a_file_that_is_back_leads_to_trying_again(stuck: Erasure, privacy_client: Client, settings: Any) -> None:
    SQLiteManager(settings.MEM0_HISTORY_PATHS[0]).close()
    stood = everything_about(stuck)
    answer = privacy_client.post(story(stuck, "except/"), GIVEN)
    assert (answer.status_code, "try again instead" in said(answer)) == (409, True)
    assert everything_about(stuck) == stood


@pytest.mark.django_db(transaction=True)
def test_without_its_event_nothing_is_done(privacy: User, tmp_path: Path, settings: Any, alice: User) -> None:
    settings.MEM0_HISTORY_PATHS = [str(tmp_path / "history.db")]
    client, erasure = signed_in(privacy), a_request(alice.subject, state="needs-attention")
    erasure.steps.create(order=1, place="history-files", problem="is not there")
    stood = everything_about(erasure)
    with broken_trail():
        assert client.post(story(erasure, "except/"), GIVEN).status_code == 503
    assert everything_about(erasure) == stood
