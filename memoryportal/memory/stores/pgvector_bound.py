"""mem0's pgvector store, corrected: one table, one scope, exact search, no silent failure."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mem0.vector_stores.pgvector import OutputData, PGVector
from psycopg import sql

from ..errors import MemoryChanged, ScopeViolation
from ..names import Tables
from ..pipeline import Tied, Unit
from ..pool import Cursor
from ..rows import recheck
from ..scope import Filters
from ..texts import for_mem0
from . import conditions
from .pgvector import rank_by_words, search_exactly


class BoundTable(Tied, PGVector):
    """mem0's pgvector store over one table, for one scope. It has no `__init__` work, no schema work and no way out."""

    def __init__(self, name: str, unit: Unit, filters: Filters, floor: float) -> None:
        self.collection_name = name
        self.table, self.scope, self.filters, self.floor, self.unit = (
            sql.Identifier(name),
            unit.scope,
            filters,
            floor,
            unit,
        )
        self.connection_pool = None
        self._collection_ensured = True

    def __del__(self) -> None:
        """mem0's closes the pool, which here belongs to the process."""

    @contextmanager
    def _get_cursor(self, commit: bool = False) -> Iterator[Cursor]:
        with self.unit.open() as cursor:
            yield cursor

    def insert(self, vectors: Any, payloads: Any = None, ids: Any = None) -> None:
        self.refuse_foreign_rows(payloads)
        statement = sql.SQL("INSERT INTO {} (id, vector, payload) VALUES (%s, %s, %s)").format(self.table)
        data = [(i, _vector(v), json.dumps(p)) for i, v, p in zip(ids, vectors, payloads, strict=True)]
        with self._get_cursor(commit=True) as cursor:
            cursor.executemany(statement, data)

    def search(self, query: str, vectors: Any, top_k: int | None = 5, filters: Any = None) -> list[Any]:
        self.refuse_other_scope(filters)
        with self._get_cursor() as cursor:
            rows = search_exactly(cursor, self.table, self.scope, vectors, self.filters, top_k or 5, self.floor)
        kept = {row[0] for row in recheck(self.scope, [(row[0], row[1]) for row in rows])}
        return [OutputData(id=str(row[0]), score=row[2], payload=for_mem0(row[1])) for row in rows if row[0] in kept]

    def keyword_search(self, query: str, top_k: int = 5, filters: Any = None) -> list[Any]:
        self.refuse_other_scope(filters)
        with self._get_cursor() as cursor:
            rows = rank_by_words(cursor, self.table, self.scope, query, top_k)
        kept = {row[0] for row in recheck(self.scope, [(row[0], row[1]) for row in rows])}
        return [OutputData(id=str(row[0]), score=row[2], payload=for_mem0(row[1])) for row in rows if row[0] in kept]

    def list(self, filters: Any = None, top_k: int | None = 100) -> list[Any]:
        self.refuse_other_scope(filters)
        listed: list[Any] = super().list(filters=self.scope.mem0_ids(), top_k=top_k)
        return [[row for row in listed[0] if self.scope.owns(row.payload or {})]]

    def get(self, vector_id: str) -> Any:
        locking = sql.SQL("FOR UPDATE" if self.unit.cursor is not None else "")
        mine = conditions.of_owner(self.scope)
        statement = sql.SQL("SELECT id, payload FROM {} WHERE id = %s::uuid AND {} {}")
        with self._get_cursor() as cursor:
            row = cursor.execute(statement.format(self.table, mine.sql, locking), (vector_id, *mine.params)).fetchone()
        found = recheck(self.scope, [row] if row else [])
        return OutputData(id=str(found[0][0]), score=None, payload=found[0][1]) if found else None

    def update(self, vector_id: str, vector: Any = None, payload: dict[str, Any] | None = None) -> None:
        if payload is not None and not self.scope.owns(payload):
            raise ScopeViolation("a row was about to change its owner")
        mine = conditions.of_owner(self.scope)
        statement = sql.SQL(
            "UPDATE {} SET vector = COALESCE(%s::vector, vector), payload = COALESCE(%s::jsonb, payload) "
            "WHERE id = %s::uuid AND {}"
        ).format(self.table, mine.sql)
        values = (_vector(vector), None if payload is None else json.dumps(payload), vector_id)
        with self._get_cursor(commit=True) as cursor:
            # mem0 takes 0 changed rows for success, and notes a correction that never happened.
            if cursor.execute(statement, (*values, *mine.params)).rowcount != 1:
                raise MemoryChanged("the memory was deleted meanwhile; nothing was written")

    def delete(self, vector_id: str) -> None:
        mine = conditions.of_owner(self.scope)
        statement = sql.SQL("DELETE FROM {} WHERE id = %s::uuid AND {}").format(self.table, mine.sql)
        with self._get_cursor(commit=True) as cursor:
            cursor.execute(statement, (vector_id, *mine.params))


class BoundNames(BoundTable):
    """The names that mem0 notes once the memories are stored. Memories that were deleted meanwhile leave none.

    They are locked until the names are written: a deletion comes before, and is seen here, or after, and sees them.
    """

    def __init__(self, tables: Tables, unit: Unit, filters: Filters, floor: float) -> None:
        super().__init__(tables.name("entities"), unit, filters, floor)
        self.memories = tables.memories

    def insert(self, vectors: Any, payloads: Any = None, ids: Any = None) -> None:
        with self.unit.together() as cursor:
            living = [self._living(cursor, payload) for payload in payloads]
            rows = [row for row in zip(vectors, living, ids, strict=True) if row[1] is not None]
            if rows:
                super().insert(*map(list, zip(*rows, strict=True)))

    def update(self, vector_id: str, vector: Any = None, payload: dict[str, Any] | None = None) -> None:
        with self.unit.together() as cursor:
            living = None if payload is None else self._living(cursor, payload)
            if payload is not None and living is None:
                self.delete(vector_id)
            else:
                super().update(vector_id, vector, living)

    def _living(self, cursor: Cursor, payload: dict[str, Any]) -> dict[str, Any] | None:
        """The payload with its links to memories that are there; None when it had links and none is left."""
        links, mine = payload.get("linked_memory_ids") or [], conditions.of_owner(self.scope)
        statement = sql.SQL("SELECT id::text FROM {} WHERE id = ANY(%s::uuid[]) AND {} FOR SHARE")
        there = {row[0] for row in cursor.execute(statement.format(self.memories, mine.sql), (links, *mine.params))}
        kept = [link for link in links if link in there]
        return {**payload, "linked_memory_ids": kept} if kept or not links else None


def _vector(vector: Any) -> str | None:
    return None if vector is None else "[" + ",".join(map(repr, map(float, vector))) + "]"
