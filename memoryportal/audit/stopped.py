"""An event where something was not learned because its person forbids it: for their page of activity, as a count."""

from typing import Any

from django.db import transaction
from django.dispatch import receiver

from memoryportal.memory.never_again import wording_stopped
from memoryportal.memory.scope import SubjectId

from .actions import Action
from .record import SYSTEM, record


@receiver(wording_stopped)
def note_stopped(subject: SubjectId, count: int, **_: Any) -> None:
    """In a savepoint: whoever added goes on without the event when it cannot be written, and the log says so."""
    with transaction.atomic():
        record(Action.WORDING_REFUSED, actor=SYSTEM, subject=subject, details={"count": count})
