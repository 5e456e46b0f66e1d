"""Whoever works on a request holds a lease with a number that goes up: a worker that lost it can write nothing more."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from memoryportal.audit.actions import Action
from memoryportal.audit.record import SYSTEM

from .models import Erasure
from .moves import move, note
from .states import DUE, State

LASTS = timedelta(seconds=90)  # renewed with every step; longer than one step can take with the store's deadlines
MAX_ATTEMPTS = 10


class LeaseLost(Exception):
    """Somebody else carries on with this request: stop at once, without writing."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one request."""

    pk: UUID
    token: int

    @contextmanager
    def step(self) -> Iterator[Erasure]:
        """One transaction of the portal's own on the locked request. Renews the lease. Raises LeaseLost."""
        with transaction.atomic():
            try:
                erasure = Erasure.objects.select_for_update(of=("self",)).get(pk=self.pk, lease_token=self.token)
            except Erasure.DoesNotExist:
                raise LeaseLost from None
            erasure.lease_until = timezone.now() + LASTS
            Erasure.objects.filter(pk=self.pk).update(lease_until=erasure.lease_until)
            yield erasure

    def renew(self) -> None:
        """Show that this worker lives. Raises LeaseLost."""
        with self.step():
            pass


def due(now: datetime | None = None) -> QuerySet[Erasure]:
    """Requests that the engine should take up: nobody is at work on them, and their time has come."""
    now = now or timezone.now()
    ready = Q(state__in=DUE) | Q(state=State.WAITING, grace_until__lte=now)
    free = Q(lease_until=None) | Q(lease_until__lte=now)
    return Erasure.objects.filter(ready & free & (Q(next_at=None) | Q(next_at__lte=now)))


def claim(pk: UUID) -> Lease | None:
    """A lease on a due request, or None: it is not due, somebody works on it, or it has ended.

    A request that was taken up too often without coming to an end (its worker was killed each time, a row that nobody
    can read) goes to people instead.
    """
    with transaction.atomic():
        erasure = due().select_for_update(of=("self",), skip_locked=True).filter(pk=pk).first()
        if erasure is None:
            return None
        if erasure.attempts >= MAX_ATTEMPTS:
            give_to_people(erasure)
            return None
        return _take(erasure)


def _take(erasure: Erasure) -> Lease:
    now, first = timezone.now(), erasure.began_at is None
    erasure.lease_token += 1
    erasure.lease_until, erasure.next_at = now + LASTS, None
    erasure.attempts += 1
    erasure.began_at = erasure.began_at or now
    move(erasure, State.ERASING)
    if first:
        note(erasure, Action.ERASURE_BEGUN, SYSTEM)
    return Lease(erasure.pk, erasure.lease_token)


def give_to_people(erasure: Erasure, why: str = "attempts") -> None:
    """After too many attempts: privacy is alerted, the person reads "delayed". Inside a transaction."""
    from memoryportal.accounts.letters import write_to_privacy

    from . import letters

    erasure.lease_until = erasure.next_at = None
    if erasure.state != State.RETRYING:
        move(erasure, State.RETRYING)
    letters.tell(erasure, "request_delayed")
    write_to_privacy("request_attention", reference=erasure.reference)
    move(erasure, State.NEEDS_ATTENTION)
    note(erasure, Action.ERASURE_FAILED, SYSTEM, details=delay_details(erasure, why))


def delay_details(erasure: Erasure, why: str) -> dict[str, Any]:
    return {"state": why, "count": erasure.attempts}
