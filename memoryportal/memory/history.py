"""mem0's history and message buffer in PostgreSQL, keyed by subject.

mem0 keeps both in an SQLite file without an owner column: after `delete_all` it still holds every text the person ever
had, and nobody can say whose. This object takes the place of mem0's `SQLiteManager` (mem0/memory/storage.py) and takes
the subject from the scope that it is bound to, because mem0 does not pass one.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from psycopg import sql

from .errors import ScopeViolation
from .names import Tables
from .pool import Cursor
from .scope import Scope
from .texts import as_text

OpenCursor = Callable[[], AbstractContextManager[Cursor]]
BUFFER_SIZE = 10  # what mem0 keeps for each conversation


class SubjectHistory:
    """The `db` of a bound mem0 Memory."""

    def __init__(self, tables: Tables, scope: Scope, open_cursor: OpenCursor, *, beside: bool = True) -> None:
        """`beside`: the memories lie in the same database, so that their rows can be locked."""
        self.tables, self.scope, self._open, self._beside = tables, scope, open_cursor, beside
        self.shown: list[int] = []  # numbers of the messages that were read

    def add_history(
        self,
        memory_id: str,
        old_memory: str | None,
        new_memory: str | None,
        event: str,
        *,
        created_at: str | None = None,
        updated_at: str | None = None,
        is_deleted: int = 0,
        actor_id: str | None = None,
        role: str | None = None,
    ) -> None:
        """Note one change of a memory that exists. A row for a memory that was deleted meanwhile is not written."""
        subject = str(self.scope.subject)
        # What another program has stored may be of any type, and comes along with a correction.
        texts = as_text(old_memory), as_text(new_memory)
        times = as_text(created_at), as_text(updated_at or created_at)
        whose = bool(is_deleted), as_text(actor_id), as_text(role)
        values = (subject, memory_id, *texts, event, *times, *whose)
        guard: tuple[str, ...] = (memory_id, subject) if self._beside else ()
        with self._open() as cursor:
            cursor.execute(self._insertion(), (*guard, *values))

    def _insertion(self) -> sql.Composed:
        alive = sql.SQL(
            "(SELECT 1 FROM {} WHERE id = %s::uuid AND payload->>'user_id' = %s FOR SHARE)"
            if self._beside
            else "(SELECT 1)"
        ).format(*[self.tables.memories] if self._beside else [])
        return sql.SQL(
            "WITH alive AS {} INSERT INTO {} "
            "(subject, memory_id, old_memory, new_memory, event, created_at, updated_at, is_deleted, actor_id, role) "
            "SELECT %s, %s::uuid, %s, %s, %s, %s, %s, %s, %s, %s FROM alive"
        ).format(alive, self.tables.history)

    def batch_add_history(self, records: list[dict[str, Any]]) -> None:
        for record in records:
            self.add_history(
                record["memory_id"],
                record.get("old_memory"),
                record.get("new_memory"),
                record["event"],
                created_at=record.get("created_at"),
                updated_at=record.get("updated_at"),
                is_deleted=record.get("is_deleted", 0),
                actor_id=record.get("actor_id"),
                role=record.get("role"),
            )

    def get_history(self, memory_id: str) -> list[dict[str, Any]]:
        columns = [
            "seq",
            "memory_id",
            "old_memory",
            "new_memory",
            "event",
            "created_at",
            "updated_at",
            "is_deleted",
            "actor_id",
            "role",
        ]
        statement = sql.SQL("SELECT {} FROM {} WHERE subject = %s AND memory_id = %s::uuid ORDER BY seq").format(
            sql.SQL(", ").join(map(sql.Identifier, columns)), self.tables.history
        )
        with self._open() as cursor:
            rows = cursor.execute(statement, (str(self.scope.subject), memory_id)).fetchall()
        named = [dict(zip(columns, row, strict=True)) for row in rows]
        return [{**row, "id": str(row.pop("seq")), "memory_id": str(row["memory_id"])} for row in named]

    def save_messages(self, messages: list[dict[str, Any]], session_scope: str) -> None:
        """Append to this conversation's buffer and keep its newest ten. `session_scope` is mem0's text; ours is
        typed.
        """
        insert = sql.SQL(
            "INSERT INTO {} (subject, agent, run, role, name, content) VALUES (%s, %s, %s, %s, %s, %s)"
        ).format(self.tables.messages)
        trim = sql.SQL(
            "DELETE FROM {table} WHERE {mine} AND seq NOT IN "
            "(SELECT seq FROM {table} WHERE {mine} ORDER BY seq DESC LIMIT %s)"
        ).format(table=self.tables.messages, mine=self._mine)
        with self._open() as cursor:
            for message in messages:
                cursor.execute(insert, (*self._key, message.get("role"), message.get("name"), message.get("content")))
            cursor.execute(trim, (*self._key, *self._key, BUFFER_SIZE))

    def get_last_messages(self, session_scope: str, limit: int = BUFFER_SIZE) -> list[dict[str, Any]]:
        statement = sql.SQL(
            "SELECT role, content, name, created_at, seq FROM (SELECT * FROM {} WHERE {} ORDER BY seq DESC LIMIT %s) "
            "newest ORDER BY seq"
        ).format(self.tables.messages, self._mine)
        with self._open() as cursor:
            rows = cursor.execute(statement, (*self._key, limit)).fetchall()
        self.shown = [row[-1] for row in rows]
        return [
            {"role": role, "content": content, "name": name, "created_at": at.isoformat()}
            for role, content, name, at, _ in rows
        ]

    def numbers(self) -> list[int]:
        """The numbers of the messages in this conversation's buffer."""
        statement = sql.SQL("SELECT seq FROM {} WHERE {}").format(self.tables.messages, self._mine)
        with self._open() as cursor:
            return [row[0] for row in cursor.execute(statement, self._key)]

    def reset(self) -> None:
        raise ScopeViolation("a scope cannot reset the store")

    def close(self) -> None:
        """Nothing to close: the pool belongs to the process."""

    @property
    def _key(self) -> tuple[str, str | None, str | None]:
        return str(self.scope.subject), self.scope.agent, self.scope.run

    @property
    def _mine(self) -> sql.Composable:
        return sql.SQL("subject = %s AND agent IS NOT DISTINCT FROM %s AND run IS NOT DISTINCT FROM %s")
