"""The places beyond the memory store, as the engine empties them and reads them again."""

import sqlite3
import uuid
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from mem0.memory.storage import SQLiteManager

from memoryportal.accounts.models import User
from memoryportal.accounts.waiting import Letter
from memoryportal.erasure import engine, services
from memoryportal.erasure.models import Erasure, Scope
from memoryportal.erasure.receipts import verify
from memoryportal.erasure.states import State
from memoryportal.memory import ScopedMemory, SubjectId, history_files

from .stating import as_file, check

pytestmark = pytest.mark.django_db


@pytest.fixture
def file(tmp_path: Path, settings: Any) -> Path:
    """What an assistant with a plain mem0 has written on this machine."""
    path = tmp_path / "history.db"
    settings.MEM0_HISTORY_PATHS = [str(path)]
    return path


def note(path: Path, memory_id: str, subject: str, text: str) -> None:
    with closing(SQLiteManager(str(path))) as mem0:
        mem0.add_history(memory_id, None, text, "ADD", created_at=datetime.now(UTC).isoformat())
        mem0.save_messages([{"role": "user", "content": text}], f"user_id={subject}")


def erase(user: User, **about: Any) -> Erasure:
    return engine.run(services.ask(user, SubjectId(user.subject), **about))


def steps(erasure: Erasure) -> dict[str, tuple[int | None, int, int | None]]:
    return {step.place: (step.found, step.removed, step.left) for step in erasure.steps.all()}


def test_a_history_file_is_emptied_by_the_ids_of_the_journal(
    alice: User, alice_memory: ScopedMemory, bob: User, file: Path
) -> None:
    item = alice_memory.add("I drink tea", infer=False)[0]
    note(file, item.id, alice.subject, "canary")
    note(file, str(uuid.uuid4()), bob.subject, "nightingale")
    erasure = erase(alice)
    assert erasure.state == State.COMPLETED
    assert steps(erasure)["history-files"] == (2, 2, 0)
    assert b"canary" not in file.read_bytes()
    assert file.read_bytes().count(b"nightingale") == 2
    (place,) = (one for one in erasure.receipt["receipt"]["places"] if one["place"] == "history-files")
    assert (place["label"], place["erased"], place["left"]) == ("History files", 2, 0)
    assert check(as_file(erasure.receipt)).valid
    assert not verify(as_file(erasure.receipt), {}).valid


def test_a_history_file_that_is_in_use_delays_and_is_never_called_empty(
    alice: User, alice_memory: ScopedMemory, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_files, "BUSY_SECONDS", 0.1)
    note(file, alice_memory.add("I drink tea", infer=False)[0].id, alice.subject, "canary")
    with closing(sqlite3.connect(file, isolation_level=None)) as busy:
        busy.execute("BEGIN EXCLUSIVE")
        erasure = erase(alice)
        assert erasure.state == State.RETRYING
        assert erasure.receipt is None
        busy.execute("COMMIT")
    Erasure.objects.filter(pk=erasure.pk).update(next_at=None)
    erasure = engine.run(erasure)
    assert erasure.state == State.COMPLETED
    assert steps(erasure)["history-files"][2] == 0
    assert b"canary" not in file.read_bytes()


def test_a_file_that_is_gone_keeps_nothing_else_from_being_emptied(
    alice: User, alice_memory: ScopedMemory, file: Path, settings: Any
) -> None:
    """What can be reached is emptied and read; the account stays, since its owner has to see how far it is."""
    item = alice_memory.add("I drink tea", infer=False)[0]
    other = file.with_name("other.db")
    for each in (file, other):
        note(each, item.id, alice.subject, "canary")
    settings.MEM0_HISTORY_PATHS = [str(file), str(other)]
    file.rename(file.with_name("elsewhere.db"))
    erasure = erase(alice, scope=Scope.ACCOUNT)
    assert (erasure.state, erasure.receipt) == (State.RETRYING, None)
    found = steps(erasure)
    assert found["memories"] == (1, 1, 0)
    assert found["history-files"] == (2, 2, None), "the other file was emptied, this one was not read"
    assert erasure.steps.get(place="history-files").problem == "mem0's history file 1 (history.db) is not there"
    assert b"canary" not in other.read_bytes()
    assert found["account"] == (2, 0, 2)
    assert User.objects.filter(pk=alice.pk).exists()

    file.with_name("elsewhere.db").rename(file)
    Erasure.objects.filter(pk=erasure.pk).update(next_at=None)
    erasure = engine.run(erasure)
    assert erasure.state == State.COMPLETED
    assert steps(erasure)["history-files"] == (4, 4, 0), "found by the ids of the journal"
    assert b"canary" not in file.read_bytes()
    assert not User.objects.filter(pk=alice.pk).exists()


def test_what_is_empty_and_could_not_be_rewritten_is_not_called_erased(
    alice: User, alice_memory: ScopedMemory, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows are gone, and their bytes may still lie in the file's free pages."""
    monkeypatch.setattr(history_files, "BUSY_SECONDS", 0.1)
    note(file, alice_memory.add("I drink tea", infer=False)[0].id, alice.subject, "canary")
    with closing(sqlite3.connect(file, isolation_level=None)) as reader:
        reader.execute("PRAGMA journal_mode = WAL")
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM history").fetchone()
        erasure = erase(alice)
        reader.execute("COMMIT")
    assert (erasure.state, erasure.receipt) == (State.RETRYING, None)
    step = erasure.steps.get(place="history-files")
    assert step.left == 0
    assert "is being read by another program, so that deleted text is still beside it" in step.problem
    Erasure.objects.filter(pk=erasure.pk).update(next_at=None)
    assert engine.run(erasure).state == State.COMPLETED
    assert b"canary" not in file.read_bytes()


def test_without_history_files_there_is_no_such_step(alice: User, alice_memory: ScopedMemory) -> None:
    found = steps(erase(alice))
    assert "history-files" not in found
    assert not {"account", "mail"} & found.keys(), "the account stays"


def test_the_account_goes_last_with_its_unsent_mail(alice: User, alice_memory: ScopedMemory, bob: User) -> None:
    for user in (alice, bob):
        Letter.objects.create(kind="link_made", to=user.email)
    alice_memory.add("I drink tea", infer=False)
    erasure = erase(alice, scope=Scope.ACCOUNT)
    assert erasure.state == State.COMPLETED
    found = steps(erasure)
    assert (found["account"], found["mail"]) == ((2, 2, 0), (1, 1, 0))
    assert list(User.objects.values_list("pk", flat=True)) == [bob.pk]
    assert Letter.objects.filter(kind="link_made").get().to == bob.email
    stated = str(erasure.receipt)
    assert alice.email not in stated
    assert alice.subject not in stated
