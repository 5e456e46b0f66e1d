"""Make a Qdrant fit for the portal: collections of mem0's own shape, and indexes on what is filtered by."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from qdrant_client import models

from ..errors import StoreNotPrepared, StoreRefused
from ..scope import SubjectId
from ..texts import as_text
from .qdrant_rows import KEYWORDS, RowsMixin

NAMES = ("agent_id", "run_id")


def _indexes() -> dict[str, Any]:
    """A tenant index keeps one person's rows together on disk, so that a filter by person reads only those."""
    tenant = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True)
    keyword = models.PayloadSchemaType.KEYWORD
    return {"user_id": tenant, **dict.fromkeys(NAMES, keyword), "created_at": models.PayloadSchemaType.DATETIME}


class PrepareMixin(RowsMixin):
    """`prepare_store` for Qdrant. Idempotent, and safe on a collection that a plain mem0 made and is using."""

    dimensions: int

    def prepare(self) -> list[str]:
        return [sentence for suffix in ("", "entities") for sentence in self._prepare(self.tables.name(suffix))]

    def missing(self) -> list[str]:
        return [sentence for suffix in ("", "entities") for sentence in self._missing(self.tables.name(suffix))]

    def _missing(self, collection: str) -> Iterator[str]:
        info = self._info(collection)
        if info is None:
            yield f"the collection {collection} does not exist"
            return
        try:
            self._check(collection, info.config.params.vectors)
        except StoreRefused as wrong:
            yield str(wrong)
        for field in _indexes() if not self.qdrant.embedded else ():
            if field not in info.payload_schema:
                yield f"the index {collection}.{field} does not exist: questions about one person read everybody's rows"

    def owners(self) -> Iterator[tuple[str | None, int]]:
        for suffix in ("", "entities"):
            counted = Counter(
                as_text(payload.get("user_id")) for _, payload in self.everybody(self.tables.name(suffix))
            )
            yield from counted.items()

    def rename(self, old: str, new: SubjectId) -> dict[str, int]:
        return {name: self.move(name, old, new) for name in map(self.tables.name, ("", "entities"))}

    def _prepare(self, collection: str) -> list[str]:
        done = []
        if self._info(collection) is None:
            self._create(collection)
            done.append(f"created the collection {collection}")
        info = self._info(collection)
        if info is None:
            raise StoreNotPrepared(f"the collection {collection} could not be created")
        self._check(collection, info.config.params.vectors)
        if not self.qdrant.embedded:  # it has no indexes
            done += [
                self._index(collection, *index) for index in _indexes().items() if index[0] not in info.payload_schema
            ]
        return done

    def _info(self, collection: str) -> Any:
        try:
            return self.qdrant.call("get_collection", collection_name=collection)
        except StoreNotPrepared:
            return None

    def _create(self, collection: str) -> None:
        """As mem0 would: its own first use finds everything in place."""
        self.qdrant.call(
            "create_collection",
            collection_name=collection,
            vectors_config=models.VectorParams(size=self.dimensions, distance=models.Distance.COSINE),
            sparse_vectors_config={KEYWORDS: models.SparseVectorParams(modifier=models.Modifier.IDF)},
        )

    def _check(self, collection: str, vectors: Any) -> None:
        size, distance = getattr(vectors, "size", None), getattr(vectors, "distance", None)
        if (size, distance) != (self.dimensions, models.Distance.COSINE):
            raise StoreRefused(
                f"The collection {collection!r} does not have mem0's shape: one vector of {self.dimensions} dimensions "
                "(embedding_model_dims in MEM0_CONFIG) compared by cosine. It was left as it is."
            )

    def _index(self, collection: str, field: str, schema: Any) -> str:
        self.qdrant.call("create_payload_index", collection_name=collection, field_name=field, field_schema=schema)
        return f"created the index {collection}.{field}"
