"""The other places where a pgvector collection holds a person's text: entities here, the rest in side.py."""

from typing import Any

from psycopg import sql

from ..rows import recheck
from ..scope import Scope
from ..texts import as_text
from ..types import Entity, Residue
from . import conditions
from .side import Counting, SideTables, count_all


class PlacesMixin(SideTables):
    """held, residue and entities of a pgvector collection."""

    def _counts(self, scope: Scope) -> dict[str, Counting]:
        """One counting statement per place, in the order in which people are shown them."""
        owned, names = conditions.of_scope(scope), conditions.of_names_noted(self.tables, scope)
        count = sql.SQL("SELECT count(*) FROM {} WHERE {}")
        side = self.side_counts(scope)
        if scope.is_narrowed:  # a row of the history does not say which assistant's memory it was of
            side["history"] = (
                sql.SQL(
                    "SELECT count(*) FROM {} WHERE subject = %s AND memory_id IN (SELECT id FROM {} WHERE {})"
                ).format(self.tables.history, self.tables.memories, owned.sql),
                [str(scope.subject), *owned.params],
            )
        return {
            "memories": (count.format(self.tables.memories, owned.sql), owned.params),
            "entities": (count.format(self.tables.entities, names.sql), names.params),
            **side,
        }

    def held(self, scope: Scope) -> dict[str, int]:
        with self.open(scope) as cursor:
            return count_all(cursor, self._counts(scope))

    def residue(self, scope: Scope) -> list[Residue]:
        return self.read_again(scope, self._counts(scope))

    def entities(self, scope: Scope, limit: int) -> list[Entity]:
        where = conditions.of_scope(scope)
        statement = sql.SQL("SELECT id::text, payload FROM {} WHERE {} ORDER BY payload->>'data', id LIMIT %s")
        with self.open(scope) as cursor:
            rows = cursor.execute(statement.format(self.tables.entities, where.sql), [*where.params, limit]).fetchall()
        return [to_entity(row[0], row[1]) for row in recheck(scope, rows)]


def to_entity(entity_id: str, payload: dict[str, Any]) -> Entity:
    """An Entity from a row of mem0's entity collection."""
    links = payload.get("linked_memory_ids")
    return Entity(
        id=entity_id,
        text=as_text(payload.get("data")) or "",
        kind=as_text(payload.get("entity_type")),
        agent=as_text(payload.get("agent_id")),
        run=as_text(payload.get("run_id")),
        memory_ids=[as_text(link) or "" for link in links] if isinstance(links, list) else [],
    )
