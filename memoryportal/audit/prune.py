"""Drop whole months past retention. Runs as the tables' owner; the chain goes on from a signed head."""

import logging
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from .actions import Action
from .heads import sign_head
from .record import OPERATOR, record
from .verify import verify_trail

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

logger = logging.getLogger(__name__)
_MONTH = re.compile(r"audit_event_(\d{4})_(\d{2})")
_WAIT = "5s"  # whoever waits here for a reader makes every act in the portal wait behind it


class NotIntact(Exception):
    """The trail is not intact, so nothing was dropped: the months past retention may be the evidence."""


def months() -> list[tuple[str, datetime]]:
    """(partition, end of its month) of every partition, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit_event'::regclass")
        names = sorted(row[0] for row in cursor.fetchall())
    return [(name, _end(*map(int, found.groups()))) for name in names if (found := _MONTH.fullmatch(name))]


def _end(year: int, month: int) -> datetime:
    return datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)


def boundary() -> datetime:
    """Months that ended before this are past AUDIT_RETENTION_MONTHS."""
    now = timezone.now().astimezone(UTC)
    whole = now.year * 12 + now.month - 1 - int(settings.AUDIT_RETENTION_MONTHS)
    return datetime(whole // 12, whole % 12 + 1, 1, tzinfo=UTC)


def prune() -> list[str]:
    """Drop the months past retention, oldest first, after signing the last event that goes. Returns their names.

    Raises NotIntact, HeadsUnavailable, AuditUnavailable, and OperationalError when somebody reads the trail for long.
    """
    past = [name for name, end in months() if end <= boundary()]
    if past and (problem := verify_trail().problem):
        raise NotIntact(f"the trail is not intact ({problem}), so nothing was dropped")
    going = _beginnings(past)
    for names in going:
        _drop(names)
    return [name for names in going for name in names]


def _beginnings(past: list[str]) -> list[list[str]]:
    """These months in the order of their events; together, where a clock that was set back has mixed their events.

    A chain may lose nothing but its beginning: what is mixed with a month that stays, stays with it.
    """
    rest = {name: _span(name) for name, _ in months()}
    going, together = list[list[str]](), list[str]()
    for name in sorted(past, key=lambda each: rest[each][1]):
        _, last = rest.pop(name)
        together.append(name)
        if all(last < first for first, end in rest.values() if end):
            going.append(together)
            together = []
    if together:
        logger.warning("%s stay: later events stand in them, because a clock was set back", ", ".join(together))
    return going


def _span(name: str) -> tuple[int, int]:
    """The numbers of the first and the last event of a month; zeros where it has none."""
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT COALESCE(min(seq), 0), COALESCE(max(seq), 0) FROM "{name}"')
        first, last = cursor.fetchone()
    return first, last


def _drop(names: list[str]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{_WAIT}'")
        cursor.execute("LOCK TABLE audit_event IN ACCESS EXCLUSIVE MODE")
        lasts = {name: _last(cursor, name) for name in names}
        if last := lasts[names[-1]]:
            sign_head("prune", *last)
        for name in names:
            cursor.execute(f'DROP TABLE "{name}"')
        for name, last in lasts.items():
            record(Action.TRAIL_PRUNED, actor=OPERATOR, details={"months": name, "last": last[0] if last else None})


def _last(cursor: "CursorWrapper", name: str) -> tuple[int, str] | None:
    cursor.execute(f'SELECT seq, hash FROM "{name}" ORDER BY seq DESC LIMIT 1')
    found: tuple[int, str] | None = cursor.fetchone()
    return found
