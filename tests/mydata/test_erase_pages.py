"""The page /erasure/: what it promises, who may act, and that nothing happens without proof and the word."""

import re
import threading
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.db import connections
from django.test import Client

from memoryportal.accounts.links import link
from memoryportal.accounts.subjects import mark_connected
from memoryportal.audit.models import Event
from memoryportal.erasure import services
from memoryportal.erasure.models import Erasure, State
from memoryportal.memory import ScopedMemory, SubjectId, WritesPaused, controls
from tests.accounts.helpers import prove

from . import reading
from .erase_page import ERASE, NOWHERE, form_of, in_state, paused, state_of
from .remembered import everything, remember

pytestmark = pytest.mark.django_db


# --- what it says ----------------------------------------------------------------------------------------------------


def test_the_page_says_what_goes_and_what_stays(alice_client, told):
    response = alice_client.get(ERASE)
    words = reading.words(response)
    for place in ("numbers (vectors) that searching needs. 2", "noted from your memories. 1", "correction of it. 2"):
        assert place in words
    for stays in ("Your account here", "already received", "Backups", "overwritten at once"):
        assert stays in words
    assert 'href="/export/"' in reading.body(response)
    assert form_of(response)["word"] == "erase"


def test_looking_changes_nothing(proven, told):
    before = everything(told)
    proven.get(ERASE)
    assert proven.head(ERASE).status_code == 200
    assert everything(told) == before
    assert not Erasure.objects.exists()


def test_the_page_says_beforehand_that_proof_is_needed(alice_client, told):
    assert "prove once more that it is you" in reading.words(alice_client.get(ERASE))
    ask = alice_client.get("/erasure/?confirm")
    assert ask.headers["Location"] == "/accounts/reauthenticate/?next=%2Ferasure%2F%3Fconfirm"
    prove(alice_client)
    assert alice_client.get("/erasure/?confirm").headers["Location"] == "/erasure/#erase"
    assert "prove once more" not in reading.words(alice_client.get(ERASE))


def test_an_account_that_was_never_connected_is_not_told_that_nothing_is_remembered(alice, alice_client):
    assert "Nothing is stored under this account" in reading.words(alice_client.get(ERASE))
    mark_connected(alice)
    assert "Nothing is remembered about you" in reading.words(alice_client.get(ERASE))


# --- who may ---------------------------------------------------------------------------------------------------------


def test_anonymous_people_go_to_the_login(client, alice, told):
    erasure = services.ask(alice, told.subject)
    before = everything(told)
    for path in (ERASE, f"/erasure/{erasure.id}/", f"/erasure/{erasure.id}/continue/"):
        assert client.get(path).headers["Location"].startswith("/accounts/login/")
    for path in (ERASE, f"/erasure/{erasure.id}/continue/"):
        assert client.post(path, {"word": "erase"}).headers["Location"].startswith("/accounts/login/")
    assert everything(told) == before


def test_without_proof_nothing_is_erased(alice_client, told):
    before = everything(told)
    response = alice_client.post(ERASE, form_of(alice_client.get(ERASE)))
    assert response.status_code == 302
    assert response.headers["Location"] == "/accounts/reauthenticate/?next=%2Ferasure%2F"
    assert everything(told) == before
    assert not Erasure.objects.exists()


@pytest.mark.parametrize(
    "word", ["", "delete", "eras", "erase everything", "ＥＲＡＳＥ!", "\N{CYRILLIC SMALL LETTER IE}rase"]
)
def test_a_wrong_word_erases_nothing(proven, told, word):
    before = everything(told)
    response = proven.post(ERASE, {**form_of(proven.get(ERASE)), "word": word})
    assert response.status_code == 422
    words = reading.words(response)
    assert "There is a problem" in words
    assert "Nothing was erased." in words
    assert everything(told) == before
    assert not Erasure.objects.exists()


def test_a_form_without_its_token_erases_nothing(alice, told):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)
    before = everything(told)
    assert strict.post(ERASE, {"word": "erase"}).status_code == 403
    assert everything(told) == before


# --- erasing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["erase", "Erase", " ERASE "])
def test_everything_goes_and_the_page_proves_it(proven, told, bob_memory, word):
    bobs = remember(bob_memory, "I always want a window seat.")
    response = proven.post(ERASE, {**form_of(proven.get(ERASE)), "word": word})
    erasure = Erasure.objects.get()
    assert (response.status_code, response.headers["Location"]) == (302, f"/erasure/{erasure.id}/")
    assert set(told.held().values()) == {0}
    page = proven.get(response.headers["Location"])
    assert state_of(page) == "completed"
    words = reading.words(page)
    assert f"Your reference: {erasure.reference}" in words
    assert re.search(r"Memories 2 entries found, 2 removed\. Read again on [^.]*: empty\.", words)
    assert re.search(r"Recent messages 1 entry found, 1 removed\. Read again on [^.]*: empty\.", words)
    assert "May your assistants start remembering again?" in words
    assert "vegetarian" not in words
    assert everything(bob_memory) == [(item.id, item.text) for item in bobs]


