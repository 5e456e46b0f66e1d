"""Leave events about what people do. An act whose event cannot be written does not happen: the page is a 503."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from allauth.core import context as allauth_context
from django.http import HttpRequest

from memoryportal.audit.actions import Action
from memoryportal.audit.record import NOBODY, OPERATOR, Actor, AuditUnavailable, record
from memoryportal.memory.scope import SubjectId

from .http import PortalRequest
from .models import User
from .subjects import PERSON

logger = logging.getLogger(__name__)


class Change(NamedTuple):
    """The events of one kind of change to memories."""

    asked: Action
    done: Action
    failed: Action


CORRECTION = Change(Action.MEMORY_CORRECT_ASKED, Action.MEMORY_CORRECTED, Action.MEMORY_CORRECT_FAILED)
PURGE = Change(Action.MEMORY_PURGE_ASKED, Action.MEMORY_PURGED, Action.MEMORY_PURGE_FAILED)
PAUSE = Change(Action.SETTING_ASKED, Action.MEMORY_PAUSED, Action.SETTING_FAILED)
RESUMPTION = Change(Action.SETTING_ASKED, Action.MEMORY_RESUMED, Action.SETTING_FAILED)
RESTRICTION = Change(Action.SETTING_ASKED, Action.USE_RESTRICTED, Action.SETTING_FAILED)
USE_AGAIN = Change(Action.SETTING_ASKED, Action.USE_ALLOWED, Action.SETTING_FAILED)
LEARNING_AGAIN = Change(Action.SETTING_ASKED, Action.WORDING_ALLOWED, Action.SETTING_FAILED)
DELETION = Change(Action.MEMORY_DELETE_ASKED, Action.MEMORY_DELETED, Action.MEMORY_DELETE_FAILED)


def person(user: User) -> Actor:
    return Actor(str(user.pk), PERSON)


def actor_of(request: HttpRequest) -> Actor:
    """Whoever is signed in, as a person; or nobody."""
    return person(request.user) if isinstance(request.user, User) else NOBODY


def note(request: PortalRequest, action: Action, *, subject: SubjectId | None = None, **about: Any) -> int:
    """An act of the signed-in person, about the subject that their session shows, or another one of their own.

    Raises AuditUnavailable.
    """
    return record(action, actor=person(request.user), subject=subject or request.memory.subject, **about)


@contextmanager
def changing(
    request: PortalRequest, change: Change, object: str, *, subject: SubjectId | None = None, **details: Any
) -> Iterator[dict[str, Any]]:
    """Around one change of memories: asked before it, done or failed after it. What is put into the yielded dictionary
    (counts of what went) enters the last event. `subject` as for `note`.

    Raises AuditUnavailable before anything was changed, and never afterwards: the page must not say that nothing was
    changed when it was. The trail then shows what was asked for, and the log that its end is missing.
    """
    note(request, change.asked, subject=subject, object=object, details=details)
    found: dict[str, Any] = {}
    try:
        yield found
    except Exception as error:
        _note_end(request, change.failed, subject=subject, object=object, details={"state": type(error).__name__})
        raise
    _note_end(request, change.done, subject=subject, object=object, details=found)


def _note_end(request: PortalRequest, action: Action, **about: Any) -> None:
    try:
        note(request, action, **about)
    except AuditUnavailable:
        logger.exception("the trail has no %s for an act that was asked for", action)


# --- acts on an account ----------------------------------------------------------------------------------------------


def note_account(user: User, action: Action, request: HttpRequest | None = None, **details: Any) -> int:
    """An act on this account, about the subject that it was issued. Raises AuditUnavailable."""
    actor = actor_on(user, request or allauth_context.request)
    return record(action, actor=actor, subject=SubjectId(user.subject), details=details)


def actor_on(user: User, request: HttpRequest | None) -> Actor:
    """Who acts on this account: its person, somebody else who is signed in, or somebody with a shell."""
    if request is None:
        return OPERATOR
    by = getattr(request, "user", None)
    if by is None or not by.is_authenticated:
        return NOBODY
    return person(user) if by.pk == user.pk else Actor(str(by.pk), "admin")
