"""The gate: what a person, or an erasure of theirs, has shut. The database enforces it, against plain mem0 too.

A row (subject, agent, state) shuts it; agent '' means all assistants. `paused` refuses what assistants add or change;
the person may still correct, and everybody delete. `restricted` hands assistants no memories. `erasing` refuses every
insert and update, and hands assistants nothing. See memory/sql/gate.sql.

What the database cannot see is a read: a program that reads the store without the portal is not bound by `restricted`.
"""

import contextlib
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol, cast

from psycopg import sql

from .errors import ErasureRunning, NotConfirmed, StoreUnavailable, UseRestricted, WritesPaused
from .names import Tables
from .pool import Cursor
from .scope import Scope, SubjectId, check_id

State = Literal["paused", "restricted", "erasing"]
States = Iterable[tuple[str, State]]
LOCK_SPACE = 0x6D70  # advisory locks (LOCK_SPACE, bucket); 1024 buckets: one lock per subject exhausts shared memory
UNDER_WAY = LOCK_SPACE + 3  # the same, for what is still asking a model and will write later
DRAIN_SECONDS = 30.0
PAUSE_SECONDS = 3.0
POLL_SECONDS = 0.002


class Gated(Protocol):
    """What the gate needs of a store: the names of its tables, and transactions on them."""

    @property
    def tables(self) -> Tables: ...

    def open(self, scope: Scope) -> AbstractContextManager[Cursor]: ...


@dataclass(frozen=True, slots=True)
class Control:
    """One thing that is shut: for the assistant `agent` ('' for all of them), since an aware UTC datetime."""

    agent: str
    state: State
    since: datetime


# --- what people switch ----------------------------------------------------------------------------------------------


def states(subject: SubjectId) -> list[Control]:
    """What is shut for this subject, for all assistants first; empty when nothing is. Raises StoreUnavailable."""
    store = _store()
    statement = sql.SQL("SELECT agent, state, since FROM {} WHERE subject = %s").format(store.tables.gate)
    with store.open(Scope(subject)) as cursor:
        rows = cursor.execute(statement, (str(subject),)).fetchall()
    return listed(rows)


def listed(rows: Iterable[tuple[str, State, datetime]]) -> list[Control]:
    """Rows of the gate, for all assistants first."""
    found = [Control(agent, state, since.astimezone(UTC)) for agent, state, since in rows]
    return sorted(found, key=lambda control: (control.agent, control.state))


def pause(subject: SubjectId, agent: str = "") -> None:
    """Let assistants (or this one) add and change nothing from now on, and wait a moment for writers under way.

    A writer that takes longer than PAUSE_SECONDS may still end. Raises InvalidSubject, StoreUnavailable.
    """
    _insert(_store(), subject, "paused", _named(agent))
    with contextlib.suppress(StoreUnavailable):  # the pause stands, whoever was at it before
        _others_end(_store(), subject, PAUSE_SECONDS)


def resume(subject: SubjectId, agent: str = "") -> None:
    """Let assistants remember again. Raises InvalidSubject, StoreUnavailable."""
    reopen(_store(), subject, "paused", _named(agent))


def restrict(subject: SubjectId, agent: str = "") -> None:
    """Hand assistants (or this one) no memories from now on. Raises InvalidSubject, StoreUnavailable."""
    _insert(_store(), subject, "restricted", _named(agent))


def unrestrict(subject: SubjectId, agent: str = "") -> None:
    """Let assistants use memories again. Raises InvalidSubject, StoreUnavailable."""
    reopen(_store(), subject, "restricted", _named(agent))


def _named(agent: str) -> str:
    return check_id(agent, "agent") if agent else ""


def _store() -> Gated:
    from .stores import current_store  # the stores ask the gate

    return cast("Gated", current_store())


# --- what reads and writes ask ---------------------------------------------------------------------------------------


def gate_states(store: Gated, subject: SubjectId) -> set[tuple[str, State]]:
    """(agent or '', state) rows of a subject; empty when nothing is shut."""
    with store.open(Scope(subject)) as cursor:
        return _read(cursor, store.tables, subject)


def behind_gate(cursor: Cursor, tables: Tables, subject: SubjectId, space: int = LOCK_SPACE) -> set[tuple[str, State]]:
    """The same inside a transaction that whoever shuts the gate waits for: the lock first, the rows second.

    A pause does not wait for what is only UNDER_WAY: that will find the gate shut. An erasure does, because its gate
    may be open again before a model has answered.
    """
    cursor.execute("SELECT pg_advisory_xact_lock_shared(%s, hashtext(%s) & 1023)", (space, str(subject)))
    return _read(cursor, tables, subject)


