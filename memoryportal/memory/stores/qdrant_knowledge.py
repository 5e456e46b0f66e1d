"""What assistants know by themselves, in a Qdrant collection."""

from ..errors import MemoryNotFound
from ..scope import KnowledgeScope
from .knowledge import Nobodys
from .qdrant import QdrantStore


class QdrantKnowledge(Nobodys, QdrantStore):
    """Rows whose payload has no user_id."""

    def forget(self, scope: KnowledgeScope, memory_id: str) -> None:
        if not self.get_many(scope, [memory_id]):
            raise MemoryNotFound("no such memory")
        self.delete_rows(self.tables.name(), scope, [memory_id])
