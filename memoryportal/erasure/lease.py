"""Whoever works on a request holds a lease with a number that goes up: a worker that lost it can write nothing more.

Leases are timed by the database's clock: a worker whose own clock jumps neither loses one nor takes one away.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from allauth.account.models import EmailAddress
from django.db import DatabaseError, connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from memoryportal.accounts.letters import write_to_privacy
from memoryportal.audit.actions import Action
from memoryportal.audit.record import SYSTEM

from . import letters, whose
from .models import Erasure, Scope
from .moves import may_begin, move, note
from .states import DUE, State

logger = logging.getLogger(__name__)
LASTS = timedelta(seconds=90)  # renewed with every step, and in between while one takes long
FROZEN = "10min"
KEPT_FOR = timedelta(hours=1)  # a worker that hangs for longer than this is taken to be lost
FARTHEST = timedelta(hours=6)  # no attempt lies further ahead
MAX_ATTEMPTS = 10
_RENEWED = """
    UPDATE erasure_erasure SET lease_until = statement_timestamp() + %s WHERE id = %s AND lease_token = %s
    RETURNING *, set_config('idle_in_transaction_session_timeout', %s, true)
"""


class LeaseLost(Exception):
    """Somebody else carries on with this request: stop at once, without writing."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one request."""

    pk: UUID
    token: int

    @contextmanager
    def step(self) -> Iterator[Erasure]:
        """One transaction of the portal's own on the locked request. Renews the lease. Raises LeaseLost.

        Nobody can take the request over meanwhile. The server ends the transaction of a worker that is frozen in it.
        """
        with transaction.atomic():
            erasure = next(iter(Erasure.objects.raw(_RENEWED, [LASTS, self.pk, self.token, FROZEN])), None)
            if erasure is None:
                raise LeaseLost
            yield erasure

    def renew(self) -> None:
        """Show that this worker lives. Raises LeaseLost."""
        with self.step():
            pass

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Renew it from beside, for as long as one step takes: a large file that is rewritten, a slow store."""
        over = threading.Event()
        keeper = threading.Thread(target=self._keep_until, args=(over,), daemon=True)
        keeper.start()
        try:
            yield
        finally:
            over.set()
            keeper.join()

    def _keep_until(self, over: threading.Event) -> None:
        pause = LASTS.total_seconds() / 3
        try:
            for _ in range(round(KEPT_FOR.total_seconds() / pause)):
                if over.wait(pause):
                    return
                self._renew_if_possible()
        except LeaseLost:  # the worker itself sees it at its next step
            return
        finally:
            connection.close()

    def _renew_if_possible(self) -> None:
        try:
            self.renew()
        except DatabaseError as error:
            logger.warning("the lease of an erasure could not be renewed (%s)", type(error).__name__)


def due(now: datetime | None = None) -> QuerySet[Erasure]:
    """Requests that the engine should take up: nobody is at work on them, and their time has come.

    A lease or an attempt further ahead than any can be was written by a clock that was wrong, and does not count.
    """
    now = now or timezone.now()
    ready = Q(state__in=DUE) | Q(state=State.WAITING, grace_until__lte=now)
    free = Q(lease_until=None) | Q(lease_until__lte=Now()) | Q(lease_until__gt=Now() + 2 * LASTS)
    come = Q(next_at=None) | Q(next_at__lte=now) | Q(state=State.RETRYING, next_at__gt=now + FARTHEST)
    return Erasure.objects.filter(ready & free & come)


def claim(pk: UUID) -> Lease | None:
    """A lease on a due request, or None: it is not due, somebody works on it, it has ended, or it may not begin now.

    A request that was taken up too often without coming to an end (its worker was killed each time, a row that nobody
    can read) goes to people instead. Raises AuditUnavailable, and nothing was done then.
    """
    with transaction.atomic():
        if Erasure.objects.filter(pk=pk, began_at=None).exists():
            whose.keep_still()
        erasure = due().select_for_update(of=("self",), skip_locked=True).filter(pk=pk).first()
        if erasure is None:
            return None
        if erasure.attempts >= MAX_ATTEMPTS:
            give_to_people(erasure)
            return None
        return _take(erasure)


def _take(erasure: Erasure) -> Lease | None:
    first = erasure.began_at is None
    if first and not may_begin(erasure):
        return None
    if first:
        erasure.began_at = timezone.now()
        _note_account(erasure)
    erasure.lease_token += 1
    erasure.next_at = None
    erasure.attempts += 1
    move(erasure, State.ERASING)
    Erasure.objects.filter(pk=erasure.pk).update(lease_until=Now() + LASTS)
    if first:
        note(erasure, Action.ERASURE_BEGUN, SYSTEM)
    return Lease(erasure.pk, erasure.lease_token)


def _note_account(erasure: Erasure) -> None:
    """Which account goes too, and where its last mail goes: nobody could find out any more when it is gone."""
    account = erasure.account
    if erasure.scope != Scope.ACCOUNT or account is None:
        return
    others = EmailAddress.objects.filter(user=account).values_list("email", flat=True)
    erasure.account_number = account.pk
    erasure.addresses = sorted({account.email, *others})
    erasure.address = erasure.address or account.email


def give_to_people(erasure: Erasure, why: str = "attempts") -> None:
    """After too many attempts: privacy is alerted, the person reads "delayed". Inside a transaction."""
    erasure.lease_until = erasure.next_at = None
    erasure.lease_token += 1  # whoever was at it, and still lives, is not any more
    erasure.forget_exceptions()
    if erasure.state != State.RETRYING:
        move(erasure, State.RETRYING)
    tell_delay(erasure)
    write_to_privacy("request_attention", reference=erasure.reference)
    move(erasure, State.NEEDS_ATTENTION)
    note(erasure, Action.ERASURE_FAILED, SYSTEM, details=delay_details(erasure, why))


def tell_delay(erasure: Erasure) -> None:
    """Tell the person that it takes longer, once. The caller saves the request."""
    if erasure.delayed_at is None:
        erasure.delayed_at = timezone.now()
        letters.tell(erasure, "request_delayed")


def delay_details(erasure: Erasure, why: str) -> dict[str, Any]:
    return {"state": why, "count": erasure.attempts}
