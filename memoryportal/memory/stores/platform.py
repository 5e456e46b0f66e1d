"""mem0's hosted Platform. It pages by number, sorts and counts as it likes, and queues what it is asked to delete.

So every list is read to its end, compared with the scope row by row, and sorted, counted and searched by word here: a
page costs one request for every 200 memories of the person, and its summary as many again. Search by meaning is the
Platform's. Whatever is changed is read again before anybody is told that it happened.
"""

import operator
from collections.abc import Iterator
from typing import Any

from ..configuration import Configuration
from ..errors import BadQuery, MemoryNotFound, StoreUnavailable
from ..names import Tables
from ..rows import FOREIGN_ROWS, Row, recheck
from ..scope import AnyScope, Filters, Order, Scope, SubjectId
from ..types import Entity, Residue, Summary, Version
from . import platform_rows as rows_of
from .base import Abilities
from .platform_changes import ChangesMixin
from .platform_client import PlatformClient
from .side import count_all

FEW = 4  # memories that are asked for one by one rather than found in the whole list
MOST_HITS = 1000  # the most that the Platform's search gives
LIMITS = (
    (
        "The memories lie with mem0's hosted Platform. Its graph, profiles, merged duplicates, logs and backups cannot "
        "be read from outside. Whether anything is left there is unverifiable: the Platform's internals."
    ),
    (
        "The Platform keeps a fact either under a person or under an assistant. What it has put under an assistant "
        "carries no person's id: the portal can neither show nor delete it. What the portal adds is kept under the "
        "person, with a note of the assistant; an assistant's view is made of such notes and the Platform's own mark."
    ),
    (
        "The Platform keeps earlier wordings and the conversations that they came from. They are shown memory by "
        "memory. One of them cannot be removed alone, and the Platform does not say when they go after a deletion."
    ),
    "A pause or an erasure stops writing through the portal. Whoever has a key to the Platform can write past it.",
    (
        "The Platform deletes in its own time. The portal waits and reads again: what is not seen to be gone is not "
        "reported as gone. Several memories may go one after the other."
    ),
)


