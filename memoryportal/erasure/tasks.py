"""What the worker does for deletion requests. A bell is only a bell: the sweep finds whatever nobody is working on."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from memoryportal.base.queue import ring

from . import decisions, engine, identity, intake, lease, moves, pruning, quotas, telling, trail_keys
from .models import Erasure, office_day
from .moves import NotNow
from .states import TERMINAL, State

PATIENCE = RetryStrategy(max_attempts=6, exponential_wait=4)


@app.task
def advance(erasure_id: str) -> None:
    """Carry one request as far as it gets now."""
    erasure = Erasure.objects.filter(pk=erasure_id).first()
    if erasure is not None:
        engine.run(erasure)


@app.task(retry=PATIENCE)
def send_link(erasure_id: str) -> None:
    """Send one link that proves who asks, unless that is known by now or the same was asked for before."""
    erasure = Erasure.objects.filter(pk=erasure_id).first()
    if erasure is not None:
        intake.send_link(erasure.pk)


@app.task(retry=PATIENCE)
def tell_end(erasure_id: str) -> None:
    """Send the last mail, unless it was sent."""
    telling.tell_end(erasure_id)


def ring_end(erasure: Erasure) -> None:
    """Ring for the last mail, as part of the transaction in which the request ends."""
    ring(tell_end, once=f"erasure.end:{erasure.pk}", erasure_id=str(erasure.pk))


@app.task(retry=PATIENCE)
def tell_approval(erasure_id: str) -> None:
    """Tell the person that it was approved and when it begins, unless that was sent or it has begun."""
    telling.tell_approval(erasure_id)


def ring_approval(erasure: Erasure) -> None:
    """Ring for the mail about an approval, as part of the transaction in which the time of grace begins."""
    ring(tell_approval, once=f"erasure.approval:{erasure.pk}", erasure_id=str(erasure.pk))


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="erasure.sweep")
def sweep(timestamp: int) -> None:
    """Ring for every request that is due and that nobody works on, and for mails that were not sent."""
    for pk in lease.due().values_list("pk", flat=True):
        ring(advance, once=f"erasure.advance:{pk}", erasure_id=str(pk))
    now = timezone.now()
    first = Erasure.objects.filter(state=State.IDENTITY, links=None, asked_at__lt=now - timedelta(minutes=2))
    late = Q(links__sent_at__lt=now - identity.REMIND_AFTER)
    remind = Erasure.objects.filter(late, state=State.IDENTITY).exclude(links__sent_at__gte=now - identity.REMIND_AFTER)
    for erasure in [*first, *remind.distinct()]:
        if identity.address_to_ask(erasure) and erasure.links.count() < 2:  # the third one is asked for by the person
            ring(send_link, once=f"erasure.link:{erasure.pk}", erasure_id=str(erasure.pk))
    for erasure in Erasure.objects.filter(state=State.WAITING, approved_at__isnull=False, approval_told_at=None):
        if telling.is_to_be_told(erasure):
            ring_approval(erasure)
    _tell_ends(now)


def _tell_ends(now: datetime) -> None:
    for erasure in Erasure.objects.filter(state__in=TERMINAL).exclude(address=""):
        if erasure.ended_at and erasure.ended_at < now - telling.PATIENCE:
            telling.give_up(erasure.pk)
        else:
            ring_end(erasure)


@app.periodic(cron="7 * * * *")
@app.task(queueing_lock="erasure.clocks")
def watch_clocks(timestamp: int) -> None:
    """End what nobody confirmed, end holds whose day has come, and alert privacy to dates that are near."""
    now, today = timezone.now(), office_day()
    for pk in list(identity.nobody_confirmed(now).values_list("pk", flat=True)):
        _unless_moved(partial(decisions.unconfirmed, pk))
    for pk in Erasure.objects.filter(state=State.ON_HOLD, held_until__lte=today).values_list("pk", flat=True):
        _unless_moved(partial(decisions.release, pk, None))
    moves.move_resting_dates()
    telling.alert_to_dates(today)


def _unless_moved(act: Callable[[], object]) -> None:
    try:
        act()
    except NotNow:
        return


@app.periodic(cron="37 3 * * *")
@app.task(queueing_lock="erasure.prune")
def prune(timestamp: int) -> None:
    """Requests are kept for a while after their end, then only counted. Counters of hours that are over go."""
    quotas.forget()
    trail_keys.destroy_due_keys()
    pruning.prune(settings.REQUEST_RETENTION_MONTHS)
