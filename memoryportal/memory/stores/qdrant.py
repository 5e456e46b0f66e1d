"""mem0's Qdrant collection, read natively: true totals, stable pages, exact search.

mem0 lists rows in the order of their ids and counts nothing. Here a page reads the times of all the person's rows (a
few bytes each), sorts them, and then reads the rows of the page: exact, whatever offset the times were written with.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from ..configuration import Configuration
from ..names import Tables
from ..rows import Row, parse_day, parse_time, recheck, time_key
from ..scope import AnyScope, Filters, Order, Scope
from ..texts import as_text
from ..types import Summary
from . import qdrant_filters
from .base import Abilities
from .qdrant_connection import connect
from .qdrant_filters import KEYS, position
from .qdrant_pipeline import PipelineMixin
from .qdrant_places import PlacesMixin
from .qdrant_prepare import PrepareMixin

LIMITS = (
    (
        "A program that writes to this Qdrant without the portal is not held back by a pause or an erasure: "
        "what it adds meanwhile is found when everything is read again."
    ),
    (
        "Memories lie in Qdrant, their history and messages in PostgreSQL. If one of the two fails in the very moment "
        "between them, one can be left without the other; erasing takes both."
    ),
)
BYTES = "Qdrant keeps the bytes of deleted memories in its files, its own log and its snapshots until it rewrites them."
EMBEDDED = (
    "The embedded Qdrant folder is for trying out: one process at a time, and every list and search reads all rows."
)


class QdrantStore(PrepareMixin, PlacesMixin, PipelineMixin):
    """One collection in a Qdrant, with the side tables in PostgreSQL through the scoped login."""

    def __init__(self, configured: Configuration) -> None:
        self.dsn, self.dimensions = configured.dsn, configured.dimensions
        self.tables = Tables(configured.collection)
        self.qdrant = connect(configured.store)
        limits = (*LIMITS, EMBEDDED if self.qdrant.embedded else BYTES)
        self.abilities = Abilities(name="qdrant", fenced=False, atomic=False, ordered=False, limits=limits)

    def close(self) -> None:
        self.qdrant.close()

    def page(
        self, scope: AnyScope, filters: Filters, after: tuple[str, str] | None, limit: int, order: Order
    ) -> tuple[list[Row], bool, int]:
        places = sorted(map(position, self._keys(scope, filters)), reverse=order == "newest")
        beyond = qdrant_filters.beyond(places, after, order)
        ids = [memory_id for _, memory_id in beyond[:limit]]
        return self._in_order(scope, ids), len(beyond) > limit, len(places)

    def count(self, scope: AnyScope, filters: Filters) -> int:
        return len(self._keys(scope, filters))

    def summary(self, scope: Scope, filters: Filters) -> Summary:
        keys = self._keys(scope, Filters())
        dated = [row for row in keys if qdrant_filters.within(row[1], filters)]
        times = sorted(filter(None, (parse_time(time_key(row[1])) for row in keys)))
        return Summary(
            total=len(keys),
            since=times[0] if times else None,
            latest=times[-1] if times else None,
            agents=_tally("agent_id", (row for row in dated if filters.run in (None, as_text(row[1].get("run_id"))))),
            runs=_tally("run_id", (row for row in dated if filters.agent in (None, as_text(row[1].get("agent_id"))))),
            expired=sum(_is_expired(row[1]) for row in keys),
        )

    def get(self, scope: Scope, memory_id: str) -> Row | None:
        found = self.get_many(Scope(scope.subject), [memory_id])
        return found[0] if found else None

    def get_many(self, scope: AnyScope, ids: list[str]) -> list[Row]:
        return [(record.id, record.payload) for record in self.owned(self.tables.name(), scope, ids)]

    def by_word(self, scope: AnyScope, words: list[str], filters: Filters, limit: int) -> list[Row]:
        wanted = [word.lower() for word in words]
        rows = self.scroll(self.tables.name(), scope, filters, [*KEYS, "data"])
        matching = [row for row in rows if _contains(row[1].get("data"), wanted)]
        matching.sort(key=position, reverse=True)
        return self._in_order(scope, [str(row[0]) for row in matching[:limit]])

    def _keys(self, scope: AnyScope, filters: Filters) -> list[Row]:
        return self.scroll(self.tables.name(), scope, filters, KEYS)

    def _in_order(self, scope: AnyScope, ids: list[str]) -> list[Row]:
        """These rows whole, in this order; one that was deleted since its key was read is left out."""
        rows = {str(row[0]): row for row in recheck(scope, self.get_many(scope, ids))}
        return [rows[memory_id] for memory_id in ids if memory_id in rows]


def _is_expired(payload: dict[str, Any]) -> bool:
    day = parse_day(payload.get("expiration_date"))
    return day is not None and day < datetime.now(UTC).date()


def _contains(text: Any, words: list[str]) -> bool:
    lowered = (as_text(text) or "").lower()
    return all(word in lowered for word in words)


def _tally(key: str, rows: Iterable[Row]) -> list[tuple[str | None, int]]:
    """(name, how many) pairs, most first."""
    counted = Counter(as_text(row[1].get(key)) for row in rows)
    return sorted(counted.items(), key=lambda pair: (-pair[1], pair[0] or ""))
