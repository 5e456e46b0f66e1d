"""add and correct on Valkey: mem0's own pipeline, in a PostgreSQL transaction that ends after Valkey's answer."""

import contextlib
from typing import Any

from ..errors import MemoryChanged, MemoryNotFound, MemoryRoomError
from ..never_again import Screen
from ..rows import version_of
from ..scope import AnyScope, Filters, Scope
from . import fence
from .valkey_removal import RemovalMixin


class PipelineMixin(RemovalMixin):
    """What mem0 does for a collection on Valkey."""

    def bound(self, suffix: str, unit: Any, filters: Filters, floor: float) -> Any:
        from .valkey_bound import BoundIndex

        collection = self.noted if suffix else self.memories
        return BoundIndex(collection, self.tables, unit, filters, floor, waits=not suffix)

    def add(
        self,
        scope: AnyScope,
        messages: list[dict[str, str]],
        infer: bool,
        metadata: dict[str, Any] | None,
        expires: Any,
        screen: Screen | None = None,
    ) -> list[str]:
        bound = self.pipeline(scope)
        values = {"metadata": metadata, "expiration_date": expires, **scope.mem0_ids()}
        if infer:  # an LLM is asked in between: no transaction is held open meanwhile
            result = self.infer(scope, bound, messages, values, screen)
            return self._kept(scope, [entry["id"] for entry in result["results"]])
        bound.prepared([message["content"] for message in messages if message["role"] != "system"], "add")
        with bound.unit.shared():
            result = bound.add(messages, infer=False, **values)
        return [entry["id"] for entry in result["results"]]

    def _kept(self, scope: Any, ids: list[str]) -> list[str]:
        """The new memories that were not deleted before their history was noted; of the others nothing stays."""
        alive = {str(row[0]) for row in self.get_many(scope, ids)}
        gone = [memory_id for memory_id in ids if memory_id not in alive]
        if gone:
            with self.open(scope) as cursor:
                self.delete_side(cursor, scope, [(memory_id, scope.agent, scope.run) for memory_id in gone])
                self.unlink_names(scope, set(gone))
        return [memory_id for memory_id in ids if memory_id in alive]

    def correct(self, scope: Scope, memory_id: str, text: str, version: str) -> None:
        rows = self.get_many(scope, [memory_id])
        if not rows:
            raise MemoryNotFound("no such memory")
        # mem0 looks for the names of the old text where the row was written, which may be narrower than `scope`.
        bound = self.pipeline(scope.down_to(rows[0][1])).prepared([text], "update")
        try:
            with bound.unit.shared() as cursor:
                fence.enter(cursor, self.tables, scope, "change")
                stored = bound.vector_store.get(memory_id)
                if stored is None:
                    raise MemoryNotFound("no such memory")
                if version_of(stored.payload) != version:
                    raise MemoryChanged("the memory was changed meanwhile; nothing was written")
                self.unlink_names(scope, {memory_id})
                bound.update(memory_id, text)
        except MemoryRoomError:
            self._unlink_if_gone(scope, memory_id)
            raise

    def _unlink_if_gone(self, scope: Scope, memory_id: str) -> None:
        """Names of the new text may have been noted already for a memory that was deleted meanwhile."""
        with contextlib.suppress(MemoryRoomError):
            if not self.get_many(scope, [memory_id]):
                self.unlink_names(scope, {memory_id})
