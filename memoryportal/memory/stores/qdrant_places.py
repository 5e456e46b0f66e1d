"""held, residue and entities of a Qdrant collection; history and messages lie in PostgreSQL (side.py)."""

from psycopg import sql

from ..errors import MemoryRoomError
from ..scope import Scope
from ..types import Entity, Residue
from . import qdrant_filters
from .pgvector_places import to_entity
from .qdrant_rows import RowsMixin
from .side import SIDE_PLACES, Counting, count_all

IN_QDRANT = {"memories": "", "entities": "entities"}


class PlacesMixin(RowsMixin):
    """Every place where a person's text can be."""

    def held(self, scope: Scope) -> dict[str, int]:
        held = {
            place: len(self.scroll(self.tables.name(suffix), scope, keys=qdrant_filters.KEYS))
            for place, suffix in IN_QDRANT.items()
        }
        held["entities"] -= len(self.shared_names(scope))
        with self.open(scope) as cursor:
            return held | count_all(cursor, self._side_counts(scope))

    def residue(self, scope: Scope) -> list[Residue]:
        in_qdrant = [self._count_again(scope, place, suffix) for place, suffix in IN_QDRANT.items()]
        try:
            counts = self._side_counts(scope)
        except MemoryRoomError as error:
            return in_qdrant + [Residue(place, None, str(error)) for place in SIDE_PLACES]
        return in_qdrant + self.read_again(scope, counts)

    def _count_again(self, scope: Scope, place: str, suffix: str) -> Residue:
        try:
            with self.qdrant.fresh() as connection:
                found = self.left_of(self.tables.name(suffix), scope, connection)
            return Residue(place, found - (len(self.shared_names(scope)) if place == "entities" else 0))
        except MemoryRoomError as error:
            return Residue(place, None, str(error))

    def _side_counts(self, scope: Scope) -> dict[str, Counting]:
        """A row of the history does not say which assistant's memory it was of: a narrowed scope counts by id."""
        counts = self.side_counts(scope)
        if scope.is_narrowed:
            ids = [str(row[0]) for row in self.scroll(self.tables.name(), scope, keys=qdrant_filters.KEYS)]
            statement = sql.SQL("SELECT count(*) FROM {} WHERE subject = %s AND memory_id = ANY(%s::uuid[])")
            counts["history"] = (statement.format(self.tables.history), [str(scope.subject), ids])
        return counts

    def entities(self, scope: Scope, limit: int) -> list[Entity]:
        found = [to_entity(str(row[0]), row[1]) for row in self.scroll(self.tables.name("entities"), scope)]
        return sorted(found, key=lambda entity: (entity.text, entity.id))[:limit]
