"""Rewrite the memory tables, so that the bytes of deleted rows are gone from PostgreSQL's own files too.

VACUUM FULL takes an exclusive lock on each table while it rewrites it: do it at a quiet time. It keeps deleted rows
that a transaction older than the deletion might still see; such a table is tried again for a while, and then reported,
never taken for done. What it cannot reach is the write-ahead log (until it is recycled) and backups.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import psycopg
from psycopg import sql

from .configuration import Configuration, configuration
from .errors import StoreUnavailable
from .names import Tables
from .prepare import TEXT_COLUMNS, VECTOR_TABLES

WAIT = 60.0  # seconds; the older transaction is often autovacuum's ANALYZE, which ends by itself
LOCK_SECONDS = 5  # everybody who wants the table waits behind a VACUUM that waits for it
PAUSES = 0.2, 10.0  # the first and the longest pause, in seconds, before a table is tried again


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """One table and its size in bytes before and after; why it is not clean, or nothing."""

    table: str
    before: int
    after: int
    problem: str = ""


def scrub(owner_dsn: str | None = None, wait: float = WAIT) -> list[Scrubbed]:
    """Rewrite every memory table as the owner. Raises StoreUnavailable, also for what was skipped or kept.

    Tables with deleted rows that had to stay, and tables in use, are tried again for up to `wait` seconds.
    """
    configured = configuration()
    try:
        with psycopg.connect(owner_dsn or configured.owner_dsn, autocommit=True, connect_timeout=3) as connection:
            connection.execute(sql.SQL("SET lock_timeout = {}").format(sql.Literal(f"{LOCK_SECONDS}s")))
            done = {name: _rewrite(connection, name) for name in _names(configured)}
            for _ in _pauses(wait):
                unclean = [table for table in done.values() if table.problem]
                done |= {each.table: replace(_rewrite(connection, each.table), before=each.before) for each in unclean}
                if not any(table.problem for table in done.values()):
                    break
    except psycopg.Error as error:
        raise StoreUnavailable(
            f"the tables could not be rewritten ({error.sqlstate or type(error).__name__})"
        ) from None
    _complain([*done.values()])
    return [*done.values()]


def _names(configured: Configuration) -> list[str]:
    """The tables with text; the vectors lie elsewhere when the store is not pgvector."""
    tables, here = Tables(configured.collection), configured.provider == "pgvector"
    text = [suffix for suffix in TEXT_COLUMNS if here or suffix not in VECTOR_TABLES]
    return [tables.name(suffix) for suffix in (*text, "refused")]


def _pauses(seconds: float) -> Iterator[None]:
    """Growing pauses until `seconds` are over; the last turn comes at their end."""
    ends, (pause, longest) = time.monotonic() + seconds, PAUSES
    while (left := ends - time.monotonic()) > 0:
        time.sleep(min(pause, left))
        yield
        pause = min(pause * 2, longest)


def _complain(done: list[Scrubbed]) -> None:
    if problems := [f"{table.table}: {table.problem}" for table in done if table.problem]:
        raise StoreUnavailable(
            f"{'; '.join(problems)}. A transaction that began earlier is still open: run this again when it has ended "
            "(pg_stat_activity shows it)"
        )


def _rewrite(connection: psycopg.Connection[tuple[int]], table: str) -> Scrubbed:
    before = _size(connection, table)
    problem = _vacuum(connection, table)
    return Scrubbed(table, before, _size(connection, table), problem)


def _vacuum(connection: psycopg.Connection[tuple[int]], table: str) -> str:
    """Why the table is not clean afterwards. StoreUnavailable when this login may not rewrite it."""
    said: list[tuple[str, str]] = []  # (severity, detail): a Diagnostic is valid in its handler only

    def listen(diagnostic: psycopg.errors.Diagnostic) -> None:
        said.append((diagnostic.severity_nonlocalized or "", diagnostic.message_detail or ""))

    connection.add_notice_handler(listen)
    try:
        connection.execute(sql.SQL("VACUUM (FULL, VERBOSE) {}").format(sql.Identifier(table)))
    except psycopg.errors.LockNotAvailable:
        return f"not rewritten, because it was in use for {LOCK_SECONDS} seconds"
    finally:
        connection.remove_notice_handler(listen)
    if any(severity == "WARNING" for severity, _ in said):
        raise StoreUnavailable("a table was skipped: run this as the owner of the memory tables")
    kept = sum(_kept(detail) for _, detail in said)
    return f"{kept} deleted rows had to stay" if kept else ""


def _kept(detail: str) -> int:
    """Deleted rows that VACUUM VERBOSE could not remove: the first number of its detail, in every language."""
    found = re.search(r"\d+", detail)
    return int(found[0]) if found else 0


def _size(connection: psycopg.Connection[tuple[int]], table: str) -> int:
    row = connection.execute(
        "SELECT pg_total_relation_size(%s::regclass)", (sql.Identifier(table).as_string(connection),)
    ).fetchone()
    return int(row[0]) if row else 0
