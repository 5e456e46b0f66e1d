"""Every place where a person's text can be, by room. What is not listed here is not erased, so a test lists it for us.

A place names its columns as `table.column`; `{collection}` stands for the configured mem0 collection. EXEMPT says, in
words, why a column that holds a subject, an account or text is not emptied by "erase everything".
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from .scope import SubjectId


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose rows an erasure is about: these subjects', one assistant's of them where `agent` is given.

    `account` is the account's number, given only when the account goes too. `addresses` are its e-mail addresses then.
    `memory_ids` yields the ids of the memories that the erasure removes, in batches: from its journal, so that they are
    known after a restart.
    """

    subjects: tuple[SubjectId, ...]
    agent: str | None = None
    account: int | None = None
    addresses: tuple[str, ...] = ()
    memory_ids: Callable[[], Iterator[list[str]]] = lambda: iter(())


class Keeper(Protocol):
    """How a place beyond the memory store is counted and emptied. Each call can be repeated.

    Raises StoreUnavailable, OSError or a database error when the place cannot be used now.
    """

    def concerns(self, whose: Whose) -> bool:
        """Whether the place belongs to this erasure at all: the account, only when it goes too."""

    def count(self, whose: Whose) -> int:
        """How many rows are there now, read anew."""

    def erase(self, whose: Whose) -> int:
        """Remove them; how many went."""


@dataclass(frozen=True, slots=True)
class Place:
    """One place. `label` and `explains` are read by people. Places without a keeper are the memory store's own."""

    key: str
    label: str
    explains: str
    columns: frozenset[str]
    keeper: Keeper | None = None


_STORE = (
    Place(
        "memories",
        "Memories",
        "What assistants remember about you, with the numbers (vectors) that searching needs",
        frozenset({"{collection}.payload", "{collection}.vector"}),
    ),
    Place(
        "entities",
        "Noted names",
        "People, places and things that were noted from your memories",
        frozenset({"{collection}_entities.payload", "{collection}_entities.vector"}),
    ),
    Place(
        "history",
        "History",
        "How each memory was first worded, and every correction of it",
        frozenset(
            f"{{collection}}_history.{column}"
            for column in ("subject", "memory_id", "old_memory", "new_memory", "actor_id", "role", "event")
        ),
    ),
    Place(
        "messages",
        "Recent messages",
        "The last messages of each conversation, kept as context for the next one",
        frozenset(
            f"{{collection}}_messages.{column}" for column in ("subject", "agent", "run", "role", "name", "content")
        ),
    ),
    Place(
        "uses",
        "Use log",
        "Which memory was handed to which assistant and when, without any text",
        frozenset(f"{{collection}}_uses.{column}" for column in ("subject", "memory_id", "agent", "run")),
    ),
    Place(
        "never",
        "Stopped wordings",
        "Wordings that are never to be learned again, kept as fingerprints from which nobody can read them",
        frozenset(f"{{collection}}_never.{column}" for column in ("subject", "digest", "salt", "key_name")),
    ),
)

PLACES: dict[str, Place] = {place.key: place for place in _STORE}
EXEMPT: dict[str, str] = {
    "{collection}_gate.subject": "says that writing is shut; holds no text and must outlive an erasure",
    "{collection}_gate.agent": "the assistant that the gate is shut for",
    "{collection}_gate.state": "one of three words",
    "{collection}_refused.plain": "ids that no account can have, for which rename_subject is needed; goes with them",
    "{collection}_history.created_at": "a time",
    "{collection}_history.updated_at": "a time",
}


def register(*places: Place) -> None:
    """Add a room's places (called from the room's AppConfig.ready)."""
    for place in places:
        PLACES[place.key] = place


def exempt(**reasons: str) -> None:
    """Add a room's exemptions; `__` in a name stands for the dot of `table.column`."""
    EXEMPT.update({name.replace("__", "."): why for name, why in reasons.items()})


def store_places() -> list[str]:
    """The keys of the memory store's own places, in order: what `ScopedMemory.held`, `erase` and `residue` speak of."""
    return [key for key, place in PLACES.items() if place.keeper is None]


def kept_elsewhere(whose: Whose) -> list[tuple[Place, Keeper]]:
    """The other rooms' places that concern this erasure, in the order in which they were registered."""
    return [(place, place.keeper) for place in PLACES.values() if place.keeper and place.keeper.concerns(whose)]


def covered_columns(collection: str) -> set[str]:
    """`table.column` of everything a place or an exemption speaks of."""
    named = {column for place in PLACES.values() for column in place.columns} | set(EXEMPT)
    return {column.format(collection=collection) for column in named}
