"""The pages of /erasure/: what they promise, who may act, and that nothing happens without proof and the word."""

import re
import threading
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.db import connections
from django.test import Client

from memoryportal.accounts.links import link
from memoryportal.accounts.models import User
from memoryportal.accounts.subjects import mark_connected
from memoryportal.accounts.waiting import Letter
from memoryportal.audit.models import Event
from memoryportal.erasure import engine, services
from memoryportal.erasure.models import Channel, Erasure, ErasureStep, OpenErasure, OutsidePlace, Scope, State
from memoryportal.memory import ScopedMemory, SubjectId, WritesPaused, controls
from memoryportal.memory.backdate import Name, add_messages, add_names
from tests.accounts.helpers import prove
from tests.erasure.making import an_erasure

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


def in_state(account, subject, state: State, steps=(), **fields) -> Erasure:
    """A request of this account's in this state; `steps` are the fields of one step each, in the order of places."""
    erasure = an_erasure(subject, state=state, account=account, **fields)
    for order, (place, step) in enumerate(zip(("memories", "entities", "history"), steps, strict=False)):
        ErasureStep.objects.create(erasure=erasure, place=place, order=order, **step)
    return erasure


def paused(memory: ScopedMemory) -> bool:
    return [(control.agent, control.state) for control in controls.states(memory.subject)] == [("", "paused")]


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


# --- the status page -------------------------------------------------------------------------------------------------


SOON, LATER = datetime.now(UTC) - timedelta(minutes=1), datetime.now(UTC) + timedelta(hours=5)


@pytest.mark.parametrize(
    ("state", "fields", "words", "polls"),
    [
        (State.RECEIVED, {}, "Nothing has been removed yet.", True),
        (State.IDENTITY, {}, "We write to the address that was given.", False),
        (State.APPROVAL, {}, "two people have to agree.", False),
        (State.WAITING, {"grace_until": SOON}, "Begins soon Nothing has been removed yet.", True),
        (State.WAITING, {"grace_until": LATER}, "Until it begins you can take it back.", False),
        (State.ERASING, {}, "Everything is being removed now.", True),
        (State.VERIFYING, {}, "Now each place is read again to be sure.", True),
        (State.WATCHING, {"next_at": LATER}, "We look after ten minutes and after a day; the next time is", False),
        (State.RETRYING, {}, "A part could not be reached. What is done stays done.", False),
        (State.NEEDS_ATTENTION, {}, "Delayed; what is done stays done", False),
        (State.ON_HOLD, {"ground": "A court asked for it.", "held_until": date(2030, 5, 1)}, "On 1 May 2030", False),
        (State.COMPLETED, {}, "Then each place was read again, and each was empty.", False),
        (State.COMPLETED_WITH_EXCEPTIONS, {}, "Erased, except:", False),
        (State.REFUSED, {"ground": "These are not your data."}, "The reason: These are not your data.", False),
        (State.CANCELLED, {}, "This request has ended. Nothing was removed.", False),
        (State.UNCONFIRMED, {}, "Nobody confirmed within a week that they asked for this", False),
    ],
)
def test_each_state_in_words(alice, alice_client, told, state, fields, words, polls):
    erasure = in_state(alice, told.subject, state, **fields)
    page = alice_client.get(f"/erasure/{erasure.id}/")
    assert state_of(page) == state.value
    assert words in reading.words(page)
    assert ('hx-trigger="every 3s"' in reading.body(page)) is polls
    offered = {
        path for path in ("continue", "cancel", "begin") if f"/erasure/{erasure.id}/{path}/" in reading.body(page)
    }
    assert offered == ways_of(erasure, polls)


def ways_of(erasure: Erasure, moving: bool) -> set[str]:
    """What fits: continuing what has begun or is about to, beginning what waits, taking back what has not begun."""
    if erasure.state == State.WAITING:
        return {"continue"} if moving else {"begin", "cancel"}
    if erasure.state in (State.ERASING, State.VERIFYING, State.RETRYING):
        return {"continue"}
    return {"cancel"} if erasure.is_cancellable else set()


