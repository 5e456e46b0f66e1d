"""Erase what was written before a moment, and leave what came after it: for a store that came back with a backup.

What says no time, or a time that is still to come, counts as written before: an assistant can write anything there.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from psycopg import sql

from .bulk import ALL_ENTITIES
from .rows import parse_time
from .scoped import ScopedMemory
from .stores import current_store
from .stores.base import Store
from .stores.conditions import Conditions
from .stores.confirming import confirming

BATCH = 500
SKEW = timedelta(minutes=5)  # between the clocks of two machines


@dataclass(frozen=True, slots=True)
class _Ages:
    """Ids of memories by whether they were written before the moment or after it."""

    before: list[str]
    since: set[str]


def erase_older(memory: ScopedMemory, moment: datetime, keep: frozenset[str] = frozenset()) -> dict[str, int]:
    """Erase everything of this scope that was written before `moment`; rows removed for each place.

    Where nothing is newer, it is an erasure of the whole scope. Can be repeated. Raises StoreUnavailable.
    """
    ages, store = _ages(memory, moment), current_store()
    gone = Counter(dict.fromkeys(memory.held(), 0))
    if memory.scope.is_narrowed:  # first: when the memories are gone, nothing says whose assistant's history this was
        for ids in _batches(ages.before):
            gone.update(memory.forget_traces(ids).counts)
    if not ages.since and not _is_anything_newer(memory, moment, keep):
        gone.update(memory.erase(keep=keep).counts)
        return dict(gone)
    with confirming():
        for ids in _batches(ages.before):
            gone.update(store.delete(memory.scope, ids).counts)
        gone["entities"] += store.unlink(memory.scope, sorted(_dangling(store, memory, ages)))
        history = [*_old_history(memory, moment, ages)]
        with store.open(memory.scope) as cursor:
            for place, where in _older(store, memory, moment, keep).items():
                statement = sql.SQL("DELETE FROM {} WHERE {}").format(store.tables.identifier(place), where.sql)
                gone[place] += cursor.execute(statement, where.params).rowcount
            gone["history"] += _delete_history(store, memory, cursor, history)
    return dict(gone)


def older(memory: ScopedMemory, moment: datetime, keep: frozenset[str] = frozenset()) -> int:
    """How many rows of this scope were written before `moment`, read anew."""
    ages, store = _ages(memory, moment), current_store()
    found = len(ages.before) + len(_dangling(store, memory, ages)) + len(_old_history(memory, moment, ages))
    return found + sum(
        _count(store, memory, place, where) for place, where in _older(store, memory, moment, keep).items()
    )


def older_ids(memory: ScopedMemory, moment: datetime) -> list[str]:
    """Ids of the memories whose rows `older` counts, and of those of which only the history tells."""
    ages = _ages(memory, moment)
    return sorted({*ages.before, *_old_history(memory, moment, ages).values()})


def _ages(memory: ScopedMemory, moment: datetime) -> _Ages:
    latest, before, since = datetime.now(UTC) + SKEW, list[str](), set[str]()
    for item in memory.walk():
        if item.created is not None and moment <= item.created <= latest:
            since.add(item.id)
        else:
            before.append(item.id)
    return _Ages(before, since)


def _batches(ids: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(ids)
    while batch := list(islice(rest, BATCH)):
        yield batch


# --- beside the memories --------------------------------------------------------------------------------------------


def _timed(memory: ScopedMemory, keep: frozenset[str]) -> dict[str, str]:
    """The places whose rows the portal's own database has dated, and in which column."""
    whole = not memory.scope.is_narrowed and "never" not in keep
    return {"messages": "created_at", "uses": "at", **({"never": "since"} if whole else {})}


def _where(memory: ScopedMemory, place: str, condition: str, moment: datetime) -> Conditions:
    where = Conditions().add("subject = %s", str(memory.subject)).add(condition, moment)
    if memory.scope.agent is not None and place != "never":
        where.add("agent = %s", memory.scope.agent)
    return where


def _older(store: Store, memory: ScopedMemory, moment: datetime, keep: frozenset[str]) -> dict[str, Conditions]:
    columns = _timed(memory, keep).items()
    return {place: _where(memory, place, f"{column} < %s", moment) for place, column in columns}


def _is_anything_newer(memory: ScopedMemory, moment: datetime, keep: frozenset[str]) -> bool:
    """A use of a memory that is gone is no reason to leave anything."""
    store, columns = current_store(), _timed(memory, keep)
    kept = ((place, _where(memory, place, f"{columns[place]} >= %s", moment)) for place in columns if place != "uses")
    return any(_count(store, memory, place, where) for place, where in kept)


def _count(store: Store, memory: ScopedMemory, place: str, where: Conditions) -> int:
    statement = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(store.tables.identifier(place), where.sql)
    with store.open(memory.scope) as cursor:
        row = cursor.execute(statement, where.params).fetchone()
    return int(row[0]) if row else 0


def _dangling(store: Store, memory: ScopedMemory, ages: _Ages) -> set[str]:
    """Memories that noted names link to although they are gone, or older. A name of other assistants says nothing."""
    if memory.scope.is_narrowed:
        return set()
    names = store.entities(memory.scope, ALL_ENTITIES)
    return {link for name in names for link in name.memory_ids} - ages.since


def _old_history(memory: ScopedMemory, moment: datetime, ages: _Ages) -> dict[int, str]:
    """Number -> memory of entries about memories that are no more, written before the moment. A narrowed scope has
    none (places)."""
    if memory.scope.is_narrowed:
        return {}
    store = current_store()
    statement = sql.SQL("SELECT seq, memory_id::text, created_at, updated_at FROM {} WHERE subject = %s")
    with store.open(memory.scope) as cursor:
        rows = cursor.execute(statement.format(store.tables.history), (str(memory.subject),)).fetchall()
    return {row[0]: row[1] for row in rows if row[1] not in ages.since and not _is_since(moment, row[2:])}


def _is_since(moment: datetime, times: Iterable[object]) -> bool:
    known = [time for time in map(parse_time, times) if time is not None]
    return bool(known) and moment <= max(known) <= datetime.now(UTC) + SKEW


def _delete_history(store: Store, memory: ScopedMemory, cursor: Any, numbers: list[int]) -> int:
    statement = sql.SQL("DELETE FROM {} WHERE subject = %s AND seq = ANY(%s)").format(store.tables.history)
    return int(cursor.execute(statement, (str(memory.subject), numbers)).rowcount)
