"""Deleting in Qdrant and in the side tables. Two systems, so the order matters, and every step can be repeated.

The side tables are emptied first but committed last; in between the names, then the memories are deleted and looked for
again. When Qdrant fails, the side tables are as they were and the whole deletion can be asked for again.
"""

from collections.abc import Set

from ..errors import CountMoved, MemoryNotFound
from ..pool import Cursor
from ..rows import Row
from ..scope import Filters, Scope
from ..texts import as_text
from ..types import Removed
from . import fence, qdrant_filters
from .qdrant_rows import RowsMixin
from .side import Gone

ROUNDS = 3


class RemovalMixin(RowsMixin):
    """delete, delete_matching and erase of a Qdrant collection."""

    def delete(self, scope: Scope, ids: list[str]) -> Removed:
        wanted = sorted(set(ids))
        with self.open(scope) as cursor:
            fence.alone(cursor, scope)
            rows = self.get_many(scope, wanted)
            if len(rows) != len(wanted):
                raise MemoryNotFound("no such memory")
            return self._remove(cursor, scope, rows)

    def delete_matching(self, scope: Scope, filters: Filters, expected: int) -> Removed:
        with self.open(scope) as cursor:
            fence.alone(cursor, scope)
            rows = self.scroll(self.tables.name(), scope, filters, qdrant_filters.KEYS)
            if len(rows) != expected:
                raise CountMoved(expected, len(rows))
            return self._remove(cursor, scope, rows)

    def erase(self, scope: Scope, keep: frozenset[str] = frozenset(), behind: str | None = None) -> Removed:
        with self.open(scope) as cursor:
            fence.alone(cursor, scope)
            self.require_shut(cursor, scope, behind)
            gone = _gone(self.scroll(self.tables.name(), scope, keys=qdrant_filters.KEYS))
            if scope.is_narrowed:
                side = self.delete_narrowed(cursor, scope, gone)
                unlinked = self.unlink_entities(scope, [row[0] for row in gone])
            else:
                side, unlinked = self.erase_side(cursor, scope, keep), 0
            entities = unlinked + self._empty(self.tables.name("entities"), scope, self.shared_names(scope))
            return Removed({"memories": self._empty(self.tables.name(), scope), "entities": entities, **side})

    def _remove(self, cursor: Cursor, scope: Scope, rows: list[Row]) -> Removed:
        gone = _gone(rows)
        ids = [row[0] for row in gone]
        side = self.delete_side(cursor, scope, gone)
        entities = self.unlink_entities(scope, ids)
        self.delete_rows(self.tables.name(), scope, ids)
        return Removed({"memories": len(ids), "entities": entities, **side})

    def _empty(self, collection: str, scope: Scope, spared: Set[str] = frozenset()) -> int:
        """Delete all rows of a scope, and look again: a program without the portal may be adding meanwhile."""
        deleted = 0
        for _ in range(ROUNDS):
            ids = sorted({str(row[0]) for row in self.scroll(collection, scope, keys=qdrant_filters.KEYS)} - spared)
            if not ids:
                break
            self.delete_rows(collection, scope, ids)
            deleted += len(ids)
        return deleted

    def unlink(self, scope: Scope, ids: list[str]) -> int:
        with self.open(scope) as cursor:
            fence.alone(cursor, scope)
            return self.unlink_entities(scope, ids)

    def unlink_entities(self, scope: Scope, ids: list[str]) -> int:
        """Take the ids out of the subject's entities; an entity that links to nothing any more goes. Counts those."""
        collection, subject, gone = self.tables.name("entities"), Scope(scope.subject), set(ids)
        empty = []
        for entity_id, payload in self.scroll(collection, subject) if ids else []:
            links = payload.get("linked_memory_ids")
            if not isinstance(links, list) or not gone.intersection(map(as_text, links)):
                continue
            left = [link for link in links if as_text(link) not in gone]
            if left:
                self.rewrite_row(collection, subject, str(entity_id), None, {**payload, "linked_memory_ids": left})
            else:
                empty.append(str(entity_id))
        self.delete_rows(collection, subject, empty)
        return len(empty)


def _gone(rows: list[Row]) -> Gone:
    return [(str(row[0]), as_text(row[1].get("agent_id")), as_text(row[1].get("run_id"))) for row in rows]
