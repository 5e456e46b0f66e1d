"""History, message buffer and gate: tables in PostgreSQL beside a collection, whichever store holds the vectors."""

from contextlib import AbstractContextManager
from typing import Any

from psycopg import sql

from .. import controls
from ..errors import MemoryRoomError
from ..names import Tables
from ..pool import Cursor, fresh_transaction, transaction
from ..rows import Row, parse_time, recheck_subject
from ..scope import AnyScope, Scope, SubjectId
from ..types import Message, Residue, Version
from .conditions import Conditions

# The subject comes last: the second look at whose row it is (recheck_subject).
VERSION_COLUMNS = (
    "seq, memory_id::text, event, old_memory, new_memory, created_at, updated_at, actor_id, role, purged, subject"
)
MESSAGE_COLUMNS = "seq, agent, run, role, name, content, created_at, subject"
Counting = tuple[sql.Composed, list[Any]]
Gone = list[tuple[str, str | None, str | None]]
"""(memory id, agent, run) of memories that were deleted."""


class SideTables:
    """The part of a store that is the same for every vector store."""

    dsn: str
    tables: Tables

    def open(self, scope: AnyScope) -> AbstractContextManager[Cursor]:
        """A transaction bound to whose rows the scope is about."""
        return transaction(self.dsn, *scope.walls)

    def refused_like(self, subject: SubjectId, plain: str) -> int:
        """How many rows lie under refused ids in whose plain form this one stands (refused.py)."""
        statement = sql.SQL("SELECT {}(%s)").format(self.tables.identifier("refused_like"))
        with self.open(Scope(subject)) as cursor:
            row = cursor.execute(statement, (plain,)).fetchone()
        return int(row[0]) if row else 0

    def missing(self) -> list[str]:
        """Nothing outside PostgreSQL."""
        return []

    def admit(self, scope: Any) -> None:
        """Raise WritesPaused or ErasureRunning before any embedder or LLM is asked. The trigger has the last word."""
        controls.require_open(self, scope)

    def get_many(self, scope: AnyScope, ids: list[str]) -> list[Row]:
        raise TypeError("a store reads its own rows")

    def prepare(self) -> list[str]:
        """Nothing outside PostgreSQL."""
        return []

    def close(self) -> None:
        """Nothing of its own: the pool belongs to the process."""

    def side_counts(self, scope: Scope) -> dict[str, Counting]:
        """A counting statement for each side place."""
        history = Conditions().add("subject = %s", str(scope.subject))
        buffered = _buffered(scope)
        count = sql.SQL("SELECT count(*) FROM {} WHERE {}")
        return {
            "history": (count.format(self.tables.history, history.sql), history.params),
            "messages": (count.format(self.tables.messages, buffered.sql), buffered.params),
        }

    def read_again(self, scope: Scope, place: str, counting: Counting) -> Residue:
        """Count one place on a connection of its own."""
        try:
            with fresh_transaction(self.dsn, str(scope.subject)) as cursor:
                row = cursor.execute(counting[0], counting[1]).fetchone()
        except MemoryRoomError as error:
            return Residue(place, None, str(error))
        return Residue(place, int(row[0]) if row else None)

    def delete_side(self, cursor: Cursor, scope: Scope, gone: Gone) -> dict[str, int]:
        """History of these memories, and the buffered messages of the conversations that they came from.

        A message cannot be traced to one memory, and mem0 sends the buffer to the LLM again with the next turn, where
        the deleted text would be learned anew. So the whole buffer of that conversation goes.
        """
        subject = str(scope.subject)
        history = cursor.execute(
            sql.SQL("DELETE FROM {} WHERE subject = %s AND memory_id = ANY(%s::uuid[])").format(self.tables.history),
            (subject, [row[0] for row in gone]),
        ).rowcount
        places = sorted({(row[1] or "", row[2] or "") for row in gone})
        messages = cursor.execute(
            sql.SQL(
                "DELETE FROM {} WHERE subject = %s AND (COALESCE(agent, ''), COALESCE(run, '')) IN "
                "(SELECT * FROM unnest(%s::text[], %s::text[]))"
            ).format(self.tables.messages),
            (subject, [place[0] for place in places], [place[1] for place in places]),
        ).rowcount
        return {"history": history, "messages": messages}

    def delete_buffer(self, cursor: Cursor, scope: Scope) -> int:
        """The messages of a scope's conversations, also of those from which nothing was remembered."""
        where = _buffered(scope)
        statement = sql.SQL("DELETE FROM {} WHERE {}").format(self.tables.messages, where.sql)
        return cursor.execute(statement, where.params).rowcount

    def erase_side(self, cursor: Cursor, scope: Scope) -> dict[str, int]:
        """Everything of the subject in the side tables."""
        return {
            place: cursor.execute(
                sql.SQL("DELETE FROM {} WHERE subject = %s").format(self.tables.identifier(place)),
                (str(scope.subject),),
            ).rowcount
            for place in ("history", "messages")
        }

    def history(self, scope: Scope, memory_id: str) -> list[Version]:
        statement = sql.SQL(
            f"SELECT {VERSION_COLUMNS} FROM {{}} WHERE subject = %s AND memory_id = %s::uuid ORDER BY seq"
        )
        with self.open(scope) as cursor:
            rows = cursor.execute(statement.format(self.tables.history), (str(scope.subject), memory_id)).fetchall()
        return [to_version(row) for row in recheck_subject(scope, rows)]

    def past(self, scope: Scope, limit: int) -> list[Version]:
        """History of memories that are gone: read newest first, the living ones left out.

        A row does not say whose assistant's memory it was of, so a narrowed scope sees none.
        """
        if scope.is_narrowed:
            return []
        statement = sql.SQL(f"SELECT {VERSION_COLUMNS} FROM {{}} WHERE subject = %s ORDER BY seq DESC LIMIT 5000")
        with self.open(scope) as cursor:
            rows = cursor.execute(statement.format(self.tables.history), (str(scope.subject),)).fetchall()
        versions = [to_version(row) for row in recheck_subject(scope, rows)]
        alive = {str(row[0]) for row in self.get_many(scope, sorted({version.memory_id for version in versions}))}
        return [version for version in versions if version.memory_id not in alive][:limit]

    def purge_version(self, scope: Scope, memory_id: str, seq: int, current: str, before: bool = False) -> bool:
        subject = str(scope.subject)
        table = self.tables.history
        with self.open(scope) as cursor:
            row = cursor.execute(
                sql.SQL(
                    "SELECT CASE WHEN %s THEN old_memory ELSE COALESCE(new_memory, old_memory) END FROM {} "
                    "WHERE subject = %s AND memory_id = %s::uuid AND seq = %s FOR UPDATE"
                ).format(table),
                (before, subject, memory_id, seq),
            ).fetchone()
            if row is None or row[0] is None or row[0] == current:
                return False
            for column in (sql.Identifier("old_memory"), sql.Identifier("new_memory")):
                cursor.execute(
                    sql.SQL(
                        "UPDATE {} SET {} = NULL, purged = true WHERE subject = %s AND memory_id = %s::uuid AND {} = %s"
                    ).format(table, column, column),
                    (subject, memory_id, row[0]),
                )
        return True

    def messages(self, scope: Scope, limit: int) -> list[Message]:
        where = _buffered(scope)
        statement = sql.SQL(f"SELECT {MESSAGE_COLUMNS} FROM {{}} WHERE {{}} ORDER BY seq LIMIT %s").format(
            self.tables.messages, where.sql
        )
        with self.open(scope) as cursor:
            rows = cursor.execute(statement, [*where.params, limit]).fetchall()
        return [to_message(row) for row in recheck_subject(scope, rows)]


def _buffered(scope: Scope) -> Conditions:
    """Messages of a scope's conversations."""
    found = Conditions().add("subject = %s", str(scope.subject))
    if scope.agent is not None:
        found.add("agent = %s", scope.agent)
    if scope.run is not None:
        found.add("run = %s", scope.run)
    return found


def to_version(row: Any) -> Version:
    """A Version from the columns of VERSION_COLUMNS."""
    at = parse_time(row[6]) or parse_time(row[5])
    return Version(row[0], row[1], row[2], row[3], row[4], at, row[7], row[8], row[9])


def to_message(row: Any) -> Message:
    """A Message from the columns of MESSAGE_COLUMNS."""
    return Message(row[0], row[1], row[2], row[3], row[4], row[5] or "", row[6])
