"""Rewrite the memory tables, so that the bytes of deleted rows are gone from PostgreSQL's own files too.

VACUUM FULL takes an exclusive lock on each table while it rewrites it: do it at a quiet time. What it cannot reach is the
write-ahead log (until it is recycled) and backups.
"""

from dataclasses import dataclass

import psycopg
from psycopg import sql

from .configuration import configuration
from .errors import StoreUnavailable
from .names import Tables
from .prepare import TEXT_COLUMNS


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """One table and its size in bytes before and after."""

    table: str
    before: int
    after: int


def scrub(owner_dsn: str | None = None) -> list[Scrubbed]:
    """Rewrite every memory table as the owner. Raises StoreUnavailable; a skipped table counts as a failure."""
    configured = configuration()
    try:
        with psycopg.connect(owner_dsn or configured.owner_dsn, autocommit=True, connect_timeout=3) as connection:
            notices: list[str] = []
            connection.add_notice_handler(lambda diagnostic: notices.append(diagnostic.message_primary or ""))
            done = [_rewrite(connection, Tables(configured.collection).name(suffix)) for suffix in TEXT_COLUMNS]
    except psycopg.Error as error:
        raise StoreUnavailable(
            f"the tables could not be rewritten ({error.sqlstate or type(error).__name__})"
        ) from None
    if any("skipping" in notice for notice in notices):
        raise StoreUnavailable("a table was skipped: run this as the owner of the memory tables")
    return done


def _rewrite(connection: psycopg.Connection[tuple[int]], table: str) -> Scrubbed:
    before = _size(connection, table)
    connection.execute(sql.SQL("VACUUM (FULL) {}").format(sql.Identifier(table)))
    return Scrubbed(table, before, _size(connection, table))


def _size(connection: psycopg.Connection[tuple[int]], table: str) -> int:
    row = connection.execute(
        "SELECT pg_total_relation_size(%s::regclass)", (sql.Identifier(table).as_string(connection),)
    ).fetchone()
    return int(row[0]) if row else 0
