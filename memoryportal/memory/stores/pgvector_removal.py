"""Deleting in every place at once. One transaction: a half-done deletion does not exist.

Order matters: memories first. A writer that adds history takes a lock on its memory row first (history.py), so it either
finishes before us, and our later statements see its rows, or finds no memory any more and writes nothing.
"""

from contextlib import AbstractContextManager
from typing import Any

from psycopg import sql

from ..errors import CountMoved, MemoryNotFound
from ..names import Tables
from ..pool import Cursor
from ..scope import Filters, Scope
from ..types import Removed
from . import conditions


class RemovalMixin:
    """delete, delete_matching and erase of a pgvector collection."""

    tables: Tables

    def open(self, scope: Scope) -> AbstractContextManager[Cursor]:
        raise TypeError("a store opens its own transactions")

    def delete(self, scope: Scope, ids: list[str]) -> Removed:
        wanted = sorted(set(ids))
        where = conditions.of_scope(scope).add("id = ANY(%s::uuid[])", wanted)
        with self.open(scope) as cursor:
            gone = self._delete_memories(cursor, where)
            if len(gone) != len(wanted):
                raise MemoryNotFound("one of these memories is not here; nothing was deleted")
            return self._delete_traces(cursor, scope, gone)

    def delete_matching(self, scope: Scope, filters: Filters, expected: int) -> Removed:
        with self.open(scope) as cursor:
            gone = self._delete_memories(cursor, conditions.of(scope, filters))
            if len(gone) != expected:
                raise CountMoved(expected, len(gone))
            return self._delete_traces(cursor, scope, gone)

    def erase(self, scope: Scope) -> Removed:
        narrowed = scope.agent is not None or scope.run is not None
        with self.open(scope) as cursor:
            gone = self._delete_memories(cursor, conditions.of_scope(scope))
            if narrowed:
                return self._delete_traces(cursor, scope, gone)
            return self._erase_all(cursor, scope, len(gone))

    def _delete_memories(self, cursor: Cursor, where: conditions.Conditions) -> list[tuple[str, Any, Any]]:
        """(id, agent, run) of each row that was deleted."""
        statement = sql.SQL("DELETE FROM {} WHERE {} RETURNING id::text, payload->>'agent_id', payload->>'run_id'")
        return cursor.execute(statement.format(self.tables.memories, where.sql), where.params).fetchall()  # type: ignore[return-value]

    def _delete_traces(self, cursor: Cursor, scope: Scope, gone: list[tuple[str, Any, Any]]) -> Removed:
        """History, entity links and the buffered messages of the conversations that the deleted rows came from.

        A message cannot be traced to one memory, and mem0 sends the buffer to the LLM again with the next turn, where
        the deleted text would be learned anew. So the whole buffer of that conversation goes.
        """
        ids = [row[0] for row in gone]
        subject = str(scope.subject)
        entities = self._unlink_entities(cursor, subject, ids)
        history = cursor.execute(
            sql.SQL("DELETE FROM {} WHERE subject = %s AND memory_id = ANY(%s::uuid[])").format(self.tables.history),
            (subject, ids),
        ).rowcount
        places = sorted({(row[1] or "", row[2] or "") for row in gone})
        messages = cursor.execute(
            sql.SQL(
                "DELETE FROM {} WHERE subject = %s AND (COALESCE(agent, ''), COALESCE(run, '')) IN "
                "(SELECT * FROM unnest(%s::text[], %s::text[]))"
            ).format(self.tables.messages),
            (subject, [place[0] for place in places], [place[1] for place in places]),
        ).rowcount
        return Removed({"memories": len(gone), "entities": entities, "history": history, "messages": messages})

    def _unlink_entities(self, cursor: Cursor, subject: str, ids: list[str]) -> int:
        """Take the ids out of the subject's entities; an entity that links to nothing any more goes. Counts those."""
        keep = sql.SQL(
            "(SELECT COALESCE(jsonb_agg(link), '[]'::jsonb) FROM jsonb_array_elements(payload->'linked_memory_ids') link "
            "WHERE NOT (link #>> '{{}}') = ANY(%(ids)s))"
        ).format()
        linked = sql.SQL(
            "payload->>'user_id' = %(subject)s AND jsonb_typeof(payload->'linked_memory_ids') = 'array' "
            "AND payload->'linked_memory_ids' ?| %(ids)s"
        )
        params = {"subject": subject, "ids": ids}
        table = self.tables.entities
        removed = cursor.execute(
            sql.SQL("DELETE FROM {} WHERE {} AND {} = '[]'::jsonb").format(table, linked, keep), params
        ).rowcount
        cursor.execute(
            sql.SQL(
                "UPDATE {} SET payload = jsonb_set(payload, '{{linked_memory_ids}}', {}) WHERE {}"
            ).format(table, keep, linked),
            params,
        )
        return removed

    def _erase_all(self, cursor: Cursor, scope: Scope, memories: int) -> Removed:
        subject = str(scope.subject)
        counts = {"memories": memories}
        counts["entities"] = cursor.execute(
            sql.SQL("DELETE FROM {} WHERE payload->>'user_id' = %s").format(self.tables.entities), (subject,)
        ).rowcount
        for place in ("history", "messages"):
            counts[place] = cursor.execute(
                sql.SQL("DELETE FROM {} WHERE subject = %s").format(self.tables.identifier(place)), (subject,)
            ).rowcount
        return Removed(counts)
