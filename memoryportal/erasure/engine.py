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
from django.db.models.functions import Now
from django.utils import timezone

from memoryportal.audit.actions import Action
from memoryportal.audit.record import SYSTEM, AuditUnavailable
from memoryportal.base.keys import KeyTrouble
from memoryportal.memory import MemoryRoomError, StoreUnavailable
from memoryportal.memory.gate_gaps import gate_gaps
from memoryportal.memory.stores import current_store

from . import finishing
from .lease import MAX_ATTEMPTS, Lease, LeaseLost, claim, delay_details, give_to_people, tell_delay
from .models import Erasure
from .moves import move, note
from .reach import Reach
from .states import State
from .steps import note_found, note_problem
from .verification import Questions, Verdict, verify

logger = logging.getLogger(__name__)
SWEEPS = (timedelta(minutes=10), timedelta(days=1))  # after the first reading, where the store cannot fence
ROUNDS = 3  # of erasing and reading again, before what is still there is named as an exception
NO_GATE = "other programs were not held back meanwhile: the gate in the database was switched off or was missing"
FIRST_DELAY = timedelta(seconds=20)
LONGEST_DELAY = timedelta(hours=4)
FORESEEN = (MemoryRoomError, AuditUnavailable, finishing.LedgerUnavailable, KeyTrouble, OSError)


def run(erasure: Erasure) -> Erasure:
    """Carry `erasure` as far as it gets now, and return it as stored. Does nothing while another run is at it.

    What nobody foresaw is raised, after the request was put off like any other that could not go on.
    """
    lease = _claimed(erasure.pk)
    if lease is not None:
        _work(lease)
    return Erasure.objects.prefetch_related("steps", "outside").get(pk=erasure.pk)


def _claimed(pk: uuid.UUID) -> Lease | None:
    try:
        return claim(pk)
    except AuditUnavailable:
        logger.error("an erasure could not be taken up: the trail cannot be written")
        return None


def _work(lease: Lease) -> None:
    try:
        with lease.kept():
            _carry_out(lease)
    except LeaseLost:
        logger.warning("an erasure was taken over by another run")
    except FORESEEN as error:
        _postpone(lease, error)
    except Exception as error:
        _postpone(lease, error)
        raise


def _carry_out(lease: Lease) -> None:
    reach = Reach(lease)
    reach.shut("erasing")
    stands = _gate_stands(reach)
    questions = Questions.taken_from(reach)
    verdict = _erase_and_read(lease, reach, questions)
    for _ in range(ROUNDS - 1):
        if verdict.again:
            with lease.step() as erasure:
                move(erasure, State.ERASING)
            verdict = _erase_and_read(lease, reach, questions)
    if verdict.again and reach.excepted:
        raise StoreUnavailable("it cannot end without a place while another one that can be read is not empty")
    stands = stands and _gate_stands(reach)
    if _must_watch(lease, stands):
        return
    if current_store().abilities.fenced and not stands:
        note_problem(lease, "memories", NO_GATE)
    finishing.finish(lease, reach, verdict.clean)


def _gate_stands(reach: Reach) -> bool:
    """Whether foreign writers are held back: the store says that it can, and the triggers are looked at."""
    gaps = gate_gaps(reach.subjects[0])
    if gaps:
        logger.error("the gate does not stand on %s: run prepare_store", ", ".join(gaps))
    return current_store().abilities.fenced and not gaps


def _erase_and_read(lease: Lease, reach: Reach, questions: Questions) -> Verdict:
    reach.write_journal()
    found = reach.count()
    note_found(lease, found, reach.uncounted)
    reach.erase()
    with lease.step() as erasure:
        move(erasure, State.VERIFYING)
    return verify(lease, reach, questions)


def _must_watch(lease: Lease, stands: bool) -> bool:
    """Where foreign writers were not held back by a gate, look again after ten minutes and after a day."""
    if stands:
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
    why = type(error).__name__
    logger.error("an erasure could not go on: %s", error if isinstance(error, MemoryRoomError) else why)
    with contextlib.suppress(LeaseLost, AuditUnavailable), lease.step() as erasure:
        if erasure.attempts >= MAX_ATTEMPTS:
            give_to_people(erasure, why)
            return
        erasure.lease_until, erasure.next_at = None, timezone.now() + delay(erasure.attempts)
        tell_delay(erasure)
        move(erasure, State.RETRYING)
        with contextlib.suppress(AuditUnavailable), transaction.atomic():  # a delay must be told all the same
            note(erasure, Action.ERASURE_FAILED, SYSTEM, details=delay_details(erasure, why))


def delay(attempts: int) -> timedelta:
    """How long to wait after so many attempts: doubled each time, four hours at most, and not all at once."""
    waited: timedelta = min(FIRST_DELAY * 2 ** min(attempts - 1, 20), LONGEST_DELAY)
    return waited * random.uniform(0.8, 1.2)  # noqa: S311 - spreads work, guards nothing


def is_running(pk: uuid.UUID) -> bool:
    """Whether somebody is at work on it right now."""
    return Erasure.objects.filter(pk=pk, lease_until__gt=Now()).exists()


__all__ = ["StoreUnavailable", "delay", "is_running", "run"]
