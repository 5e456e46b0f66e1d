"""What is to go: everything, one assistant, the account too; and the time to think it over."""

import re
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from memoryportal.accounts.links import link
from memoryportal.accounts.models import User
from memoryportal.accounts.waiting import Letter
from memoryportal.audit.models import Event
from memoryportal.erasure import engine, services
from memoryportal.erasure.models import Channel, Erasure, OpenErasure, Scope, State
from memoryportal.erasure.moves import move
from memoryportal.memory import ScopedMemory, SubjectId, WritesPaused

from . import reading
from .erase_page import ERASE, NOWHERE, form_of, in_state, paused, state_of
from .remembered import everything, remember

pytestmark = pytest.mark.django_db


# --- what is to go ---------------------------------------------------------------------------------------------------


def test_only_assistants_that_have_memories_are_offered(proven, told):
    assert re.findall(r'<option value="([^"]+)"', reading.body(proven.get(ERASE))) == ["support_bot"]
    assert 'value="assistant"' in reading.body(proven.get(ERASE))
    told.erase()
    nothing = reading.body(proven.get(ERASE))
    assert 'value="assistant"' not in nothing
    assert 'name="agent"' not in nothing


def test_one_assistant_goes_and_the_others_stay(proven, told):
    other = remember(told, "I like trains.", agent="travel_planner")
    path = proven.post(ERASE, {"word": "erase", "scope": "assistant", "agent": "support_bot"}).headers["Location"]
    erasure = Erasure.objects.get()
    assert (erasure.scope, erasure.agent, erasure.subjects) == (Scope.ASSISTANT, "support_bot", [str(told.subject)])
    assert everything(told) == [(other[0].id, "I like trains.")]
    page = reading.words(proven.get(path))
    assert "To be erased What the assistant “support_bot” remembers" in page
    assert "this assistant cannot store anything new about you" in page
    ScopedMemory(told.subject, agent="travel_planner").add("I like buses.", infer=False)
    with pytest.raises(WritesPaused):
        ScopedMemory(told.subject, agent="support_bot").add("I moved.", infer=False)
    proven.post(f"{path}allow/")
    ScopedMemory(told.subject, agent="support_bot").add("I moved.", infer=False)


def test_an_assistant_that_has_nothing_is_said_to_have_nothing(proven, told):
    path = proven.post(ERASE, {"word": "erase", "scope": "assistant", "agent": "suport_bot"}).headers["Location"]
    assert "There was nothing of an assistant named “suport_bot”." in reading.words(proven.get(path))
    assert told.count() == 2


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ({"scope": "assistant"}, "Choose the assistant. Nothing was erased."),
        ({"scope": "assistant", "agent": "*"}, "This cannot be the name of an assistant."),
        ({"scope": "all"}, "Select a valid choice."),
    ],
)
def test_a_choice_that_is_none_erases_nothing(proven, told, choice, says):
    before = everything(told)
    response = proven.post(ERASE, {"word": "erase", **choice})
    assert response.status_code == 422
    assert says in reading.words(response)
    assert everything(told) == before
    assert not Erasure.objects.exists()


def test_the_list_of_stopped_wordings_can_stay(proven, told):
    box = 'name="keep_never"'
    assert box not in reading.body(proven.get(ERASE))
    told.delete(everything(told)[0][0], never_again=True)
    assert told.held()["never"] == 1
    assert box in reading.body(proven.get(ERASE))
    proven.post(ERASE, {"word": "erase", "keep_never": "on"})
    assert told.held()["never"] == 1
    assert told.count() == 0
    proven.post(ERASE, form_of(proven.get(ERASE)))
    assert told.held()["never"] == 0


# --- with the account ------------------------------------------------------------------------------------------------


def test_the_account_goes_with_everything_under_all_its_ids(alice, proven, told, bob_memory):
    bobs = remember(bob_memory, "I always want a window seat.")
    other = ScopedMemory.for_person(SubjectId(f"alice-at-work-{uuid4()}"))
    link(alice, other.subject, reason="test")
    remember(other, "I chair the budget round.")
    response = proven.post(ERASE, {"word": "erase", "scope": "account"})
    erasure = Erasure.objects.get()
    assert erasure.state == State.COMPLETED
    assert response.headers["Location"] == f"/requests/{erasure.reference}/"
    assert (told.count(), other.count()) == (0, 0)
    assert not User.objects.filter(pk=alice.pk).exists()
    page = proven.get(response.headers["Location"])
    assert state_of(page) == "completed"
    assert "Sign in" in reading.words(page)
    assert proven.get("/memories/").headers["Location"].startswith("/accounts/login/")
    assert everything(bob_memory) == [(item.id, item.text) for item in bobs]
    for memory in (told, other):
        assert paused(memory)


def test_the_secret_of_somebody_who_leaves_is_for_one_page_and_no_script(proven, told):
    response = proven.post(ERASE, {"word": "erase", "scope": "account"})
    cookie = response.cookies["request"]
    assert cookie["path"] == response.headers["Location"]
    assert cookie["httponly"] is True
    assert cookie["samesite"] == "Lax"
    assert int(cookie["max-age"]) == 90 * 24 * 3600
    assert cookie.value not in reading.body(proven.get(response.headers["Location"]))


def test_in_production_the_secret_travels_encrypted_only(proven, told, settings):
    settings.SESSION_COOKIE_SECURE = True
    cookie = proven.post(ERASE, {"word": "erase", "scope": "account"}).cookies["__Secure-request"]
    assert cookie["secure"] is True


