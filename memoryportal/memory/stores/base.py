"""What a store offers to ScopedMemory. Every call takes the scope; there is no call without one."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from ..names import Tables
from ..never_again import Screen
from ..pool import Cursor
from ..rows import Row
from ..scope import Filters, Order, Scope, SubjectId
from ..types import Entity, Message, Removed, Residue, Summary, Version


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a store can promise. What it cannot is shown to people in words.

    `fenced`: a shut gate refuses foreign writers too. `atomic`: a deletion happens in every place or in none.
    `ordered`: pages are sorted by time on the server. `keeps_history`: earlier wordings lie in the side tables, where
    they are counted and can be removed one by one; else the store shows its own, if any. `limits`: sentences for the
    receipt and the help page.
    """

    name: str
    fenced: bool = False
    atomic: bool = False
    ordered: bool = True
    keeps_history: bool = True
    limits: tuple[str, ...] = ()


class Outside(Protocol):
    """What an operator's commands ask of a store whose memories are not in PostgreSQL."""

    def owners(self) -> Iterator[tuple[str | None, int]]:
        """(user id, number of rows), perhaps more than once for one id; None for rows without a person."""

    def rename(self, old: str, new: SubjectId) -> dict[str, int]:
        """Move every row of exactly this id to another; rows moved per collection. A repeat goes on where it ended."""


class Store(Protocol):
    """Native operations on one collection. All raise the memory room's errors only.

    `tables` and `open` are the PostgreSQL tables beside the collection: gate, history and message buffer.
    """

    abilities: Abilities
    tables: Tables

    def open(self, scope: Scope) -> AbstractContextManager[Cursor]:
        """A transaction on the side tables, bound to the scope's subject."""

    def prepare(self) -> list[str]:
        """Create what is missing outside PostgreSQL; a sentence for each change. Called by `prepare_store`."""

    def refused_like(self, subject: SubjectId, plain: str) -> int:
        """How many rows lie under refused ids in whose plain form this one stands, as of the last `prepare_store`."""

    def missing(self) -> list[str]:
        """What `prepare` would create or refuse outside PostgreSQL, in sentences. Changes nothing."""

    def close(self) -> None:
        """Let go of connections and files of the store's own; the next call opens them again."""

    def add(
        self,
        scope: Scope,
        messages: list[dict[str, str]],
        infer: bool,
        metadata: dict[str, Any] | None,
        expires: Any,
        screen: Screen | None = None,
    ) -> list[str]:
        """Remember; the ids of the new memories. `screen` says which extracted facts may not be learned."""

    def correct(self, scope: Scope, memory_id: str, text: str, version: str) -> None:
        """Change the wording and embed it again; MemoryChanged unless the stored version is `version`."""

    def by_meaning(
        self, scope: Scope, words: str, filters: Filters, limit: int, floor: float
    ) -> list[tuple[Row, float]]:
        """(row, score) of what is close to the words, best first."""

    def page(
        self, scope: Scope, filters: Filters, after: tuple[str, str] | None, limit: int, order: Order
    ) -> tuple[list[Row], bool, int]:
        """(rows, whether more follow, total of all matching rows), in one statement."""

    def count(self, scope: Scope, filters: Filters) -> int:
        """How many rows match."""

    def summary(self, scope: Scope, filters: Filters) -> Summary:
        """Totals of the scope; agents and runs counted under the other filters."""

    def get(self, scope: Scope, memory_id: str) -> Row | None:
        """The row with this id, whoever owns it within the subject's reach."""

    def get_many(self, scope: Scope, ids: list[str]) -> list[Row]:
        """The rows with these ids, in no order."""

    def admit(self, scope: Scope) -> None:
        """Raise WritesPaused or ErasureRunning when the subject's gate is shut."""

    def by_word(self, scope: Scope, words: list[str], filters: Filters, limit: int) -> list[Row]:
        """Rows whose text contains every word, newest first."""

    def delete(self, scope: Scope, ids: list[str]) -> Removed:
        """Delete these memories in every place, all or nothing; MemoryNotFound when one is missing."""

    def delete_matching(self, scope: Scope, filters: Filters, expected: int) -> Removed:
        """Delete all that match in every place; CountMoved when there are not exactly `expected`."""

    def erase(self, scope: Scope, keep: frozenset[str] = frozenset(), behind: str | None = None) -> Removed:
        """Delete everything of the scope in every place but those in `keep`, which are side tables.

        `behind`: only while the gate of this assistant ('' for all) is shut for erasing; else GateOpen.
        """

    def forget_traces(self, scope: Scope, ids: list[str], behind: str | None = None) -> Removed:
        """Delete what tells of these memories of the scope, which are gone. `behind` is that of `erase`."""

    def residue(self, scope: Scope) -> list[Residue]:
        """Count every place again on a fresh connection."""

    def held(self, scope: Scope) -> dict[str, int]:
        """Count every place."""

    def known_ids(self, scope: Scope) -> list[str]:
        """Ids of every memory of the scope and, for a whole subject, of those that only the history knows."""

    def history_of(self, scope: Scope, ids: list[str]) -> int:
        """How many rows the history has of these memories, read on a fresh connection."""

    def history(self, scope: Scope, memory_id: str) -> list[Version]:
        """The history of one memory, oldest first."""

    def past(self, scope: Scope, limit: int) -> list[Version]:
        """History rows of memories that are no longer there, newest first."""

    def purge_version(self, scope: Scope, memory_id: str, seq: int, current: str, before: bool = False) -> bool:
        """Remove one wording (or, `before`, the one that this change replaced) from the history.

        False when there is no such row or it is the current wording.
        """

    def entities(self, scope: Scope, limit: int) -> list[Entity]:
        """Noted names, by text."""

    def unlink(self, scope: Scope, ids: list[str]) -> int:
        """Take the ids out of the subject's noted names, whether or not these memories exist; how many names went."""

    def messages(self, scope: Scope, limit: int) -> list[Message]:
        """The message buffer, oldest first."""
