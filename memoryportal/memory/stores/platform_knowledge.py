"""What assistants know by themselves, on mem0's hosted Platform.

There a fact is kept under a person or under an assistant. What the Platform itself has put under an assistant out of a
conversation with somebody is such a row too, and cannot be told from knowledge.
"""

from typing import Any

from ..errors import MemoryNotFound
from ..rows import Row, recheck
from ..scope import Filters, KnowledgeScope
from . import platform_rows as rows_of
from .knowledge import Nobodys
from .platform import MOST_HITS, PlatformStore
from .platform_client import PlatformClient


class PlatformKnowledge(Nobodys, PlatformStore):
    """Memories of an `agent_id` without a `user_id`."""

    def own(self, scope: Any, client: PlatformClient | None = None) -> list[Row]:
        found = self.client.everything(rows_of.filters_of_knowledge(scope))
        mine = recheck(KnowledgeScope(scope.agent), map(rows_of.to_row, found))
        return rows_of.in_order((row for row in mine if scope.owns(row[1])), "newest")

    def get_many(self, scope: Any, ids: list[str]) -> list[Row]:
        found = [rows_of.to_row(raw) for memory_id in ids if (raw := self.client.get(memory_id))]
        return [row for row in found if row[0] in ids and scope.owns(row[1])]

    def by_meaning(self, scope: Any, words: str, filters: Filters, limit: int, floor: float) -> list[tuple[Row, float]]:
        found = self.client.search(words, rows_of.filters_of_knowledge(scope), MOST_HITS, floor)
        rows = {row[0]: row for row in rows_of.matching(self.own(scope), filters)} if found else {}
        scored = [(rows[raw["id"]], rows_of.score_of(raw)) for raw in found if raw["id"] in rows]
        return [(row, score) for row, score in scored if score >= floor][:limit]

    def add(
        self,
        scope: Any,
        messages: list[dict[str, str]],
        infer: bool,
        metadata: dict[str, Any] | None,
        expires: Any,
        screen: Any = None,
    ) -> list[str]:
        day = expires.isoformat() if expires else None
        values = {"agent_id": scope.agent, "run_id": scope.run, "infer": infer, "expiration_date": day}
        return self._seen(scope, self._sent(scope, messages, metadata, values))

    def forget(self, scope: KnowledgeScope, memory_id: str) -> None:
        if not self.get_many(scope, [memory_id]):
            raise MemoryNotFound("no such memory")
        self._removed(scope, {memory_id})
