"""History files of a plain mem0 name a memory and nobody: a replay finds their rows while it knows the old ids."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from mem0.memory.storage import SQLiteManager

from memoryportal.accounts.models import User
from memoryportal.erasure import ledger, replay
from memoryportal.erasure.models import Erasure
from memoryportal.erasure.states import State
from memoryportal.memory import ScopedMemory, history_files

pytestmark = pytest.mark.django_db


@pytest.fixture
def file(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "history.db"
    settings.MEM0_HISTORY_PATHS = [str(path)]
    monkeypatch.setattr(history_files, "BUSY_SECONDS", 0.1)
    return path


def remember(memory: ScopedMemory, text: str, path: Path, noted: str) -> None:
    """A memory, of which a plain mem0 has noted something in its file."""
    memory_id = memory.add(text, infer=False)[0].id
    with closing(SQLiteManager(str(path))) as mem0:
        mem0.add_history(memory_id, None, noted, "ADD", created_at=datetime.now(UTC).isoformat())


def run(user: User) -> replay.Report:
    """Of a database that was restored to before everything of this person was erased."""
    if not ledger.unknown():
        ledger.append("erased", Erasure(subjects=[user.subject]), State.COMPLETED)
    return replay.replay(ledger.marked().number)


def test_a_file_that_was_in_use_is_emptied_by_the_next_run(alice: User, alice_memory: ScopedMemory, file: Path) -> None:
    remember(alice_memory, "I drink tea", file, "canary")
    with closing(sqlite3.connect(file, isolation_level=None)) as busy:
        busy.execute("BEGIN EXCLUSIVE")
        report = run(alice)
        busy.execute("COMMIT")
    assert report.problems == ["History files: mem0's history file 1 (history.db) is in use by another program"]
    assert (report.is_done, alice_memory.count()) == (False, 1)
    assert len(ledger.unknown()) == 1
    report = run(alice)
    assert (report.is_done, report.removed["history-files"], alice_memory.count()) == (True, 1, 0)
    assert b"canary" not in file.read_bytes()
    assert ledger.unknown() == []


def test_what_the_file_notes_of_later_memories_stays(alice: User, alice_memory: ScopedMemory, file: Path) -> None:
    remember(alice_memory, "I drink tea", file, "canary")
    ledger.append("erased", Erasure(subjects=[alice.subject]), State.COMPLETED)
    remember(alice_memory, "I drink water", file, "nightingale")
    report = run(alice)
    assert (report.is_done, report.removed["history-files"], report.removed["memories"]) == (True, 1, 1)
    assert b"canary" not in file.read_bytes()
    assert b"nightingale" in file.read_bytes()
    assert {item.text for item in alice_memory.walk()} == {"I drink water"}
