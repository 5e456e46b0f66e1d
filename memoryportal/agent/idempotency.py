"""A write that is sent twice under one Idempotency-Key happens once. Kept for 24 hours: ids and a status, never text.

What is not known to have happened is not done again: a process that died in the middle leaves "unconfirmed".
"""

import hashlib
import hmac
import logging
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from django.db import DatabaseError, InterfaceError, connection
from django.http import HttpRequest
from django.utils import timezone
from ninja import Header

from memoryportal.base.secrets_file import derived_key

from .models import Call
from .problems import Problem

if TYPE_CHECKING:
    from memoryportal.memory import SubjectId

logger = logging.getLogger(__name__)
HEADER = "Idempotency-Key"
KEPT = timedelta(hours=24)
LONGEST = timedelta(minutes=5)  # longer than a request can take, a language model's included
UNCONFIRMED = 503
_FORM = re.compile(r"[!-~]{1,128}")
_INSERT = """
INSERT INTO agent_call (key_id, subject, agent, route, call, body, ids, counts, created_at)
VALUES (%(key_id)s, %(subject)s, %(agent)s, %(route)s, %(call)s, %(body)s, '{}', '{}', %(created_at)s)
ON CONFLICT (key_id, subject, route, call) DO NOTHING RETURNING id
"""
SCHEMA: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$"}
# For the OpenAPI document alone: `once` reads the header itself, and has a code of its own for one that is no such key.
OnceKey = Annotated[str | None, Header(alias=HEADER, description="Makes a repeated write safe.")]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a write did: ids of memories (or the reference of an erasure), and what it counted."""

    ids: list[str]
    counts: dict[str, int] = field(default_factory=dict)
    replayed: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Writer:
    """Who writes what: a key under which the same Idempotency-Key means the same request."""

    key: uuid.UUID
    subject: "SubjectId"
    route: str
    agent: str = ""
    run: str | None = None

    def __repr__(self) -> str:
        return "<Writer>"


def once(request: HttpRequest, writer: Writer, act: Callable[[], Outcome]) -> Outcome:
    """What `act` did, now or when this request was here before. Raises Problem, and what `act` raises."""
    name = request.headers.get(HEADER)
    if name is None:
        return act()
    if not _FORM.fullmatch(name):
        raise Problem("bad-idempotency-key")
    call = _begin(request, writer, name)
    if isinstance(call, Outcome):
        return call
    try:
        outcome = act()
    except Exception as error:
        _fail(call, error)
        raise
    _finish(call, outcome)
    return outcome


def _begin(request: HttpRequest, writer: Writer, name: str) -> int | Outcome:
    """The number of a row of our own, committed; or what the row that stands there says."""
    same = {"key_id": writer.key, "subject": str(writer.subject), "route": writer.route, "call": _digest(name)}
    body = _digest(_whole(request, writer))
    values = {**same, "agent": writer.agent, "body": body, "created_at": timezone.now()}
    if (made := _inserted(values)) is not None:
        return made
    found = Call.objects.filter(**same).first()
    if found is not None and found.created_at > timezone.now() - KEPT:
        return _earlier(found, body)
    Call.objects.filter(**same, created_at__lte=timezone.now() - KEPT).delete()  # too old, and not swept away yet
    if (made := _inserted(values)) is None:
        raise Problem("in-progress", retry_after=1)
    return made


def _inserted(values: dict[str, Any]) -> int | None:
    """One statement: Django's own way to get or create takes four."""
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, values)
        row = cursor.fetchone()
    return int(row[0]) if row else None


def _earlier(found: Call, body: str) -> Outcome:
    if found.body != body:
        raise Problem("idempotency-mismatch")
    if found.status is None and found.created_at > timezone.now() - LONGEST:
        raise Problem("in-progress", retry_after=1)
    if found.status is None or found.status == UNCONFIRMED:
        raise Problem("unconfirmed", "Look first. To do it once more, send it under another Idempotency-Key.")
    return Outcome(found.ids, found.counts, replayed=True)


def _whole(request: HttpRequest, writer: Writer) -> str:
    """Everything that makes a request what it is. The same words for another assistant are another request."""
    return f"{writer.agent!r} {writer.run!r} {request.method} {request.path} {request.body.hex()}"


def _digest(text: str) -> str:
    """Keyed: the plain hash of a short memory could be guessed."""
    return hmac.new(derived_key("idempotency"), text.encode(), hashlib.sha256).hexdigest()


def _finish(call: int, outcome: Outcome) -> None:
    try:
        Call.objects.filter(pk=call).update(status=200, ids=outcome.ids, counts=outcome.counts)
    except (DatabaseError, InterfaceError):  # it was done all the same, and is said to be done
        logger.exception("the end of a request with an Idempotency-Key could not be noted")


def _fail(call: int, error: Exception) -> None:
    """Forget a request that did nothing, so that it can be sent again; keep one of which that is not known."""
    mine = Call.objects.filter(pk=call)
    try:
        if is_harmless(error):
            mine.delete()
        else:
            mine.update(status=UNCONFIRMED)
    except (DatabaseError, InterfaceError):
        logger.exception("the failure of a request with an Idempotency-Key could not be noted")


def is_harmless(error: Exception) -> bool:
    """Whether this error says that nothing was changed."""
    from memoryportal.memory import MemoryRoomError

    known = isinstance(error, (Problem, MemoryRoomError)) or getattr(error, "unrecorded", False)
    return known and not getattr(error, "unconfirmed", False)
