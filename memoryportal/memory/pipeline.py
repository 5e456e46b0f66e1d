"""mem0's own pipeline (add, search, update), running unchanged on tables that it cannot leave.

`Memory.__init__` builds an LLM client and an SQLite file whether one needs them or not, so a Pipeline sets the same
attributes itself (a test compares them with mem0's). Each use is a shallow copy bound to one scope: the vector store, the
entity store and the history of that copy know the subject and take it from nowhere else.
"""

import os

os.environ["MEM0_TELEMETRY"] = "False"  # before the import: mem0 reads it once, and the default is on

import copy
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from mem0.configs.base import MemoryConfig
from mem0.memory import telemetry
from mem0.memory.main import Memory
from mem0.utils.factory import LlmFactory
from mem0.vector_stores.pgvector import OutputData, PGVector
from psycopg import sql

from .configuration import Configuration, configuration
from .embedding import Prepared, embedder
from .errors import MemoryChanged, ScopeViolation
from .history import SubjectHistory
from .names import Tables
from .pool import Cursor, bind_subject, get_pool, store_errors, transaction
from .rows import recheck
from .scope import Filters, Scope
from .stores.pgvector import search_exactly

if telemetry.MEM0_TELEMETRY:
    raise RuntimeError("mem0's telemetry is on: mem0 was imported before memoryportal.memory")
# mem0 logs memory text at INFO and WARNING; a host process with logging of its own must not receive it either.
logging.getLogger("mem0").setLevel(logging.CRITICAL)
_ENTITY_KEYS = {"user_id", "agent_id", "run_id"}


class Unit:
    """One transaction that several of mem0's calls share, or none. Savepoints keep mem0's swallowed errors local."""

    def __init__(self, dsn: str, scope: Scope) -> None:
        self.dsn, self.scope = dsn, scope
        self.cursor: Cursor | None = None

    @contextmanager
    def open(self) -> Iterator[Cursor]:
        if self.cursor is None:
            with transaction(self.dsn, str(self.scope.subject)) as cursor:
                yield cursor
        else:
            with store_errors(), self.cursor.connection.transaction():
                yield self.cursor

    @contextmanager
    def shared(self) -> Iterator[Cursor]:
        """Everything until the end of this block is one transaction: all of it happens, or nothing."""
        with store_errors(), get_pool(self.dsn).connection() as connection, connection.cursor() as cursor:
            bind_subject(cursor, str(self.scope.subject))
            self.cursor = cursor
            try:
                yield cursor
            finally:
                self.cursor = None


