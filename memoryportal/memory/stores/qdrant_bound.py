"""mem0's Qdrant store, corrected: one collection, one scope, exact search, no silent failure, nothing brought back.

Inside `Unit.shared` writes of memories wait until the end of the block. The side tables have been written by then,
uncommitted: when Qdrant refuses, nothing has happened at all. Noted names do not wait, because mem0 gets along without.
"""

from collections.abc import Callable
from typing import Any

from mem0.vector_stores.qdrant import Qdrant

from ..errors import ScopeViolation
from ..pipeline import Tied, Unit
from ..pool import Cursor
from ..scope import Filters, Scope
from ..texts import for_mem0
from . import fence
from .links import ids_in
from .qdrant_rows import RowsMixin


class BoundCollection(Tied, Qdrant):
    """mem0's Qdrant store over one collection, for one scope. It creates nothing and has no way out.

    Keyword scores are off: mem0's encoder downloads a model from the internet when it is installed.
    """

    def __init__(self, store: RowsMixin, suffix: str, unit: Unit, filters: Filters, floor: float) -> None:
        self.store, self.collection_name, self.waits = store, store.tables.name(suffix), not suffix
        self.scope, self.unit, self.filters, self.floor = unit.scope, unit, filters, floor
        self._points: list[tuple[str, Any, dict[str, Any]]] = []

    def insert(self, vectors: Any, payloads: Any = None, ids: Any = None) -> None:
        self.refuse_foreign_rows(payloads)
        self._points += zip(ids, vectors, payloads, strict=True)
        self._write(self._insert_all)

    def _insert_all(self, cursor: Cursor) -> None:
        """All rows in one request: all of them, or none."""
        points, self._points = self._points, []
        if points:
            fence.enter(cursor, self.store.tables, self.scope, "add")
            current = [(i, vector, now) for i, vector, row in points if (now := self._current(row)) is not None]
            if current:
                self.store.insert_rows(self.collection_name, current)

    def _current(self, payload: dict[str, Any]) -> dict[str, Any] | None:
        """The payload as it is to be written now that no other writer is about; None when it is not to be any more."""
        return payload

    def search(self, query: str, vectors: Any, top_k: int | None = 5, filters: Any = None) -> list[Any]:
        self.refuse_other_scope(filters)
        points = self.store.nearest(self.collection_name, self.scope, vectors, self.filters, top_k or 5, self.floor)
        for point in points:
            point.payload = for_mem0(point.payload or {})
        return points

    def search_batch(self, queries: Any, vectors_list: Any, top_k: int = 1, filters: Any = None) -> list[Any]:
        return [self.search(query, vector, top_k, filters) for query, vector in zip(queries, vectors_list, strict=True)]

    def keyword_search(self, query: str, top_k: int = 5, filters: Any = None) -> None:
        self.refuse_other_scope(filters)

    def list(self, filters: Any = None, top_k: int | None = 100) -> Any:
        self.refuse_other_scope(filters)
        return [self.store.records(self.collection_name, self.scope, top_k)]

    def get(self, vector_id: str) -> Any:
        found = self.store.owned(self.collection_name, self.scope, [vector_id])
        return found[0] if found else None

    def update(self, vector_id: str, vector: Any = None, payload: dict[str, Any] | None = None) -> None:
        if payload is not None and not self.scope.owns(payload):
            raise ScopeViolation("a row was about to change its owner")

        def rewrite(cursor: Cursor) -> None:
            fence.enter(cursor, self.store.tables, self.scope, "change")
            current = None if payload is None else self._current(payload)
            if payload is not None and current is None:
                self.store.delete_rows(self.collection_name, self.scope, [vector_id])
            else:
                self.store.rewrite_row(self.collection_name, self.scope, vector_id, vector, current)

        self._write(rewrite)

    def delete(self, vector_id: str) -> None:
        if self.get(vector_id) is None:
            return

        def remove(cursor: Cursor) -> None:
            fence.enter(cursor, self.store.tables, self.scope, "remove")
            self.store.delete_rows(self.collection_name, self.scope, [vector_id])

        self._write(remove)

    def _write(self, action: Callable[[Cursor], None]) -> None:
        if self.waits:
            self.unit.at_the_end(action)
        else:
            with self.unit.open() as cursor:
                action(cursor)


class BoundNames(BoundCollection):
    """The names that mem0 notes once the memories are stored. Memories that were deleted meanwhile leave none."""

    def _current(self, payload: dict[str, Any]) -> dict[str, Any] | None:
        links = ids_in(payload.get("linked_memory_ids"))
        whole = Scope(self.scope.subject) if isinstance(self.scope, Scope) else self.scope
        there = {str(row.id) for row in self.store.owned(self.store.tables.name(), whole, links)}
        kept = [link for link in links if link in there]
        return {**payload, "linked_memory_ids": kept} if kept or not links else None
