"""For operators only: give rows other times, and put noted names and messages in place. The demo is made with it.

The memory room refuses times from callers on purpose (a backdated row hides in a list, one with a past expiry is never
seen by an assistant), so this stands beside ScopedMemory and views cannot import it. It works on the pgvector store.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import uuid4

from psycopg import sql
from psycopg.types.json import Jsonb

from .embedding import embedder
from .history import SubjectHistory
from .pool import Cursor
from .scope import Scope
from .scoped import ScopedMemory
from .stores import current_store


@dataclass(frozen=True, slots=True)
class Timeline:
    """When a memory got each of its wordings (aware datetimes, oldest first), and its last day before it expires."""

    memory_id: str
    wordings: Sequence[datetime]
    expires: date | None = None


@dataclass(frozen=True, slots=True)
class Name:
    """A noted name, its kind, and the ids of the memories that it comes from."""

    text: str
    kind: str
    memory_ids: list[str]


def backdate(memory: ScopedMemory, timelines: Sequence[Timeline]) -> None:
    """Give each memory and its history the times of its timeline: all of them, or none."""
    with current_store().open(memory.scope) as cursor:
        for timeline in timelines:
            _backdate_memory(cursor, memory.scope, timeline)
            _backdate_history(cursor, memory.scope, timeline)


def _backdate_memory(cursor: Cursor, scope: Scope, timeline: Timeline) -> None:
    times = {"created_at": _text(timeline.wordings[0]), "updated_at": _text(timeline.wordings[-1])}
    if timeline.expires is not None:
        times["expiration_date"] = timeline.expires.isoformat()
    statement = sql.SQL("UPDATE {} SET payload = payload || %s WHERE id = %s::uuid AND payload->>'user_id' = %s")
    cursor.execute(
        statement.format(current_store().tables.memories), (Jsonb(times), timeline.memory_id, str(scope.subject))
    )


def _backdate_history(cursor: Cursor, scope: Scope, timeline: Timeline) -> None:
    statement = sql.SQL(
        "UPDATE {history} h SET created_at = %s, updated_at = (%s::text[])[n.number] FROM (SELECT seq, "
        "row_number() OVER (ORDER BY seq) AS number FROM {history} WHERE subject = %s AND memory_id = %s::uuid) n "
        "WHERE h.seq = n.seq"
    ).format(history=current_store().tables.history)
    times = [_text(at) for at in timeline.wordings]
    cursor.execute(statement, (times[0], times, str(scope.subject), timeline.memory_id))


def add_names(memory: ScopedMemory, names: Sequence[Name]) -> None:
    """Note these names, in mem0's own shape and with their vectors, under the memory's scope."""
    vectors = embedder().embed_batch([name.text for name in names], "add")
    statement = sql.SQL("INSERT INTO {} (id, vector, payload) VALUES (%s, %s, %s)").format(
        current_store().tables.entities
    )
    with current_store().open(memory.scope) as cursor:
        for name, vector in zip(names, vectors, strict=True):
            payload = {"data": name.text, "entity_type": name.kind, "linked_memory_ids": name.memory_ids}
            cursor.execute(statement, (uuid4(), str(vector), Jsonb({**payload, **memory.scope.mem0_ids()})))


def add_messages(memory: ScopedMemory, messages: Sequence[tuple[str, str]], at: datetime) -> None:
    """Put (role, content) messages into the buffer of the scope's conversation, as if they had been said at `at`."""
    store, scope = current_store(), memory.scope
    history = SubjectHistory(store.tables, scope, lambda: store.open(scope))
    history.save_messages([{"role": role, "content": content} for role, content in messages], "")
    statement = sql.SQL(
        "UPDATE {} SET created_at = %s "
        "WHERE subject = %s AND agent IS NOT DISTINCT FROM %s AND run IS NOT DISTINCT FROM %s"
    ).format(store.tables.messages)
    with store.open(scope) as cursor:
        cursor.execute(statement, (at, str(scope.subject), scope.agent, scope.run))


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
