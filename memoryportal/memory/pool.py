"""Connections to the memory store: bounded in time, bound to one subject for the length of each transaction."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self, cast

import psycopg
from psycopg import errors as pg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from memoryportal.base.deadline import (
    CONNECT_SECONDS,
    STATEMENT_SECONDS,
    DeadlineConnection,
)

from .errors import (
    ErasureRunning,
    InvalidSubject,
    MemoryRoomError,
    NotConfirmed,
    ScopeViolation,
    StoreNotPrepared,
    StoreUnavailable,
    WritesPaused,
)


class Cursor(psycopg.Cursor[TupleRow]):
    """A cursor that remembers whether it has changed anything."""

    wrote = False

    def execute(self, *args: Any, **kwargs: Any) -> Self:
        super().execute(*args, **kwargs)
        self._note()
        return self

    def executemany(self, *args: Any, **kwargs: Any) -> None:
        super().executemany(*args, **kwargs)
        self._note()

    def _note(self) -> None:
        self.wrote = self.wrote or (self.statusmessage or "").startswith(("INSERT", "UPDATE", "DELETE"))


_pools: dict[str, ConnectionPool[Any]] = {}
_lock = threading.Lock()

# What the gate's trigger raises (memory/sql/gate.sql).
GATE_ERRORS: dict[str, type[MemoryRoomError]] = {
    "MP001": WritesPaused,
    "MP002": ErasureRunning,
    "MP003": InvalidSubject,
    "MP004": ScopeViolation,
    "MP005": ScopeViolation,
}
ROLLED_BACK = "40"  # the class of codes with which PostgreSQL says so
_NOT_PREPARED = (pg.UndefinedTable, pg.UndefinedColumn, pg.UndefinedFunction, pg.UndefinedObject)


def connection_options(dsn: str) -> dict[str, Any]:
    """Keyword arguments for every connection to the store, with the options that the address itself brings.

    `prepare_threshold=None`: from the eleventh run on a generic plan drops rows of a filtered vector search
    (measured; see the notes in README.md on plain mem0). `enable_sort=off`: without statistics on the owners, which
    would keep their ids, the planner takes a person for two rows and sorts all of them where the owner index has the
    order already. `jit=off`: before version 18 a sort that cannot be avoided then looks expensive enough to compile.
    """
    options = {
        "statement_timeout": STATEMENT_SECONDS * 1000,
        "idle_in_transaction_session_timeout": 60000,
        "enable_sort": "off",
        "jit": "off",
    }
    own = [str(conninfo_to_dict(dsn).get("options") or "")]  # ours would replace them
    return {
        "connect_timeout": CONNECT_SECONDS,
        "options": " ".join(own + [f"-c {name}={value}" for name, value in options.items()]),
        "prepare_threshold": None,
        "cursor_factory": Cursor,
    }


def get_pool(dsn: str) -> ConnectionPool[Any]:
    """The process's pool for `dsn`, opened on first use."""
    with _lock:
        if dsn not in _pools:
            _pools[dsn] = ConnectionPool(
                dsn,
                connection_class=DeadlineConnection,
                kwargs=connection_options(dsn),
                min_size=0,
                max_size=10,
                timeout=2,
                max_idle=60,
                check=ConnectionPool.check_connection,
                reconnect_timeout=5,
                open=True,
                name="memory-store",
            )
        return _pools[dsn]


def close_all() -> None:
    """Close every pool; the next call opens a new one."""
    with _lock:
        for pool in _pools.values():
            pool.close(timeout=2)
        _pools.clear()


def translate(error: psycopg.Error) -> MemoryRoomError:
    """Our error for a driver's. Never keeps the driver's text: its DETAIL repeats the row."""
    state = error.sqlstate or ""
    if state in GATE_ERRORS:
        return GATE_ERRORS[state](_GATE_WORDS[state])
    if isinstance(error, _NOT_PREPARED):
        return StoreNotPrepared("the store has no tables yet: run manage.py prepare_store")
    if isinstance(error, pg.InsufficientPrivilege):
        return StoreNotPrepared(f"the store's login may not do this ({state}): run manage.py prepare_store as owner")
    return StoreUnavailable(f"the store could not be used ({state or type(error).__name__})")


_GATE_WORDS = {
    "MP001": "remembering is paused for this subject",
    "MP002": "the memories of this subject are being erased",
    "MP003": "the subject of this row is refused",
    "MP004": "the memory tables are written in READ COMMITTED only",
    "MP005": "a row may not change its owner",
}


@contextmanager
def store_errors() -> Iterator[None]:
    """Translate everything the driver raises; `from None` so that no text of a row travels in a traceback."""
    try:
        yield
    except (PoolTimeout, PoolClosed, TooManyRequests):
        raise StoreUnavailable("the store did not give a connection in time") from None
    except psycopg.Error as error:
        raised = translate(error)
        _forget(error)
        raise raised from None


def _forget(error: psycopg.Error) -> None:
    """Empty the driver's error, which stays the context of ours: its message and DETAIL repeat rows and parameters."""
    error.args, error._info = (type(error).__name__,), None


def bind_subject(cursor: Cursor, subject: str, knowledge: str = "") -> None:
    """Tell row-level security whose rows this transaction is about: a person's, or what an assistant knows by itself.

    Local to the transaction.
    """
    cursor.execute("SELECT set_config('memoryportal.subject', %s, true)", (subject,))
    if knowledge:
        cursor.execute("SELECT set_config('memoryportal.knowledge', %s, true)", (knowledge,))


@contextmanager
def transaction(dsn: str, subject: str, knowledge: str = "") -> Iterator[Cursor]:
    """One transaction on the pool, bound to `subject` or `knowledge`. Raises the memory room's own errors only."""
    with store_errors(), get_pool(dsn).connection() as connection, connection.cursor() as plain:
        cursor = cast("Cursor", plain)  # the pool's cursor_factory
        bind_subject(cursor, subject, knowledge)
        yield cursor
        _commit(cursor)


@contextmanager
def fresh_transaction(dsn: str, subject: str) -> Iterator[Cursor]:
    """Like `transaction`, on a connection made for this one use: what verification reads with."""
    with store_errors():
        connection = DeadlineConnection.connect(dsn, **connection_options(dsn))
        try:
            with connection, connection.cursor() as plain:
                cursor = cast("Cursor", plain)
                bind_subject(cursor, subject)
                yield cursor
                _commit(cursor)
        finally:
            connection.close()


def _commit(cursor: Cursor) -> None:
    """Commit. When the connection is lost before the answer, the server may have committed all the same."""
    try:
        cursor.connection.commit()
    except psycopg.OperationalError as error:
        if not cursor.wrote or (error.sqlstate or "").startswith(ROLLED_BACK):
            raise
    else:
        return
    raise NotConfirmed("the store was lost before it had confirmed the change")