def test_refusals_and_holds_say_where_to_complain(alice, alice_client, told, settings):
    for state in (State.REFUSED, State.ON_HOLD, State.UNCONFIRMED):
        erasure = in_state(alice, told.subject, state, ground="A court asked for it.")
        page = alice_client.get(f"/erasure/{erasure.id}/")
        assert "If you do not agree" in reading.words(page), state
        assert reading.body(page).count(settings.COMPLAINT_URL) == 2, state  # there, and in the footer


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, r"Has to be done by \d+ \w+ \d{4}, due in \d+ days"),
        ({"asked_at": datetime(2025, 1, 31, 12, tzinfo=UTC)}, r"Has to be done by 28 February 2025, \d+ days late"),
        ({"law": "both", "rests_since": date.today()}, r"The time rests since \d+ \w+ \d{4}, while we wait for proof"),
        (
            {"extended_at": datetime.now(UTC), "extension_reason": "Many at once."},
            r"The time was extended on [^.]*\. Why: Many at once\.",
        ),
    ],
)
def test_the_clock_is_shown(alice, alice_client, told, fields, words):
    erasure = in_state(alice, told.subject, State.APPROVAL, **{"law": "gdpr", **fields})
    assert re.search(words, reading.words(alice_client.get(f"/erasure/{erasure.id}/")))


def test_places_outside_are_named_as_reported_or_not(alice, alice_client, told):
    erasure = in_state(alice, told.subject, State.COMPLETED)
    OutsidePlace.objects.create(erasure=erasure, name="Newsletter", reported_at=datetime(2026, 3, 4, 5, tzinfo=UTC))
    OutsidePlace.objects.create(erasure=erasure, name="Warehouse")
    words = reading.words(alice_client.get(f"/erasure/{erasure.id}/"))
    assert "Newsletter Reported on 4 March 2026, 05:00 as emptied. Not verified by us." in words
    assert "Warehouse Not reported." in words


@pytest.mark.parametrize(
    ("questions", "answered", "words"),
    [
        (None, None, "The search was not repeated"),
        (12, 0, "We searched again with 12 questions taken from what was remembered. Memories answered none of them."),
        (1, 1, "We searched again with 1 question taken from what was remembered. Memories answered 1 of them."),
    ],
)
def test_the_repeated_search_is_told(alice, alice_client, told, questions, answered, words):
    erasure = in_state(alice, told.subject, State.COMPLETED, questions=questions, answered=answered)
    assert words in reading.words(alice_client.get(f"/erasure/{erasure.id}/"))


def test_a_delayed_erasure_that_has_begun_says_that_writing_is_shut(alice, alice_client, told):
    erasure = in_state(alice, told.subject, State.RETRYING, [{"found": 2, "removed": 2}])
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
    controls.resume(told.subject)
    told.add("I moved to Bremen.", infer=False)
    alice_client.post(path)  # it has ended: a forgotten tab erases nothing more
    assert told.count() == 1


TAILS = ("", "continue/", "cancel/", "begin/", "allow/", "receipt/", "receipt/file/")


@pytest.mark.parametrize("tail", TAILS)
def test_somebody_elses_erasure_does_not_exist(alice, alice_client, bob_client, told, settings, tail):
    settings.ERASURE_GRACE_HOURS_OWN = 5
    erasure = services.ask(alice, told.subject)
    assert alice_client.get(f"/erasure/{erasure.id}/{tail}").status_code in (200, 302)
    for ask in (bob_client.get, bob_client.post) if tail and "receipt" not in tail else (bob_client.get,):
        foreign, missing = (ask(f"/erasure/{one}/{tail}") for one in (erasure.id, uuid4()))
        assert foreign.status_code == missing.status_code == 404
        assert reading.without_tokens(foreign) == reading.without_tokens(missing)
    assert Erasure.objects.get().state == State.WAITING
    assert told.count() == 2


def test_a_slip_is_told_before_anybody_proves_who_they_are(alice_client, told):
    wrong = alice_client.post(ERASE, {"word": "delete"})
    assert wrong.status_code == 422
    assert "This is not the word." in reading.words(wrong)
    right = alice_client.post(ERASE, {"word": "erase"})
    assert right.headers["Location"].startswith("/accounts/reauthenticate/")
    assert told.count() == 2
    assert not Erasure.objects.exists()


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
