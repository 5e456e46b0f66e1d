"""mem0's own history files on this machine (MEM0_HISTORY_PATHS): every text that a memory ever had, without an owner.

A plain mem0 keeps two tables in an SQLite file. `history` names the memory and nobody's id, so its rows are found by
the ids that the erasure journaled. `messages` names a conversation as `agent_id=…&run_id=…&user_id=…`
(`_build_session_scope` of mem0 2.2.1). Deleted text stays in the file's free pages until VACUUM rewrites it.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from django.conf import settings

from .errors import StoreUnavailable
from .places import Place, Whose

BUSY_SECONDS = 5.0  # as long as mem0 itself waits for the file
LIMIT = (
    "mem0's history files name no person. What stands there of memories that mem0 itself had deleted before this "
    "request, and files on other machines, cannot be found."
)
_NAMES = (b"agent_id", b"run_id", b"user_id")
_HISTORY = ("history", "history_old")  # the second is left by a change of mem0's schema that was cut off
# PostgreSQL takes an id in capitals, in braces and without dashes too, and mem0 notes it as the program wrote it.
_PLAIN_ID = "lower(replace(replace(replace(memory_id, '-', ''), '{', ''), '}', ''))"


class HistoryFiles:
    """Keeper of all the files. A file that cannot be used fails the whole, after the others were done: the error says
    how many rows were reached in those."""

    def concerns(self, whose: Whose) -> bool:
        return bool(settings.MEM0_HISTORY_PATHS)

    def count(self, whose: Whose) -> int:
        return self._each(whose, _count)

    def erase(self, whose: Whose) -> int:
        return self._each(whose, _erase)

    def _each(self, whose: Whose, act: "Act") -> int:
        done, problems = 0, []
        for number, path in enumerate(settings.MEM0_HISTORY_PATHS, start=1):
            try:
                with _opened(Path(path), f"mem0's history file {number} ({Path(path).name})") as file:
                    done += act(file, whose)
            except StoreUnavailable as error:
                problems.append(str(error))
        if problems:
            away = StoreUnavailable("; ".join(problems))
            away.reached = done
            raise away
        return done


PLACE = Place(
    "history-files",
    "History files",
    "What mem0 itself noted in files on our machines: earlier wordings, and the last messages of conversations",
    frozenset(),
    HistoryFiles(),
)


# --- whose messages ---------------------------------------------------------------------------------------------------


def escaped(value: str) -> str:
    """A value as mem0 writes it into a session scope."""
    return value.replace("%", "%25").replace("&", "%26").replace("=", "%3D")


def is_in_scope(scope: bytes, subject: str, agent: str | None = None) -> bool:
    """Whether a session scope names exactly this person (and this assistant). Byte by byte, never by pattern.

    Raises StoreUnavailable for a scope that is not written as mem0 2.2.1 does and that could be this person's: an
    older mem0 escaped nothing, and a guess would remove somebody else's messages or leave theirs.
    """
    if not _is_canonical(scope):
        if (b"&" + scope).endswith(b"&user_id=" + subject.encode()):
            raise StoreUnavailable("holds messages that may be this person's, under a name that mem0 no longer writes")
        return False
    wanted = [f"user_id={escaped(subject)}", *([] if agent is None else [f"agent_id={escaped(agent)}"])]
    return {part.encode() for part in wanted} <= set(scope.split(b"&"))


def _is_canonical(scope: bytes) -> bool:
    """Whether it is `name=value` parts in mem0's order, with its three escapes and nothing else that needed one."""
    pieces = scope.replace(b"%25", b"").replace(b"%26", b"").replace(b"%3D", b"")
    parts = [part.split(b"=") for part in scope.split(b"&")]
    names = [part[0] for part in parts]
    in_order = names == [name for name in _NAMES if name in names]
    return b"%" not in pieces and in_order and all(len(part) == 2 for part in parts)


# --- one file ---------------------------------------------------------------------------------------------------------


