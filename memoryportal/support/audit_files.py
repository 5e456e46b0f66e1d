"""The trail as a file, written piece by piece: with every field, so that its hashes can be computed again elsewhere."""

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import DatabaseError

from memoryportal.audit.models import Event
from memoryportal.base.spreadsheets import BYTE_ORDER_MARK, guard, line_writer

logger = logging.getLogger(__name__)
COLUMNS = (
    *("seq", "at", "actor", "role", "action", "subject", "object", "reason", "grant", "request_id"),
    *("details", "prev_hash", "hash"),
)
NOT_COMPLETE = "\r\n# NOT COMPLETE: this download was cut off. Take it again.\r\n"
Batches = Iterable[list[Event]]


def _fields(event: Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in COLUMNS} | {"at": event.at.astimezone(UTC).isoformat()}


def write_csv(batches: Batches, upto: int) -> Iterator[str]:
    """A line for each event; cells that a spreadsheet program would take for formulas are guarded."""
    line, count = line_writer(), 0
    yield BYTE_ORDER_MARK + line(COLUMNS)
    for batch in batches:
        yield "".join(line(map(guard, _cells(event))) for event in batch)
        count += len(batch)
    yield f"# complete, {count} events\r\n"


def _cells(event: Event) -> list[str]:
    fields = _fields(event)
    return [
        "" if value is None else value if isinstance(value, str) else json.dumps(value) for value in fields.values()
    ]


def write_json(batches: Batches, upto: int) -> Iterator[str]:
    """One object. `newest` is the last event of the trail when the file was made; it is the making of this file."""
    head = {
        "format": "memoryportal-audit",
        "version": 1,
        "made_at": datetime.now(UTC).isoformat(),
        "controller": settings.CONTROLLER_NAME,
        "newest": upto,
    }
    yield json.dumps(head, ensure_ascii=False)[:-1] + ', "events": ['
    count = 0
    for batch in batches:
        rows = ",\n".join(json.dumps(_fields(event), ensure_ascii=False) for event in batch)
        yield f"{',' if count else ''}\n{rows}"
        count += len(batch)
    yield f'\n], "written": {count}, "complete": true}}\n'


Writer = Callable[[Batches, int], Iterator[str]]
FORMATS: dict[str, tuple[Writer, str]] = {
    "csv": (write_csv, "text/csv; charset=utf-8"),
    "json": (write_json, "application/json"),
}


def whole_or_said(pieces: Iterator[str]) -> Iterator[bytes]:
    """The pieces. A file that the database lets down ends in words: a server may close it as if it were whole."""
    try:
        for piece in pieces:
            yield piece.encode()
    except DatabaseError as error:
        logger.error("a file of the trail was broken off: %s", error)
        yield NOT_COMPLETE.encode()
        raise
