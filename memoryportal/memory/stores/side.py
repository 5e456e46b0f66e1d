"""History, message buffer, gate, use log, stopped wordings: tables in PostgreSQL beside a collection of any store."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from psycopg import sql

from .. import controls
from ..arguments import MAX_LIMIT
from ..errors import GateOpen, MemoryRoomError
from ..names import Tables
from ..pool import Cursor, fresh_transaction, transaction
from ..rows import Row, parse_time, recheck_subject, time_key
from ..scope import AnyScope, Filters, Order, Scope, SubjectId
from ..texts import as_text
from ..types import Message, Removed, Residue, Version
from .conditions import Conditions

# The subject comes last: the second look at whose row it is (recheck_subject).
VERSION_COLUMNS = (
    "seq, memory_id::text, event, old_memory, new_memory, created_at, updated_at, actor_id, role, purged, subject"
)
MESSAGE_COLUMNS = "seq, agent, run, role, name, content, created_at, subject"
TALKING = controls.LOCK_SPACE + 2
SIDE_PLACES = ("history", "messages", "uses", "never")
Counting = tuple[sql.Composed, list[Any]]
Gone = list[tuple[str, str | None, str | None]]
"""(memory id, agent, run) of memories that were deleted."""
Talks = set[tuple[str, str]]
"""(agent, run) of conversations, '' where there is none."""


def hold_talks(cursor: Cursor, scope: Scope) -> None:
    """Until the transaction ends, nobody else keeps or removes what was said in this person's conversations.

    A deletion removes what was said about the memory. Something that was made with the memory must not be kept
    right after that, by somebody who looked right before it.
    """
    cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (TALKING, str(scope.subject)))


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

    def delete(self, scope: Scope, ids: list[str]) -> Removed:
        raise TypeError("a store deletes its own memories")

    def unlink(self, scope: Scope, ids: list[str]) -> int:
        raise TypeError("a store takes links out of its own names")

    def page(
        self, scope: Scope, filters: Filters, after: tuple[str, str] | None, limit: int, order: Order
    ) -> tuple[list[Row], bool, int]:
        raise TypeError("a store reads its own rows")

    def known_ids(self, scope: Scope) -> list[str]:
        """Ids of every memory of the scope and, for a whole subject, of those that only the history knows."""
        return sorted({*self._present_ids(scope), *self._history_ids(scope)})

    def _present_ids(self, scope: Scope) -> Iterator[str]:
        after: tuple[str, str] | None = None
        more = True
        while more:
            rows, more, _ = self.page(scope, Filters(), after, MAX_LIMIT, "oldest")
            yield from (str(row[0]) for row in rows)
            after = (time_key(rows[-1][1] or {}), str(rows[-1][0])) if rows else None

    def _history_ids(self, scope: Scope) -> list[str]:
        if scope.is_narrowed:  # a row of the history does not say which assistant's memory it was of
            return []
        statement = sql.SQL("SELECT DISTINCT memory_id::text FROM {} WHERE subject = %s")
        with self.open(scope) as cursor:
            rows = cursor.execute(statement.format(self.tables.history), (str(scope.subject),)).fetchall()
        return [row[0] for row in rows]

    def history_of(self, scope: Scope, ids: list[str]) -> int:
        """How many rows the history has of these memories, read on a fresh connection."""
        statement = sql.SQL("SELECT count(*) FROM {} WHERE subject = %s AND memory_id = ANY(%s::uuid[])")
        with fresh_transaction(self.dsn, str(scope.subject)) as cursor:
            row = cursor.execute(statement.format(self.tables.history), (str(scope.subject), ids)).fetchone()
        return int(row[0]) if row else 0

    def prepare(self) -> list[str]:
        """Nothing outside PostgreSQL."""
        return []

    def close(self) -> None:
        """Nothing of its own: the pool belongs to the process."""

    def side_counts(self, scope: Scope) -> dict[str, Counting]:
        """A counting statement for each side place."""
        whole, narrowed = Conditions().add("subject = %s", str(scope.subject)), _of_conversations(scope)
        # A stopped wording is stopped for every assistant, so none of them is a narrowed scope's.
        never = Conditions().add("false") if scope.is_narrowed else whole
        wheres = {"history": whole, "messages": narrowed, "uses": narrowed, "never": never}
        count = sql.SQL("SELECT count(*) FROM {} WHERE {}")
        return {
            place: (count.format(self.tables.identifier(place), where.sql), where.params)
            for place, where in wheres.items()
        }

    def read_again(self, scope: Scope, countings: dict[str, Counting]) -> list[Residue]:
        """Count these places on a new connection; where that fails, each on one of its own, so that a place that
        cannot be read hides no other.

        By a plain index scan: it marks the index entries of rows that were deleted a moment ago, which a bitmap scan
        does not, so that whatever is asked next does not go through all of them again.
        """
        try:
            with fresh_transaction(self.dsn, str(scope.subject)) as cursor:
                cursor.execute("SET LOCAL enable_bitmapscan = off")
                found = count_all(cursor, countings)
        except MemoryRoomError as error:
            if len(countings) == 1:
                return [Residue(place, None, str(error)) for place in countings]
            return [left for place, one in countings.items() for left in self.read_again(scope, {place: one})]
        return [Residue(place, count) for place, count in found.items()]

    def delete_side(self, cursor: Cursor, scope: Scope, gone: Gone) -> dict[str, int]:
        """History and uses of these memories, and the buffered messages of the conversations that they came from.

        A message cannot be traced to one memory, and mem0 sends the buffer to the LLM again with the next turn, where
        the deleted text would be learned anew. So the whole buffer of that conversation goes; and of those in which
        an assistant was handed the memory, and may have said it.
        """
        talks = {(row[1] or "", row[2] or "") for row in gone}
        return self._delete_told(cursor, scope, [row[0] for row in gone], talks)

    def _delete_told(self, cursor: Cursor, scope: Scope, ids: list[str], talks: Talks) -> dict[str, int]:
        subject = str(scope.subject)
        hold_talks(cursor, scope)
        statement = sql.SQL("DELETE FROM {} WHERE subject = %s AND memory_id = ANY(%s::uuid[])")
        history = cursor.execute(statement.format(self.tables.history), (subject, ids)).rowcount
        messages = self._delete_talks(cursor, subject, talks, self._handed_in(cursor, subject, ids))
        uses = cursor.execute(statement.format(self.tables.identifier("uses")), (subject, ids)).rowcount
        return {"history": history, "messages": messages, "uses": uses}

    def _handed_in(self, cursor: Cursor, subject: str, ids: list[str]) -> Talks:
        """The conversations in which these memories were handed out, as far as the use log goes back."""
        statement = sql.SQL(
            "SELECT DISTINCT COALESCE(agent, ''), COALESCE(run, '') FROM {} "
            "WHERE subject = %s AND memory_id = ANY(%s::uuid[])"
        )
        return set(cursor.execute(statement.format(self.tables.identifier("uses")), (subject, ids)).fetchall())

    def _delete_talks(self, cursor: Cursor, subject: str, talks: Talks, handed: Talks) -> int:
        """The buffered messages of `talks`, and of all conversations that fit one in `handed`; how many went.

        Whoever looks across conversations names none while looking, and says what was found in any of them.
        """
        statement = sql.SQL(
            "DELETE FROM {} said WHERE subject = %s AND ("
            "(COALESCE(agent, ''), COALESCE(run, '')) IN (SELECT * FROM unnest(%s::text[], %s::text[])) "
            "OR EXISTS (SELECT 1 FROM unnest(%s::text[], %s::text[]) AS handed (agent, run) "
            "WHERE handed.agent IN ('', said.agent) AND handed.run IN ('', said.run)))"
        ).format(self.tables.messages)
        return cursor.execute(statement, (subject, *_columns(talks), *_columns(handed))).rowcount

    def forget_traces(self, scope: Scope, ids: list[str], behind: str | None = None) -> Removed:
        with self.open(scope) as cursor:
            self.require_shut(cursor, scope, behind)
            return Removed(self._delete_told(cursor, scope, ids, set()))

    def delete_narrowed(self, cursor: Cursor, scope: Scope, gone: Gone) -> dict[str, int]:
        """The same for all of a narrowed scope: also messages from which nothing was remembered, and its own uses.

        History that outlived its memory stays: it does not say whose assistant's it was.
        """
        side, where = self.delete_side(cursor, scope, gone), _of_conversations(scope)
        for place in ("messages", "uses"):
            statement = sql.SQL("DELETE FROM {} WHERE {}").format(self.tables.identifier(place), where.sql)
            side[place] += cursor.execute(statement, where.params).rowcount
        return {**side, "never": 0}

    def require_shut(self, cursor: Cursor, scope: Scope, agent: str | None) -> None:
        """GateOpen unless the gate is shut for erasing; nobody can open it until the transaction ends."""
        statement = sql.SQL(
            "SELECT 1 FROM {} WHERE subject = %s AND agent = %s AND state = 'erasing' FOR SHARE"
        ).format(self.tables.gate)
        if agent is not None and cursor.execute(statement, (str(scope.subject), agent)).fetchone() is None:
            raise GateOpen("nothing is being erased here any more; nothing was removed")

    def erase_side(self, cursor: Cursor, scope: Scope, keep: frozenset[str] = frozenset()) -> dict[str, int]:
        """Everything of the subject in the side tables, but for the places in `keep`."""
        return dict.fromkeys(SIDE_PLACES, 0) | {
            place: cursor.execute(
                sql.SQL("DELETE FROM {} WHERE subject = %s").format(self.tables.identifier(place)),
                (str(scope.subject),),
            ).rowcount
            for place in SIDE_PLACES
            if place not in keep
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
        """Its conversations' buffers go too: the wording may stand in them, and would be sent to the LLM again."""
        subject = str(scope.subject)
        table = self.tables.history
        talks = {
            (as_text(row[1].get("agent_id")) or "", as_text(row[1].get("run_id")) or "")
            for row in self.get_many(scope, [memory_id])
        }
        with self.open(scope) as cursor:
            hold_talks(cursor, scope)
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
            self._delete_talks(cursor, subject, talks, self._handed_in(cursor, subject, [memory_id]))
        return True

    def messages(self, scope: Scope, limit: int) -> list[Message]:
        where = _of_conversations(scope)
        statement = sql.SQL(f"SELECT {MESSAGE_COLUMNS} FROM {{}} WHERE {{}} ORDER BY seq LIMIT %s").format(
            self.tables.messages, where.sql
        )
        with self.open(scope) as cursor:
            rows = cursor.execute(statement, [*where.params, limit]).fetchall()
        return [to_message(row) for row in recheck_subject(scope, rows)]


def count_all(cursor: Cursor, countings: dict[str, Counting]) -> dict[str, int]:
    """How many rows each place has, in one statement."""
    each = [sql.SQL("({})").format(statement) for statement, _ in countings.values()]
    params = [value for _, values in countings.values() for value in values]
    row = cursor.execute(sql.SQL("SELECT {}").format(sql.SQL(", ").join(each)), params).fetchone()
    return dict(zip(countings, row or (), strict=True))


def _columns(talks: Talks) -> tuple[list[str], list[str]]:
    """The assistants and the conversations, side by side."""
    ordered = sorted(talks)
    return [agent for agent, _ in ordered], [run for _, run in ordered]


def _of_conversations(scope: Scope) -> Conditions:
    """Rows that name a conversation (messages, uses), of the scope's."""
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
