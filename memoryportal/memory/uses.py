"""The use log: which memory was handed to which assistant, and when. Ids only; kept for USE_LOG_DAYS.

ScopedMemory writes it before it hands anything out, so that no caller can forget it; what the person reads is not
noted. A memory's entries go with the memory. Where one is deleted in the very moment in which it is handed out, its
last entry may stay behind until its days are over, or everything is erased.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from psycopg import sql

from . import controls
from .controls import Gated
from .errors import NotConfirmed, StoreUnavailable
from .pool import transaction
from .rows import recheck_subject
from .scope import Scope
from .types import Handed, Use

if TYPE_CHECKING:
    from .stores.side import SideTables

BATCH = 10_000  # old entries that one statement takes
# The subject comes last: the second look at whose row it is (recheck_subject).
USE_COLUMNS = "seq, memory_id::text, agent, run, at, subject"
_COUNTS = "agent, count(*), count(DISTINCT memory_id), min(at), max(at), subject"


def note(store: Gated, scope: Scope, ids: Iterable[str]) -> None:
    """Write down that the scope's assistant is handed these memories: one statement for all of them.

    Asks the gate once more, behind its lock. Raises UseRestricted, ErasureRunning, and StoreUnavailable when it cannot
    be written down: nothing may be handed out then.
    """
    handed = sorted(set(ids))
    if scope.by_person or not handed:
        return
    statement = sql.SQL(
        "INSERT INTO {} (subject, memory_id, agent, run) SELECT %s, given, %s, %s FROM unnest(%s::uuid[]) given"
    ).format(store.tables.identifier("uses"))
    try:
        with store.open(scope) as cursor:
            controls.refuse_use(controls.behind_gate(cursor, store.tables, scope.subject), scope)
            cursor.execute(statement, (str(scope.subject), scope.agent, scope.run, handed))
    except NotConfirmed:
        raise StoreUnavailable("the store was lost while a use was noted; nothing was handed out") from None


def counted(store: Gated, scope: Scope, memory_id: str | None = None) -> list[Handed]:
    """How often each assistant was handed memories (or this one), the latest first."""
    only = sql.SQL("AND memory_id = %s::uuid" if memory_id else "")
    statement = sql.SQL(f"SELECT {_COUNTS} FROM {{}} WHERE subject = %s {{}} GROUP BY agent, subject").format(
        store.tables.identifier("uses"), only
    )
    params = (str(scope.subject), memory_id) if memory_id else (str(scope.subject),)
    with store.open(scope) as cursor:
        rows = cursor.execute(statement, params).fetchall()
    found = [Handed(*row[:5]) for row in recheck_subject(scope, rows)]
    return sorted(found, key=lambda handed: handed.last, reverse=True)


def of_memories(store: Gated, scope: Scope, ids: list[str]) -> dict[str, list[Handed]]:
    """The same for each of these memories, in one statement."""
    statement = sql.SQL(
        f"SELECT memory_id::text, {_COUNTS} FROM {{}} WHERE subject = %s AND memory_id = ANY(%s::uuid[]) "
        "GROUP BY memory_id, agent, subject ORDER BY max(at) DESC"
    ).format(store.tables.identifier("uses"))
    with store.open(scope) as cursor:
        rows = cursor.execute(statement, (str(scope.subject), ids)).fetchall()
    found: dict[str, list[Handed]] = {}
    for row in recheck_subject(scope, rows):
        found.setdefault(row[0], []).append(Handed(*row[1:6]))
    return found


def to_use(row: Any) -> Use:
    """A Use from the columns of USE_COLUMNS."""
    return Use(row[1], row[2], row[3], row[4])


def prune(store: Gated) -> int:
    """End what is older than USE_LOG_DAYS, of everybody; how many entries went. Raises StoreUnavailable."""
    beside = cast("SideTables", store)
    statement = sql.SQL("SELECT {}(%s, %s)").format(store.tables.identifier("prune_uses"))
    gone = 0
    while True:
        with transaction(beside.dsn, "") as cursor:
            row = cursor.execute(statement, (settings.USE_LOG_DAYS, BATCH)).fetchone()
        gone += int(row[0]) if row else 0
        if not row or row[0] < BATCH:
            return gone