class BoundTable(PGVector):  # type: ignore[misc]
    """mem0's pgvector store over one table, for one scope. It has no `__init__` work, no schema work and no way out."""

    def __init__(self, table: sql.Identifier, name: str, scope: Scope, filters: Filters, floor: float, unit: Unit):
        self.collection_name = name
        self.table, self.scope, self.filters, self.floor, self.unit = table, scope, filters, floor, unit
        self.connection_pool = None
        self._collection_ensured = True

    def __del__(self) -> None:
        """mem0's closes the pool, which here belongs to the process."""

    @contextmanager
    def _get_cursor(self, commit: bool = False) -> Iterator[Cursor]:
        with self.unit.open() as cursor:
            yield cursor

    def _refuse_other_scope(self, filters: dict[str, Any] | None) -> None:
        """mem0 passes our own ids back to us; anything else in there is somebody's attempt to widen them."""
        given = dict(filters or {})
        if given != {key: value for key, value in self.scope.mem0_ids().items() if key in given}:
            raise ScopeViolation("a filter that the scope did not build reached the store")
        if given.get("user_id") != str(self.scope.subject):
            raise ScopeViolation("a call without the scope's subject reached the store")

    def insert(self, vectors: Any, payloads: Any = None, ids: Any = None) -> None:
        if not all(self.scope.owns(payload) for payload in payloads):
            raise ScopeViolation("a row of another scope was about to be written")
        statement = sql.SQL("INSERT INTO {} (id, vector, payload) VALUES (%s, %s, %s)").format(self.table)
        data = [(i, _vector(v), json.dumps(p)) for i, v, p in zip(ids, vectors, payloads, strict=True)]
        with self._get_cursor(commit=True) as cursor:
            cursor.executemany(statement, data)

    def search(self, query: str, vectors: Any, top_k: int | None = 5, filters: Any = None) -> list[Any]:
        self._refuse_other_scope(filters)
        with self._get_cursor() as cursor:
            rows = search_exactly(cursor, self.table, self.scope, vectors, self.filters, top_k or 5, self.floor)
        kept = {row[0] for row in recheck(self.scope, [(row[0], row[1]) for row in rows])}
        return [OutputData(id=str(row[0]), score=row[2], payload=row[1]) for row in rows if row[0] in kept]

    def keyword_search(self, query: str, top_k: int = 5, filters: Any = None) -> list[Any]:
        self._refuse_other_scope(filters)
        rows: list[Any] = super().keyword_search(query, top_k=top_k, filters=self.scope.mem0_ids()) or []
        return [row for row in rows if self.scope.owns(row.payload or {})]

    def list(self, filters: Any = None, top_k: int | None = 100) -> list[Any]:
        self._refuse_other_scope(filters)
        listed: list[Any] = super().list(filters=self.scope.mem0_ids(), top_k=top_k)
        return [[row for row in listed[0] if self.scope.owns(row.payload or {})]]

    def get(self, vector_id: str) -> Any:
        locking = sql.SQL("FOR UPDATE" if self.unit.cursor is not None else "")
        statement = sql.SQL("SELECT id, payload FROM {} WHERE id = %s::uuid AND payload->>'user_id' = %s {}")
        with self._get_cursor() as cursor:
            row = cursor.execute(statement.format(self.table, locking), (vector_id, str(self.scope.subject))).fetchone()
        found = recheck(self.scope, [row] if row else [])  # type: ignore[list-item]
        return OutputData(id=str(found[0][0]), score=None, payload=found[0][1]) if found else None

    def update(self, vector_id: str, vector: Any = None, payload: dict[str, Any] | None = None) -> None:
        if payload is not None and not self.scope.owns(payload):
            raise ScopeViolation("a row was about to change its owner")
        statement = sql.SQL(
            "UPDATE {} SET vector = COALESCE(%s::vector, vector), payload = COALESCE(%s::jsonb, payload) "
            "WHERE id = %s::uuid AND payload->>'user_id' = %s"
        ).format(self.table)
        values = (_vector(vector), None if payload is None else json.dumps(payload), vector_id)
        with self._get_cursor(commit=True) as cursor:
            # mem0 takes 0 changed rows for success, and notes a correction that never happened.
            if cursor.execute(statement, (*values, str(self.scope.subject))).rowcount != 1:
                raise MemoryChanged("the memory was deleted meanwhile; nothing was written")

    def delete(self, vector_id: str) -> None:
        statement = sql.SQL("DELETE FROM {} WHERE id = %s::uuid AND payload->>'user_id' = %s").format(self.table)
        with self._get_cursor(commit=True) as cursor:
            cursor.execute(statement, (vector_id, str(self.scope.subject)))

    def _no_way_out(self, *_: Any, **__: Any) -> Any:
        raise ScopeViolation("a scope cannot create, drop or describe the store")

    create_col = delete_col = reset = col_info = list_cols = _no_way_out


def _vector(vector: Any) -> str | None:
    return None if vector is None else "[" + ",".join(map(repr, map(float, vector))) + "]"


class Pipeline(Memory):  # type: ignore[misc]
    """mem0's Memory without its constructor: the process's one template, of which `bind` makes scoped copies."""

    def __init__(self, configured: Configuration) -> None:
        raw = {key: value for key, value in configured.mem0.items() if key in ("custom_instructions", "version")}
        self.config = MemoryConfig(**raw, llm=configured.llm or {"provider": "openai", "config": {}})
        self.embedding_model = None
        self.vector_store = self.db = self.reranker = self._entity_store = None
        self.llm = _language_model(configured)
        self.collection_name = configured.collection
        self.api_version = self.config.version
        self.custom_instructions = self.config.custom_instructions

    def bind(self, scope: Scope, filters: Filters | None = None, floor: float = 0.0) -> "Pipeline":
        """A copy that reads and writes for `scope` only. 7 µs: everything heavy is shared."""
        tables, configured = Tables(self.collection_name), configuration()
        bound = copy.copy(self)
        bound.unit = Unit(configured.dsn, scope)
        bound.embedding_model = embedder()
        bound.vector_store = BoundTable(
            tables.memories, self.collection_name, scope, filters or Filters(), floor, bound.unit
        )
        bound._entity_store = BoundTable(tables.entities, tables.name("entities"), scope, Filters(), 0.0, bound.unit)
        bound.db = SubjectHistory(tables, scope, bound.unit.open)
        return bound

    def prepared(self, texts: list[str], action: Any) -> "Pipeline":
        """This copy with these texts embedded already."""
        self.embedding_model = Prepared(self.embedding_model, texts, action)
        return self

    def close(self) -> None:
        """Nothing to close: the pool belongs to the process."""

    def reset(self) -> None:
        raise ScopeViolation("a scope cannot reset the store")

    def delete_all(self, *_: Any, **__: Any) -> Any:
        raise ScopeViolation("use ScopedMemory.erase: mem0's delete_all leaves history, entities and messages behind")


def _language_model(configured: Configuration) -> Any:
    if configured.llm is None:
        return None
    return LlmFactory.create(str(configured.llm["provider"]), configured.llm.get("config") or {})


@lru_cache(maxsize=2)
def _pipeline(configured_id: int) -> Pipeline:
    return Pipeline(configuration())


def pipeline() -> Pipeline:
    """The template for the configuration in force."""
    return _pipeline(id(configuration()))
