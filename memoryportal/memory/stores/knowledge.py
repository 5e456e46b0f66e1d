"""What assistants know by themselves, on every store: rows with an assistant's name and without a person.

Such a row is nobody's personal data, so there is no gate before it, and nothing is kept beside it: no history, no
recent messages, no noted names. A knowledge store is the portal's own store, with a KnowledgeScope; what
is about people (erasing, counting places) does not take one.
"""

from typing import Any, Protocol

from psycopg import sql

from ..configuration import PLATFORM
from ..errors import MemoryNotFound
from ..names import Tables
from ..rows import Row
from ..scope import Filters, KnowledgeScope, Order
from . import conditions
from .base import Store
from .pgvector import PgvectorStore


class Knowledge(Protocol):
    """The operations. Arguments, answers and errors as those of base.Store."""

    def add(
        self,
        scope: KnowledgeScope,
        messages: list[dict[str, str]],
        infer: bool,
        metadata: dict[str, Any] | None,
        expires: Any,
    ) -> list[str]: ...

    def page(
        self, scope: KnowledgeScope, filters: Filters, after: tuple[str, str] | None, limit: int, order: Order
    ) -> tuple[list[Row], bool, int]: ...

    def by_meaning(
        self, scope: KnowledgeScope, words: str, filters: Filters, limit: int, floor: float
    ) -> list[tuple[Row, float]]: ...

    def by_word(self, scope: KnowledgeScope, words: list[str], filters: Filters, limit: int) -> list[Row]: ...

    def get_many(self, scope: KnowledgeScope, ids: list[str]) -> list[Row]: ...

    def forget(self, scope: KnowledgeScope, memory_id: str) -> None:
        """Delete one row; MemoryNotFound when it is not there."""


class NothingKept:
    """mem0's `db` for rows that are nobody's: a text of theirs stands in the store and nowhere else."""

    def add_history(self, *_: Any, **__: Any) -> None:
        """Not kept."""

    batch_add_history = save_messages = close = add_history

    def get_history(self, *_: Any, **__: Any) -> list[Any]:
        return []

    get_last_messages = get_history


class NoNames:
    """mem0's entity store for rows that are nobody's: finds nothing and notes nothing."""

    def insert(self, *_: Any, **__: Any) -> None:
        """Not noted."""

    update = delete = keyword_search = insert

    def search(self, *_: Any, **__: Any) -> list[Any]:
        return []

    def search_batch(self, queries: Any, *_: Any, **__: Any) -> list[list[Any]]:
        return [[] for _ in queries]

    def list(self, *_: Any, **__: Any) -> Any:
        return [[]]


class Nobodys:
    """Put before a store's class: the same store, without everything that is there for people."""

    def __init__(self, store: Any) -> None:
        """On the connections of `store`."""
        vars(self).update(vars(store))

    def admit(self, scope: Any) -> None:
        """Nobody could have shut a gate."""

    def kept(self, scope: Any, unit: Any) -> NothingKept:
        return NothingKept()

    def bound(self, suffix: str, unit: Any, filters: Filters, floor: float) -> Any:
        return NoNames() if suffix else super().bound(suffix, unit, filters, floor)  # type: ignore[misc]

    def _kept(self, scope: Any, ids: list[str]) -> list[str]:
        """No history that could have outlived its memory."""
        return ids


class PgvectorKnowledge(Nobodys, PgvectorStore):
    """Through a view of its own: the tables' policies let the portal's login see people's rows only."""

    def __init__(self, store: PgvectorStore) -> None:
        super().__init__(store)
        self.tables = Tables(store.tables.name("knowledge"))

    def forget(self, scope: KnowledgeScope, memory_id: str) -> None:
        where = conditions.of_scope(scope).add("id = %s::uuid", memory_id)
        statement = sql.SQL("DELETE FROM {} WHERE {}").format(self.tables.memories, where.sql)
        with self.open(scope) as cursor:
            if cursor.execute(statement, where.params).rowcount != 1:
                raise MemoryNotFound("no such memory")


def knowledge_of(store: Store) -> Knowledge:
    """The knowledge beside the people's memories of a store."""
    if store.abilities.name == "qdrant":
        from .qdrant_knowledge import QdrantKnowledge

        return QdrantKnowledge(store)
    if store.abilities.name == "valkey":
        from .valkey_knowledge import ValkeyKnowledge

        return ValkeyKnowledge(store)
    if store.abilities.name == PLATFORM:
        from .platform_knowledge import PlatformKnowledge

        return PlatformKnowledge(store)
    if isinstance(store, PgvectorStore):
        return PgvectorKnowledge(store)
    raise TypeError("no such store")
