"""Append one event. An act whose event cannot be written does not happen."""

import json
import re
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, connection, transaction

from memoryportal.base.request_id import request_id
from memoryportal.memory.scope import SubjectId

from .actions import Action
from .pseudonyms import Pseudonym, pseudonym

# Details are counts, ids and words from a fixed vocabulary: a value that could be a sentence is refused.
DETAIL_KEYS = frozenset(
    {
        *("memories", "entities", "history", "messages", "uses", "ids", "count", "hits", "left", "place", "places"),
        *("found", "never", "stopped"),
        *("form", "state", "method", "purpose", "minutes", "category", "ticket", "expected", "role", "group", "fields"),
        *("kind", "first", "last", "hash", "heads", "until", "months", "order", "page", "link", "target"),
    }
)
_WORD = re.compile(r"[\w.:#/+-]{0,80}", re.ASCII)
_ADDRESS = re.compile(r"[^\s@<>()]+@[^\s@<>()]+")
MAX_IDS = 500
MAX_REASON = 500


class AuditUnavailable(Exception):
    """The event could not be written, so the act must not happen."""

    status_code = 503
    unrecorded = True  # the error page says why nothing was done (base/errors.py)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: an account's number, or a name of the portal's own; and in which role."""

    id: str
    role: str


SYSTEM = Actor("system", "system")
OPERATOR = Actor("operator", "operator")  # somebody with a shell: the portal does not know who
NOBODY = Actor("anonymous", "anonymous")


def check_details(details: dict[str, Any] | None) -> dict[str, Any]:
    """The details, when they are counts, truth values, short words and lists of these. Raises ValueError."""
    for key, value in (details or {}).items():
        if key not in DETAIL_KEYS:
            raise ValueError(f"the audit trail has no detail named {key!r}")
        values = value if isinstance(value, list) else [value]
        if len(values) > MAX_IDS or not all(_plain(entry) for entry in values):
            raise ValueError(f"the detail {key!r} is not a count, an id or a word")
    return dict(details or {})


def _plain(value: object) -> bool:
    return value is None or isinstance(value, int) or (isinstance(value, str) and bool(_WORD.fullmatch(value)))


def _plain_reason(reason: str) -> str:
    """What somebody on the staff typed, without e-mail addresses: the trail is kept longer than an account."""
    return _ADDRESS.sub("(address)", reason.replace("\0", ""))[:MAX_REASON]


def record(
    action: Action,
    *,
    actor: Actor,
    subject: SubjectId | Pseudonym | None = None,
    object: str = "",
    reason: str = "",
    grant: str = "",
    details: dict[str, Any] | None = None,
) -> int:
    """Append an event and return its number. Inside a transaction it must be the last statement: it locks the head.

    The request's id comes from the request that is being answered. Raises AuditUnavailable, and the surrounding act
    must then not happen.
    """
    checked = json.dumps(check_details(details), sort_keys=True)
    given, about = _plain_reason(reason), request_id()
    if not _WORD.fullmatch(object):
        raise ValueError("the object of an event is an id or a word")
    try:
        named = pseudonym(subject) if isinstance(subject, SubjectId) else subject
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT audit_append(%s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb)",
                [actor.id, actor.role, action.value, named, object, given, grant, about, checked],
            )
            return int(cursor.fetchone()[0])
    except DatabaseError as error:
        raise AuditUnavailable("the event could not be written, so nothing was done") from error


def record_first(action: Action, **about: Any) -> int:
    """Append an event that is committed when this returns: what must stand before somebody reads a memory.

    Raises RuntimeError inside a transaction that could still be rolled back.
    """
    with transaction.atomic(durable=True):
        return record(action, **about)
