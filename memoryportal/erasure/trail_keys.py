"""The trail's keys of people whose account was erased: without its key, the trail names nobody.

A key is kept as long as the staff's access to the person has to be accountable (AUDIT_RETENTION_MONTHS).
"""

from datetime import datetime

from django.conf import settings
from django.utils import timezone

from memoryportal.audit.models import SubjectKey
from memoryportal.audit.pseudonyms import destroy_keys
from memoryportal.memory import SubjectId

from . import ledger
from .clocks import add_months
from .models import Erasure, Scope
from .states import ERASED


def destroy_due_keys() -> int:
    """Destroy what need not be kept any more; how many keys. The ledger first: a restore must not bring them back."""
    since = _retention_begins()
    gone = {
        subject
        for erasure in Erasure.objects.filter(scope=Scope.ACCOUNT, state__in=ERASED, account=None)
        for subject in erasure.subjects
    }
    due = SubjectKey.objects.filter(subject__in=gone).exclude(last_staff_access__gt=since)
    subjects = sorted(due.values_list("subject", flat=True))
    if not subjects:
        return 0
    ledger.note(ledger.KEYS_DESTROYED, [SubjectId(subject) for subject in subjects])
    return destroy_keys(subjects, since)


def _retention_begins() -> datetime:
    now = timezone.now()
    day = add_months(now.date(), -int(settings.AUDIT_RETENTION_MONTHS))
    return now.replace(year=day.year, month=day.month, day=day.day)
