"""How much one key may ask for, in all and for one person. Rows with an atomic increment: all processes share them."""

import hashlib
import hmac
import time
import uuid
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction

from memoryportal.accounts import letters
from memoryportal.audit.actions import Action
from memoryportal.audit.record import SYSTEM, record
from memoryportal.base.secrets_file import derived_key
from memoryportal.memory import SubjectId

from .models import ServiceKey, SubjectHour
from .problems import Problem

# One statement answers whether the key still lives, what it allows, and how often it was used in this minute. What is
# too much for one person does not count for the key: an assistant that runs wild would stop everybody else's. Holders
# are locked in one order (`s:` before `k:`), so that two requests never wait for each other.
_VISIT = """
WITH service_key AS (
    SELECT id, prefix, agents, rights, revoked_at IS NULL AS living,
        floor(extract(epoch FROM now()) / 60) AS minute
    FROM agent_servicekey WHERE id = %(key)s
), of_subject AS (
    INSERT INTO agent_window AS w (holder, minute, requests)
    SELECT %(subject)s, minute, 1 FROM service_key WHERE living AND %(subject)s::text IS NOT NULL
    ON CONFLICT (holder, minute) DO UPDATE SET requests = w.requests + 1
    RETURNING requests
), of_key AS (
    INSERT INTO agent_window AS w (holder, minute, requests)
    SELECT %(holder)s, minute, 1 FROM service_key
    WHERE living AND NOT EXISTS (SELECT 1 FROM of_subject WHERE requests > %(most)s)
    ON CONFLICT (holder, minute) DO UPDATE SET requests = w.requests + 1
    RETURNING requests
)
SELECT prefix, agents, rights, living,
    (SELECT requests FROM of_key),
    (SELECT requests FROM of_subject),
    60 - floor(extract(epoch FROM now()))::bigint %% 60
FROM service_key
"""
_SUBJECT = """
WITH fresh AS (
    INSERT INTO agent_seensubject (key_id, hour, digest) VALUES (%(key)s, %(hour)s, %(digest)s)
    ON CONFLICT (key_id, hour, digest) DO NOTHING RETURNING key_id
)
INSERT INTO agent_subjecthour AS h (key_id, hour, subjects, alerted) SELECT key_id, %(hour)s, 1, false FROM fresh
ON CONFLICT (key_id, hour) DO UPDATE SET subjects = h.subjects + 1 RETURNING subjects
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a service key allows now."""

    prefix: str
    agents: list[str]
    rights: list[str]


def visit(key: uuid.UUID, subject: SubjectId | None = None) -> Standing | None:
    """Count one request; None when the key is gone or revoked. Raises Problem when there were too many."""
    most, holder = settings.GATEWAY_SUBJECT_PER_MINUTE, f"s:{_digest(key, subject)}" if subject else None
    row = _asked({"key": key, "holder": f"k:{key.hex}", "subject": holder, "most": most})
    if row is None or not row[3]:
        return None
    prefix, agents, rights, _, of_key, of_subject, left = row
    if (of_subject or 0) > most or of_key > settings.GATEWAY_KEY_PER_MINUTE:
        raise Problem("too-many-requests", retry_after=left)
    return Standing(prefix, agents, rights)


def _asked(values: dict[str, Any]) -> Any:
    """The answer to _VISIT, in one round trip: the statement itself finds out whether the kept connection still lives.

    Django would ask that first (CONN_HEALTH_CHECKS). On a connection that is dead it is asked once more, on a new one.
    """
    kept = connection.connection
    connection.health_check_done = True  # type: ignore[attr-defined]
    try:
        return _fetched(values)
    except (OperationalError, InterfaceError):
        if kept is None or not kept.closed or connection.in_atomic_block:
            raise
        connection.close()
        return _fetched(values)


def _fetched(values: dict[str, Any]) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(_VISIT, values)
        return cursor.fetchone()


def admit(key: ServiceKey, subject: SubjectId) -> None:
    """Count one of the different people whom this key asks for in this hour. Raises Problem when they are too many."""
    hour, left = divmod(int(time.time()), 3600)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_SUBJECT, {"key": key.pk, "hour": hour, "digest": _digest(key.pk, subject)})
            row = cursor.fetchone()
            if row is not None and row[0] > key.subjects_per_hour:
                raise Problem("too-many-subjects", retry_after=3600 - left)  # and the row is not there
    except Problem:
        _alert(key, hour)
        raise


def _alert(key: ServiceKey, hour: int) -> None:
    """Tell privacy, once in an hour, and the trail. Raises AuditUnavailable."""
    with transaction.atomic():
        if SubjectHour.objects.filter(key=key, hour=hour, alerted=False).update(alerted=True):
            letters.write_to_privacy("key_refused", name=key.name, prefix=key.prefix, most=str(key.subjects_per_hour))
            about = {"kind": "subjects", "expected": key.subjects_per_hour}
            record(Action.KEY_REFUSED, actor=SYSTEM, object=f"key:{key.prefix}", details=about)


def _digest(key: uuid.UUID, subject: SubjectId) -> str:
    """Keyed: whoever reads the table alone cannot try ids."""
    return hmac.new(derived_key("limits"), f"{key.hex}:{subject}".encode(), hashlib.sha256).hexdigest()
