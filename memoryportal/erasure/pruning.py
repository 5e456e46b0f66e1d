"""Requests are kept for REQUEST_RETENTION_MONTHS after their end, as proof, and then only counted.

One with which an account went stays until the trail's keys of its ids are destroyed: nothing else asks for that.
"""

from django.db import models, transaction
from django.db.models import F

from memoryportal.audit.actions import Action
from memoryportal.audit.record import SYSTEM, record

from . import trail_keys
from .clocks import add_months
from .models import Erasure, PrunedCount, office_day
from .states import TERMINAL


def prune(months: int) -> int:
    """Remove requests that ended more than `months` months ago; how many. Counts by month, channel and end stay."""
    before = add_months(office_day(), -months)
    gone = 0
    with transaction.atomic():
        old = Erasure.objects.select_for_update(skip_locked=True).filter(state__in=TERMINAL, ended_at__date__lt=before)
        old = old.exclude(pk__in=trail_keys.requests_that_wait())
        for erasure in old:
            _count(erasure)
            erasure.delete()
            gone += 1
        if gone:
            record(Action.REQUEST_PRUNED, actor=SYSTEM, details={"count": gone})
    return gone


def _count(erasure: Erasure) -> None:
    month = office_day(erasure.ended_at).replace(day=1)
    row, _ = PrunedCount.objects.get_or_create(month=month, channel=erasure.channel, state=erasure.state)
    PrunedCount.objects.filter(pk=row.pk).update(count=F("count") + 1)


def counts() -> "models.QuerySet[PrunedCount]":
    """What is left of pruned requests."""
    return PrunedCount.objects.order_by("month", "channel", "state")
