"""Drop whole months past retention. Runs as the tables' owner; the chain goes on from a signed head."""

import re
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from .heads import sign_head

_MONTH = re.compile(r"audit_event_(\d{4})_(\d{2})")


def months() -> list[tuple[str, datetime]]:
    """(partition, end of its month) of every partition, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit_event'::regclass")
        names = sorted(row[0] for row in cursor.fetchall())
    return [(name, _end(*map(int, found.groups()))) for name in names if (found := _MONTH.fullmatch(name))]


def _end(year: int, month: int) -> datetime:
    return datetime(year + month // 12, month % 12 + 1, 1, tzinfo=timezone.get_default_timezone())


def boundary() -> datetime:
    """Months that ended before this are past AUDIT_RETENTION (months)."""
    now = timezone.now()
    whole = now.year * 12 + now.month - 1 - int(settings.AUDIT_RETENTION_MONTHS)
    return datetime(whole // 12, whole % 12 + 1, 1, tzinfo=timezone.get_default_timezone())


def prune() -> list[str]:
    """Drop the months past retention, oldest first, after signing the last event that goes. Returns their names."""
    dropped = []
    for name, end in months():
        if end > boundary():
            break
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f'SELECT seq, hash FROM "{name}" ORDER BY seq DESC LIMIT 1')
            if last := cursor.fetchone():
                sign_head("prune", *last)
            cursor.execute(f'DROP TABLE "{name}"')
        dropped.append(name)
    return dropped
