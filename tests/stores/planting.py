"""Put in place what the offline set-up never writes by itself: noted names and buffered messages.

Both go through mem0's own bound objects, as its pipeline would write them.
"""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from memoryportal.memory import ScopedMemory
from memoryportal.memory.embedding import embedder
from memoryportal.memory.pipeline import pipeline
from memoryportal.memory.stores.base import Store


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

    def messages(self, memory: ScopedMemory, *texts: str) -> None:
        """Buffer these messages of the memory's conversation."""
        self._bound(memory).db.save_messages([{"role": "user", "content": text} for text in texts], "")

    def _bound(self, memory: ScopedMemory) -> Any:
        return pipeline().bind(self.store, memory.scope)
