"""Rewriting the tables: what an older transaction keeps is waited for, and never taken for gone."""

import threading
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from memoryportal.memory import ScopedMemory, StoreUnavailable, pool, scrub
from memoryportal.memory.configuration import configuration

from .planted import TABLES, Superuser

WORD = "quittenbrot"


def in_files(superuser: Superuser) -> bool:
    """Whether the word stands in the files of the table, deleted or not."""
    superuser.execute("CHECKPOINT")
    files = superuser.execute("SELECT pg_relation_filepath('memories')").fetchone()
    assert files is not None
    pgdata = Path(settings.DATA_DIR) / "pgdata"
    return any(WORD.encode() in path.read_bytes() for path in pgdata.glob(f"{files[0]}*"))


@pytest.fixture
def older() -> Iterator[psycopg.Connection[Any]]:
    """A transaction of the owner's that is open already when something is deleted, and reads no memory."""
    with psycopg.connect(configuration().owner_dsn) as connection:
        connection.execute("SELECT pg_current_xact_id()")
        yield connection


@pytest.fixture
def deleted(superuser: Superuser, alice: ScopedMemory, older: psycopg.Connection[Any]) -> None:
    alice.add(f"I like {WORD}.")
    alice.erase()
    assert in_files(superuser)


def test_deleted_bytes_leave_the_files(superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory) -> None:
    alice.add(f"I like {WORD}.")
    bob.add("I like tea.")
    alice.erase()
    assert in_files(superuser)
    tables = scrub.scrub(wait=10)
    assert [(table.table, table.problem) for table in tables] == [
        (table, "") for table in (*TABLES, "memories_refused")
    ]
    assert not in_files(superuser)
    assert [item.text for item in bob.page().items] == ["I like tea."]


def test_rows_that_an_open_transaction_keeps_are_complained_about(superuser: Superuser, deleted: None) -> None:
    with pytest.raises(StoreUnavailable, match=r"memories: \d+ deleted rows had to stay.*pg_stat_activity"):
        scrub.scrub(wait=0.3)
    assert in_files(superuser)


@pytest.mark.usefixtures("deleted")
def test_a_transaction_that_ends_meanwhile_is_waited_for(superuser: Superuser, older: psycopg.Connection[Any]) -> None:
    ending = threading.Timer(0.8, older.rollback)
    ending.start()
    tables = scrub.scrub(wait=30)
    ending.join()
    assert {table.problem for table in tables} == {""}
    assert not in_files(superuser)


def test_the_command_says_it_too_and_waits_as_long_as_it_is_told(deleted: None) -> None:
    with pytest.raises(CommandError, match="deleted rows had to stay"):
        call_command("scrub", "--wait", "0.1", stdout=StringIO())


def test_a_table_in_use_holds_nobody_up_for_long(
    superuser: Superuser, alice: ScopedMemory, older: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrub, "LOCK_SECONDS", 1)
    alice.add("I like tea.")
    older.execute("SELECT 1 FROM memories")
    with pytest.raises(StoreUnavailable, match="memories: not rewritten, because it was in use for 1 seconds"):
        scrub.scrub(wait=0)
    assert alice.count() == 1
    older.rollback()
    assert scrub.scrub(wait=10)


def test_who_does_not_own_the_tables_is_told(alice: ScopedMemory) -> None:
    with pytest.raises(StoreUnavailable, match="run this as the owner"):
        scrub.scrub(configuration().dsn, wait=0)
    pool.close_all()
