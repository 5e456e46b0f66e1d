"""Log lines without content: no exception texts, no DETAIL of a refused row, no new line that could forge an entry."""

import logging
import re
import traceback
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from .request_id import request_id

# PostgreSQL's secondary fields repeat rows and statements; somebody may have logged str(error).
_SERVER_FIELDS = re.compile(r"\s*\b(?:DETAIL|HINT|CONTEXT|STATEMENT|QUERY|LINE \d+):.*", re.DOTALL)
# Links of mails: whoever reads such a path in a log could use it. Longer than a UUID, shorter than any sentence.
_SECRET_PART = re.compile(r"(?<=/)[\w:.=-]{40,}")
_PROJECT = str(Path(__file__).resolve().parent.parent.parent)
_MAX_FRAMES = 12
_MAX_CHAIN = 5


def one_line(text: str) -> str:
    """`text` with every control, line-separating or invisible character written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def name_of(error: BaseException) -> str:
    """The exception's type, with PostgreSQL's code where there is one. Never its text."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    state = error.sqlstate if isinstance(error, psycopg.Error) else None
    return f"{name}[{state}]" if state else name


def outline(error: BaseException) -> str:
    """Types and places of an exception and of what caused it, the outermost first."""
    parts, current = [], error
    for _ in range(_MAX_CHAIN):
        frames = traceback.extract_tb(current.__traceback__)[-_MAX_FRAMES:]
        places = " > ".join(f"{_shorten(frame.filename)}:{frame.lineno}:{frame.name}" for frame in frames)
        parts.append(f"{name_of(current)} at {places}" if places else name_of(current))
        cause = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
        if cause is None:
            break
        current = cause
    return " <- ".join(parts)


def _shorten(filename: str) -> str:
    return filename.removeprefix(_PROJECT).partition("site-packages")[2] or filename.removeprefix(_PROJECT)


class ContentFree(logging.Filter):
    """Rewrites a record so that no handler behind it can print an exception's text."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, dict):
            record.args = {key: _harmless(value) for key, value in record.args.items()}
        elif record.args:
            record.args = tuple(_harmless(value) for value in record.args)
        message = name_of(record.msg) if isinstance(record.msg, BaseException) else record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            message = f"{_without_fields(message)} | {outline(record.exc_info[1])}"
        record.msg, record.args = _SECRET_PART.sub("(token)", one_line(_without_fields(message))), None
        record.exc_info = record.exc_text = record.stack_info = None
        return True


def _harmless(value: object) -> object:
    return name_of(value) if isinstance(value, BaseException) else value


def _without_fields(message: str) -> str:
    return _SERVER_FIELDS.sub(" …", message)


class LineFormatter(logging.Formatter):
    """`2026-01-31T12:00:00.123Z WARNING logger id: message`, always one line; the id is that of the request."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        name = f"{one_line(record.name)} {request_id()}".rstrip()
        return f"{at} {record.levelname} {name}: {one_line(record.getMessage())}"
