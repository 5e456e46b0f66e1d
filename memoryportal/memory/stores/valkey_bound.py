"""mem0's Valkey store, corrected: one collection, one scope, exact tags, no limit of ten rows, no swallowed error.

Inside `Unit.shared` writes of memories wait until the end of the block. The side tables have been written by then,
uncommitted: when Valkey refuses, nothing has happened at all. Noted names do not wait, because mem0 gets along without.
"""

from collections.abc import Callable, Sequence
from typing import Any

from mem0.vector_stores.valkey import OutputData, ValkeyDB

from ..errors import EmbedderUnavailable, MemoryChanged, ScopeViolation
from ..names import Tables
from ..pipeline import Tied, Unit
from ..pool import Cursor
from ..rows import Row, recheck
from ..scope import Filters
from ..texts import for_mem0
from . import fence
from .valkey_collection import Collection
from .valkey_query import select
from .valkey_rows import to_hash


class BoundIndex(Tied, ValkeyDB):
    """mem0's Valkey store for one scope. It has no client of its own: what is not corrected here reaches nothing."""

    def __init__(
        self, collection: Collection, tables: Tables, unit: Unit, filters: Filters, floor: float, *, waits: bool
    ) -> None:
        self.collection, self.tables, self.unit, self.scope = collection, tables, unit, unit.scope
        self.filters, self.floor, self.waits = filters, floor, waits
        self.collection_name = collection.definition.name
        self.embedding_model_dims = collection.definition.dimensions
        self.client = None
        self._rows: list[tuple[str, dict[str, Any]]] = []

    def insert(self, vectors: Any, payloads: Any = None, ids: Any = None) -> None:
        self.refuse_foreign_rows(payloads)
        self._rows += [
            (str(memory_id), to_hash(str(memory_id), payload, self._fitting(vector)))
            for vector, payload, memory_id in zip(vectors, payloads, ids, strict=True)
        ]
        self._write(self._insert_all)

    def _insert_all(self, cursor: Cursor) -> None:
        """All rows in one transaction of Valkey's: all of them, or none."""
        rows, self._rows = self._rows, []
        if rows:
            fence.enter(cursor, self.tables, self.scope, "add")
            self.collection.insert(rows)

    def search(
        self, query: str, vectors: Any, top_k: int | None = 5, filters: Any = None, ef_runtime: Any = None
    ) -> Any:
        self.refuse_other_scope(filters)
        selection = select(self.scope, self.filters)
        found = self.collection.nearest(selection, self._fitting(vectors), top_k or 5, self.floor)
        scores = {row[0]: score for row, score in found}
        return [
            _output((row[0], for_mem0(row[1])), scores[row[0]])
            for row in recheck(self.scope, [row for row, _ in found])
        ]

    def list(self, filters: Any = None, top_k: int | None = None) -> Any:
        self.refuse_other_scope(filters)
        own = recheck(self.scope, self.collection.rows(select(self.scope)))
        return [[_output(row, 0.0) for row in own[:top_k]]]

    def get(self, vector_id: str) -> Any:
        """mem0's raises KeyError, half-way through a deletion of names; mem0 itself expects None."""
        found = [row for row in self.collection.fetch([vector_id]) if self.scope.owns(row[1])]
        return _output(found[0], 0.0) if found else None

    def update(self, vector_id: str | None = None, vector: Any = None, payload: dict[str, Any] | None = None) -> None:
        """Write over a row that is still as it is now; a row that is deleted meanwhile is not brought back."""
        if vector_id is None or payload is None or not self.scope.owns(payload):
            raise ScopeViolation("a row was about to change its owner")
        before = self.get(vector_id)
        if before is None:
            raise MemoryChanged("the memory was deleted meanwhile; nothing was written")
        fields = to_hash(vector_id, payload, None if vector is None else self._fitting(vector))

        def rewrite(cursor: Cursor) -> None:
            fence.enter(cursor, self.tables, self.scope, "change")
            self.collection.rewrite((vector_id, before.payload), fields)

        self._write(rewrite)

    def delete(self, vector_id: str) -> None:
        if self.get(vector_id) is None:
            return

        def remove(cursor: Cursor) -> None:
            fence.enter(cursor, self.tables, self.scope, "remove")
            self.collection.unlink(self.scope, [self.collection.key(vector_id).encode()])

        self._write(remove)

    def _write(self, action: Callable[[Cursor], None]) -> None:
        if self.waits:
            self.unit.at_the_end(action)
        else:
            with self.unit.open() as cursor:
                action(cursor)

    def _fitting(self, vector: Sequence[float]) -> Sequence[float]:
        """The server leaves a vector of another length out of the index without a word."""
        if len(vector) != self.embedding_model_dims:
            raise EmbedderUnavailable(
                f"the embedder gives {len(vector)} numbers, and the index holds {self.embedding_model_dims}"
            )
        return vector


def _output(row: Row, score: float) -> OutputData:
    return OutputData(id=str(row[0]), score=score, payload=row[1])
