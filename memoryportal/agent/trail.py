"""Leave events about what assistants change. Adding leaves none: the memory itself says which assistant added it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from memoryportal.accounts.trail import Change
from memoryportal.audit.actions import Action
from memoryportal.audit.record import Actor, AuditUnavailable, record

from .door import Visit

logger = logging.getLogger(__name__)
ASSISTANT = "assistant"  # the role of whoever shows a subject token; the trail knows the key, not the assistant's name


@contextmanager
def changing(visit: Visit, change: Change, memory_id: str) -> Iterator[dict[str, int]]:
    """Around one change: asked for before it, done or failed after it. What is put into the dictionary is noted.

    Raises AuditUnavailable before anything was changed, and never afterwards (as accounts/trail.py).
    """
    _note(visit, change.asked, memory_id, {})
    found: dict[str, int] = {}
    try:
        yield found
    except Exception as error:
        _note_end(visit, change.failed, memory_id, {"state": type(error).__name__})
        raise
    _note_end(visit, change.done, memory_id, found)


def _note(visit: Visit, action: Action, memory_id: str, details: dict[str, int] | dict[str, str]) -> None:
    actor = Actor(f"key:{visit.prefix}", ASSISTANT)
    record(action, actor=actor, subject=visit.subject, object=memory_id, details=dict(details))


def _note_end(visit: Visit, action: Action, memory_id: str, details: dict[str, int] | dict[str, str]) -> None:
    try:
        _note(visit, action, memory_id, details)
    except AuditUnavailable:
        logger.exception("the trail has no %s for an act that was asked for", action)
