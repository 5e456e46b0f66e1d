"""What assistants know by themselves, in a collection on Valkey.

valkey-search cannot be asked for rows without a person. So all rows of the assistant are looked up and those that name
somebody are left out before a text is read; what that costs grows with the assistant, people's memories included.
"""

from ..errors import MemoryNotFound
from ..scope import KnowledgeScope
from .knowledge import Nobodys
from .valkey import ValkeyStore


class ValkeyKnowledge(Nobodys, ValkeyStore):
    """Rows whose hash has no user_id."""

    def forget(self, scope: KnowledgeScope, memory_id: str) -> None:
        if not self.get_many(scope, [memory_id]):
            raise MemoryNotFound("no such memory")
        if not self.memories.unlink(scope, [self.memories.key(memory_id).encode()]):
            raise MemoryNotFound("no such memory")
