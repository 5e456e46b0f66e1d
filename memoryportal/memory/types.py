"""What the memory room gives back. Plain frozen values; every text in them is the person's own data."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .controls import Control


@dataclass(frozen=True, slots=True)
class Item:
    """One memory.

    `created`/`updated` are aware UTC datetimes, or None where the store does not know. `version` is an opaque token of
    the stored wording, for `update(expected=…)`. `expires` is the last day on which assistants are handed this memory.
    """

    id: str
    text: str
    agent: str | None
    run: str | None
    created: datetime | None
    updated: datetime | None
    expires: date | None
    expired: bool
    role: str | None
    actor: str | None
    version: str
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list. `next` is an opaque cursor or None; `total` counts all rows that match, not only these."""

    items: list[Item]
    next: str | None
    total: int


@dataclass(frozen=True, slots=True)
class Hit:
    """One search result. `score` is 0..1 for search by meaning, None for search by word."""

    item: Item
    score: float | None


@dataclass(frozen=True, slots=True)
class Hits:
    """Search results, best first. `more` says that further rows matched beyond the limit."""

    hits: list[Hit]
    more: bool


@dataclass(frozen=True, slots=True)
class Summary:
    """What is held in a scope: how many, since when, and how many for each assistant and conversation.

    `agents` and `runs` are (name, count) pairs, most first; name is None for memories without one. `expired` counts
    memories that assistants are no longer handed but that are still stored. `shut` is what the gate has shut for the
    person, where a store reads that in the same statement; None where it does not.
    """

    total: int
    since: datetime | None
    latest: datetime | None
    agents: list[tuple[str | None, int]]
    runs: list[tuple[str | None, int]]
    expired: int
    shut: "list[Control] | None" = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Version:
    """One entry of a memory's history. `event` is ADD, UPDATE or DELETE; a purged text is None with `purged` set."""

    seq: int
    memory_id: str
    event: str
    old: str | None
    new: str | None
    at: datetime | None
    actor: str | None
    role: str | None
    purged: bool


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the buffer that mem0 keeps as context for its next extraction."""

    seq: int
    agent: str | None
    run: str | None
    role: str | None
    name: str | None
    text: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Entity:
    """A person, place or thing that mem0 has noted, with the ids of the memories that it links to."""

    id: str
    text: str
    kind: str | None
    agent: str | None
    run: str | None
    memory_ids: list[str]


class Added(list[Item]):
    """The new memories, as a list. `stopped`: how many wordings were not learned because the person forbids it."""

    stopped = 0


@dataclass(frozen=True, slots=True)
class Use:
    """One entry of the use log: a memory was handed to an assistant (None: to one that did not say its name)."""

    memory_id: str
    agent: str | None
    run: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Handed:
    """How often one assistant was handed memories: `times` in all, `memories` different ones, first and last when."""

    agent: str | None
    times: int
    memories: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Stopped:
    """How many wordings are never to be learned again, and when the first and the last of them were stopped."""

    count: int
    since: datetime | None
    latest: datetime | None


@dataclass(frozen=True, slots=True)
class Removed:
    """What one deletion took away, counted from the rows that the store returned. Keys are place keys.

    `stopped`: how many wordings are never to be learned again from now on, and were not before.
    """

    counts: dict[str, int]
    stopped: int = 0

    @property
    def memories(self) -> int:
        return self.counts.get("memories", 0)


@dataclass(frozen=True, slots=True)
class Residue:
    """What a read on a fresh connection still finds. `problem` says why a place could not be read."""

    place: str
    count: int | None
    problem: str | None = None
