"""The pgvector store, telling how PostgreSQL went about its statements."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import sql

from memoryportal.memory.scope import Scope
from memoryportal.memory.stores.pgvector import PgvectorStore


class Explained(PgvectorStore):
    """Keeps the plan of the statement that it runs, and how long it took."""

    plan: dict[str, Any]
    milliseconds: float

    @contextmanager
    def open(self, scope: Scope) -> Iterator[Any]:
        with super().open(scope) as cursor:
            yield _Explaining(cursor, self)


class _Explaining:
    def __init__(self, cursor: Any, store: Explained) -> None:
        self.cursor, self.store = cursor, store

    def execute(self, statement: sql.Composable, params: Any) -> Any:
        explain = sql.SQL("EXPLAIN (ANALYZE, FORMAT JSON) {}").format(statement)
        explained = self.cursor.execute(explain, params).fetchone()[0][0]
        self.store.plan = explained["Plan"]
        self.store.milliseconds = explained["Planning Time"] + explained["Execution Time"]
        return self.cursor.execute(statement, params)
