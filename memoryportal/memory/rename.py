"""Move everything of one subject to another id, by exact byte match: for ids that SubjectId refuses."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import psycopg
from psycopg import sql

from .configuration import configuration
from .errors import BadQuery, StoreUnavailable
from .names import Tables
from .prepare import TEXT_COLUMNS
from .refused import keep_count
from .scope import SubjectId
from .stores import current_store
from .stores.confirming import confirming

if TYPE_CHECKING:
    from .stores.base import Outside

_IN_PAYLOAD = ("", "entities")


def rename_subject(old: str, new: SubjectId, owner_dsn: str | None = None, *, resume: bool = False) -> dict[str, int]:
    """Rows moved per table or collection. Raises BadQuery when `new` is in use already, StoreUnavailable.

    All or nothing on pgvector. Elsewhere one row goes after the other: NotConfirmed says that some have gone, and
    `resume` goes on with them.
    """
    configured = configuration()
    dsn = owner_dsn or configured.owner_dsn
    tables, outside = Tables(configured.collection), configured.provider != "pgvector"
    suffixes = [suffix for suffix in TEXT_COLUMNS if not (outside and suffix in _IN_PAYLOAD)]
    rows: dict[str, int] = {}
    if outside:
        store = cast("Outside", current_store())
        _refuse_one_in_use(not resume and any(owner == new for owner, _ in store.owners()))
        with confirming():
            rows = store.rename(old, new)
    try:
        with psycopg.connect(dsn, connect_timeout=3) as connection, unforced(connection, tables, suffixes):
            _refuse_one_in_use(_in_use(connection, tables, suffixes, new) and not resume)
            rows |= {tables.name(suffix): _move(connection, tables, suffix, old, new) for suffix in suffixes}
        with psycopg.connect(dsn, autocommit=True, connect_timeout=3) as connection:
            keep_count(connection, configured)
    except psycopg.Error as error:
        raise StoreUnavailable(f"the subject could not be renamed ({error.sqlstate or type(error).__name__})") from None
    return rows


def _refuse_one_in_use(in_use: bool) -> None:
    if in_use:
        raise BadQuery("the new id has memories of its own: two people would become one")


@contextmanager
def unforced(connection: psycopg.Connection[Any], tables: Tables, suffixes: list[str]) -> Iterator[None]:
    """The owner may touch every row for the length of this transaction; other logins stay bound throughout."""
    forced = [suffix for suffix in suffixes if _is_forced(connection, tables.identifier(suffix))]
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


def subject_of(suffix: str) -> sql.SQL:
    return sql.SQL("payload->>'user_id'") if suffix in _IN_PAYLOAD else sql.SQL("subject")


def _in_use(connection: psycopg.Connection[Any], tables: Tables, suffixes: list[str], new: str) -> bool:
    statement = sql.SQL("SELECT EXISTS (SELECT 1 FROM {} WHERE {} = %s)")
    return any(
        connection.execute(statement.format(tables.identifier(suffix), subject_of(suffix)), (new,)).fetchone()[0]  # type: ignore[index]
        for suffix in suffixes
    )


def _move(connection: psycopg.Connection[Any], tables: Tables, suffix: str, old: str, new: str) -> int:
    change = sql.SQL(
        "payload = jsonb_set(payload, '{{user_id}}', to_jsonb(%s::text))" if suffix in _IN_PAYLOAD else "subject = %s"
    ).format()
    statement = sql.SQL('UPDATE {} SET {} WHERE {} = %s COLLATE "C"')
    return connection.execute(
        statement.format(tables.identifier(suffix), change, subject_of(suffix)), (new, old)
    ).rowcount
