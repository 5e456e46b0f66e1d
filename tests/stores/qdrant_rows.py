"""Put rows into Qdrant and look at them as a program without the portal would."""

import uuid
from datetime import UTC, datetime
from typing import Any

from qdrant_client import models

from memoryportal.memory import ScopedMemory, SubjectId
from memoryportal.memory.embedding import embedder
from memoryportal.memory.stores import current_store
from memoryportal.memory.stores.qdrant import QdrantStore


def somebody(name: str = "alice") -> ScopedMemory:
    """Somebody new; what a test leaves of them in PostgreSQL is nobody else's."""
    return ScopedMemory.for_person(SubjectId(f"{name}-{uuid.uuid4().hex[:8]}"))


def qdrant_store() -> QdrantStore:
    store = current_store()
    assert isinstance(store, QdrantStore)
    return store


def raw(operation: str, **arguments: Any) -> Any:
    """As a program without the portal would: any operation, on the collection of memories."""
    store = qdrant_store()
    return store.qdrant.call(operation, collection_name=store.tables.name(), **arguments)


def payload(memory: ScopedMemory, text: str, **more: Any) -> dict[str, Any]:
    """What mem0 stores for a memory; None leaves a key out."""
    now = datetime.now(UTC).isoformat()
    whole = {"data": text, "hash": "x", "created_at": now, "updated_at": now, **memory.scope.mem0_ids(), **more}
    return {key: value for key, value in whole.items() if value is not None}


def plant(*payloads: dict[str, Any], **vectors: Any) -> list[str]:
    """Put rows in place without the portal; their ids."""
    ids = [str(uuid.uuid4()) for _ in payloads]
    points = [
        models.PointStruct(id=i, vector={"": embedder().embed(row["data"]), **vectors}, payload=row)
        for i, row in zip(ids, payloads, strict=True)
    ]
    raw("upsert", points=points, wait=True)
    return ids
