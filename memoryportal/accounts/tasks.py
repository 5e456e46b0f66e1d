"""What the worker does for accounts: letters, changes of address that are due, and housekeeping."""

from datetime import timedelta

from django.core.management import call_command
from django.utils import timezone
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from memoryportal.base.queue import ring

from . import addresses, letters
from .waiting import ASKS_LAST, LinkAsk, MailedCode, RoleAsk, UsedToken

# Half an hour of tries; then `ring_again` rings once more.
PATIENCE = RetryStrategy(max_attempts=6, exponential_wait=4)


@app.task(retry=PATIENCE)
def send_letter(letter_id: str) -> None:
    """Send one letter, unless it was sent."""
    letters.deliver(letter_id)


@app.periodic(cron="*/5 * * * *")
@app.task(queueing_lock="accounts.ring_again")
def ring_again(timestamp: int) -> None:
    """Ring for letters whose bell was lost."""
    letters.ring_again()


@app.periodic(cron="*/10 * * * *")
@app.task(queueing_lock="accounts.change_addresses")
def change_addresses(timestamp: int) -> None:
    """Ring for each change of address whose three days are over."""
    for pk in addresses.due():
        ring(change_address, once=f"accounts.address:{pk}", change_id=pk)


@app.task(retry=PATIENCE)
def change_address(change_id: int) -> None:
    """Make one change, unless it was cancelled."""
    addresses.apply(change_id)


@app.periodic(cron="17 3 * * *")
@app.task(queueing_lock="accounts.clear_sessions")
def clear_sessions(timestamp: int) -> None:
    """Remove expired sessions, and what waited in vain."""
    call_command("clearsessions", verbosity=0)
    now = timezone.now()
    for kind in (MailedCode, UsedToken):
        kind.objects.filter(until__lt=now - timedelta(days=1)).delete()
    for asks in (LinkAsk, RoleAsk):
        asks.objects.filter(asked_at__lt=now - ASKS_LAST).delete()
