"""The status page of one erasure: what it says in each state, and to whom."""

import re
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest

from memoryportal.erasure import engine, services
from memoryportal.erasure.models import Erasure, OutsidePlace, State
from memoryportal.memory import controls

from . import reading
from .erase_page import ERASE, FRAGMENT, in_state, state_of

pytestmark = pytest.mark.django_db


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
    assert "Warehouse Not reported yet." in words


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
