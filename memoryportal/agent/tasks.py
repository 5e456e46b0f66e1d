"""Housekeeping: what the gateway noted goes when its time is over."""

import time

from django.utils import timezone
from procrastinate.contrib.django import app

from .idempotency import KEPT
from .models import Call, SeenSubject, SubjectHour, Window

HOURS_KEPT = 7 * 24  # of the numbers of people, which name nobody: for whoever looks into an alert


@app.periodic(cron="*/10 * * * *")
@app.task(queueing_lock="agent.sweep")
def sweep(timestamp: int) -> None:
    """Remove requests of more than 24 hours ago, and counters of past minutes and hours."""
    minute, hour = int(time.time()) // 60, int(time.time()) // 3600
    Call.objects.filter(created_at__lt=timezone.now() - KEPT).delete()
    Window.objects.filter(minute__lt=minute - 2).delete()
    SeenSubject.objects.filter(hour__lt=hour - 1).delete()
    SubjectHour.objects.filter(hour__lt=hour - HOURS_KEPT).delete()
