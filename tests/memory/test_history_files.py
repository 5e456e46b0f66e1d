"""mem0's own history files: exactly one person's rows go, with their bytes, and trouble is never a success."""

import shutil
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mem0.memory.main import _build_session_scope
from mem0.memory.storage import SQLiteManager

from memoryportal.memory import InvalidSubject, StoreUnavailable, SubjectId
from memoryportal.memory.history_files import PLACE, HistoryFiles, is_in_scope
from memoryportal.memory.places import Whose
from tests.hostile import APART, TWINS

KEPT_APART = sorted({value for group in (*APART, *TWINS) for value in group})
files = HistoryFiles()


@pytest.fixture
def file(tmp_path: Path, settings: Any) -> Path:
    path = tmp_path / "history.db"
    settings.MEM0_HISTORY_PATHS = [str(path)]
    with closing(SQLiteManager(str(path))):
        return path


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memoryportal.memory.history_files.BUSY_SECONDS", 0.2)


def remember(path: Path, text: str, memory_id: str | None = None) -> str:
    memory_id = memory_id or str(uuid.uuid4())
    with closing(SQLiteManager(str(path))) as mem0:
        mem0.add_history(memory_id, None, text, "ADD", created_at="2026-01-01T00:00:00+00:00")
        mem0.add_history(memory_id, text, f"{text}, corrected", "UPDATE")
    return memory_id


def say(path: Path, text: str, **ids: str) -> None:
    with closing(SQLiteManager(str(path))) as mem0:
        mem0.save_messages([{"role": "user", "content": text, "name": "carol"}], _build_session_scope(ids))


