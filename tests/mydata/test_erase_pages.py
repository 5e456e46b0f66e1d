"""The pages of /erasure/: what they promise, who may act, and that nothing happens without proof and the word."""

import re
import threading
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.db import connections
from django.test import Client

from memoryportal.accounts.links import link
from memoryportal.accounts.subjects import mark_connected
from memoryportal.erasure import engine, services
from memoryportal.erasure.models import Erasure, State
from memoryportal.memory import ScopedMemory, SubjectId
from memoryportal.memory.backdate import Name, add_messages, add_names
from tests.accounts.helpers import prove

from . import reading
from .remembered import everything, remember

pytestmark = pytest.mark.django_db
ERASE = "/erasure/"
NOWHERE = "postgresql://memoryportal_scoped@/nowhere?host=/nonexistent"
FRAGMENT = {"HX-Request": "true", "HX-Target": "erasure"}


@pytest.fixture
def told(alice_memory) -> ScopedMemory:
    """Alice's memory with something in every place."""
    items = remember(alice_memory, "I am vegetarian.", "I live in Hamburg.", agent="support_bot")
    add_names(alice_memory, [Name("Hamburg", "PLACE", [items[1].id])])
    add_messages(ScopedMemory(alice_memory.subject, agent="support_bot"), [("user", "Hello")], datetime.now(UTC))
    return alice_memory


@pytest.fixture
def proven(alice_client):
    prove(alice_client)
    return alice_client


def form_of(response) -> dict[str, str]:
    """The hidden fields of the page's form, and the word that it asks for."""
    text = reading.body(response)
    fields = dict(re.findall(r'<input type="hidden" name="(id|after)" value="([^"]*)"', text))
    word = re.search(r'data-confirm-word="([^"]*)"', text)
    assert word is not None
    return {**fields, "word": word.group(1)}


def state_of(response) -> str:
    found = re.findall(r'data-erasure-state="([^"]*)"', reading.body(response))
    assert len(found) == 1
    return found[0]


def in_state(account, subject, state: State, **steps) -> Erasure:
    """An erasure as the engine leaves it in this state; `steps` are fields of its first step."""
    erasure = services.ask(account, subject)
    Erasure.objects.filter(pk=erasure.pk).update(state=state, began_at=erasure.asked_at)
    for name, value in steps.items():
        erasure.steps.filter(order=0).update(**{name: value})
    return Erasure.objects.get(pk=erasure.pk)


# --- what it says ----------------------------------------------------------------------------------------------------


def test_the_page_says_what_goes_and_what_stays(alice_client, told):
    response = alice_client.get(ERASE)
    words = reading.words(response)
    for place in ("vectors that searching needs. 2", "noted from your memories. 1", "correction of it. 2"):
        assert place in words
    for stays in ("Your account here", "already received", "Backups", "overwritten", "manage.py scrub"):
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
    assert "may start remembering new things" in words
    assert "vegetarian" not in words
    assert everything(bob_memory) == [(item.id, item.text) for item in bobs]


def test_a_script_that_sends_only_the_word_is_understood(proven, told):
    response = proven.post(ERASE, {"word": "erase"})
    assert state_of(proven.get(response.headers["Location"])) == "completed"
    assert told.count() == 0


def test_writing_is_open_again_afterwards(proven, told):
    proven.post(ERASE, {"word": "erase"})
    told.add("I moved to Bremen.", infer=False)
    assert told.count() == 1


def test_the_same_form_sent_twice_makes_one_erasure(proven, told):
    form = form_of(proven.get(ERASE))
    first = proven.post(ERASE, form)
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
    other = ScopedMemory(SubjectId("alice-at-work"))
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
    words = reading.words(alice_client.get(ERASE))
    assert "An erasure is under way" in words
    assert erasure.reference in words


def test_what_could_not_be_erased_is_named(alice, alice_client, told):
    now = datetime.now(UTC)
    erasure = in_state(
        alice, told.subject, State.COMPLETED_WITH_EXCEPTIONS, found=5, removed=3, left=2, verified_at=now
    )
    erasure.steps.exclude(order=0).update(found=0, left=0, verified_at=now)
    erasure.steps.filter(order=2).update(left=None, problem="the store did not give a connection in time")
    page = alice_client.get(f"/erasure/{erasure.id}/")
    words = reading.words(page)
    assert state_of(page) == "completed-with-exceptions"
    assert "Erased, except: memories, history" in words
    assert re.search(r"5 entries found, 3 removed\. Read again on [^.]*: 2 entries left\.", words)
    assert re.search(r"Could not be read again on [^.]*: the store did not give a connection in time\.", words)


