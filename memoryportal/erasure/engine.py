"""Carry out an erasure: shut the gate, empty every place, read every place again, say what was found.

Every step can be repeated, and the record is committed before and after each one, so the engine may be killed anywhere
and run again. The gate stays shut from the first deletion to the end, whatever happens in between.
"""

import contextlib
import logging
import uuid
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from memoryportal.audit.actions import Action
from memoryportal.audit.record import SYSTEM, AuditUnavailable, record
from memoryportal.memory import (
    MemoryRoomError,
    Residue,
    ScopedMemory,
    StoreUnavailable,
    SubjectId,
    controls,
)
from memoryportal.memory.refused import refused_owners_like
from memoryportal.memory.stores import current_store

from .models import TERMINAL, TRANSITIONS, Erasure, ErasureStep, State

logger = logging.getLogger(__name__)
LEASE = timedelta(seconds=90)  # longer than one run can take with the store's deadlines
MAX_ATTEMPTS = 10
READINGS = 2


class LeaseLost(Exception):
    """Somebody else carries on with this erasure: stop at once, without writing."""


def run(erasure: Erasure) -> Erasure:
    """Carry `erasure` as far as it gets now, and return it as stored. Does nothing while another run is at it."""
    token = _claim(erasure.pk)
    if token is not None:
        try:
            _carry_out(erasure.pk, token)
        except LeaseLost:
            logger.warning("an erasure was taken over by another run")
        except (MemoryRoomError, AuditUnavailable) as error:
            _postpone(erasure.pk, token, error)
    return Erasure.objects.prefetch_related("steps").get(pk=erasure.pk)


def _claim(pk: uuid.UUID) -> uuid.UUID | None:
    """A lease on the erasure, or None when it is finished or somebody works on it."""
    now = timezone.now()
    with transaction.atomic():
        erasure = Erasure.objects.select_for_update().get(pk=pk)
        if erasure.is_terminal or (erasure.lease_until and erasure.lease_until > now):
            return None
        erasure.lease_token, erasure.lease_until = uuid.uuid4(), now + LEASE
        erasure.attempts += 1
        erasure.began_at = erasure.began_at or now
        _move(erasure, State.ERASING)
        return erasure.lease_token


def _carry_out(pk: uuid.UUID, token: uuid.UUID) -> None:
    subject = SubjectId(Erasure.objects.values_list("subject", flat=True).get(pk=pk))
    memory, store = ScopedMemory(subject), current_store()
    controls.shut(store, subject, "erasing")
    _note_found(pk, token, memory.held())
    _note_removed(pk, token, memory.erase().counts)
    readings = [_read_again(pk, token, memory) for _ in range(READINGS)]  # all of them, whatever the first says
    readings.append(_look_for_other_ids(pk, token, subject))
    controls.reopen(store, subject, "erasing")
    _finish(pk, token, State.COMPLETED if all(readings) else State.COMPLETED_WITH_EXCEPTIONS)


def _read_again(pk: uuid.UUID, token: uuid.UUID, memory: ScopedMemory) -> bool:
    """Whether every place was read and found empty. A place that cannot be read now is a reason to try again."""
    residue = memory.residue()
    _note_residue(pk, token, residue)
    unread = [found.place for found in residue if found.count is None]
    if unread:
        raise StoreUnavailable(f"could not be read again: {', '.join(unread)}")
    return not any(found.count for found in residue)


def _look_for_other_ids(pk: uuid.UUID, token: uuid.UUID, subject: SubjectId) -> bool:
    """Whether no rows may be this person's under an id that is refused: no erasure reaches those."""
    rows = refused_owners_like(subject)
    if rows:
        said = f"{rows} more lie under an id that resembles yours and is malformed; we must find out whose they are"
        with transaction.atomic():
            _held(pk, token).steps.filter(place="memories").update(problem=said)
    return not rows


def _held(pk: uuid.UUID, token: uuid.UUID) -> Erasure:
    """The erasure, locked, as long as the lease is ours. Raises LeaseLost."""
    try:
        return Erasure.objects.select_for_update(of=("self",)).get(pk=pk, lease_token=token)
    except Erasure.DoesNotExist:
        raise LeaseLost from None


def _move(erasure: Erasure, state: State) -> None:
    """The one place where a state changes."""
    if state not in TRANSITIONS.get(erasure.state, frozenset()):
        raise ValueError(f"an erasure cannot go from {erasure.state} to {state}")
    erasure.state = state
    if state in TERMINAL:
        erasure.ended_at = timezone.now()
    erasure.save()


def _note_found(pk: uuid.UUID, token: uuid.UUID, held: dict[str, int]) -> None:
    with transaction.atomic():
        erasure = _held(pk, token)
        for step in erasure.steps.all():
            step.found = max(step.found or 0, held.get(step.place, 0))
            step.save(update_fields=["found"])


def _note_removed(pk: uuid.UUID, token: uuid.UUID, counts: dict[str, int]) -> None:
    with transaction.atomic():
        erasure = _held(pk, token)
        for step in erasure.steps.all():
            step.removed += counts.get(step.place, 0)
            step.save(update_fields=["removed"])
        _move(erasure, State.VERIFYING)


def _note_residue(pk: uuid.UUID, token: uuid.UUID, residue: list[Residue]) -> None:
    now = timezone.now()
    with transaction.atomic():
        erasure = _held(pk, token)
        for found in residue:
            ErasureStep.objects.filter(erasure=erasure, place=found.place).update(
                left=found.count, problem=(found.problem or "")[:200], verified_at=now
            )


def _finish(pk: uuid.UUID, token: uuid.UUID, state: State) -> None:
    with transaction.atomic():
        erasure = _held(pk, token)
        erasure.lease_token = erasure.lease_until = None
        _move(erasure, state)
        removed = {step.place: step.removed for step in erasure.steps.all()}
        left = sum(step.left or 0 for step in erasure.steps.all())
        _note(erasure, Action.ERASURE_DONE, {**removed, "left": left, "state": str(state)})


def _note(erasure: Erasure, action: Action, details: dict[str, Any]) -> None:
    record(action, actor=SYSTEM, subject=SubjectId(erasure.subject), object=erasure.reference, details=details)


def _postpone(pk: uuid.UUID, token: uuid.UUID, error: MemoryRoomError | AuditUnavailable) -> None:
    """What is done stays done; the gate stays shut; the page says "delayed"."""
    logger.error("an erasure could not go on: %s", error)
    with contextlib.suppress(LeaseLost), transaction.atomic():
        erasure = _held(pk, token)
        erasure.lease_token = erasure.lease_until = None
        _move(erasure, State.NEEDS_ATTENTION if erasure.attempts >= MAX_ATTEMPTS else State.RETRYING)
        with contextlib.suppress(AuditUnavailable), transaction.atomic():  # a delay must be told all the same
            _note(erasure, Action.ERASURE_FAILED, {"state": type(error).__name__, "count": erasure.attempts})
