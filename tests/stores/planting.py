"""Put in place what the offline set-up never writes by itself: noted names, buffered messages, rows of other programs.

The first two go through mem0's own bound objects, as its pipeline would write them; the last past everything of ours.
"""

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg.types.json import Jsonb
from qdrant_client import models

from memoryportal.memory import ScopedMemory
from memoryportal.memory.embedding import embedder
from memoryportal.memory.pipeline import pipeline
from memoryportal.memory.stores.base import Store
from memoryportal.memory.stores.valkey_rows import to_hash

PORTO = "I live in Porto."
MISSING = object()
_HASH_FIELDS = {"data": "memory", **{name: name for name in ("user_id", "agent_id", "run_id", "hash", "created_at")}}


@dataclass(frozen=True, slots=True)
class Planter:
    """`able` is False for a store that has neither place; nothing can be planted there."""

    store: Store
    able: bool

    def name(self, memory: ScopedMemory, text: str, memory_ids: list[str]) -> str:
        """Note a name under the memory's scope; its id."""
        entity_id = str(uuid.uuid4())
        payload = {"data": text, "entity_type": "PROPER", "linked_memory_ids": memory_ids, **memory.scope.mem0_ids()}
        self._bound(memory).entity_store.insert(vectors=[embedder().embed(text)], payloads=[payload], ids=[entity_id])
        return entity_id

    def memory(self, memory: ScopedMemory, text: str) -> str:
        """Insert a memory as mem0 does after the language model has thought: long after anybody asked the gate."""
        memory_id = str(uuid.uuid4())
        payload = {"data": text, "hash": "", "created_at": datetime.now(UTC).isoformat(), **memory.scope.mem0_ids()}
        self._bound(memory).vector_store.insert(vectors=[embedder().embed(text)], payloads=[payload], ids=[memory_id])
        return memory_id

    def row(self, memory: ScopedMemory, suffix: str = "", **parts: Any) -> str:
        """A row as some other program stored it, with parts of any type; MISSING leaves one out."""
        row_id, vector, name = str(uuid.uuid4()), embedder().embed(PORTO), self.store.tables.name(suffix)
        said = {"data": PORTO, "hash": "x", "created_at": "2026-03-10T12:00:00+00:00", **memory.scope.mem0_ids()}
        payload = {key: value for key, value in (said | parts).items() if value is not MISSING}
        if self.store.abilities.name == "pgvector":
            with self.store.open(memory.scope) as cursor:
                insertion = f"INSERT INTO {name} (id, vector, payload) VALUES (%s, %s, %s)"
                cursor.execute(insertion, (row_id, str(vector), Jsonb(payload)))
        elif self.store.abilities.name == "qdrant":
            point = models.PointStruct(id=row_id, vector={"": vector}, payload=payload)
            self.store.qdrant.call("upsert", collection_name=name, points=[point], wait=True)  # type: ignore[attr-defined]
        else:
            command = ("HSET", f"mem0:{name}:{row_id}", *_fields(row_id, payload, parts, vector))
            self.store.server.run(*command)  # type: ignore[attr-defined]
        return row_id

    def messages(self, memory: ScopedMemory, *texts: str) -> None:
        """Buffer these messages of the memory's conversation."""
        self._bound(memory).db.save_messages([{"role": "user", "content": text} for text in texts], "")

    def _bound(self, memory: ScopedMemory) -> Any:
        return pipeline().bind(self.store, memory.scope)


def _fields(row_id: str, payload: dict[str, Any], parts: dict[str, Any], vector: list[float]) -> list[Any]:
    """The names and values of a hash. Valkey has bytes only: what is no text is written as JSON."""
    plain = {name: value for name, value in payload.items() if not isinstance(value, bytes)}
    fields = to_hash(row_id, {**plain, "data": "", "hash": ""}, vector)
    for name, field in _HASH_FIELDS.items():
        value = payload.get(name)
        fields.pop(field, None)
        if value is not None:
            fields[field] = value if isinstance(value, str | bytes) else json.dumps(value)
    if "created_at" in parts:
        fields.pop("created_text", None)
    else:
        fields |= {name: value for name, value in to_hash(row_id, payload, None).items() if name.startswith("created_")}
    return [part for pair in fields.items() for part in pair]
