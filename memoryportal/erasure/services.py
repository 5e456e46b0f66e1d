"""Ask for an erasure, and find one's own."""

from typing import TYPE_CHECKING
from uuid import UUID

from django.db import IntegrityError, transaction

from memoryportal.accounts.trail import person
from memoryportal.audit.actions import Action
from memoryportal.audit.record import record
from memoryportal.memory import SubjectId
from memoryportal.memory.places import PLACES

from .models import TERMINAL, Erasure, ErasureStep

if TYPE_CHECKING:
    from memoryportal.accounts.models import User


class ErasureNotFound(LookupError):
    """No such erasure of this account; somebody else's is exactly this too."""


def ask(account: "User", subject: SubjectId) -> Erasure:
    """The open erasure of this subject, made now if there is none: a double submit makes one."""
    try:
        with transaction.atomic():
            erasure = _new(subject, account=account)
            record(Action.ERASURE_ASKED, actor=person(account), subject=subject, object=erasure.reference)
            return erasure
    except IntegrityError:
        erasure = _in_the_way(subject)
    if erasure.is_filed:  # by the staff, for this person, who now asks for it too
        record(Action.ERASURE_ASKED, actor=person(account), subject=subject, object=erasure.reference)
    return erasure


def hand_over(account: "User | None", subject: SubjectId, by: "User") -> Erasure:
    """The open erasure of this subject, written down by somebody on the staff if there is none. Nothing is carried out.

    `account` is the person's, who finds it among their own erasures. The caller records the event.
    """
    try:
        with transaction.atomic():
            return _new(subject, account=account, filed_by=by)
    except IntegrityError:
        return _in_the_way(subject)


def _new(subject: SubjectId, **about: "User | None") -> Erasure:
    erasure = Erasure.objects.create(subject=str(subject), **about)
    ErasureStep.objects.bulk_create(
        ErasureStep(erasure=erasure, place=key, order=number) for number, key in enumerate(PLACES)
    )
    return erasure


def _in_the_way(subject: SubjectId) -> Erasure:
    """The open one. It may have ended meanwhile: the newest is the answer all the same."""
    return Erasure.objects.filter(subject=str(subject)).latest("asked_at")


def open_for(subject: SubjectId) -> Erasure | None:
    """The erasure of this subject that has not ended."""
    return Erasure.objects.filter(subject=str(subject)).exclude(state__in=TERMINAL).first()


def own(account: "User", erasure_id: UUID) -> Erasure:
    """One erasure that this account asked for. Raises ErasureNotFound."""
    try:
        return Erasure.objects.prefetch_related("steps").get(account=account, id=erasure_id)
    except Erasure.DoesNotExist:
        raise ErasureNotFound("no such erasure") from None


def history(account: "User") -> list[Erasure]:
    """All erasures that this account asked for, newest first."""
    return list(Erasure.objects.filter(account=account))
