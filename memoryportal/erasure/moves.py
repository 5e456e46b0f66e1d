"""The one place where the state of a deletion request changes. Its event is written in the same transaction, last."""

from datetime import timedelta
from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from memoryportal.accounts.letters import write_to_privacy
from memoryportal.accounts.subjects import own_subjects
from memoryportal.audit.actions import Action
from memoryportal.audit.record import SYSTEM, Actor, record

from . import letters, whose
from .models import Erasure, Identified, office_day
from .states import TERMINAL, State, may_go


class NotNow(ValueError):
    """This act does not fit the state of the request (any more); nothing was changed. The message is for people."""


def locked(pk: Any) -> Erasure:
    """The request, locked until the transaction ends."""
    return Erasure.objects.select_for_update(of=("self",)).get(pk=pk)


def lock_with_others(pk: Any) -> list[Erasure]:
    """Lock the request, and whatever else waits for its time to begin about the same ids; these others.

    In one order, so that two who do this at once wait for each other; and whatever begins right now is waited for.
    """
    ids = Erasure.objects.values_list("subjects", flat=True).get(pk=pk)
    about = Q(pk=pk) | Q(subjects__overlap=ids, state=State.WAITING)
    both = Erasure.objects.select_for_update(of=("self",)).filter(about).order_by("pk")
    return [erasure for erasure in both if erasure.pk != pk and erasure.state == State.WAITING]


def move(erasure: Erasure, state: State) -> None:
    """Go to another state and save everything. Raises NotNow. The database refuses what this would not.

    A request that is erased may be taken up again, and one on hold be held longer: these two may stay where they are.
    """
    again = erasure.state == state and state in (State.ERASING, State.ON_HOLD)
    if not again and not may_go(erasure.state, state):
        raise NotNow(f"This request is “{erasure.get_state_display().lower()}”: that cannot be done now.")
    if erasure.state == State.IDENTITY != state:
        _wake_clock(erasure)
    if state == State.IDENTITY != erasure.state:
        erasure.rests_since = office_day()
    erasure.state = state
    if state in TERMINAL:
        _end(erasure)
    set_dates(erasure)
    erasure.save()


def set_dates(erasure: Erasure) -> None:
    """Keep the dates of the clock in columns, so that a queue can be sorted by them."""
    clock = erasure.clock()
    erasure.due, erasure.confirm_by = clock.due, clock.confirm_by


def move_resting_dates() -> None:
    """The dates of clocks that rest move with every day; the queue is sorted by the columns."""
    for erasure in Erasure.objects.filter(state=State.IDENTITY, rests_since__isnull=False):
        set_dates(erasure)
        Erasure.objects.filter(pk=erasure.pk, state=State.IDENTITY).exclude(due=erasure.due).update(due=erasure.due)


def _wake_clock(erasure: Erasure) -> None:
    if erasure.rests_since:
        erasure.rested_days += max(0, (office_day() - erasure.rests_since).days)
        erasure.rests_since = None


def _end(erasure: Erasure) -> None:
    """What was needed to find the person and to work on it goes; what shows that it was done stays."""
    erasure.ended_at = timezone.now()
    erasure.told = erasure.identity_note = ""
    erasure.addresses, erasure.account_number = [], None
    erasure.lease_until = erasure.next_at = None
    erasure.lease_token += 1  # whoever was at it writes nothing more
    erasure.open_rows.all().delete()
    erasure.journal.all().delete()
    erasure.links.all().delete()


def note(erasure: Erasure, action: Action, actor: Actor, **about: Any) -> None:
    """An event about the request: the last statement of its transaction."""
    subject = erasure.subject_ids[0] if erasure.subjects else None
    record(action, actor=actor, subject=subject, object=erasure.reference, **about)


def needs_second(erasure: Erasure) -> bool:
    """Whether the person did not ask for exactly this themselves, so that a second person has to approve it.

    An approval is for ids as they were held then.
    """
    if whose.misfit(erasure):
        return True
    if erasure.approved_at is not None:
        return erasure.approved_for != whose.fingerprint(erasure)
    return not _asked_themselves(erasure)


def _asked_themselves(erasure: Erasure) -> bool:
    """Whether its account's owner showed that they ask, and for ids of their own only, which nobody else chose.

    A link proves who reads the mails of an address: that is the account's owner only where it is the account's.
    """
    account = erasure.account
    if account is None or erasure.attached_at or erasure.identified_how not in (Identified.SESSION, Identified.MAIL):
        return False
    if erasure.identified_how == Identified.MAIL and not is_address_of(account, erasure.address):
        return False
    return set(erasure.subjects) <= {str(subject) for subject in own_subjects(account)}


