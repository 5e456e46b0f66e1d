"""A deletion request that the host files for somebody. One small function: the erasure room decides what follows."""

from django.db import transaction

from memoryportal.audit.actions import Action
from memoryportal.audit.record import Actor, record
from memoryportal.erasure.models import Erasure
from memoryportal.erasure.services import hand_over
from memoryportal.memory import SubjectId

from .models import ServiceKey


def file(subject: SubjectId, key: ServiceKey) -> Erasure:
    """The open request of this subject, written down now if there is none. Raises AuditUnavailable."""
    with transaction.atomic():
        erasure = hand_over(None, subject, by=key.created_by)  # type: ignore[arg-type]
        record(
            Action.REQUEST_HANDED_OVER,
            actor=Actor(f"key:{key.prefix}", "host"),
            subject=subject,
            object=erasure.reference,
        )
    return erasure


def standing(reference: str) -> tuple[str, str]:
    """(reference, state) of a request as it stands now."""
    return reference, str(Erasure.objects.values_list("state", flat=True).get(reference=reference))
