"""Everybody who has rows in the store, with the owner's login: what a restored database is compared with.

Row-level security shows the portal's own login one person at a time. So this reads as the tables' owner, in a
transaction that is rolled back: nothing is changed, and a login that would not see everything is refused.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import psycopg
from psycopg import sql

from .configuration import configuration
from .errors import StoreUnavailable
from .names import Tables
from .prepare import TEXT_COLUMNS, VECTOR_TABLES
from .rename import subject_of, unforced
from .stores import current_store

if TYPE_CHECKING:
    from .stores.base import Outside

LOCK_SECONDS = 10


def owners(owner_dsn: str | None = None) -> set[str]:
    """Every user id under which something lies: memories, names, history, messages, uses, gates.

    Locks the tables for a moment: for an operator's command at a quiet time. Raises StoreUnavailable.
    """
    configured = configuration()
    beside = configured.provider == "pgvector"
    found: set[str] = set()
    if not beside:
        found.update(owner for owner, _ in cast("Outside", current_store()).owners() if owner is not None)
    suffixes = [suffix for suffix in TEXT_COLUMNS if beside or suffix not in VECTOR_TABLES]
    try:
        with psycopg.connect(owner_dsn or configured.owner_dsn, connect_timeout=3) as connection:
            connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(f"{LOCK_SECONDS}s")))
            with unforced(connection, Tables(configured.collection), suffixes):
                found.update(_in_tables(connection, Tables(configured.collection), suffixes))
            connection.rollback()
    except psycopg.Error as error:
        said = f"the owners of the rows could not be read ({error.sqlstate or type(error).__name__})"
        raise StoreUnavailable(said) from None
    return found


def _in_tables(connection: psycopg.Connection[tuple[str | None]], tables: Tables, suffixes: list[str]) -> Iterator[str]:
    for suffix in suffixes:
        table = tables.identifier(suffix)
        hidden = connection.execute(
            "SELECT row_security_active(%s::regclass)", (table.as_string(connection),)
        ).fetchone()
        if hidden and hidden[0]:
            raise StoreUnavailable("this login does not see every row: it has to be the owner of the memory tables")
        statement = sql.SQL("SELECT DISTINCT {} FROM {}").format(subject_of(suffix), table)
        yield from (row[0] for row in connection.execute(statement) if row[0] is not None)