def is_address_of(account: Any, address: str) -> bool:
    """An empty address stands for the account's own (letters.address_of)."""
    known = EmailAddress.objects.filter(user=account, email__iexact=address, verified=True)
    return not address or known.exists()


def is_written_to(account: Any, address: str) -> bool:
    """Whether mails of the account go there anyway, or its owner has shown that they read them."""
    return bool(address.lower() == account.email.lower() or is_address_of(account, address))


def grace_of(erasure: Erasure) -> timedelta:
    """How long it can still be cancelled before it begins."""
    own = erasure.identified_how == Identified.SESSION  # also where somebody else wrote it down first
    return timedelta(hours=settings.ERASURE_GRACE_HOURS_OWN if own else settings.ERASURE_GRACE_HOURS)


def proceed(erasure: Erasure) -> None:
    """Go on to whatever is missing next: proof of who asks, a second person, the end of a hold, the time of grace."""
    if erasure.identified_at is None:
        move(erasure, State.IDENTITY)
    elif needs_second(erasure) or not erasure.subjects:
        _ask_second(erasure)
    elif standing := hold_on(erasure):
        hold_too(erasure, standing)
    else:
        now = timezone.now()
        erasure.grace_until = erasure.grace_until or now + grace_of(erasure)
        erasure.next_at = max(now, erasure.grace_until)
        move(erasure, State.WAITING)
        ring_for(erasure)
        _tell_approval(erasure)


def _ask_second(erasure: Erasure) -> None:
    """An approval of before, and what the person was told of it, do not count any more."""
    erasure.approved_by = erasure.approved_at = erasure.approval_told_at = None
    erasure.approved_for, erasure.grace_until, erasure.next_at = "", None, None
    move(erasure, State.APPROVAL)


def may_begin(erasure: Erasure) -> bool:
    """Look at everything again, under the lock in which it begins; what does not fit any more goes back to people."""
    whose.occupy(erasure)
    if needs_second(erasure):
        send_back(erasure)
        return False
    if standing := hold_on(erasure):
        hold_too(erasure, standing)
        until = standing.held_until.isoformat() if standing.held_until else ""
        note(erasure, Action.REQUEST_HELD, SYSTEM, details={"until": until})
        return False
    return True


def send_back(erasure: Erasure) -> None:
    """Who holds its ids is not as it was when that was decided: a second person has to look, and privacy is told."""
    _ask_second(erasure)
    write_to_privacy("request_sent_back", reference=erasure.reference)
    note(erasure, Action.REQUEST_SENT_BACK, SYSTEM)


def _tell_approval(erasure: Erasure) -> None:
    """Whoever did not ask for exactly this themselves hears when it begins, while they can still take it back."""
    from .tasks import ring_approval  # the tasks import this module

    if erasure.approved_at is not None and grace_of(erasure):
        ring_approval(erasure)


def hold_on(erasure: Erasure) -> Erasure | None:
    """Another request about the same person that is held: the hold is on the data, and asking anew does not end it.

    What an officer let go on was let go on in spite of the holds of then.
    """
    held = Erasure.objects.filter(subjects__overlap=erasure.subjects, held_until__gt=office_day())
    if erasure.released_at is not None:
        held = held.exclude(held_at__lte=erasure.released_at)
    return held.exclude(held_from="").exclude(pk=erasure.pk).order_by("-held_until").first()


def hold_too(erasure: Erasure, standing: Erasure) -> None:
    """`held_from` stays empty: this one holds back no other."""
    erasure.ground, erasure.held_until, erasure.reviewer = standing.ground, standing.held_until, standing.reviewer
    erasure.approval_told_at = None
    letters.tell(erasure, "request_held", ground=erasure.ground, until=letters.day(erasure.held_until))
    move(erasure, State.ON_HOLD)


def ring_for(erasure: Erasure) -> None:
    """Ring the worker's bell when the transaction commits; a lost bell is rung again by the sweep."""
    from memoryportal.base.queue import ring

    from .tasks import advance  # the tasks import the engine

    with transaction.atomic():
        ring(advance, once=f"erasure.advance:{erasure.pk}", erasure_id=str(erasure.pk))
