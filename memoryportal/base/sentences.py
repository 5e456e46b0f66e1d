"""Database trouble in one sentence that says what to do. For the person at the terminal, who cannot use a traceback."""

import re

import psycopg

from .backend.base import describe

# libpq gives no code for a refused connection, only the server's words; unknown words are passed on as they are.
_CONNECTING = (
    (r'database "([^"]+)" does not exist', "The database {0} does not exist: run manage.py prepare_database."),
    (r'role "([^"]+)" does not exist', "The login {0} does not exist: run manage.py prepare_database."),
    (
        r'password authentication failed for user "([^"]+)"',
        "The password for the login {0} is wrong: correct DATABASE_URL or DATABASE_OWNER_URL.",
    ),
    (r"no password supplied", "The database wants a password: put it into DATABASE_URL."),
    (
        r"(?:Connection refused|No such file or directory|could not translate host name|timeout expired)",
        "The database cannot be reached: is PostgreSQL running where DATABASE_URL points to?",
    ),
)
_RUNNING: tuple[tuple[type[psycopg.Error], str], ...] = (
    (psycopg.errors.UndefinedTable, "The database has no such table yet: run manage.py migrate."),
    (
        psycopg.errors.InsufficientPrivilege,
        "This login may not do that: migrate needs the owner's, the rest the app's (DATABASE_OWNER_URL, DATABASE_URL).",
    ),
)


def _drivers_error(error: BaseException | None) -> psycopg.Error | None:
    while error is not None and not isinstance(error, psycopg.Error):
        error = error.__cause__ or error.__context__
    return error


def sentence_for(error: BaseException) -> str | None:
    """A sentence for `error` or for the database error behind it; None when it is not one that has a sentence."""
    cause = _drivers_error(error)
    if cause is None:
        return None
    text = " ".join(str(cause).split())
    if cause.sqlstate is None:
        for pattern, sentence in _CONNECTING:
            if match := re.search(pattern, text):
                return sentence.format(*match.groups())
        return f"The database cannot be used: {text}" if isinstance(cause, psycopg.OperationalError) else None
    if 'type "vector" does not exist' in text:
        return "The extension vector is missing in this database: run manage.py prepare_database."
    for kind, sentence in _RUNNING:
        if isinstance(cause, kind):
            return f"{sentence} (PostgreSQL says: {describe(cause)})"
    return None
