"""The places of a collection on Valkey: memories and noted names there, history and messages in PostgreSQL."""

from psycopg import sql

from ..errors import MemoryRoomError
from ..rows import recheck
from ..scope import Scope
from ..types import Entity, Residue
from .pgvector_places import to_entity
from .side import SIDE_PLACES, Counting, count_all
from .valkey_base import ValkeyBase
from .valkey_collection import LIGHT, Collection
from .valkey_index import require
from .valkey_query import select


class PlacesMixin(ValkeyBase):
    """held, residue and entities of a collection on Valkey."""

    def held(self, scope: Scope) -> dict[str, int]:
        held = {"memories": self.memories.count(select(scope)), "entities": self.noted.count(select(scope))}
        held["entities"] -= len(self.shared_names(scope))
        with self.open(scope) as cursor:
            return held | count_all(cursor, self._beside(scope))

    def residue(self, scope: Scope) -> list[Residue]:
        there = [self._read_there(scope, place) for place in ("memories", "entities")]
        try:
            counts = self._beside(scope)
        except MemoryRoomError as error:
            return there + [Residue(place, None, str(error)) for place in SIDE_PLACES]
        return there + self.read_again(scope, counts)

    def _read_there(self, scope: Scope, place: str) -> Residue:
        """Count on a connection of its own, through an index that is complete; a row outside the index counts too."""
        definition = self.definitions[0 if place == "memories" else 1]
        try:
            with self.server.fresh() as server:
                failures, fresh = require(server, definition).failures, Collection(server, definition)
                keys = set(fresh.keys(select(scope))).union(fresh.stray(scope) if failures else ())
                found = len(recheck(scope, fresh.read(sorted(keys), LIGHT)))
            return Residue(place, found - (len(self.shared_names(scope)) if place == "entities" else 0))
        except MemoryRoomError as error:
            return Residue(place, None, str(error))

    def _beside(self, scope: Scope) -> dict[str, Counting]:
        """A row of the history does not say which assistant's memory it was of: a narrowed scope counts by id."""
        counts = self.side_counts(scope)
        if scope.is_narrowed:
            ids = [str(row[0]) for row in self.memories.rows(select(scope), LIGHT)]
            statement = sql.SQL("SELECT count(*) FROM {} WHERE subject = %s AND memory_id = ANY(%s::uuid[])")
            counts["history"] = (statement.format(self.tables.history), [str(scope.subject), ids])
        return counts

    def entities(self, scope: Scope, limit: int) -> list[Entity]:
        named = [to_entity(str(row[0]), row[1]) for row in recheck(scope, self.noted.rows(select(scope)))]
        return sorted(named, key=lambda entity: (entity.text, entity.id))[:limit]
