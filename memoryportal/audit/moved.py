"""Events where an operator moves what is stored under a refused id: with their reason, before it happens.

The old id is not written down: what is refused as an id is often an address, or a name with a blank.
"""

from typing import Any

from django.dispatch import receiver

from memoryportal.memory.errors import StoreUnavailable
from memoryportal.memory.scope import SubjectId
from memoryportal.memory.signals import moved, moving

from .actions import Action
from .record import OPERATOR, AuditUnavailable, record_first


@receiver(moving)
def note_asked(subject: SubjectId, reason: str, **_: Any) -> None:
    try:
        record_first(Action.MEMORY_MOVE_ASKED, actor=OPERATOR, subject=subject, reason=reason)
    except AuditUnavailable as error:
        raise StoreUnavailable(str(error)) from None


@receiver(moved)
def note_moved(subject: SubjectId, reason: str, count: int, **_: Any) -> None:
    record_first(Action.MEMORY_MOVED, actor=OPERATOR, subject=subject, reason=reason, details={"count": count})