def _read(cursor: Cursor, tables: Tables, subject: SubjectId) -> set[tuple[str, State]]:
    statement = sql.SQL("SELECT agent, state FROM {} WHERE subject = %s").format(tables.gate)
    return {(row[0], row[1]) for row in cursor.execute(statement, (str(subject),)).fetchall()}


def require_open(store: Gated, scope: Scope, *, correcting: bool = False) -> None:
    """Raise ErasureRunning or WritesPaused when nothing may be written in this scope.

    `correcting`: an existing memory is about to be changed, which the person may do during a pause.
    """
    refuse_write(gate_states(store, scope.subject), scope, correcting=correcting)


def require_usable(store: Gated, scope: Scope) -> None:
    """Raise UseRestricted or ErasureRunning when an assistant may not be handed memories of this scope."""
    if not scope.by_person:
        refuse_use(gate_states(store, scope.subject), scope)


def refuse_write(shut: States, scope: Scope, *, correcting: bool = False) -> None:
    """The rule of `require_open`, for states that were read already."""
    _refuse_erasing(shut)
    agents = _agents(shut, "paused")
    if {"", scope.agent or ""} & agents and not (correcting and scope.by_person):
        raise WritesPaused("remembering is paused for this subject")


def refuse_use(shut: States, scope: Scope) -> None:
    """The rule of `require_usable`, for states that were read already.

    Who does not say which assistant it is might be the restricted one, so one restriction stops it too.
    """
    if scope.by_person:
        return
    _refuse_erasing(shut)
    agents = _agents(shut, "restricted")
    if agents and (scope.agent is None or {"", scope.agent} & agents):
        raise UseRestricted("the subject has restricted the use of these memories")


def _refuse_erasing(shut: States) -> None:
    if _agents(shut, "erasing"):
        raise ErasureRunning("the memories of this subject are being erased")


def _agents(shut: States, wanted: State) -> set[str]:
    return {agent for agent, state in shut if state == wanted}


# --- shutting --------------------------------------------------------------------------------------------------------


def shut(store: Gated, subject: SubjectId, state: State, agent: str = "") -> None:
    """Shut the gate (committed at once) and wait until every write that began before has ended.

    Raises NotConfirmed when writers do not end within DRAIN_SECONDS; the gate stays shut then.
    """
    _insert(store, subject, state, agent)
    try:
        drain(store, subject, *((UNDER_WAY,) if state == "erasing" else ()))
    except StoreUnavailable as error:
        raise NotConfirmed(f"the gate is shut, and whether earlier writers have ended is not known: {error}") from None


def _insert(store: Gated, subject: SubjectId, state: State, agent: str) -> None:
    statement = sql.SQL(
        "INSERT INTO {} (subject, agent, state) VALUES (%s, %s, %s) ON CONFLICT (subject, agent, state) DO NOTHING"
    ).format(store.tables.gate)
    with store.open(Scope(subject)) as cursor:
        cursor.execute(statement, (str(subject), agent, state))


def drain(store: Gated, subject: SubjectId, *more: int) -> float:
    """Wait for the writers that passed the gate before it was shut; returns the seconds that it took."""
    waited = _others_end(store, subject, DRAIN_SECONDS, *more)
    if waited is None:
        raise StoreUnavailable("writers that began earlier did not end in time; nothing was erased")
    return waited


def _others_end(store: Gated, subject: SubjectId, seconds: float, *more: int) -> float | None:
    """How long it took until nobody held the gate's shared lock (or one of `more`); None when somebody still does.

    Polls instead of queueing for the exclusive lock: a queued exclusive request would hold up all new writers.
    """
    began = time.monotonic()
    statement = "SELECT bool_and(pg_try_advisory_xact_lock(space, hashtext(%s) & 1023)) FROM unnest(%s::int[]) space"
    while True:
        with store.open(Scope(subject)) as cursor:
            row = cursor.execute(statement, (str(subject), [LOCK_SPACE, *more])).fetchone()
        waited = time.monotonic() - began
        if row and row[0]:
            return waited
        if waited > seconds:
            return None
        time.sleep(POLL_SECONDS)


def reopen(store: Gated, subject: SubjectId, state: State, agent: str = "") -> None:
    """Remove one gate row. An erasure that ends leaves a pause and a restriction standing."""
    statement = sql.SQL("DELETE FROM {} WHERE subject = %s AND agent = %s AND state = %s").format(store.tables.gate)
    with store.open(Scope(subject)) as cursor:
        cursor.execute(statement, (str(subject), agent, state))
