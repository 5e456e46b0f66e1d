"""Housekeeping: what the gateway noted goes when its time is over."""

import time
from datetime import timedelta

from django.utils import timezone
from procrastinate.contrib.django import app

from .idempotency import KEPT
from .models import Call, SeenSubject, SubjectHour, Window


@app.periodic(cron="*/10 * * * *")
@app.task(queueing_lock="agent.sweep")
def sweep(timestamp: int) -> None:
    """Remove requests of more than 24 hours ago, and counters of past minutes and hours."""
    minute, hour = int(time.time()) // 60, int(time.time()) // 3600
    Call.objects.filter(created_at__lt=timezone.now() - KEPT).delete()
    Window.objects.filter(minute__lt=minute - 2).delete()
    SeenSubject.objects.filter(hour__lt=hour - 1).delete()
    SubjectHour.objects.filter(hour__lt=hour - timedelta(days=7) // timedelta(hours=1)).delete()