class PlatformStore(ChangesMixin):
    """One project of the Platform, with the gate's side tables in PostgreSQL."""

    abilities = Abilities(name="platform", ordered=False, keeps_history=False, limits=LIMITS)

    def __init__(self, configured: Configuration) -> None:
        self.dsn, self.tables = configured.dsn, Tables(configured.collection)
        self.client = PlatformClient(configured.store["key"], configured.store["host"])

    def prepare(self) -> list[str]:
        """Nothing: the Platform prepares itself."""
        return []

    def missing(self) -> list[str]:
        """Nothing, where it answers at all."""
        self.client.ping()
        return []

    def owners(self) -> Iterator[tuple[str | None, int]]:
        """It does not say how many memories each user has."""
        return ((name, 1) for name in self.client.users())

    def rename(self, old: str, new: SubjectId) -> dict[str, int]:
        raise StoreUnavailable(
            "mem0's Platform cannot give a memory to another user id. Add what belongs to the person under the new id, "
            "then delete the old user in the Platform's dashboard and run prepare_store again"
        )

    def close(self) -> None:
        """Let go of the connections."""
        self.client.close()

    def own(self, scope: Any, client: PlatformClient | None = None) -> list[Row]:
        """All rows of the scope, newest first. A row of somebody else is dropped, counted and reported."""
        found = (client or self.client).everything(rows_of.filters_of(scope))
        mine = recheck(Scope(scope.subject), map(rows_of.to_row, found))
        return rows_of.in_order((row for row in mine if scope.owns(row[1])), "newest")

    def page(
        self, scope: AnyScope, filters: Filters, after: tuple[str, str] | None, limit: int, order: Order
    ) -> tuple[list[Row], bool, int]:
        matched = rows_of.in_order(rows_of.matching(self.own(scope), filters), order)
        rest = matched
        if after is not None:
            beyond = operator.lt if order == "newest" else operator.gt
            rest = [row for row in matched if beyond(rows_of.key_of(row), after)]
        return rest[:limit], len(rest) > limit, len(matched)

    def count(self, scope: Scope, filters: Filters) -> int:
        return len(rows_of.matching(self.own(scope), filters))

    def summary(self, scope: Scope, filters: Filters) -> Summary:
        return rows_of.sum_up(self.own(scope), filters)

    def get(self, scope: Scope, memory_id: str) -> Row | None:
        raw = self.client.get(memory_id)
        if raw is None:
            return None
        row = rows_of.to_row(raw)
        if row[0] != memory_id:
            FOREIGN_ROWS.report(scope, row[0])
            return None
        return row if Scope(scope.subject).owns(row[1]) else None

    def get_many(self, scope: Any, ids: list[str]) -> list[Row]:
        wanted = set(ids)
        if len(wanted) > FEW:
            return [row for row in self.own(scope) if row[0] in wanted]
        found = [self.get(scope, memory_id) for memory_id in sorted(wanted)]
        return [row for row in found if row is not None and scope.owns(row[1])]

    def by_word(self, scope: AnyScope, words: list[str], filters: Filters, limit: int) -> list[Row]:
        return rows_of.holding(rows_of.matching(self.own(scope), filters), words)[:limit]

    def by_meaning(self, scope: Any, words: str, filters: Filters, limit: int, floor: float) -> list[tuple[Row, float]]:
        narrowed = bool(filters) or scope.agent is not None or scope.run is not None
        asked = MOST_HITS if narrowed else min(limit, MOST_HITS)  # what is filtered out here must not eat the window
        found = self.client.search(words, rows_of.filters_of(scope), asked, floor)
        rows = {row[0]: row for row in self._found(scope, found)}
        fitting = {row[0] for row in rows_of.matching(rows.values(), filters)}
        scores = {raw["id"]: rows_of.score_of(raw) for raw in found}
        best = [memory_id for memory_id, score in scores.items() if memory_id in fitting and score >= floor]
        return [(rows[memory_id], scores[memory_id]) for memory_id in best[:limit]]

    def _found(self, scope: Scope, found: list[dict[str, Any]]) -> list[Row]:
        """The own rows of a search. Its results name owners less surely than a list does, so the list decides."""
        if not found:
            return []
        own = {row[0]: row for row in self.own(Scope(scope.subject))}
        known = [own[str(raw.get("id"))] for raw in found if str(raw.get("id")) in own]
        recheck(Scope(scope.subject), (rows_of.to_row(raw) for raw in found if str(raw.get("id")) not in own))
        return [row for row in known if scope.owns(row[1])]

    def held(self, scope: Scope) -> dict[str, int]:
        with self.open(scope) as cursor:
            beside = count_all(cursor, self.side_counts(scope))
        return {"memories": len(self.own(scope)), **beside}

    def residue(self, scope: Scope) -> list[Residue]:
        """The Platform's memories on new connections, and the side tables. Noted names cannot be read: see limits."""
        return [self._memories_again(scope), *self.read_again(scope, self.side_counts(scope))]

    def history(self, scope: Scope, memory_id: str) -> list[Version]:
        """One request, for an export asks for each memory: every entry names its owner."""
        entries, kept = self.client.history(memory_id), []
        for entry in entries:
            if entry.get("user_id") == str(scope.subject) and entry.get("memory_id") == memory_id:
                kept.append(entry)
            else:
                FOREIGN_ROWS.report(scope, memory_id)
        if entries and not kept:
            raise MemoryNotFound("no such memory")
        return rows_of.to_versions(memory_id, kept)

    def purge_version(self, scope: Scope, memory_id: str, seq: int, current: str, before: bool = False) -> bool:
        raise BadQuery("mem0's Platform cannot remove one earlier wording. To remove all wordings, delete the memory.")

    def unlink(self, scope: Scope, ids: list[str]) -> int:
        """Nothing: there are no names to read."""
        return 0

    def entities(self, scope: Scope, limit: int) -> list[Entity]:
        """None: the Platform's graph is not readable, as `abilities.limits` says."""
        return []
