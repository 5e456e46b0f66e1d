"""The gate: whether anybody may write for a subject. The database enforces it, against plain mem0 too.

A row (subject, agent, state) shuts it; agent '' means all assistants. `paused` refuses new memories, entities and
messages; the person may still correct and delete. `erasing` refuses every insert and update. See memory/sql/gate.sql.
"""

import time
from contextlib import AbstractContextManager
from typing import Literal, Protocol

from psycopg import sql

from .errors import ErasureRunning, NotConfirmed, StoreUnavailable, WritesPaused
from .names import Tables
from .pool import Cursor
from .scope import Scope, SubjectId

State = Literal["paused", "erasing"]
LOCK_SPACE = 0x6D70  # advisory locks (LOCK_SPACE, bucket); 1024 buckets: one lock per subject exhausts shared memory
DRAIN_SECONDS = 30.0
POLL_SECONDS = 0.002


class Gated(Protocol):
    """What the gate needs of a store: the names of its tables, and transactions on them."""

    @property
    def tables(self) -> Tables: ...

    def open(self, scope: Scope) -> AbstractContextManager[Cursor]: ...


def gate_states(store: Gated, subject: SubjectId) -> set[tuple[str, State]]:
    """(agent or '', state) rows of a subject; empty when writing is open."""
    statement = sql.SQL("SELECT agent, state FROM {} WHERE subject = %s").format(store.tables.gate)
    with store.open(Scope(subject)) as cursor:
        return {(row[0], row[1]) for row in cursor.execute(statement, (str(subject),)).fetchall()}


def require_open(store: Gated, scope: Scope) -> None:
    """Raise when the gate is shut for this scope."""
    states = gate_states(store, scope.subject)
    if any(state == "erasing" for _, state in states):
        raise ErasureRunning("the memories of this subject are being erased")
    if {("", "paused"), (scope.agent or "", "paused")} & states:
        raise WritesPaused("remembering is paused for this subject")


def shut(store: Gated, subject: SubjectId, state: State, agent: str = "") -> None:
    """Shut the gate (committed at once) and wait until every write that began before has ended.

    Raises NotConfirmed when writers do not end within DRAIN_SECONDS; the gate stays shut then.
    """
    statement = sql.SQL(
        "INSERT INTO {} (subject, agent, state) VALUES (%s, %s, %s) ON CONFLICT (subject, agent, state) DO NOTHING"
    ).format(store.tables.gate)
    with store.open(Scope(subject)) as cursor:
        cursor.execute(statement, (str(subject), agent, state))
    try:
        drain(store, subject)
    except StoreUnavailable as error:
        raise NotConfirmed(f"the gate is shut, and whether earlier writers have ended is not known: {error}") from None


def drain(store: Gated, subject: SubjectId) -> float:
    """Wait for the writers that passed the gate before it was shut; returns the seconds that it took.

    Polls instead of queueing for the exclusive lock: a queued exclusive request would hold up all new writers.
    """
    began = time.monotonic()
    statement = "SELECT pg_try_advisory_xact_lock(%s, hashtext(%s) & 1023)"
    while True:
        with store.open(Scope(subject)) as cursor:
            row = cursor.execute(statement, (LOCK_SPACE, str(subject))).fetchone()
        waited = time.monotonic() - began
        if row and row[0]:
            return waited
        if waited > DRAIN_SECONDS:
            raise StoreUnavailable("writers that began earlier did not end in time; nothing was erased")
        time.sleep(POLL_SECONDS)


def reopen(store: Gated, subject: SubjectId, state: State, agent: str = "") -> None:
    """Remove one gate row. An erasure that ends leaves a pause standing."""
    statement = sql.SQL("DELETE FROM {} WHERE subject = %s AND agent = %s AND state = %s").format(store.tables.gate)
    with store.open(Scope(subject)) as cursor:
        cursor.execute(statement, (str(subject), agent, state))
