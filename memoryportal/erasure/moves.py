"""The one place where the state of a deletion request changes. Its event is written in the same transaction, last."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from memoryportal.audit.actions import Action
from memoryportal.audit.record import Actor, record

from .models import Channel, Erasure, Identified
from .states import TERMINAL, State, may_go


class NotNow(ValueError):
    """This act does not fit the state of the request (any more); nothing was changed. The message is for people."""


def locked(pk: Any) -> Erasure:
    """The request, locked until the transaction ends."""
    return Erasure.objects.select_for_update(of=("self",)).get(pk=pk)


def move(erasure: Erasure, state: State) -> None:
    """Go to another state and save everything. Raises NotNow. The database refuses what this would not."""
    if erasure.state != state and not may_go(erasure.state, state):
        raise NotNow(f"This request is “{erasure.get_state_display().lower()}”: that cannot be done now.")
    if erasure.state == State.IDENTITY != state:
        _wake_clock(erasure)
    if state == State.IDENTITY != erasure.state:
        erasure.rests_since = timezone.localdate()
    erasure.state = state
    if state in TERMINAL:
        _end(erasure)
    set_dates(erasure)
    erasure.save()


def set_dates(erasure: Erasure) -> None:
    """Keep the dates of the clock in columns, so that a queue can be sorted by them."""
    clock = erasure.clock()
    erasure.due, erasure.confirm_by = clock.due, clock.confirm_by


def _wake_clock(erasure: Erasure) -> None:
    if erasure.rests_since:
        erasure.rested_days += max(0, (timezone.localdate() - erasure.rests_since).days)
        erasure.rests_since = None


def _end(erasure: Erasure) -> None:
    """What was needed to find the person and to work on it goes; what shows that it was done stays."""
    erasure.ended_at = timezone.now()
    erasure.told = erasure.identity_note = ""
    erasure.lease_until = erasure.next_at = None
    erasure.open_rows.all().delete()
    erasure.journal.all().delete()
    erasure.links.all().delete()


def note(erasure: Erasure, action: Action, actor: Actor, **about: Any) -> None:
    """An event about the request: the last statement of its transaction."""
    subject = erasure.subject_ids[0] if erasure.subjects else None
    record(action, actor=actor, subject=subject, object=erasure.reference, **about)


def needs_second(erasure: Erasure) -> bool:
    """Whether the person did not ask for exactly this themselves, so that a second person has to approve it."""
    themselves = erasure.identified_how in (Identified.SESSION, Identified.MAIL) and erasure.attached_by_id is None
    return not themselves and erasure.approved_by_id is None


def grace_of(erasure: Erasure) -> timedelta:
    """How long it can still be cancelled before it begins."""
    own = erasure.channel == Channel.SELF
    return timedelta(hours=settings.ERASURE_GRACE_HOURS_OWN if own else settings.ERASURE_GRACE_HOURS)


def proceed(erasure: Erasure) -> None:
    """Go on to whatever is missing next: proof of who asks, a second person, the time of grace."""
    if erasure.identified_at is None:
        move(erasure, State.IDENTITY)
    elif needs_second(erasure) or not erasure.subjects:
        move(erasure, State.APPROVAL)
    else:
        now = timezone.now()
        erasure.grace_until = erasure.grace_until or now + grace_of(erasure)
        erasure.next_at = max(now, erasure.grace_until)
        move(erasure, State.WAITING)
        ring_for(erasure)


def ring_for(erasure: Erasure) -> None:
    """Ring the worker's bell when the transaction commits; a lost bell is rung again by the sweep."""
    from memoryportal.base.queue import ring

    from .tasks import advance  # the tasks import the engine

    with transaction.atomic():
        ring(advance, once=f"erasure.advance:{erasure.pk}", erasure_id=str(erasure.pk))
