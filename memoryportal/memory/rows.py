"""From a stored row to an Item, and the second look at whose row it is."""

import hashlib
import logging
import threading
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

from .scope import TIMES, AnyScope
from .texts import as_text, fit
from .types import Item

logger = logging.getLogger(__name__)

CORE_KEYS = frozenset(
    [
        "user_id",
        "agent_id",
        "run_id",
        "actor_id",
        "role",
        "data",
        "hash",
        "created_at",
        "updated_at",
        "expiration_date",
        "text_lemmatized",
    ]
)
TIME_KEY_LENGTH = 64
Row = tuple[Any, dict[str, Any]]


class ForeignRows:
    """Counts rows that a store returned although they belong to somebody else. Anything but 0 is an incident."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.count = 0

    def report(self, scope: AnyScope, memory_id: object) -> None:
        with self._lock:
            self.count += 1
        # Ids only: never the text, and the stranger's subject neither.
        logger.critical("the store returned a foreign row: memory %s is not in the asked scope; dropped", memory_id)


FOREIGN_ROWS = ForeignRows()


def recheck(scope: AnyScope, rows: Iterable[Row]) -> list[Row]:
    """The rows that really belong to `scope`; a stranger's row is dropped, counted and reported."""
    kept = []
    for row in rows:
        if scope.owns(row[1] or {}):
            kept.append(row)
        else:
            FOREIGN_ROWS.report(scope, row[0])
    return kept


def recheck_subject(scope: AnyScope, rows: Iterable[Any]) -> list[Any]:
    """The same for rows of a side table, whose last column is the subject."""
    owner = scope.mem0_ids().get("user_id")
    kept = []
    for row in rows:
        if owner is not None and row[-1] == owner:
            kept.append(row)
        else:
            FOREIGN_ROWS.report(scope, row[0])
    return kept


def time_key(payload: dict[str, Any]) -> str:
    """The text that pages are sorted by, "" without one. Agents may store anything as a time (stores/conditions.py)."""
    created = payload.get("created_at")
    return created[:TIME_KEY_LENGTH] if isinstance(created, str) else ""


def parse_time(value: object) -> datetime | None:
    """An aware UTC datetime from an ISO text of any offset (a naive one counts as UTC), or None.

    Never raises: agents may store anything. A time that some time zone cannot show is none (scope.TIMES).
    """
    if not isinstance(value, str) or not value:
        return None
    try:
        parsed = datetime.fromisoformat(value)
        parsed = (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):  # an offset may lead before the first year, or behind the last
        return None
    return parsed if TIMES[0] <= parsed <= TIMES[1] else None


def parse_day(value: object) -> date | None:
    """The expiry date that mem0 keeps as YYYY-MM-DD, or None."""
    try:
        return date.fromisoformat(str(value)) if value else None
    except ValueError:
        return None


def version_of(payload: dict[str, Any]) -> str:
    """An opaque token of the stored wording: it changes with every correction."""
    seen = f"{payload.get('hash')}|{payload.get('updated_at')}|{payload.get('data')}"
    return hashlib.sha256(seen.encode("utf-8", "surrogatepass")).hexdigest()[:20]


def to_item(row: Row) -> Item:
    """An Item from (id, payload)."""
    memory_id, payload = row
    expires = parse_day(payload.get("expiration_date"))
    return Item(
        id=str(memory_id),
        text=as_text(payload.get("data")) or "",
        agent=as_text(payload.get("agent_id")),
        run=as_text(payload.get("run_id")),
        created=parse_time(payload.get("created_at")),
        updated=parse_time(payload.get("updated_at")),
        expires=expires,
        expired=expires is not None and expires < datetime.now(UTC).date(),
        role=as_text(payload.get("role")),
        actor=as_text(payload.get("actor_id")),
        version=version_of(payload),
        metadata=fit({key: value for key, value in payload.items() if key not in CORE_KEYS}),
    )
