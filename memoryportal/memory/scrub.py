"""Rewrite the memory tables, so that the bytes of deleted rows are gone from PostgreSQL's own files too.

VACUUM FULL takes an exclusive lock on each table while it rewrites it: do it at a quiet time. It keeps deleted rows
that a transaction older than the deletion might still see; that is reported, never taken for done. What it cannot reach
is the write-ahead log (until it is recycled) and backups.
"""

import re
from dataclasses import dataclass

import psycopg
from psycopg import sql

from .configuration import Configuration, configuration
from .errors import StoreUnavailable
from .names import Tables
from .prepare import TEXT_COLUMNS, VECTOR_TABLES


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """One table and its size in bytes before and after."""

    table: str
    before: int
    after: int


def scrub(owner_dsn: str | None = None) -> list[Scrubbed]:
    """Rewrite every memory table as the owner. Raises StoreUnavailable, also for what was skipped or kept."""
    configured = configuration()
    said: list[tuple[str, str]] = []  # (severity, detail): a Diagnostic is valid in its handler only
    try:
        with psycopg.connect(owner_dsn or configured.owner_dsn, autocommit=True, connect_timeout=3) as connection:
            connection.add_notice_handler(
                lambda d: said.append((d.severity_nonlocalized or "", d.message_detail or ""))
            )
            done = [_rewrite(connection, name) for name in _names(configured)]
    except psycopg.Error as error:
        raise StoreUnavailable(
            f"the tables could not be rewritten ({error.sqlstate or type(error).__name__})"
        ) from None
    _complain(said)
    return done


def _names(configured: Configuration) -> list[str]:
    """The tables with text; the vectors lie elsewhere when the store is not pgvector."""
    tables, here = Tables(configured.collection), configured.provider == "pgvector"
    text = [suffix for suffix in TEXT_COLUMNS if here or suffix not in VECTOR_TABLES]
    return [tables.name(suffix) for suffix in (*text, "refused")]


def _complain(said: list[tuple[str, str]]) -> None:
    if any(severity == "WARNING" for severity, _ in said):
        raise StoreUnavailable("a table was skipped: run this as the owner of the memory tables")
    kept = sum(_kept(detail) for _, detail in said)
    if kept:
        raise StoreUnavailable(
            f"{kept} deleted rows had to stay: a transaction that began before they were deleted is still open. "
            "Run this again when it has ended (pg_stat_activity shows it)"
        )


def _kept(detail: str) -> int:
    """Deleted rows that VACUUM VERBOSE could not remove: the first number of its detail, in every language."""
    found = re.search(r"\d+", detail)
    return int(found[0]) if found else 0


def _rewrite(connection: psycopg.Connection[tuple[int]], table: str) -> Scrubbed:
    before = _size(connection, table)
    connection.execute(sql.SQL("VACUUM (FULL, VERBOSE) {}").format(sql.Identifier(table)))
    return Scrubbed(table, before, _size(connection, table))


def _size(connection: psycopg.Connection[tuple[int]], table: str) -> int:
    row = connection.execute(
        "SELECT pg_total_relation_size(%s::regclass)", (sql.Identifier(table).as_string(connection),)
    ).fetchone()
    return int(row[0]) if row else 0
