"""Rows under ids that SubjectId refuses, written past the portal. Nobody sees or erases them before rename_subject.

`prepare_store` counts them and keeps, for each id, what is left of it when everything is taken away in which two ids
look alike. An erasure asks there whether one of them may be its person's: it cannot be called complete then.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import psycopg
from psycopg import sql

from .configuration import Configuration
from .errors import InvalidSubject
from .names import Tables
from .scope import INVISIBLE, SubjectId
from .stores import build, current_store

if TYPE_CHECKING:
    from .stores.base import Outside

Owner = tuple[str | None, int]
"""(user id, how many rows lie under it); None stands for rows without a person."""


def is_refused(owner: str) -> bool:
    """Whether no person's account can have this id."""
    try:
        SubjectId(owner)
    except InvalidSubject:
        return True
    return False


def plain_form(owner: str) -> str:
    """`owner` without white space and invisible characters, composed, in one case."""
    seen = (c for c in unicodedata.normalize("NFC", owner) if not c.isspace() and not _is_invisible(c))
    return unicodedata.normalize("NFC", "".join(seen).casefold())


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) in INVISIBLE


def owners(connection: psycopg.Connection[Any], configured: Configuration) -> Iterator[Owner]:
    """Every user id in the configured store, perhaps more than once. Reads all of it: for an operator's commands."""
    if configured.provider != "pgvector":
        yield from cast("Outside", build(configured)).owners()
        return
    tables = Tables(configured.collection)
    for table in (tables.memories, tables.entities):
        statement = sql.SQL("SELECT payload->>'user_id', count(*) FROM {} GROUP BY 1").format(table)
        yield from ((row[0], int(row[1])) for row in connection.execute(statement))


def keep_count(connection: psycopg.Connection[Any], configured: Configuration) -> int:
    """Count the rows under refused ids again and keep what erasures ask for. How many rows there are."""
    found: Counter[str] = Counter()
    for owner, rows in owners(connection, configured):
        if owner is not None and is_refused(owner):
            found[plain_form(owner)] += rows
    table = Tables(configured.collection).refused
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(sql.SQL("DELETE FROM {}").format(table))
        cursor.executemany(sql.SQL("INSERT INTO {} (plain, rows) VALUES (%s, %s)").format(table), list(found.items()))
    return found.total()


def refused_owners_like(subject: SubjectId) -> int:
    """How many rows lie under a refused id that may mean this person, as of the last `prepare_store`.

    The rule: without spaces, invisible characters and case, the subject's id stands in the refused one. Raises
    StoreUnavailable.
    """
    return current_store().refused_like(subject, plain_form(subject))
