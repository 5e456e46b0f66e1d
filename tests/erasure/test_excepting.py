"""A place can never be read again: two people may let the request end without it, and nothing else that is readable."""

import sqlite3
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, transaction

from memoryportal.accounts.models import User
from memoryportal.accounts.waiting import Letter
from memoryportal.audit.models import Event
from memoryportal.base.names import APP, OWNER
from memoryportal.erasure import decisions, engine, excepting, receipts, services
from memoryportal.erasure.lease import MAX_ATTEMPTS
from memoryportal.erasure.models import Erasure, ErasureStep, Identified, Scope
from memoryportal.erasure.moves import NotNow
from memoryportal.erasure.receipt_words import in_words
from memoryportal.erasure.states import State
from memoryportal.memory import ScopedMemory, SubjectId, history_files
from tests.accounts.helpers import person
from tests.memory.planted import payload, plant

from .house import ends_of
from .making import an_erasure
from .stating import as_file, check, stated
from .test_keepers import note, steps
from .test_states import at, code_of, signed_in

pytestmark = pytest.mark.django_db
WHY = "decommissioned"
REASON = "The machine was given back to its owner in May"
GONE = "mem0's history file 1 (history.db) is not there"


@pytest.fixture
def file(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(history_files, "BUSY_SECONDS", 0.1)
    settings.MEM0_HISTORY_PATHS = [str(tmp_path / "history.db")]
    settings.ERASURE_LEDGER = str(tmp_path / "ledger.jsonl")
    return tmp_path / "history.db"


@pytest.fixture
def officers(db: None) -> tuple[User, User]:
    return person("one@example.com"), person("two@example.com")


@pytest.fixture
def stuck(alice: User, alice_memory: ScopedMemory, file: Path) -> Erasure:
    """Ten attempts in vain: the file was never there."""
    alice_memory.add("I drink tea", infer=False)
    return attempts(services.ask(alice, SubjectId(alice.subject)))


def attempts(erasure: Erasure) -> Erasure:
    for _ in range(MAX_ATTEMPTS):
        Erasure.objects.filter(pk=erasure.pk).update(next_at=None)
        erasure = engine.run(erasure)
    assert erasure.state == State.NEEDS_ATTENTION
    return erasure


def agreed(erasure: Erasure, officers: tuple[User, User]) -> Erasure:
    excepting.ask(erasure.pk, officers[0], WHY, REASON)
    return engine.run(excepting.agree(erasure.pk, officers[1]))


def row(erasure: Erasure) -> dict[str, Any]:
    return Erasure.objects.values().get(pk=erasure.pk)


def test_two_people_end_it_and_the_receipt_names_what_was_not_read(stuck: Erasure, officers: tuple[User, User]) -> None:
    assert steps(stuck)["memories"] == (1, 1, 0)
    asked = excepting.ask(stuck.pk, officers[0], WHY, REASON)
    assert (asked.state, asked.excepted) == (State.NEEDS_ATTENTION, ["history-files"])
    ended = engine.run(excepting.agree(stuck.pk, officers[1]))
    assert (ended.state, ends_of(ended)) == (State.COMPLETED_WITH_EXCEPTIONS, ["erasure.done"])
    receipt = ended.receipt["receipt"]
    (exception,) = receipt["exceptions"]
    assert (exception["place"], exception["category"]) == ("history-files", WHY)
    assert exception["words"] == "it was taken out of service"
    assert receipt["decided_by"][-1] == "two people of the privacy team, that it ends without what could not be read"
    (place,) = (place for place in receipt["places"] if place["place"] == "history-files")
    assert (place["left"], place["problem"]) == (None, GONE)
    assert check(as_file(ended.receipt)).valid
    assert REASON not in str(receipt)
    said = " ".join(in_words(receipt))
    assert "History files: not read, because it was taken out of service. Two people of the privacy team agreed" in said
    assert Letter.objects.filter(kind="request_ended").get().about["state"] == "completed-with-exceptions"


def test_the_trail_has_who_asked_why_and_who_agreed(stuck: Erasure, officers: tuple[User, User]) -> None:
    agreed(stuck, officers)
    asked, yes = Event.objects.filter(action__startswith="exception.").order_by("seq")
    assert (asked.action, asked.actor, asked.role) == ("exception.asked", str(officers[0].pk), "privacy")
    assert (asked.reason, asked.details) == (REASON, {"places": ["history-files"], "category": WHY})
    assert (yes.action, yes.actor, yes.object) == ("exception.agreed", str(officers[1].pk), stuck.reference)


def test_nobody_agrees_to_what_they_asked_for(stuck: Erasure, officers: tuple[User, User]) -> None:
    excepting.ask(stuck.pk, officers[0], WHY, REASON)
    before, events = row(stuck), Event.objects.count()
    with pytest.raises(decisions.Unfit, match="second person"):
        excepting.agree(stuck.pk, officers[0])
    assert (row(stuck), Event.objects.count()) == (before, events)


def test_nobody_lets_their_own_request_end(stuck: Erasure, alice: User, officers: tuple[User, User]) -> None:
    before = row(stuck)
    with pytest.raises(decisions.Unfit, match="about you"):
        excepting.ask(stuck.pk, alice, WHY, REASON)
    assert row(stuck) == before
    excepting.ask(stuck.pk, officers[0], WHY, REASON)
    before = row(stuck)
    with pytest.raises(decisions.Unfit, match="about you"):
        excepting.agree(stuck.pk, alice)
    assert row(stuck) == before


@pytest.mark.parametrize("reason", ["", "no", " " * 40])
def test_it_takes_a_reason(stuck: Erasure, officers: tuple[User, User], reason: str) -> None:
    before = row(stuck)
    with pytest.raises(decisions.Unfit):
        excepting.ask(stuck.pk, officers[0], WHY, reason)
    assert row(stuck) == before


def test_it_cannot_be_asked_while_everything_can_be_read(
    stuck: Erasure, file: Path, bob: User, officers: tuple[User, User]
) -> None:
    note(file, str(uuid.uuid4()), bob.subject, "nightingale")
    before = row(stuck)
    with pytest.raises(decisions.Unfit, match="try again instead"):
        excepting.ask(stuck.pk, officers[0], WHY, REASON)
    assert row(stuck) == before


@pytest.mark.parametrize("state", [state for state in State if state != State.NEEDS_ATTENTION])
def test_it_fits_only_what_waits_for_people(state: State, officers: tuple[User, User], file: Path) -> None:
    erasure = an_erasure("somebody", state=str(state))
    before = row(erasure)
    with pytest.raises(NotNow):
        excepting.ask(erasure.pk, officers[0], WHY, REASON)
    with pytest.raises(NotNow):
        excepting.agree(erasure.pk, officers[1])
    assert row(erasure) == before


def test_agreeing_twice_and_without_being_asked_is_refused(stuck: Erasure, officers: tuple[User, User]) -> None:
    with pytest.raises(NotNow):
        excepting.agree(stuck.pk, officers[1])
    excepting.ask(stuck.pk, officers[0], WHY, REASON)
    with pytest.raises(NotNow, match="asked for before"):
        excepting.ask(stuck.pk, officers[1], WHY, REASON)
    excepting.agree(stuck.pk, officers[1])
    before = row(stuck)
    with pytest.raises(NotNow):
        excepting.agree(stuck.pk, officers[1])
    assert row(stuck) == before


def test_a_file_that_comes_back_in_time_is_emptied_like_the_others(
    stuck: Erasure, alice: User, file: Path, officers: tuple[User, User]
) -> None:
    excepting.ask(stuck.pk, officers[0], WHY, REASON)
    excepting.agree(stuck.pk, officers[1])
    note(file, str(uuid.uuid4()), alice.subject, "canary")
    ended = engine.run(stuck)
    assert (ended.state, steps(ended)["history-files"][1:]) == (State.COMPLETED, (1, 0))
    assert ended.receipt["receipt"]["exceptions"] == []
    assert file.read_bytes().count(b"canary") == 1, "an entry of a memory that nobody knows is nobody's"


def test_it_does_not_end_while_a_file_that_can_be_read_has_rows(
    stuck: Erasure, alice: User, file: Path, officers: tuple[User, User], settings: Any
) -> None:
    """One of two files is gone; the other one can be read, and cannot be written at the moment."""
    excepting.ask(stuck.pk, officers[0], WHY, REASON)
    other = file.with_name("other.db")
    note(other, str(uuid.uuid4()), alice.subject, "canary")
    settings.MEM0_HISTORY_PATHS = [str(file), str(other)]
    with closing(sqlite3.connect(other, isolation_level=None)) as busy:
        busy.execute("PRAGMA journal_mode = WAL")
        busy.execute("BEGIN IMMEDIATE")
        not_ended = engine.run(excepting.agree(stuck.pk, officers[1]))
        assert (not_ended.state, not_ended.receipt, ends_of(not_ended)) == (State.RETRYING, None, [])
        busy.execute("ROLLBACK")
    Erasure.objects.filter(pk=stuck.pk).update(next_at=None)
    ended = engine.run(stuck)
    assert ended.state == State.COMPLETED_WITH_EXCEPTIONS
    with closing(sqlite3.connect(other)) as empty:
        assert empty.execute("SELECT count(*) FROM messages").fetchone() == (0,)
    (place,) = (place for place in ended.receipt["receipt"]["places"] if place["place"] == "history-files")
    assert (place["erased"], place["left"]) == (1, None)


def test_what_was_stored_meanwhile_goes_too(
    stuck: Erasure,
    alice_memory: ScopedMemory,
    alice: User,
    superuser: psycopg.Connection[Any],
    officers: tuple[User, User],
) -> None:
    """By somebody who is bound by no gate, after the place was given up."""
    excepting.ask(stuck.pk, officers[0], WHY, REASON)
    superuser.execute("SET session_replication_role = replica")
    plant(superuser, [payload(SubjectId(alice.subject), "I like tea")])
    superuser.execute("SET session_replication_role = origin")
    assert alice_memory.count() == 1
    ended = engine.run(excepting.agree(stuck.pk, officers[1]))
    assert ended.state == State.COMPLETED_WITH_EXCEPTIONS
    assert alice_memory.count() == 0


def test_the_account_goes_too_where_that_was_asked(
    alice: User, alice_memory: ScopedMemory, file: Path, officers: tuple[User, User]
) -> None:
    erasure = attempts(services.ask(alice, SubjectId(alice.subject), scope=Scope.ACCOUNT))
    assert User.objects.filter(pk=alice.pk).exists(), "its owner has to see how far it is"
    ended = agreed(erasure, officers)
    assert ended.state == State.COMPLETED_WITH_EXCEPTIONS
    assert not User.objects.filter(pk=alice.pk).exists()


def test_what_was_agreed_on_holds_for_one_go(stuck: Erasure, officers: tuple[User, User], settings: Any) -> None:
    excepting.ask(stuck.pk, officers[0], WHY, REASON)
    excepting.agree(stuck.pk, officers[1])
    settings.ERASURE_LEDGER = "/proc/nowhere/ledger"
    erasure = attempts(stuck)
    assert (erasure.excepted, erasure.except_at, erasure.except_agreed_by) == ([], None, None)


def test_trying_again_takes_it_back(stuck: Erasure, officers: tuple[User, User]) -> None:
    excepting.ask(stuck.pk, officers[0], WHY, REASON)
    decisions.try_again(stuck.pk, officers[1])
    stuck.refresh_from_db()
    assert (stuck.excepted, stuck.except_at, stuck.except_reason) == ([], None, "")
    assert engine.run(stuck).state == State.RETRYING


def test_a_file_that_is_taken_out_of_the_configuration_is_not_forgotten(
    stuck: Erasure, officers: tuple[User, User], settings: Any
) -> None:
    settings.MEM0_HISTORY_PATHS = []
    decisions.try_again(stuck.pk, officers[0])
    erasure = engine.run(stuck)
    assert (erasure.state, erasure.receipt) == (State.RETRYING, None)
    ended = agreed(attempts(erasure), officers)
    assert ended.state == State.COMPLETED_WITH_EXCEPTIONS
    assert [place["place"] for place in ended.receipt["receipt"]["exceptions"]] == ["history-files"]


def test_receipts_of_the_first_form_stay_valid() -> None:
    first = stated(version=1)
    del first["exceptions"]
    assert check(as_file(receipts.sign(first))).valid
    assert in_words(first)


# --- what the database holds to, whoever writes ----------------------------------------------------------------------


def _by_hand(erasure: Erasure, *states: str) -> None:
    for state in states:
        Erasure.objects.filter(pk=erasure.pk).update(state=state)


def test_the_database_lets_nothing_end_with_a_place_that_was_not_read(stuck: Erasure) -> None:
    for state in ("completed", "completed-with-exceptions"):
        with pytest.raises(DatabaseError, match="a place was not read"), transaction.atomic():
            _by_hand(stuck, "erasing", "verifying", state)
    assert Erasure.objects.get(pk=stuck.pk).state == State.NEEDS_ATTENTION


def test_the_database_lets_nothing_end_as_erased_with_rows_left(alice: User) -> None:
    erasure = an_erasure(alice.subject, state="verifying", identified_how=Identified.SESSION)
    ErasureStep.objects.create(erasure=erasure, order=0, place="memories", found=1, left=1)
    with pytest.raises(DatabaseError, match="a place was not read, or was not empty"), transaction.atomic():
        Erasure.objects.filter(pk=erasure.pk).update(state="completed")
    Erasure.objects.filter(pk=erasure.pk).update(state="completed-with-exceptions")


AGREED = "except_agreed_at = now(), except_agreed_by_id = {two}"
ASKED = "excepted = '{{history-files}}', except_reason = 'given back', except_at = now(), except_by_id = {one}, "


@pytest.mark.parametrize("role", [APP, OWNER])
def test_the_database_takes_two_people(role: str, officers: tuple[User, User]) -> None:
    one, two = (officer.pk for officer in officers)
    both = (ASKED + AGREED).format(one=one, two=two)
    with signed_in(role) as login:
        waits = at(login, "needs-attention")
        assert code_of(login, both, waits) == ""
        assert code_of(login, (ASKED + AGREED).format(one=one, two=one), waits) == "MP013"
        assert code_of(login, AGREED.format(two=two), waits) == "MP013"
        assert code_of(login, both.replace("given back", " "), waits) == "MP013"
        assert code_of(login, both.replace("{history-files}", "{}"), waits) == "MP013"
        assert code_of(login, both, at(login, "verifying")) == "MP013"
        login.execute(f"UPDATE erasure_erasure SET {both} WHERE id = %s", (waits,))
        assert code_of(login, "excepted = '{memories}'", waits) == "MP013"
        assert code_of(login, "except_reason = 'another one'", waits) == "MP013"
