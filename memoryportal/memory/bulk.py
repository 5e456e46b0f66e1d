"""Reading in bulk, for exports and pages that put places side by side. Everything takes a ScopedMemory, so a subject,
and the person's own side of it: what an assistant is handed goes through ScopedMemory, which notes it.

Streams read in batches, each in a transaction of its own, so an export of any size stays small and holds nothing open.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from psycopg import sql

from . import uses as use_log
from .errors import ScopeViolation
from .rows import recheck, recheck_subject, to_item
from .scoped import ScopedMemory
from .stores import current_store
from .stores.base import Abilities, Store
from .stores.links import ids_in
from .stores.side import MESSAGE_COLUMNS, VERSION_COLUMNS, to_message, to_version
from .types import Entity, Handed, Item, Message, Use, Version
from .uses import USE_COLUMNS, to_use

BATCH = 500
FIRST_USE = ("00000000-0000-0000-0000-000000000000", 0)
ALL_ENTITIES = 1_000_000  # a name and some ids each: the one place that is read at once


def abilities() -> Abilities:
    """What the configured store can promise, and what not, in words."""
    return current_store().abilities


def items(memory: ScopedMemory, ids: Iterable[str]) -> dict[str, Item]:
    """The memories with these ids that the scope has, by id. What is no id, missing or foreign is left out."""
    wanted = sorted(set(ids_in(list(ids))))
    rows = _store(memory).get_many(memory.scope, wanted) if wanted else []
    return {str(row[0]): to_item(row) for row in recheck(memory.scope, rows)}


def histories(memory: ScopedMemory, ids: list[str]) -> dict[str, list[Version]]:
    """The history of each of these memories, oldest first: in one statement, where the portal keeps it itself."""
    store = _store(memory)
    if not store.abilities.keeps_history:
        return {memory_id: store.history(memory.scope, memory_id) for memory_id in ids}
    statement = sql.SQL(
        f"SELECT {VERSION_COLUMNS} FROM {{}} WHERE subject = %s AND memory_id = ANY(%s::uuid[]) ORDER BY seq"
    )
    with store.open(memory.scope) as cursor:
        rows = cursor.execute(statement.format(store.tables.history), (str(memory.subject), ids)).fetchall()
    found: dict[str, list[Version]] = defaultdict(list)
    for version in map(to_version, recheck_subject(memory.scope, rows)):
        found[version.memory_id].append(version)
    return found


def history(memory: ScopedMemory) -> Iterator[Version]:
    """The whole history of the subject in the order in which it was written, of memories that are gone too."""
    store = current_store()
    statement = sql.SQL(
        f"SELECT {VERSION_COLUMNS} FROM {{}} WHERE subject = %s AND seq > %s ORDER BY seq LIMIT %s"
    ).format(store.tables.history)
    return _by_seq(memory, statement, to_version)


def messages(memory: ScopedMemory) -> Iterator[Message]:
    """The whole message buffer of the subject, oldest first."""
    store = current_store()
    statement = sql.SQL(
        f"SELECT {MESSAGE_COLUMNS} FROM {{}} WHERE subject = %s AND seq > %s ORDER BY seq LIMIT %s"
    ).format(store.tables.messages)
    return _by_seq(memory, statement, to_message)


def entities(memory: ScopedMemory) -> list[Entity]:
    """Every noted name, in alphabetical order."""
    return _store(memory).entities(memory.scope, ALL_ENTITIES)


def handed(memory: ScopedMemory, ids: list[str]) -> dict[str, list[Handed]]:
    """For each of these memories how often which assistant was handed it, the latest first; without the others."""
    return use_log.of_memories(_store(memory), memory.scope, ids)


def uses(memory: ScopedMemory) -> Iterator[Use]:
    """The whole use log of the subject, memory by memory, oldest first."""
    store = _store(memory)
    statement = sql.SQL(
        f"SELECT {USE_COLUMNS} FROM {{}} WHERE subject = %s AND (memory_id, seq) > (%s::uuid, %s) "
        "ORDER BY memory_id, seq LIMIT %s"
    ).format(store.tables.identifier("uses"))
    last: tuple[str, int] | None = FIRST_USE
    while last is not None:
        with store.open(memory.scope) as cursor:
            rows = cursor.execute(statement, (str(memory.subject), *last, BATCH)).fetchall()
        yield from map(to_use, recheck_subject(memory.scope, rows))
        last = (rows[-1][1], rows[-1][0]) if len(rows) == BATCH else None


def _store(memory: ScopedMemory) -> Store:
    if not memory.scope.by_person:
        raise ScopeViolation("reading in bulk is for the person, and not for an assistant")
    return current_store()


def _by_seq(memory: ScopedMemory, statement: sql.Composed, build: Callable[[Any], Any]) -> Iterator[Any]:
    if memory.scope.is_narrowed:
        raise ScopeViolation("not every one of these rows says which assistant it came from")
    last, store = 0, _store(memory)
    while True:
        with store.open(memory.scope) as cursor:
            rows = cursor.execute(statement, (str(memory.subject), last, BATCH)).fetchall()
        yield from map(build, recheck_subject(memory.scope, rows))
        if len(rows) < BATCH:
            return
        last = rows[-1][0]