def test_a_script_that_sends_only_the_word_is_understood(proven, told):
    response = proven.post(ERASE, {"word": "erase"})
    assert state_of(proven.get(response.headers["Location"])) == "completed"
    assert told.count() == 0


def test_assistants_remember_again_only_when_the_person_says_so(proven, told):
    path = proven.post(ERASE, {"word": "erase"}).headers["Location"]
    with pytest.raises(WritesPaused):
        told.add("I moved to Bremen.", infer=False)
    proven.get(f"{path}allow/")
    assert paused(told)
    response = proven.post(f"{path}allow/", follow=True)
    assert "your assistants may remember new things about you" in reading.words(response)
    assert "May your assistants start" not in reading.words(response)
    assert Event.objects.filter(action="memory.resumed", object="all", role="person").count() == 1
    told.add("I moved to Bremen.", infer=False)
    assert told.count() == 1


def test_the_same_form_sent_twice_makes_one_erasure(proven, told):
    form = form_of(proven.get(ERASE))
    first = proven.post(ERASE, form)
    controls.resume(told.subject)
    told.add("I moved to Bremen.", infer=False)
    second = proven.post(ERASE, form)
    assert second.headers["Location"] == first.headers["Location"]
    assert Erasure.objects.count() == 1
    assert [text for _, text in everything(told)] == ["I moved to Bremen."]
    third = proven.post(ERASE, form_of(proven.get(ERASE)))  # a page opened afterwards means what it says
    assert third.headers["Location"] != first.headers["Location"]
    assert told.count() == 0


@pytest.mark.django_db(transaction=True)
def test_two_submits_at_once_make_one_erasure(proven, told):
    form = form_of(proven.get(ERASE))
    at_once = threading.Barrier(2)
    sent: list[str] = []

    def submit() -> None:
        twin = Client()
        twin.cookies = proven.cookies
        at_once.wait()
        sent.append(twin.post(ERASE, form).headers["Location"])
        connections.close_all()

    threads = [threading.Thread(target=submit) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    erasure = Erasure.objects.get()
    assert sent == [f"/erasure/{erasure.id}/"] * 2
    assert set(told.held().values()) == {0}


def test_choosing_another_id_meanwhile_erases_nothing(alice, proven, told):
    other = ScopedMemory.for_person(SubjectId(f"alice-at-work-{uuid4()}"))
    try:
        remember(other, "I chair the budget round.")
        form = form_of(proven.get(ERASE))
        link(alice, other.subject, reason="test")  # the linked id is shown from now on
        response = proven.post(ERASE, form, follow=True)
        words = reading.words(response)
        assert "You chose another id after you opened that page. Nothing was erased" in words
        assert "You have 2 ids" in words
        assert (told.count(), other.count()) == (2, 1)
        assert not Erasure.objects.exists()
        proven.post(ERASE, form_of(response))
        assert (told.count(), other.count()) == (2, 0)
    finally:
        other.erase()


# --- when something is in the way ------------------------------------------------------------------------------------


def test_a_store_that_is_down_delays_it_and_it_can_be_continued(proven, told, settings):
    form, address = form_of(proven.get(ERASE)), settings.MEMORY_DATABASE_URL
    settings.MEMORY_DATABASE_URL = NOWHERE
    path = proven.post(ERASE, form).headers["Location"]
    page = proven.get(path)
    assert state_of(page) == "retrying"
    assert "What is done stays done." in reading.words(page)
    assert "no assistant can store" not in reading.words(page)  # nobody could shut the gate
    assert proven.get(ERASE).status_code == 503  # never "nothing to erase"
    settings.MEMORY_DATABASE_URL = address
    assert told.count() == 2
    assert proven.get(f"{path}continue/").headers["Location"] == path
    assert told.count() == 2
    assert proven.post(f"{path}continue/").headers["Location"] == path
    assert state_of(proven.get(path)) == "completed"
    assert told.count() == 0


def test_an_erasure_under_way_is_named_on_the_page(alice, alice_client, told):
    erasure = services.ask(alice, told.subject)
    assert f"A request of yours has not ended: {erasure.reference}, begins soon" in reading.words(
        alice_client.get(ERASE)
    )


def test_what_could_not_be_erased_is_named(alice, alice_client, told):
    now = datetime.now(UTC)
    left, empty = {"found": 5, "removed": 3, "left": 2}, {"found": 0, "left": 0}
    unread = {"found": 1, "problem": "the store did not give a connection in time"}
    steps = [{**step, "verified_at": now} for step in (left, empty, unread)]
    erasure = in_state(alice, told.subject, State.COMPLETED_WITH_EXCEPTIONS, steps)
    page = alice_client.get(f"/erasure/{erasure.id}/")
    words = reading.words(page)
    assert state_of(page) == "completed-with-exceptions"
    assert "Erased, except: memories, history" in words
    assert re.search(r"5 entries found, 3 removed\. Read again on [^.]*: 2 entries left\.", words)
    assert re.search(r"Could not be read again on [^.]*: the store did not give a connection in time\.", words)
