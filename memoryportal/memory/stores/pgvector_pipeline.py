"""add and correct on pgvector: mem0's own pipeline, inside one transaction where that is possible."""

from typing import Any

from ..errors import MemoryChanged, MemoryNotFound
from ..rows import version_of
from ..scope import Filters, Scope
from .bound import BoundStore
from .pgvector_removal import RemovalMixin


class PipelineMixin(RemovalMixin, BoundStore):
    """What mem0 does for a pgvector collection."""

    beside = True

    def bound(self, suffix: str, unit: Any, filters: Filters, floor: float) -> Any:
        from .pgvector_bound import BoundNames, BoundTable

        if suffix == "entities":
            return BoundNames(self.tables, unit, filters, floor)
        return BoundTable(self.tables.name(suffix), unit, filters, floor)

    def correct(self, scope: Scope, memory_id: str, text: str, version: str) -> None:
        rows = self.get_many(scope, [memory_id])
        if not rows:
            raise MemoryNotFound("no such memory")
        # mem0 looks for the names of the old text where the row was written, which may be narrower than `scope`.
        bound = self.pipeline(scope.down_to(rows[0][1])).prepared([text], "update")
        with bound.unit.shared() as cursor:
            if scope.by_person:  # a pause of theirs does not bind them (sql/gate.sql)
                cursor.execute("SELECT set_config('memoryportal.person', 'yes', true)")
            locked = bound.vector_store.get(memory_id)
            if locked is None:
                raise MemoryNotFound("no such memory")
            if version_of(locked.payload) != version:
                raise MemoryChanged("the memory was changed meanwhile; nothing was written")
            self.unlink_entities(cursor, str(scope.subject), [memory_id])
            bound.update(memory_id, text)
