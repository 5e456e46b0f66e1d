"""add, correct and search by meaning on pgvector: mem0's own pipeline, inside one transaction where that is possible."""

import threading
from typing import Any

from ..embedding import embedder
from ..errors import MemoryChanged, MemoryNotFound
from ..rows import Row, recheck, version_of
from ..scope import Filters, Scope
from .side import SideTables

_loading = threading.Lock()


class PipelineMixin(SideTables):
    """What mem0 does for a pgvector collection."""

    def _bound(self, scope: Scope, filters: Filters | None = None, floor: float = 0.0) -> Any:
        embedder()  # a broken embedder is named before mem0 is even imported
        with _loading:
            from ..pipeline import pipeline
        return pipeline().bind(scope, filters, floor)

    def add(
        self, scope: Scope, messages: list[dict[str, str]], infer: bool, metadata: dict[str, Any] | None, expires: Any
    ) -> list[str]:
        bound = self._bound(scope)
        values = {"infer": infer, "metadata": metadata, "expiration_date": expires, **scope.mem0_ids()}
        if infer:  # an LLM is asked in between: no transaction is held open meanwhile
            result = bound.add(messages, **values)
        else:
            bound.prepared([message["content"] for message in messages if message["role"] != "system"], "add")
            with bound.unit.shared():
                result = bound.add(messages, **values)
        return [entry["id"] for entry in result["results"]]

    def correct(self, scope: Scope, memory_id: str, text: str, version: str) -> None:
        bound = self._bound(scope).prepared([text], "update")
        with bound.unit.shared():
            locked = bound.vector_store.get(memory_id)
            if locked is None:
                raise MemoryNotFound("no such memory")
            if version_of(locked.payload) != version:
                raise MemoryChanged("the memory was changed meanwhile; nothing was written")
            bound.update(memory_id, text)

    def by_meaning(
        self, scope: Scope, words: str, filters: Filters, limit: int, floor: float
    ) -> list[tuple[Row, float]]:
        found = self._bound(scope, filters, floor).search(
            words, top_k=limit, filters=scope.mem0_ids(), threshold=0.0, show_expired=True
        )["results"]
        own = recheck(scope, self.get_many(scope, [entry["id"] for entry in found]))
        rows = {str(row[0]): row for row in own}
        return [(rows[entry["id"]], float(entry["score"])) for entry in found if entry["id"] in rows]
