"""The other places where a pgvector collection holds a person's text: history, message buffer, entities."""

from contextlib import AbstractContextManager
from typing import Any

from psycopg import sql

from ..errors import MemoryRoomError
from ..names import Tables
from ..pool import Cursor, fresh_transaction
from ..rows import parse_time
from ..scope import Scope
from ..types import Entity, Message, Residue, Version
from . import conditions

_VERSION = "seq, memory_id::text, event, old_memory, new_memory, created_at, updated_at, actor_id, role, purged"


class PlacesMixin:
    """held, residue, history, messages and entities of a pgvector collection."""

    dsn: str
    tables: Tables

    def open(self, scope: Scope) -> AbstractContextManager[Cursor]:
        raise TypeError("a store opens its own transactions")

    def _counts(self, scope: Scope) -> dict[str, tuple[sql.Composable, list[Any]]]:
        """One counting statement per place, in the order in which people are shown them."""
        owned = conditions.of_scope(scope)
        count = sql.SQL("SELECT count(*) FROM {} WHERE {}")
        named = conditions.Conditions().add("subject = %s", str(scope.subject))
        buffered = conditions.Conditions().add("subject = %s", str(scope.subject))
        if scope.agent is not None:
            buffered.add("agent = %s", scope.agent)
        if scope.run is not None:
            buffered.add("run = %s", scope.run)
        return {
            "memories": (count.format(self.tables.memories, owned.sql), owned.params),
            "entities": (count.format(self.tables.entities, owned.sql), owned.params),
            "history": (count.format(self.tables.history, named.sql), named.params),
            "messages": (count.format(self.tables.messages, buffered.sql), buffered.params),
        }

    def held(self, scope: Scope) -> dict[str, int]:
        counts = self._counts(scope)
        whole = sql.SQL("SELECT {}").format(
            sql.SQL(", ").join(sql.SQL("({})").format(statement) for statement, _ in counts.values())
        )
        params = [value for _, values in counts.values() for value in values]
        with self.open(scope) as cursor:
            row = cursor.execute(whole, params).fetchone()
        return dict(zip(counts, row or (), strict=True))

    def residue(self, scope: Scope) -> list[Residue]:
        return [self._read_again(scope, place, *counting) for place, counting in self._counts(scope).items()]

    def _read_again(self, scope: Scope, place: str, statement: sql.Composable, params: list[Any]) -> Residue:
        try:
            with fresh_transaction(self.dsn, str(scope.subject)) as cursor:
                row = cursor.execute(statement, params).fetchone()
        except MemoryRoomError as error:
            return Residue(place, None, str(error))
        return Residue(place, int(row[0]) if row else None)

    def history(self, scope: Scope, memory_id: str) -> list[Version]:
        statement = sql.SQL(f"SELECT {_VERSION} FROM {{}} WHERE subject = %s AND memory_id = %s::uuid ORDER BY seq")
        with self.open(scope) as cursor:
            rows = cursor.execute(
                statement.format(self.tables.history), (str(scope.subject), memory_id)
            ).fetchall()
        return [_to_version(row) for row in rows]

    def past(self, scope: Scope, limit: int) -> list[Version]:
        statement = sql.SQL(
            f"SELECT {_VERSION} FROM {{history}} h WHERE subject = %s AND NOT EXISTS "
            "(SELECT 1 FROM {memories} m WHERE m.id = h.memory_id AND m.payload->>'user_id' = h.subject) "
            "ORDER BY seq DESC LIMIT %s"
        ).format(history=self.tables.history, memories=self.tables.memories)
        with self.open(scope) as cursor:
            rows = cursor.execute(statement, (str(scope.subject), limit)).fetchall()
        return [_to_version(row) for row in rows]

    def purge_version(self, scope: Scope, memory_id: str, seq: int, current: str) -> bool:
        subject = str(scope.subject)
        table = self.tables.history
        with self.open(scope) as cursor:
            row = cursor.execute(
                sql.SQL(
                    "SELECT COALESCE(new_memory, old_memory) FROM {} "
                    "WHERE subject = %s AND memory_id = %s::uuid AND seq = %s FOR UPDATE"
                ).format(table),
                (subject, memory_id, seq),
            ).fetchone()
            if row is None or row[0] is None or row[0] == current:
                return False
            for column in (sql.Identifier("old_memory"), sql.Identifier("new_memory")):
                cursor.execute(
                    sql.SQL(
                        "UPDATE {} SET {} = NULL, purged = true WHERE subject = %s AND memory_id = %s::uuid AND {} = %s"
                    ).format(table, column, column),
                    (subject, memory_id, row[0]),
                )
        return True

    def entities(self, scope: Scope, limit: int) -> list[Entity]:
        where = conditions.of_scope(scope)
        statement = sql.SQL("SELECT id::text, payload FROM {} WHERE {} ORDER BY payload->>'data', id LIMIT %s")
        with self.open(scope) as cursor:
            rows = cursor.execute(
                statement.format(self.tables.entities, where.sql), [*where.params, limit]
            ).fetchall()
        return [_to_entity(row[0], row[1]) for row in rows]

    def messages(self, scope: Scope, limit: int) -> list[Message]:
        statement = sql.SQL(
            "SELECT seq, agent, run, role, name, content, created_at FROM {} WHERE subject = %s "
            "AND (%s::text IS NULL OR agent = %s) AND (%s::text IS NULL OR run = %s) ORDER BY seq LIMIT %s"
        )
        params = (str(scope.subject), scope.agent, scope.agent, scope.run, scope.run, limit)
        with self.open(scope) as cursor:
            rows = cursor.execute(statement.format(self.tables.messages), params).fetchall()
        return [Message(row[0], row[1], row[2], row[3], row[4], row[5] or "", row[6]) for row in rows]


def _to_version(row: Any) -> Version:
    at = parse_time(row[6]) or parse_time(row[5])
    return Version(row[0], row[1], row[2], row[3], row[4], at, row[7], row[8], row[9])


def _to_entity(entity_id: str, payload: dict[str, Any]) -> Entity:
    return Entity(
        id=entity_id,
        text=str(payload.get("data") or ""),
        kind=payload.get("entity_type"),
        agent=payload.get("agent_id"),
        run=payload.get("run_id"),
        memory_ids=[str(link) for link in payload.get("linked_memory_ids") or []],
    )
