"""Deleting in every place at once. One transaction: a half-done deletion does not exist.

Order matters: memories first. A writer that adds history takes a lock on its memory row first (history.py), so it
either finishes before us, and our later statements see its rows, or finds no memory any more and writes nothing.
"""

from psycopg import sql

from ..errors import CountMoved, MemoryNotFound
from ..pool import Cursor
from ..scope import Filters, Scope
from ..types import Removed
from . import conditions
from .side import Gone, SideTables


class RemovalMixin(SideTables):
    """delete, delete_matching and erase of a pgvector collection."""

    def delete(self, scope: Scope, ids: list[str]) -> Removed:
        wanted = sorted(set(ids))
        where = conditions.of_scope(scope).add("id = ANY(%s::uuid[])", wanted)
        with self.open(scope) as cursor:
            gone = self._delete_memories(cursor, where)
            if len(gone) != len(wanted):
                raise MemoryNotFound("no such memory")
            return self._delete_traces(cursor, scope, gone)

    def delete_matching(self, scope: Scope, filters: Filters, expected: int) -> Removed:
        with self.open(scope) as cursor:
            gone = self._delete_memories(cursor, conditions.of(scope, filters))
            if len(gone) != expected:
                raise CountMoved(expected, len(gone))
            return self._delete_traces(cursor, scope, gone)

    def erase(self, scope: Scope, keep: frozenset[str] = frozenset(), behind: str | None = None) -> Removed:
        with self.open(scope) as cursor:
            self.require_shut(cursor, scope, behind)
            if scope.is_narrowed:
                return self._erase_narrowed(cursor, scope)
            return Removed(
                {
                    "memories": self._delete(cursor, self.tables.memories, conditions.of_scope(scope)),
                    "entities": self._delete_entities(cursor, scope),
                    **self.erase_side(cursor, scope, keep),
                }
            )

    def _erase_narrowed(self, cursor: Cursor, scope: Scope) -> Removed:
        gone = self._delete_memories(cursor, conditions.of_scope(scope))
        unlinked = self.unlink_entities(cursor, str(scope.subject), [row[0] for row in gone])
        side = self.delete_narrowed(cursor, scope, gone)
        return Removed({"memories": len(gone), "entities": unlinked + self._delete_entities(cursor, scope), **side})

    def _delete_memories(self, cursor: Cursor, where: conditions.Conditions) -> Gone:
        """(id, agent, run) of each row that was deleted."""
        statement = sql.SQL("DELETE FROM {} WHERE {} RETURNING id::text, payload->>'agent_id', payload->>'run_id'")
        return cursor.execute(statement.format(self.tables.memories, where.sql), where.params).fetchall()

    def _delete_traces(self, cursor: Cursor, scope: Scope, gone: Gone) -> Removed:
        entities = self.unlink_entities(cursor, str(scope.subject), [row[0] for row in gone])
        side = self.delete_side(cursor, scope, gone)
        return Removed({"memories": len(gone), "entities": entities, **side})

    def unlink(self, scope: Scope, ids: list[str]) -> int:
        with self.open(scope) as cursor:
            return self.unlink_entities(cursor, str(scope.subject), ids)

    def unlink_entities(self, cursor: Cursor, subject: str, ids: list[str]) -> int:
        """Take the ids out of the subject's entities; an entity that links to nothing any more goes. Counts those."""
        keep = sql.SQL(
            "(SELECT COALESCE(jsonb_agg(link), '[]'::jsonb) "
            "FROM jsonb_array_elements(payload->'linked_memory_ids') link "
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
            sql.SQL("UPDATE {} SET payload = jsonb_set(payload, '{{linked_memory_ids}}', {}) WHERE {}").format(
                table, keep, linked
            ),
            params,
        )
        return removed

    def _delete_entities(self, cursor: Cursor, scope: Scope) -> int:
        return self._delete(cursor, self.tables.entities, conditions.of_names_noted(self.tables, scope))

    def _delete(self, cursor: Cursor, table: sql.Identifier, where: conditions.Conditions) -> int:
        return cursor.execute(sql.SQL("DELETE FROM {} WHERE {}").format(table, where.sql), where.params).rowcount
