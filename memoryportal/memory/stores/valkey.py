"""mem0's Valkey collection (valkey-search), read natively: true totals, stable pages, exact search and exact owners.

mem0's client never gets more than ten rows, reads an empty list from a server that is down, and its own index makes one
person of two. Here the index is ours (valkey_index.py), every failure is raised, and every row's owner compared again.
"""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from ..configuration import Configuration
from ..rows import Row, parse_day, parse_time, recheck
from ..scope import AnyScope, Filters, Order, Scope
from ..texts import as_text
from ..types import Summary
from .base import Abilities
from .valkey_collection import LIGHT
from .valkey_pages import Pager, in_order
from .valkey_pipeline import PipelineMixin
from .valkey_places import PlacesMixin
from .valkey_query import select

LIMITS = (
    "What is said here was tested with a stand-in for Valkey's search module, and not yet with the module itself.",
    (
        "A program that writes to this Valkey without the portal is not held back by a pause or an erasure: "
        "what it adds meanwhile is found when everything is read again."
    ),
    (
        "Memories lie in Valkey, their history and messages in PostgreSQL. If one of the two fails in the very moment "
        "between them, one can be left without the other; erasing takes both."
    ),
    "Valkey's snapshots, append-only file and replicas keep deleted text until they are rewritten.",
)


class ValkeyStore(PlacesMixin, PipelineMixin):
    """One collection on a Valkey server, with history, messages and gate in PostgreSQL."""

    abilities = Abilities(name="valkey", limits=LIMITS)

    def __init__(self, configured: Configuration) -> None:
        super().__init__(configured)
        self._pager = Pager()

    # --- reading -------------------------------------------------------------------------------------------------

    def page(
        self, scope: AnyScope, filters: Filters, after: tuple[str, str] | None, limit: int, order: Order
    ) -> tuple[list[Row], bool, int]:
        return self._pager.page(self.memories, select(scope, filters), after, limit, order)

    def count(self, scope: AnyScope, filters: Filters) -> int:
        return self.memories.count(select(scope, filters))

    def summary(self, scope: Scope, filters: Filters) -> Summary:
        rows = recheck(scope, self.memories.rows(select(scope), LIGHT))
        times = [at for row in rows if (at := parse_time(row[1].get("created_at")))]
        dated = select(scope, Filters(since=filters.since, until=filters.until))
        payloads = [row[1] for row in rows if dated.includes(row[1])]
        return Summary(
            total=len(rows),
            since=min(times, default=None),
            latest=max(times, default=None),
            agents=_counted(payloads, "agent_id", "run_id", filters.run),
            runs=_counted(payloads, "run_id", "agent_id", filters.agent),
            expired=sum(1 for row in rows if _has_expired(row[1])),
        )

    def get(self, scope: Scope, memory_id: str) -> Row | None:
        rows = self.memories.fetch([memory_id])
        return next((row for row in rows if row[1].get("user_id") == str(scope.subject)), None)

    def get_many(self, scope: AnyScope, ids: list[str]) -> list[Row]:
        return [row for row in self.memories.fetch(ids) if scope.owns(row[1])]

    def by_word(self, scope: AnyScope, words: list[str], filters: Filters, limit: int) -> list[Row]:
        """Read here: valkey-search finds words and their stems, not the letters that somebody typed."""
        wanted = [word.casefold() for word in words]
        rows = self.memories.rows(select(scope, filters))
        found = [row for row in rows if all(word in row[1]["data"].casefold() for word in wanted)]
        return in_order(recheck(scope, found), "newest")[:limit]


def _counted(
    payloads: list[dict[str, Any]], field: str, other: str, chosen: str | None
) -> list[tuple[str | None, int]]:
    """How many for each value of `field`, among those whose `other` is the chosen one."""
    counts = Counter(
        as_text(payload.get(field)) for payload in payloads if chosen in (None, as_text(payload.get(other)))
    )
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0] or ""))


def _has_expired(payload: dict[str, Any]) -> bool:
    expires = parse_day(payload.get("expiration_date"))
    return expires is not None and expires < datetime.now(UTC).date()
