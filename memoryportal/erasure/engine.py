"""Carry out an erasure: shut the gate, note the ids, empty every place, read every place again, say what was found.

Every step can be repeated, and the record is committed before and after each one, so the engine may be killed anywhere
and run again. Deletions in the store are committed first, and elsewhere; the portal's own step, event and lease move in
one transaction. The gate stays shut from the first deletion to the end, whatever happens in between.
"""

import contextlib
import logging
import random
import uuid
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from memoryportal.audit.actions import Action
from memoryportal.audit.record import SYSTEM, AuditUnavailable
from memoryportal.memory import MemoryRoomError, StoreUnavailable, controls
from memoryportal.memory.stores import current_store

from . import finishing, letters
from .lease import MAX_ATTEMPTS, Lease, LeaseLost, claim, delay_details, give_to_people
from .models import Erasure
from .moves import move, note
from .reach import Reach
from .states import State
from .steps import note_found, prepare_steps
from .verification import Questions, verify

logger = logging.getLogger(__name__)
SWEEPS = (timedelta(minutes=10), timedelta(days=1))  # after the first reading, where the store cannot fence
FIRST_DELAY = timedelta(seconds=20)
LONGEST_DELAY = timedelta(hours=4)


def run(erasure: Erasure) -> Erasure:
    """Carry `erasure` as far as it gets now, and return it as stored. Does nothing while another run is at it."""
    lease = claim(erasure.pk)
    if lease is not None:
        try:
            _carry_out(lease)
        except LeaseLost:
            logger.warning("an erasure was taken over by another run")
        except (MemoryRoomError, AuditUnavailable, finishing.LedgerUnavailable, OSError) as error:
            _postpone(lease, error)
    return Erasure.objects.prefetch_related("steps", "outside").get(pk=erasure.pk)


def _carry_out(lease: Lease) -> None:
    reach = Reach(lease)
    store = current_store()
    for subject in reach.subjects:
        controls.shut(store, subject, "erasing", reach.agent)
    questions = Questions.taken_from(reach)
    reach.write_journal()
    with lease.step() as erasure:
        prepare_steps(erasure, reach.whose())
    note_found(lease, reach.count())
    reach.erase(lease)
    with lease.step() as erasure:
        move(erasure, State.VERIFYING)
    clean = verify(lease, reach, questions)
    if _must_watch(lease):
        return
    finishing.finish(lease, reach, clean)


def _must_watch(lease: Lease) -> bool:
    """Where foreign writers cannot be held back, look again after ten minutes and after a day."""
    if current_store().abilities.fenced:
        return False
    with lease.step() as erasure:
        if erasure.sweeps >= len(SWEEPS):
            return False
        erasure.next_at, erasure.lease_until = timezone.now() + SWEEPS[erasure.sweeps], None
        erasure.sweeps += 1
        erasure.attempts = 0
        move(erasure, State.WATCHING)
        note(erasure, Action.ERASURE_WATCHED, SYSTEM, details={"count": erasure.sweeps})
    return True


def _postpone(lease: Lease, error: Exception) -> None:
    """What is done stays done; the gate stays shut; the page says "delayed"."""
    logger.error(
        "an erasure could not go on: %s", error if isinstance(error, MemoryRoomError) else type(error).__name__
    )
    with contextlib.suppress(LeaseLost), lease.step() as erasure:
        if erasure.attempts >= MAX_ATTEMPTS:
            give_to_people(erasure, type(error).__name__)
            return
        erasure.lease_until, erasure.next_at = None, timezone.now() + delay(erasure.attempts)
        first = erasure.attempts == 1
        move(erasure, State.RETRYING)
        if first:
            letters.tell(erasure, "request_delayed")
        with contextlib.suppress(AuditUnavailable), transaction.atomic():  # a delay must be told all the same
            note(erasure, Action.ERASURE_FAILED, SYSTEM, details=delay_details(erasure, type(error).__name__))


def delay(attempts: int) -> timedelta:
    """How long to wait after so many attempts: doubled each time, four hours at most, and not all at once."""
    waited: timedelta = min(FIRST_DELAY * 2 ** (attempts - 1), LONGEST_DELAY)
    return waited * random.uniform(0.8, 1.2)  # noqa: S311 - spreads work, guards nothing


def is_running(pk: uuid.UUID) -> bool:
    """Whether somebody is at work on it right now."""
    return Erasure.objects.filter(pk=pk, lease_until__gt=timezone.now()).exists()


__all__ = ["StoreUnavailable", "delay", "is_running", "run"]
