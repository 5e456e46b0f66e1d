"""Rows of a Qdrant collection: read with the scope's filter and looked at again, written so that nothing comes back.

mem0 corrects a memory with an upsert, and an upsert that comes after a deletion brings the memory back. Here a
correction is made of operations that a missing row refuses.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

from qdrant_client import models

from ..errors import MemoryChanged, MemoryNotFound, StoreUnavailable
from ..rows import Row, recheck
from ..scope import AnyScope, Filters, Scope
from . import links, qdrant_filters
from .bound import BoundStore
from .qdrant_connection import Connection

BATCH = 1000  # rows in one request; Qdrant Cloud refuses much larger ones
AT_ONCE = 10_000  # rows deleted by one request: all of them, or none
_SURE = {"wait": True, "ordering": models.WriteOrdering.STRONG}
_SEEN = ("data", "updated_at", "linked_memory_ids")  # what tells one rewriting from another
ROUNDS = 3  # of finding and moving, while somebody writes under the old id
KEYWORDS = "bm25"  # the sparse vector that a plain mem0 with fastembed writes beside the dense one


class RowsMixin(BoundStore):
    """Native operations on one collection at a time."""

    qdrant: Connection

    # --- reading -----------------------------------------------------------------------------------------------------

    def scroll(
        self,
        collection: str,
        scope: AnyScope,
        filters: Filters | None = None,
        keys: list[str] | None = None,
        through: Connection | None = None,
    ) -> list[Row]:
        """All (id, payload) of a scope, by id; of the payload `keys` alone where they are given (KEYS or more)."""
        found = self._points(collection, scope, filters, keys, through)
        return [(point.id, point.payload or {}) for point in _own(scope, found, filters)]

    def _points(
        self,
        collection: str,
        scope: AnyScope,
        filters: Filters | None = None,
        keys: list[str] | None = None,
        through: Connection | None = None,
    ) -> Iterator[Any]:
        where = qdrant_filters.of(scope, filters, wide=True)
        return self._scrolled(collection, where, True if keys is None else keys, through)

    def _scrolled(
        self,
        collection: str,
        where: models.Filter | None,
        payload: bool | list[str],
        through: Connection | None = None,
    ) -> Iterator[Any]:
        offset = None
        while True:
            points, offset = (through or self.qdrant).call(
                "scroll",
                collection_name=collection,
                scroll_filter=where,
                limit=10**9 if self.qdrant.embedded else BATCH,  # the embedded client reads all rows for every request
                offset=offset,
                with_payload=payload,
            )
            yield from points
            if offset is None:
                return

    def records(self, collection: str, scope: AnyScope, limit: int | None) -> list[Any]:
        """Rows as the client's own records, which mem0 reads."""
        return _own(scope, self._points(collection, scope))[:limit]

    def owned(self, collection: str, scope: AnyScope, ids: list[str]) -> list[Any]:
        """The client's records of those of these ids that are the scope's; a stranger's is left out silently."""
        found: list[Any] = []
        for start in range(0, len(ids), BATCH):
            wanted = ids[start : start + BATCH]
            found += self.qdrant.call("retrieve", collection_name=collection, ids=wanted, with_payload=True)
        return [record for record in found if scope.owns(record.payload or {})]

    def nearest(
        self, collection: str, scope: AnyScope, vector: list[float], filters: Filters, limit: int, floor: float
    ) -> list[Any]:
        """The scope's nearest rows by exact distance, best first, with scores of 0..1."""
        points = self.qdrant.call(
            "query_points",
            collection_name=collection,
            query=[float(number) for number in vector],
            query_filter=qdrant_filters.of(scope, filters),
            # The embedded client knows no other search, and warns that it was told.
            search_params=None if self.qdrant.embedded else models.SearchParams(exact=True),
            limit=limit,
            score_threshold=floor,
            with_payload=True,
        ).points
        for point in points:
            point.score = min(1.0, max(0.0, float(point.score)))
        return _own(scope, points, filters)

    def left_of(self, collection: str, scope: Scope, through: Connection) -> int:
        """How many rows are left. Of a whole person as Qdrant counts them: with a row whose owner is a list of people,
        which is nobody's, and which nobody can delete here."""
        if scope.is_narrowed:
            return len(self.scroll(collection, scope, keys=qdrant_filters.KEYS, through=through))
        where = qdrant_filters.of(scope)
        return int(through.call("count", collection_name=collection, count_filter=where, exact=True).count)

    def shared_names(self, scope: Scope) -> set[str]:
        """Ids of the scope's noted names that a memory outside of it links to."""
        names = self.scroll(self.tables.name("entities"), scope) if scope.is_narrowed else []
        return links.shared(scope, names, self.get_many)

    # --- writing -----------------------------------------------------------------------------------------------------

    def insert_rows(self, collection: str, rows: list[tuple[str, Any, dict[str, Any]]]) -> None:
        points = [models.PointStruct(id=i, vector={"": list(vector)}, payload=payload) for i, vector, payload in rows]
        self.qdrant.call("upsert", collection_name=collection, points=points, **_SURE)

    def rewrite_row(
        self, collection: str, scope: AnyScope, memory_id: str, vector: Any, payload: dict[str, Any] | None
    ) -> None:
        """Give a row of the scope another vector, another payload, or both. MemoryChanged when it is not there."""
        if not self.owned(collection, scope, [memory_id]):
            raise MemoryChanged("the memory was deleted meanwhile; nothing was written")
        operations = self._vector_operations(collection, scope, memory_id, vector) if vector is not None else []
        mine = qdrant_filters.one(scope, memory_id)
        if payload is not None:
            overwriting = models.SetPayload(payload=payload, filter=mine)
            operations.append(models.OverwritePayloadOperation(overwrite_payload=overwriting))
        try:
            self.qdrant.call("batch_update_points", collection_name=collection, update_operations=operations, **_SURE)
            after = self.owned(collection, scope, [memory_id])
        except MemoryNotFound:
            after = []
        if not after or any(
            (payload or {}).get(key, after[0].payload.get(key)) != after[0].payload.get(key) for key in _SEEN
        ):
            raise MemoryChanged("the memory was changed or deleted meanwhile; nothing was written")

    def _vector_operations(self, collection: str, scope: AnyScope, memory_id: str, vector: Any) -> list[Any]:
        point = models.PointVectors(id=memory_id, vector={"": [float(number) for number in vector]})
        operations: list[Any] = [models.UpdateVectorsOperation(update_vectors=models.UpdateVectors(points=[point]))]
        if KEYWORDS in self._sparse(collection):  # it still says which words the old wording had
            stale = models.DeleteVectors(filter=qdrant_filters.one(scope, memory_id), vector=[KEYWORDS])
            operations.append(models.DeleteVectorsOperation(delete_vectors=stale))
        return operations

    def _sparse(self, collection: str) -> frozenset[str]:
        """The names of a collection's sparse vectors; they never change."""
        if collection not in self._sparse_known:
            params = self.qdrant.call("get_collection", collection_name=collection).config.params
            self._sparse_known[collection] = frozenset(params.sparse_vectors or {})
        return self._sparse_known[collection]

    @cached_property
    def _sparse_known(self) -> dict[str, frozenset[str]]:
        return {}

    def delete_rows(self, collection: str, scope: AnyScope, ids: list[str]) -> None:
        """Delete rows that were read as the scope's, and look whether they are gone. StoreUnavailable when not."""
        for start in range(0, len(ids), AT_ONCE):
            selector = models.PointIdsList(points=[*ids[start : start + AT_ONCE]])
            self.qdrant.call("delete", collection_name=collection, points_selector=selector, **_SURE)
        if self.owned(collection, scope, ids):
            raise StoreUnavailable("the store said that it deleted rows, and still has them")

    # --- for an operator: no scope --------------------------------------------------------------------------------

    def everybody(self, collection: str) -> Iterator[Row]:
        """(id, payload with the owner's id alone) of every row."""
        return ((point.id, point.payload or {}) for point in self._scrolled(collection, None, ["user_id"]))

    def move(self, collection: str, old: str, new: str) -> int:
        """Give rows of exactly this owner to another; how many. StoreUnavailable when one is left."""
        moved = 0
        for _ in range(ROUNDS):
            found = self._scrolled(collection, qdrant_filters.of_owner_text(old), ["user_id"])
            ids = [point.id for point in found if (point.payload or {}).get("user_id") == old]
            if not ids:
                return moved
            for start in range(0, len(ids), BATCH):
                change = models.SetPayload(payload={"user_id": str(new)}, points=ids[start : start + BATCH])
                operations = [models.SetPayloadOperation(set_payload=change)]
                self.qdrant.call(
                    "batch_update_points", collection_name=collection, update_operations=operations, **_SURE
                )
            moved += len(ids)
        raise StoreUnavailable("rows keep coming under the old id: stop the agents that write there, then --resume")


def _own(scope: AnyScope, points: Iterable[Any], filters: Filters | None = None) -> list[Any]:
    """Those of the client's records that are meant. A stranger's is reported; one of another name of the owner's own
    is not: Qdrant finds a list of names under each of them."""
    found, owner = list(points), scope.mem0_ids().get("user_id")
    rows = [(point.id, point.payload or {}) for point in found]
    other = {
        row[0]
        for row in rows
        if row[1].get("user_id") == owner
        and not (scope.owns(row[1]) and qdrant_filters.fits(row[1], filters or Filters()))
    }
    own = {row[0] for row in recheck(scope, [row for row in rows if row[0] not in other])}
    return [point for point in found if point.id in own]
