"""The note that a person gets about each access to their memories, at its end."""

from django.db import transaction
from django.utils import timezone

from memoryportal.accounts.staff import pseudonym_of_staff
from memoryportal.base.mail import send

from .models import AccessGrant


def note_about_grant(grant_id: str) -> bool:
    """Send the note once; False when it was sent, or when there is nobody to send it to.

    The row is locked while the mail goes out, so that two workers do not send it twice. A mail that went out before a
    crash may be sent again: better twice than never.
    """
    with transaction.atomic():
        grant = AccessGrant.objects.select_for_update(of=("self",)).select_related("person").get(pk=grant_id)
        if grant.told_at is not None or grant.ended_at is None:
            return False
        if grant.person is not None and grant.person.is_active:
            send("grant", grant.person.email, grant=grant, staff=pseudonym_of_staff(grant.staff_id))
        grant.told_at = timezone.now()
        grant.save(update_fields=["told_at"])
    return True
