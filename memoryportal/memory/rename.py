"""Move everything of one subject to another id, by exact byte match: for ids that SubjectId refuses."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from .configuration import configuration
from .errors import BadQuery, StoreUnavailable
from .names import Tables
from .prepare import TEXT_COLUMNS
from .scope import SubjectId

_IN_PAYLOAD = ("", "entities")


def rename_subject(old: str, new: SubjectId, owner_dsn: str | None = None) -> dict[str, int]:
    """Rows moved per table. All or nothing. Raises BadQuery when `new` is in use already, StoreUnavailable."""
    configured = configuration()
    if configured.provider != "pgvector":
        raise StoreUnavailable(f"a subject can be renamed on pgvector only, and the store is {configured.provider}")
    tables = Tables(configured.collection)
    try:
        connecting = psycopg.connect(owner_dsn or configured.owner_dsn, connect_timeout=3)
        with connecting as connection, _unforced(connection, tables):
            if _in_use(connection, tables, new):
                raise BadQuery("the new id has memories of its own: two people would become one")
            return {tables.name(suffix): _move(connection, tables, suffix, old, new) for suffix in TEXT_COLUMNS}
    except psycopg.Error as error:
        raise StoreUnavailable(f"the subject could not be renamed ({error.sqlstate or type(error).__name__})") from None


@contextmanager
def _unforced(connection: psycopg.Connection[Any], tables: Tables) -> Iterator[None]:
    """The owner may touch every row for the length of this transaction; other logins stay bound throughout."""
    forced = [suffix for suffix in TEXT_COLUMNS if _is_forced(connection, tables.identifier(suffix))]
    for suffix in forced:
        _alter(connection, tables.identifier(suffix), sql.SQL("NO FORCE"))
    connection.execute("SET LOCAL memoryportal.rename = 'yes'")
    yield  # after an error the transaction is rolled back with everything in it
    for suffix in forced:
        _alter(connection, tables.identifier(suffix), sql.SQL("FORCE"))


def _is_forced(connection: psycopg.Connection[Any], table: sql.Identifier) -> bool:
    row = connection.execute(
        "SELECT relforcerowsecurity FROM pg_class WHERE oid = to_regclass(%s)", (table.as_string(connection),)
    ).fetchone()
    return bool(row and row[0])


def _alter(connection: psycopg.Connection[Any], table: sql.Identifier, what: sql.SQL) -> None:
    connection.execute(sql.SQL("ALTER TABLE {} {} ROW LEVEL SECURITY").format(table, what))


def _subject_of(suffix: str) -> sql.SQL:
    return sql.SQL("payload->>'user_id'") if suffix in _IN_PAYLOAD else sql.SQL("subject")


def _in_use(connection: psycopg.Connection[Any], tables: Tables, new: str) -> bool:
    statement = sql.SQL("SELECT EXISTS (SELECT 1 FROM {} WHERE {} = %s)")
    return any(
        connection.execute(statement.format(tables.identifier(suffix), _subject_of(suffix)), (new,)).fetchone()[0]  # type: ignore[index]
        for suffix in TEXT_COLUMNS
    )


def _move(connection: psycopg.Connection[Any], tables: Tables, suffix: str, old: str, new: str) -> int:
    change = sql.SQL(
        "payload = jsonb_set(payload, '{{user_id}}', to_jsonb(%s::text))" if suffix in _IN_PAYLOAD else "subject = %s"
    ).format()
    statement = sql.SQL('UPDATE {} SET {} WHERE {} = %s COLLATE "C"')
    return connection.execute(
        statement.format(tables.identifier(suffix), change, _subject_of(suffix)), (new, old)
    ).rowcount
