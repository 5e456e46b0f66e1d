"""mem0's own pipeline (add, search, update), running unchanged on collections that it cannot leave.

`Memory.__init__` builds an LLM client and an SQLite file whether one needs them or not, so a Pipeline sets the same
attributes itself (a test compares them with mem0's). Each use is a shallow copy bound to one scope: the vector store,
the entity store and the history of that copy know the subject and take it from nowhere else. Which vector store class
that is, the portal's store says (`BoundStore.bound`): mem0's own for it, corrected and tied to the scope (`Tied`).
"""

import os

os.environ["MEM0_TELEMETRY"] = "False"  # before the import: mem0 reads it once, and the default is on

import copy
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mem0.configs.base import MemoryConfig
from mem0.memory import telemetry
from mem0.memory.main import Memory

from .configuration import Configuration, configuration
from .embedding import Prepared, Screened, embedder
from .errors import ScopeViolation
from .llm import language_model
from .pool import Cursor, store_errors, transaction
from .scope import AnyScope, Filters
from .shown import Showing

if TYPE_CHECKING:
    from .never_again import Screen
    from .stores.bound import BoundStore

if telemetry.MEM0_TELEMETRY:
    raise RuntimeError("mem0's telemetry is on: mem0 was imported before memoryportal.memory")
# mem0 logs memory text at INFO and WARNING; a host process with logging of its own must not receive it either.
logging.getLogger("mem0").setLevel(logging.CRITICAL)


class Unit:
    """One transaction that several of mem0's calls share, or none. Savepoints keep mem0's swallowed errors local."""

    def __init__(self, dsn: str, scope: AnyScope) -> None:
        self.dsn, self.scope = dsn, scope
        self.cursor: Cursor | None = None
        self.wrote = False  # whether something was committed that no later failure takes back
        self._last: list[Callable[[Cursor], None]] = []

    @contextmanager
    def open(self) -> Iterator[Cursor]:
        if self.cursor is None:
            with transaction(self.dsn, *self.scope.walls) as cursor:
                yield cursor
                wrote = cursor.wrote
            self.wrote = self.wrote or wrote
        else:
            with store_errors(), self.cursor.connection.transaction():
                yield self.cursor

    @contextmanager
    def shared(self) -> Iterator[Cursor]:
        """Everything until the end of this block is one transaction: all of it happens, or nothing."""
        with transaction(self.dsn, *self.scope.walls) as cursor:
            self.cursor, self._last = cursor, []
            try:
                yield cursor
                for action in self._last:
                    action(cursor)
            finally:
                self.cursor = None

    @contextmanager
    def together(self) -> Iterator[Cursor]:
        """Several statements that belong together, in the shared transaction or in one of their own."""
        with self.shared() if self.cursor is None else self.open() as cursor:
            yield cursor

    def at_the_end(self, action: Callable[[Cursor], None]) -> None:
        """Do this last, right before the shared transaction is committed; at once where there is none.

        For a store outside PostgreSQL: when its write fails, the transaction has not happened.
        """
        if self.cursor is not None:
            self._last.append(action)
        else:
            with self.open() as cursor:
                action(cursor)


class Tied:
    """What every vector store that mem0 is handed has in common: one scope, and no way out of it."""

    scope: AnyScope

    def refuse_other_scope(self, filters: dict[str, Any] | None) -> None:
        """mem0 passes our own ids back to us; anything else in there is somebody's attempt to widen them."""
        given, own = dict(filters or {}), self.scope.mem0_ids()
        if given != {key: value for key, value in own.items() if key in given}:
            raise ScopeViolation("a filter that the scope did not build reached the store")
        if next(iter(own)) not in given:  # whose it is: the person, or the assistant where there is none
            raise ScopeViolation("a call without the scope's owner reached the store")

    def refuse_foreign_rows(self, payloads: list[dict[str, Any]]) -> None:
        if not all(self.scope.owns(payload) for payload in payloads):
            raise ScopeViolation("a row of another scope was about to be written")

    def no_way_out(self, *_: Any, **__: Any) -> Any:
        raise ScopeViolation("a scope cannot create, drop or describe the store")

    create_col = delete_col = reset = col_info = list_cols = no_way_out


class Pipeline(Memory):
    """mem0's Memory without its constructor: the process's one template, of which `bind` makes scoped copies."""

    def __init__(self, configured: Configuration) -> None:
        raw = {key: value for key, value in configured.mem0.items() if key in ("custom_instructions", "version")}
        self.config = MemoryConfig(**raw, llm=configured.llm or {"provider": "openai", "config": {}})
        self.embedding_model: Any = None
        self.vector_store: Any = None
        self.db: Any = None
        self.reranker: Any = None
        self._entity_store: Any = None
        self.llm: Any = language_model(configured)
        self.collection_name = configured.collection
        self.api_version = self.config.version
        self.custom_instructions = self.config.custom_instructions

    def bind(
        self, store: "BoundStore", scope: AnyScope, filters: Filters | None = None, floor: float = -1.0
    ) -> "Pipeline":
        """A copy that reads and writes for `scope` only, on `store`. 7 µs: everything heavy is shared."""
        bound = copy.copy(self)
        bound.unit = Unit(store.dsn, scope)
        bound.embedding_model = embedder()
        bound.vector_store = store.bound("", bound.unit, filters or Filters(), floor)
        bound._entity_store = store.bound("entities", bound.unit, Filters(), 0.0)
        bound.db = store.kept(scope, bound.unit)
        return bound

    def prepared(self, texts: list[str], action: Any) -> "Pipeline":
        """This copy with these texts embedded already."""
        self.embedding_model = Prepared(self.embedding_model, texts, action)
        return self

    def watched(self, screen: "Screen", note_ids: Callable[[list[str]], None], holding: Cursor) -> "Pipeline":
        """This copy, for an extraction: what the model is shown is noted, what may not be learned is left out."""
        self.embedding_model = Screened(self.embedding_model, screen)
        self.vector_store = Showing(self.vector_store, note_ids, holding)
        return self

    def close(self) -> None:
        """Nothing to close: the pool belongs to the process."""

    def reset(self) -> None:
        raise ScopeViolation("a scope cannot reset the store")

    def delete_all(self, *_: Any, **__: Any) -> Any:
        raise ScopeViolation("use ScopedMemory.erase: mem0's delete_all leaves history, entities and messages behind")


_template: tuple[Configuration, Pipeline] | None = None


def pipeline() -> Pipeline:
    """The template for the configuration in force."""
    global _template
    configured = configuration()
    if _template is None or _template[0] is not configured:
        _template = (configured, Pipeline(configured))
    return _template[1]
