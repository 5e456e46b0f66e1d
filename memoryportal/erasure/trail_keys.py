"""The trail's keys of people whose account was erased: without its key, the trail names nobody.

A key is kept as long as the staff's access to the person has to be accountable (AUDIT_RETENTION_MONTHS), and while an
account holds the id: ids of assistants come back, with the person or with somebody else. A key that was made after the
erasure is not that account's.
"""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from memoryportal.audit.models import SubjectKey
from memoryportal.audit.pseudonyms import Pseudonym, destroy_keys, known_pseudonym
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


def name_of(erasure: Erasure) -> SubjectId | Pseudonym | None:
    """How an event about a request names the person: whose account went with it, only while their key of then is there.

    Who looks at such a request later must not make a key anew, which would stay.
    """
    subject = erasure.subject_ids[0] if erasure.subjects else None
    if subject is None or not (erasure.is_erased and erasure.scope == Scope.ACCOUNT):
        return subject
    kept = SubjectKey.objects.filter(subject=str(subject), created_at__lte=erasure.ended_at)
    return known_pseudonym(subject) if kept.exists() else None


def requests_that_wait() -> set[UUID]:
    """Requests that alone say which keys are to be destroyed one day: they have to stay until then."""
    left = _left()
    return {left[subject].pk for subject in _of_nobody(left, SubjectKey.objects.all())}


def _due(since: datetime) -> list[str]:
    return sorted(_of_nobody(_left(), SubjectKey.objects.exclude(last_staff_access__gt=since)))


def _left() -> dict[str, Erasure]:
    """Each id of an account that is gone, and the last request with which that was."""
    gone = Erasure.objects.filter(scope=Scope.ACCOUNT, state__in=ERASED, account=None, ended_at__isnull=False)
    return {subject: erasure for erasure in gone.order_by("ended_at") for subject in erasure.subjects}


def _of_nobody(left: dict[str, Erasure], keys: "QuerySet[SubjectKey]") -> set[str]:
    """Ids of accounts that are gone, and that no account holds again, with a key of before."""
    ended = {subject: erasure.ended_at for subject, erasure in left.items() if erasure.ended_at}
    found = {key.subject for key in keys.filter(subject__in=left) if key.created_at <= ended[key.subject]}
    return found - whose.held_by_accounts(found)


def _retention_begins() -> datetime:
    now = timezone.now()
    day = add_months(now.date(), -int(settings.AUDIT_RETENTION_MONTHS))
    return now.replace(year=day.year, month=day.month, day=day.day)
