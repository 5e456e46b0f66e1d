"""Ask for an erasure, and find one's own."""

from typing import TYPE_CHECKING
from uuid import UUID

from django.db import IntegrityError, transaction

from memoryportal.accounts.trail import person
from memoryportal.audit.actions import Action
from memoryportal.audit.record import record
from memoryportal.memory import SubjectId
from memoryportal.memory.places import PLACES

from .models import Erasure, ErasureStep

if TYPE_CHECKING:
    from memoryportal.accounts.models import User


class ErasureNotFound(LookupError):
    """No such erasure of this account; somebody else's is exactly this too."""


def ask(account: "User", subject: SubjectId) -> Erasure:
    """The open erasure of this subject, made now if there is none: a double submit makes one."""
    try:
        with transaction.atomic():
            erasure = Erasure.objects.create(account=account, subject=str(subject))
            ErasureStep.objects.bulk_create(
                ErasureStep(erasure=erasure, place=key, order=number) for number, key in enumerate(PLACES)
            )
            record(Action.ERASURE_ASKED, actor=person(account), subject=subject, object=erasure.reference)
            return erasure
    except IntegrityError:
        # The open one that was in the way. It may have ended meanwhile: the newest is the answer all the same.
        return Erasure.objects.filter(subject=str(subject)).latest("asked_at")


def own(account: "User", erasure_id: UUID) -> Erasure:
    """One erasure that this account asked for. Raises ErasureNotFound."""
    try:
        return Erasure.objects.prefetch_related("steps").get(account=account, id=erasure_id)
    except Erasure.DoesNotExist:
        raise ErasureNotFound("no such erasure") from None


def history(account: "User") -> list[Erasure]:
    """All erasures that this account asked for, newest first."""
    return list(Erasure.objects.filter(account=account))
