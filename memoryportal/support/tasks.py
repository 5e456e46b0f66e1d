"""End grants whose time is over, tell the person about each grant, once, when it has ended, and prune old ones."""

from procrastinate.contrib.django import app

from memoryportal.audit.prune import boundary
from memoryportal.base.queue import Patience, ring

from . import mails
from .grants import end, end_orphaned, overdue
from .models import AccessGrant, How

PATIENCE = Patience(max_attempts=10, exponential_wait=5)  # some six hours; then `end_grants` rings again


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="support.end_grants")
def end_grants(timestamp: int) -> None:
    """End what is over, and ring for every note that has not been sent: a lost bell is rung again here."""
    for grant in overdue():
        end(grant, How.BY_ITSELF)
    end_orphaned()
    for pk in AccessGrant.objects.filter(ended_at__isnull=False, told_at__isnull=True).values_list("pk", flat=True):
        ring(tell, once=f"support.tell:{pk}", grant_id=str(pk))


@app.task(retry=PATIENCE)
def tell(grant_id: str) -> None:
    """Send the note about one grant, unless it was sent."""
    mails.note_about_grant(grant_id)


@app.periodic(cron="47 3 * * *")
@app.task(queueing_lock="support.prune_grants")
def prune_grants(timestamp: int) -> None:
    """Grants go with the months of the trail in which they ended: AUDIT_RETENTION_MONTHS, whole months."""
    AccessGrant.objects.filter(ended_at__lt=boundary()).delete()
