"""Put in place what the offline set-up never writes by itself: noted names and buffered messages.

Both go through mem0's own bound objects, as its pipeline would write them.
"""

import uuid
from dataclasses import dataclass
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

    def messages(self, memory: ScopedMemory, *texts: str) -> None:
        """Buffer these messages of the memory's conversation."""
        self._bound(memory).db.save_messages([{"role": "user", "content": text} for text in texts], "")

    def _bound(self, memory: ScopedMemory) -> Any:
        return pipeline().bind(self.store, memory.scope)
