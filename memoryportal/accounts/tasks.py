"""Housekeeping of sessions: rows of sessions that ended go once a day."""

from django.core.management import call_command
from procrastinate.contrib.django import app


@app.periodic(cron="17 3 * * *")
@app.task(queueing_lock="accounts.clear_sessions")
def clear_sessions(timestamp: int) -> None:
    """Remove expired sessions."""
    call_command("clearsessions", verbosity=0)
