"""add and correct on Valkey: mem0's own pipeline, in a PostgreSQL transaction that ends after Valkey's answer."""

import contextlib
from typing import Any

from ..errors import MemoryChanged, MemoryNotFound, MemoryRoomError
from ..rows import version_of
from ..scope import Filters, Scope
from . import fence
from .valkey_removal import RemovalMixin


class PipelineMixin(RemovalMixin):
    """What mem0 does for a collection on Valkey."""

    def bound(self, suffix: str, unit: Any, filters: Filters, floor: float) -> Any:
        from .valkey_bound import BoundIndex

        collection = self.noted if suffix else self.memories
        return BoundIndex(collection, self.tables, unit, filters, floor, waits=not suffix)

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