class HistoryFile:
    """One open file, in autocommit mode, with the names of mem0's tables in it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        connection.text_factory = bytes
        connection.execute("PRAGMA temp_store = MEMORY")  # ids of an erasure need not be written to a second file
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        names = {row[0].decode("utf-8", "replace") for row in rows}
        self.histories = [name for name in _HISTORY if name in names]
        self.has_messages = "messages" in names
        if not self.histories and not self.has_messages:
            raise StoreUnavailable("holds no history of mem0")

    def want_memories(self, whose: Whose) -> None:
        """Note the ids, beside the file, for the length of this connection."""
        self.connection.execute("CREATE TEMP TABLE wanted_memory (id TEXT PRIMARY KEY) WITHOUT ROWID")
        for ids in whose.memory_ids():
            plain = [(each.replace("-", "").lower(),) for each in ids]
            self.connection.executemany("INSERT OR IGNORE INTO wanted_memory VALUES (?)", plain)

    def want_conversations(self, whose: Whose) -> None:
        """Note the session scopes that are this person's now, likewise."""
        self.connection.execute("CREATE TEMP TABLE wanted_scope (scope TEXT PRIMARY KEY) WITHOUT ROWID")
        found = [(scope,) for scope in self._scopes(whose)]
        self.connection.executemany("INSERT OR IGNORE INTO wanted_scope VALUES (CAST(? AS TEXT))", found)

    def _scopes(self, whose: Whose) -> list[bytes]:
        if not self.has_messages:
            return []
        rows = self.connection.execute("SELECT DISTINCT session_scope FROM messages WHERE session_scope IS NOT NULL")
        return [
            scope for (scope,) in rows if any(is_in_scope(scope, subject, whose.agent) for subject in whose.subjects)
        ]

    @property
    def conditions(self) -> dict[str, str]:
        """The WHERE of the wanted rows for each table there is."""
        history = f"{_PLAIN_ID} IN (SELECT id FROM temp.wanted_memory)"
        messages = {"messages": "session_scope IN (SELECT scope FROM temp.wanted_scope)"} if self.has_messages else {}
        return {**dict.fromkeys(self.histories, history), **messages}

    def rewrite(self) -> None:
        """Let no page of the file, and none beside it, hold deleted text."""
        self.connection.execute("VACUUM")
        busy = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            raise StoreUnavailable("is being read by another program, so that deleted text is still beside it")


Act = Callable[[HistoryFile, Whose], int]


def _count(file: HistoryFile, whose: Whose) -> int:
    file.want_memories(whose)
    file.want_conversations(whose)
    return sum(
        int(file.connection.execute(f"SELECT count(*) FROM {table} WHERE {where}").fetchone()[0])
        for table, where in file.conditions.items()
    )


def _erase(file: HistoryFile, whose: Whose) -> int:
    """Delete, then rewrite the file: also where nothing is left to delete, since an earlier try may have got so far."""
    connection = file.connection
    connection.execute("PRAGMA secure_delete = ON")
    file.want_memories(whose)
    connection.execute("BEGIN IMMEDIATE")
    file.want_conversations(whose)
    gone = sum(
        connection.execute(f"DELETE FROM {table} WHERE {where}").rowcount for table, where in file.conditions.items()
    )
    connection.execute("COMMIT")
    file.rewrite()
    return gone


@contextmanager
def _opened(path: Path, name: str) -> Iterator[HistoryFile]:
    """The file, never made anew. Raises StoreUnavailable with a sentence about it, without its content."""
    try:
        if not path.is_file():
            raise StoreUnavailable("is not there")
        address = f"file:{quote(str(path))}?mode=rw"
        connection = sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
        with closing(connection):
            yield HistoryFile(connection)
    except StoreUnavailable as error:
        raise StoreUnavailable(f"{name} {error}") from None
    except sqlite3.Error as error:
        raise StoreUnavailable(f"{name} {_why(error)}") from None
    except OSError as error:
        raise StoreUnavailable(f"{name} cannot be used ({error.strerror})") from None


_WHY = {
    "SQLITE_BUSY": "is in use by another program",
    "SQLITE_LOCKED": "is in use by another program",
    "SQLITE_NOTADB": "is not an SQLite file",
    "SQLITE_CORRUPT": "is damaged",
    "SQLITE_READONLY": "may not be written by the portal",
    "SQLITE_CANTOPEN": "cannot be opened",
    "SQLITE_FULL": "cannot be rewritten because the disk is full",
}


def _why(error: sqlite3.Error) -> str:
    """SQLite's code in words. Extended codes (SQLITE_BUSY_RECOVERY) begin like their kind."""
    code = getattr(error, "sqlite_errorname", None) or type(error).__name__
    kind = "_".join(code.split("_")[:2])
    return _WHY.get(kind, f"cannot be used ({code})")