def test_an_account_that_could_not_go_yet_is_still_signed_in(proven, told, settings):
    address, settings.MEMORY_DATABASE_URL = settings.MEMORY_DATABASE_URL, NOWHERE
    response = proven.post(ERASE, {"word": "erase", "scope": "account"})
    settings.MEMORY_DATABASE_URL = address
    erasure = Erasure.objects.get()
    assert response.headers["Location"] == f"/erasure/{erasure.id}/"
    assert state_of(proven.get(f"/erasure/{erasure.id}/")) == "retrying"
    assert state_of(proven.get(f"/requests/{erasure.reference}/")) == "retrying"


@pytest.mark.parametrize("role", ["support", "privacy", "auditor", "superuser"])
def test_somebody_with_a_role_asks_an_administrator_first(alice, proven, told, role):
    if role == "superuser":
        User.objects.filter(pk=alice.pk).update(is_superuser=True)
    else:
        alice.groups.add(Group.objects.get(name=role))
    response = proven.post(ERASE, {"word": "erase", "scope": "account"})
    assert response.status_code == 422
    assert "an administrator has to take its roles away first. Nothing was erased." in reading.words(response)
    assert told.count() == 2
    assert User.objects.filter(pk=alice.pk).exists()


def test_asking_for_more_than_what_runs_is_said_to_have_to_wait(alice, proven, told):
    running = in_state(alice, told.subject, State.ERASING)
    OpenErasure.objects.create(erasure=running, subject=str(told.subject))
    response = proven.post(ERASE, {"word": "erase", "scope": "account"}, follow=True)
    assert "This one was asked for before: everything that is remembered. Ask again" in reading.words(response)
    assert User.objects.filter(pk=alice.pk).exists()


# --- time to think ---------------------------------------------------------------------------------------------------


@pytest.fixture
def waiting(proven, told, settings) -> str:
    """The path of a request that begins in five hours."""
    settings.ERASURE_GRACE_HOURS_OWN = 5
    return str(proven.post(ERASE, {"word": "erase"}).headers["Location"])


def test_until_it_begins_it_can_be_taken_back(proven, told, waiting):
    page = proven.get(waiting)
    assert state_of(page) == "waiting"
    assert re.search(r"Begins on \d+ \w+ \d{4}, \d\d:\d\d", reading.words(page))
    assert 'href="/export/"' in reading.body(page)
    assert "Take the request back?" in reading.words(proven.get(f"{waiting}cancel/"))
    assert state_of(proven.get(waiting)) == "waiting"
    response = proven.post(f"{waiting}cancel/", follow=True)
    assert state_of(response) == "cancelled"
    assert "Taken back. Nothing was erased." in reading.words(response)
    assert told.count() == 2
    event = Event.objects.filter(action="request.cancelled").get()
    assert event.role == "person"


def test_beginning_now_needs_proof_and_a_post(alice, proven, told, waiting):
    proven.get(f"{waiting}begin/")
    assert told.count() == 2
    late = Client()
    late.force_login(alice)
    response = late.post(f"{waiting}begin/")
    assert response.headers["Location"].startswith("/accounts/reauthenticate/")
    assert told.count() == 2
    assert state_of(proven.post(f"{waiting}begin/", follow=True)) == "completed"
    assert told.count() == 0


def test_continuing_does_not_shorten_the_time(proven, told, waiting):
    proven.post(f"{waiting}continue/")
    assert state_of(proven.get(waiting)) == "waiting"
    assert told.count() == 2


def test_too_late_is_said_in_words(proven, told):
    path = proven.post(ERASE, {"word": "erase"}).headers["Location"]
    assert proven.get(f"{path}cancel/").headers["Location"] == path
    for act, words in (("cancel", "It has ended."), ("begin", "It does not wait for the end of the time")):
        assert words in reading.words(proven.post(f"{path}{act}/", follow=True))
    assert state_of(proven.get(path)) == "completed"


def test_what_the_staff_wrote_down_can_be_taken_back_or_done_by_oneself(alice, proven, told):
    filed = in_state(alice, told.subject, State.IDENTITY, channel=Channel.SUPPORT)
    OpenErasure.objects.create(erasure=filed, subject=str(told.subject))
    page = reading.words(proven.get(f"/erasure/{filed.id}/"))
    assert "Our staff wrote this request down for you." in page
    assert proven.post(f"/erasure/{filed.id}/continue/").headers["Location"] == ERASE
    assert told.count() == 2
    proven.post(ERASE, {"word": "erase"})
    assert Erasure.objects.get().state == State.COMPLETED
    assert told.count() == 0


@pytest.mark.parametrize(("hours", "kinds"), [(0, ["request_ended"]), (24, ["request_received"])])
def test_a_mail_says_that_it_begins_later_only_where_it_does(
    hours: int, kinds: list[str], alice: User, alice_memory: ScopedMemory, settings: Any
) -> None:
    settings.ERASURE_GRACE_HOURS_OWN = hours
    engine.run(services.ask(alice, alice_memory.subject))
    assert list(Letter.objects.values_list("kind", flat=True)) == kinds


def test_what_the_staff_wrote_down_is_not_called_open_when_it_has_ended(
    proven: Client, alice: User, told: ScopedMemory
) -> None:
    filed = in_state(alice, told.subject, State.IDENTITY, channel=Channel.SUPPORT)
    assert "Our staff wrote a request down for you" in reading.words(proven.get(ERASE))
    move(filed, State.CANCELLED)
    page = reading.words(proven.get(ERASE))
    assert "Our staff wrote a request down for you" not in page
    assert f"{filed.reference} Cancelled" in page
