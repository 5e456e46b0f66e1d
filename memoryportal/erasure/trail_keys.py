"""The trail's keys of people whose account was erased: without its key, the trail names nobody.

A key is kept as long as the staff's access to the person has to be accountable (AUDIT_RETENTION_MONTHS), and while an
account holds the id: ids of assistants come back, with the person or with somebody else. A key that was made after the
erasure is not that account's.
"""

from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from memoryportal.audit.models import SubjectKey
from memoryportal.audit.pseudonyms import destroy_keys
from memoryportal.memory import SubjectId

from . import ledger, whose
from .clocks import add_months
from .models import Erasure, Scope
from .states import ERASED


def destroy_due_keys() -> int:
    """Destroy what need not be kept any more; how many keys. The ledger first: a restore must not bring them back."""
    since = _retention_begins()
    subjects = _due(since)
    if not subjects:
        return 0
    ledger.note(ledger.KEYS_DESTROYED, [SubjectId(subject) for subject in subjects])
    with transaction.atomic():
        whose.keep_still()
        return destroy_keys([subject for subject in subjects if subject in _due(since)], since)


def _due(since: datetime) -> list[str]:
    left: dict[str, datetime] = {}  # each id of an account that is gone, and when that was, the last time
    for erasure in Erasure.objects.filter(scope=Scope.ACCOUNT, state__in=ERASED, account=None).order_by("ended_at"):
        left.update((subject, erasure.ended_at) for subject in erasure.subjects if erasure.ended_at)
    due = SubjectKey.objects.filter(subject__in=left).exclude(last_staff_access__gt=since)
    gone = {key.subject for key in due if key.created_at <= left[key.subject]}
    return sorted(gone - whose.held_by_accounts(gone))


def _retention_begins() -> datetime:
    now = timezone.now()
    day = add_months(now.date(), -int(settings.AUDIT_RETENTION_MONTHS))
    return now.replace(year=day.year, month=day.month, day=day.day)