# --- the status page -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "words", "polls"),
    [
        (State.RECEIVED, "Nothing has been removed yet.", True),
        (State.ERASING, "Everything is being removed now.", True),
        (State.VERIFYING, "Now each place is read again to be sure.", True),
        (State.RETRYING, "A part could not be reached. What is done stays done.", False),
        (State.NEEDS_ATTENTION, "Delayed; what is done stays done", False),
        (State.COMPLETED, "Then each place was read again, and each was empty.", False),
        (State.COMPLETED_WITH_EXCEPTIONS, "Erased, except:", False),
    ],
)
def test_each_state_in_words(alice, alice_client, told, state, words, polls):
    erasure = in_state(alice, told.subject, state)
    page = alice_client.get(f"/erasure/{erasure.id}/")
    assert state_of(page) == state.value
    assert words in reading.words(page)
    assert ('hx-trigger="every 3s"' in reading.body(page)) is polls
    assert (f'action="/erasure/{erasure.id}/continue/"' in reading.body(page)) is not erasure.is_terminal


def test_a_delayed_erasure_that_has_begun_says_that_writing_is_shut(alice, alice_client, told):
    erasure = in_state(alice, told.subject, State.RETRYING, found=2, removed=2)
    words = reading.words(alice_client.get(f"/erasure/{erasure.id}/"))
    assert "Until this has ended, no assistant can store anything about you." in words


def test_every_state_has_words():
    from memoryportal.mydata.erasure_words import WORDS

    assert set(WORDS) == set(State.values)


def test_polling_gets_the_fragment_and_stops_at_the_end(alice, alice_client, told):
    erasure = services.ask(alice, told.subject)
    path = f"/erasure/{erasure.id}/"
    fragment = alice_client.get(path, headers=FRAGMENT)
    assert reading.body(fragment).startswith('<div id="erasure"')
    assert 'hx-trigger="every 3s"' in reading.body(fragment)
    assert "data-announce" not in reading.body(fragment)
    engine.run(erasure)
    ended = reading.body(alice_client.get(path, headers=FRAGMENT))
    assert 'data-erasure-state="completed"' in ended
    assert "hx-trigger" not in ended
    assert "data-announce" in ended


def test_continuing_works_once_and_needs_a_post(alice, alice_client, told):
    erasure = services.ask(alice, told.subject)
    path = f"/erasure/{erasure.id}/continue/"
    alice_client.get(path)
    assert told.count() == 2
    alice_client.post(path)
    assert told.count() == 0
    told.add("I moved to Bremen.", infer=False)
    alice_client.post(path)  # it has ended: a forgotten tab erases nothing more
    assert told.count() == 1


@pytest.mark.parametrize("tail", ["", "continue/"])
def test_somebody_elses_erasure_does_not_exist(alice, alice_client, bob_client, told, tail):
    erasure = services.ask(alice, told.subject)
    assert alice_client.get(f"/erasure/{erasure.id}/{tail}").status_code in (200, 302)
    for ask in (bob_client.get, bob_client.post) if tail else (bob_client.get,):
        foreign, missing = (ask(f"/erasure/{one}/{tail}") for one in (erasure.id, uuid4()))
        assert foreign.status_code == missing.status_code == 404
        assert reading.without_tokens(foreign) == reading.without_tokens(missing)
    assert Erasure.objects.get().state == State.RECEIVED
    assert told.count() == 2


def test_earlier_erasures_are_listed_and_cost_nothing_more(alice, alice_client, told):
    engine.run(services.ask(alice, told.subject))
    alice_client.get(ERASE)
    with reading.wire() as one:
        alice_client.get(ERASE)
    for _ in range(4):
        engine.run(services.ask(alice, told.subject))
    with reading.wire() as five:
        page = alice_client.get(ERASE)
    assert len(five) == len(one)
    for erasure in services.history(alice):
        assert f'href="/erasure/{erasure.id}/"' in reading.body(page)


def test_nothing_of_a_memory_is_in_the_record(proven, told):
    proven.post(ERASE, {"word": "erase"})
    erasure = Erasure.objects.get()
    stored = str(list(Erasure.objects.values())) + str(list(erasure.steps.values()))
    assert re.search("vegetarian|Hamburg|Hello", stored) is None
