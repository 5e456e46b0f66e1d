"""Deleting on Valkey and in the side tables. Two systems, so the order matters, and every step can be repeated.

The side tables are emptied first but committed last; in between the names, then the memories are deleted and looked for
again. When Valkey fails, the side tables are as they were and the whole deletion can be asked for again.
"""

from collections.abc import Sequence, Set

from ..errors import CountMoved, MemoryNotFound, StoreUnavailable
from ..pool import Cursor
from ..rows import Row, recheck
from ..scope import Filters, Scope
from ..texts import as_text
from ..types import Removed
from . import fence
from .side import Gone
from .valkey_base import ValkeyBase
from .valkey_collection import LIGHT, Collection
from .valkey_index import require
from .valkey_query import select
from .valkey_rows import to_hash

ROUNDS = 20  # of finding and deleting, while an agent keeps writing


class RemovalMixin(ValkeyBase):
    """delete, delete_matching and erase of a collection on Valkey."""

    def delete(self, scope: Scope, ids: list[str]) -> Removed:
        wanted = sorted(set(ids))
        with self.open(scope) as cursor:
            fence.alone(cursor, scope)
            rows = [row for row in self.memories.fetch(wanted, LIGHT) if scope.owns(row[1])]
            if len(rows) != len(wanted):
                raise MemoryNotFound("no such memory")
            return self._remove(cursor, scope, rows)

    def delete_matching(self, scope: Scope, filters: Filters, expected: int) -> Removed:
        with self.open(scope) as cursor:
            fence.alone(cursor, scope)
            rows = recheck(scope, self.memories.rows(select(scope, filters), LIGHT))
            if len(rows) != expected:
                raise CountMoved(expected, len(rows))
            return self._remove(cursor, scope, rows)

    def erase(self, scope: Scope, keep: frozenset[str] = frozenset(), behind: str | None = None) -> Removed:
        with self.open(scope) as cursor:
            fence.alone(cursor, scope)
            self.require_shut(cursor, scope, behind)
            if scope.is_narrowed:
                gone = _gone(recheck(scope, self.memories.read(self._all_keys(scope, self.memories), LIGHT)))
                side = self.delete_narrowed(cursor, scope, gone)
                unlinked = self.unlink_names(scope, {row[0] for row in gone})
            else:
                side, unlinked = self.erase_side(cursor, scope, keep), 0
            entities = unlinked + self._empty(scope, self.noted, self.shared_names(scope))
            return Removed({"memories": self._empty(scope, self.memories), "entities": entities, **side})

    def _remove(self, cursor: Cursor, scope: Scope, rows: list[Row]) -> Removed:
        gone = _gone(rows)
        ids = [row[0] for row in gone]
        side = self.delete_side(cursor, scope, gone)
        entities = self.unlink_names(scope, set(ids))
        keys = [self.memories.key(memory_id).encode() for memory_id in ids]
        memories = self.memories.unlink(scope, keys, together=True)
        if self.memories.read(keys, LIGHT):
            raise StoreUnavailable("the Valkey server said that it deleted rows, and still has them")
        return Removed({"memories": memories, "entities": entities, **side})

    def _empty(self, scope: Scope, collection: Collection, spared: Set[bytes] = frozenset()) -> int:
        """Delete every row of the scope, again and again until there was none to delete."""
        removed = 0
        for _ in range(ROUNDS):
            keys = [key for key in self._all_keys(scope, collection) if key not in spared]
            found = collection.unlink(scope, keys)
            if not found:
                return removed
            removed += found
        raise StoreUnavailable("rows keep coming while they are deleted: an agent is writing; stop it and try again")

    def _all_keys(self, scope: Scope, collection: Collection) -> Sequence[bytes]:
        """From a complete index; rows that it could not take in as they are, are looked for without it."""
        failures = require(collection.server, collection.definition).failures
        keys = set(collection.keys(select(scope)))
        return sorted(keys.union(collection.stray(scope)) if failures else keys)

    # --- noted names ---------------------------------------------------------------------------------------------

    def unlink(self, scope: Scope, ids: list[str]) -> int:
        with self.open(scope) as cursor:
            fence.alone(cursor, scope)
            return self.unlink_names(scope, set(ids))

    def unlink_names(self, scope: Scope, ids: set[str]) -> int:
        """Take the ids out of the subject's noted names; a name that links to nothing any more goes. Counts those."""
        subject, empty = Scope(scope.subject), []
        for row in recheck(subject, self.noted.rows(select(subject))) if ids else []:
            links = row[1].get("linked_memory_ids")
            if not isinstance(links, list) or not ids.intersection(map(as_text, links)):
                continue
            left = [link for link in links if as_text(link) not in ids]
            if left:
                self.noted.rewrite(row, to_hash(str(row[0]), {**row[1], "linked_memory_ids": left}, None))
            else:
                empty.append(self.noted.key(str(row[0])).encode())
        return self.noted.unlink(subject, empty)


def _gone(rows: list[Row]) -> Gone:
    return [(str(row[0]), as_text(row[1].get("agent_id")), as_text(row[1].get("run_id"))) for row in rows]