def rows(path: Path, table: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return sorted(connection.execute(f"SELECT * FROM {table}").fetchall())


def whose(*subjects: str, ids: tuple[str, ...] = (), agent: str | None = None) -> Whose:
    def memory_ids() -> Iterator[list[str]]:
        yield from ([each] for each in ids)

    return Whose(tuple(map(SubjectId, subjects)), agent=agent, memory_ids=memory_ids)


# --- whose rows -------------------------------------------------------------------------------------------------------


def test_rows_of_journaled_memories_and_own_conversations_go(file: Path) -> None:
    own, foreign = remember(file, "I drink tea"), remember(file, "I drink coffee")
    say(file, "tea!", user_id="u1", agent_id="cook", run_id="r")
    say(file, "coffee!", user_id="u11")
    kept = [row for row in rows(file, "history") if row[1] == foreign], rows(file, "messages")[:]
    mine = whose("u1", ids=(own,))
    assert files.count(mine) == 3
    assert files.erase(mine) == 3
    assert files.count(mine) == 0
    assert rows(file, "history") == kept[0]
    assert rows(file, "messages") == [row for row in kept[1] if row[3] == "coffee!"]


def test_erasing_again_finds_nothing_and_changes_nothing(file: Path) -> None:
    say(file, "coffee!", user_id="u11")
    own = whose("u1", ids=(remember(file, "I drink tea"),))
    assert [files.erase(own), files.erase(own)] == [2, 0]
    assert len(rows(file, "messages")) == 1


@pytest.mark.parametrize("written", [str.upper, lambda text: text.replace("-", ""), lambda text: f"{{{text}}}"])
def test_an_id_that_a_program_wrote_otherwise_is_found(file: Path, written: Callable[[str], str]) -> None:
    memory_id = str(uuid.uuid4())
    remember(file, "I drink tea", written(memory_id))
    assert files.erase(whose("u1", ids=(memory_id,))) == 2


def test_for_one_assistant_only_its_conversations_go(file: Path) -> None:
    say(file, "one", user_id="u1", agent_id="cook")
    say(file, "two", user_id="u1", agent_id="cook", run_id="r")
    say(file, "three", user_id="u1", agent_id="cook2")
    say(file, "four", user_id="u1")
    say(file, "five", agent_id="cook")
    assert files.erase(whose("u1", agent="cook")) == 2
    assert {row[3] for row in rows(file, "messages")} == {"three", "four", "five"}


def test_several_subjects_of_one_person_go_together(file: Path) -> None:
    for subject in ("u1", "u_alice", "u_bob"):
        say(file, "hello", user_id=subject)
    assert files.erase(whose("u1", "u_alice")) == 2
    assert [row[1] for row in rows(file, "messages")] == ["user_id=u_bob"]


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in which every hostile id is a person, an assistant and a conversation."""
    path = tmp_path_factory.mktemp("crowded") / "history.db"
    with closing(SQLiteManager(str(path))) as mem0:
        mem0.connection.execute("PRAGMA synchronous = OFF")
        for each in KEPT_APART:
            for ids in ({"user_id": each}, {"agent_id": each}, {"agent_id": "cook", "run_id": each}):
                mem0.save_messages([{"role": "user", "content": "hello"}], _build_session_scope(ids))
    return path


@pytest.mark.parametrize("subject", KEPT_APART)
def test_hostile_ids_take_nobody_elses_messages(crowded: Path, file: Path, subject: str) -> None:
    shutil.copy(crowded, file)
    before = set(rows(file, "messages"))
    assert files.erase(whose(subject)) == 1
    gone = before - set(rows(file, "messages"))
    assert {row[1] for row in gone} == {_build_session_scope({"user_id": subject})}


VALUES = st.text(
    st.sampled_from("ab&=%|{}'\"*25 36D_") | st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12
)


@given(subject=VALUES, other=VALUES, agent=st.none() | VALUES, run=st.none() | VALUES)
def test_a_scope_is_the_persons_only_when_mem0_made_it_for_them(
    subject: str, other: str, agent: str | None, run: str | None
) -> None:
    named = {"agent_id": agent, "run_id": run}
    own = _build_session_scope({"user_id": subject, **named}).encode()
    assert is_in_scope(own, subject)
    assert is_in_scope(own, other) is (subject == other)
    assert is_in_scope(own, subject, other) is (agent == other)
    assert not is_in_scope(_build_session_scope({"agent_id": subject, "run_id": other}).encode(), subject)


@pytest.mark.parametrize("scope", ["user_id=a&b", "user_id=100%", "agent_id=cook&user_id=a=b", "user_id=u&agent_id=a"])
def test_a_scope_of_an_older_mem0_is_neither_removed_nor_overlooked(file: Path, scope: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("INSERT INTO messages (id, session_scope, content) VALUES ('1', ?, 'secret')", (scope,))
    person = whose(scope.partition("user_id=")[2])
    for act in (files.count, files.erase):
        with pytest.raises(StoreUnavailable, match=r"file 1 \(history.db\) holds messages that may be this person's"):
            act(person)
    assert files.erase(whose("somebody-else")) == 0
    assert len(rows(file, "messages")) == 1


def test_a_scope_that_is_no_text_is_nobodys(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        for scope in (None, b"\xff\xfe", 7, b"user_id=\xffu1", b"agent_id=\xff&user_id=u1"):
            connection.execute("INSERT INTO messages (id, session_scope) VALUES (hex(randomblob(8)), ?)", (scope,))
    assert files.erase(whose("u1")) in (0, 1)
    assert len(rows(file, "messages")) >= 4


# --- bytes ------------------------------------------------------------------------------------------------------------


def bytes_of(path: Path) -> bytes:
    """The file and everything that SQLite puts beside it."""
    return b"".join(each.read_bytes() for each in sorted(path.parent.iterdir()) if each.name.startswith(path.name))


@pytest.mark.parametrize("mode", ["DELETE", "PERSIST", "TRUNCATE", "WAL"])
def test_nothing_of_the_text_stays_in_the_bytes(file: Path, mode: str) -> None:
    with closing(sqlite3.connect(file)) as mem0:  # stays open beside the erasure, as an assistant's would
        mem0.execute(f"PRAGMA journal_mode = {mode}")
        ids = [remember(file, f"canary{number} is my secret " + "x" * 900) for number in range(40)]
        with mem0:
            mem0.executemany("UPDATE history SET role = 'user' WHERE memory_id = ?", [(each,) for each in ids])
            mem0.execute("INSERT INTO messages (id, session_scope, content) VALUES ('1', 'user_id=u1', 'canary!')")
        other = remember(file, "nightingale")
        assert b"canary" in bytes_of(file)
        assert files.erase(whose("u1", ids=tuple(ids))) == 81
        assert b"canary" not in bytes_of(file)
        assert b"nightingale" in bytes_of(file)
    assert {row[1] for row in rows(file, "history")} == {other}


def test_a_try_that_ended_before_the_rewriting_is_finished_by_the_next(file: Path) -> None:
    own = whose("u1", ids=(remember(file, "canary " + "x" * 5000),))
    with closing(sqlite3.connect(file)) as killed, killed:
        killed.execute("PRAGMA secure_delete = OFF")
        killed.execute("DELETE FROM history")
    assert b"canary" in bytes_of(file), "the bytes that a plain DELETE leaves"
    assert files.erase(own) == 0
    assert b"canary" not in bytes_of(file)


# --- trouble ----------------------------------------------------------------------------------------------------------


def not_there(path: Path) -> None:
    path.unlink()


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def no_sqlite(path: Path) -> None:
    path.write_bytes(b"these are my memories " * 100)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def of_something_else(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (text TEXT)")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (not_there, "is not there"),
        (a_folder, "is not there"),
        (no_sqlite, "is not an SQLite file"),
        (empty, "holds no history of mem0"),
        (cut_off, "is damaged"),
        (of_something_else, "holds no history of mem0"),
    ],
)
def test_a_file_that_cannot_be_read_is_said(file: Path, spoil: Callable[[Path], None], said: str) -> None:
    memory_id = remember(file, "I drink tea " * 500)
    spoil(file)
    before = file.read_bytes() if file.is_file() else None
    for act in (files.count, files.erase):
        with pytest.raises(StoreUnavailable, match=rf"mem0's history file 1 \(history.db\) {said}"):
            act(whose("u1", ids=(memory_id,)))
    assert (file.read_bytes() if file.is_file() else None) == before


def test_a_locked_file_is_said_and_keeps_everything(file: Path) -> None:
    own = whose("u1", ids=(remember(file, "I drink tea"),))
    with closing(sqlite3.connect(file, isolation_level=None)) as busy:
        busy.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="is in use by another program"):
            files.erase(own)
        assert files.count(own) == 2
        busy.execute("COMMIT")
    assert files.erase(own) == 2


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_a_reader_that_keeps_the_old_bytes_alive_is_said(file: Path, mode: str) -> None:
    own = whose("u1", ids=(remember(file, "canary " + "x" * 5000),))
    with closing(sqlite3.connect(file, isolation_level=None)) as reader:
        reader.execute(f"PRAGMA journal_mode = {mode}")
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM history").fetchone()
        with pytest.raises(StoreUnavailable, match="by another program"):
            files.erase(own)
        reader.execute("COMMIT")
    files.erase(own)
    assert files.count(own) == 0
    assert b"canary" not in bytes_of(file)


def test_the_other_files_are_emptied_all_the_same(file: Path, settings: Any, tmp_path: Path) -> None:
    own = whose("u1", ids=(remember(file, "I drink tea"),))
    twin = Path(shutil.copy(file, tmp_path / "a file with ? and #.db"))
    settings.MEM0_HISTORY_PATHS = [str(file), str(tmp_path / "gone.db"), str(twin)]
    with pytest.raises(StoreUnavailable, match=r"mem0's history file 2 \(gone.db\) is not there"):
        files.erase(own)
    assert rows(file, "history") == rows(twin, "history") == []
    assert not (tmp_path / "gone.db").exists()


def test_without_paths_the_place_concerns_nobody(settings: Any) -> None:
    settings.MEM0_HISTORY_PATHS = []
    assert not files.concerns(whose("u1"))
    settings.MEM0_HISTORY_PATHS = ["/somewhere/history.db"]
    assert files.concerns(whose("u1"))
    assert PLACE.keeper is not None
    assert PLACE.keeper.concerns(whose("u1"))


def test_a_file_of_an_older_mem0_without_messages_is_read(file: Path) -> None:
    own = whose("u1", ids=(remember(file, "I drink tea"),))
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("ALTER TABLE history RENAME TO history_old")
        connection.execute("CREATE TABLE history AS SELECT * FROM history_old")
        connection.execute("DROP TABLE messages")
    assert files.count(own) == 4
    assert files.erase(own) == 4


@pytest.mark.parametrize("value", ["*", "a,b", "", " a "])
def test_no_refused_id_gets_here(value: str) -> None:
    with pytest.raises(InvalidSubject):
        whose(value)
