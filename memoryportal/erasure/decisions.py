"""What people decide about a deletion request. Each act checks its state and who acts, and leaves its event.

Raises moves.NotNow where the act does not fit the state, and Unfit where this person may not do it or a word is
missing; nothing is changed then. Roles are checked by the pages (support/guard.py).
"""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.utils import timezone

from memoryportal.accounts import removal
from memoryportal.accounts.models import SubjectLink, User
from memoryportal.accounts.subjects import own_subjects
from memoryportal.audit.actions import Action
from memoryportal.audit.record import SYSTEM, Actor
from memoryportal.memory import SubjectId

from . import letters, whose
from .models import Channel, Erasure, Identified, OutsidePlace, Scope, office_day
from .moves import NotNow, hold_too, lock_with_others, locked, move, note, proceed, ring_for, set_dates
from .services import occupy
from .states import ERASED, State

if TYPE_CHECKING:
    from uuid import UUID

PRIVACY = "privacy"
MIN_WORDS = 10


class Unfit(ValueError):
    """This person may not do it, or what they gave is not enough; nothing was changed. The message is for people."""


def officer(user: User) -> Actor:
    return Actor(str(user.pk), PRIVACY)


def is_about(erasure: Erasure, user: User) -> bool:
    """Whether it is this person's own request, by its account, its address or one of its ids: others work on that."""
    own = {str(subject) for subject in own_subjects(user)}
    return erasure.account_id == user.pk or erasure.address.lower() == user.email or bool(own & set(erasure.subjects))


def worked_on(erasure: Erasure, user: User) -> bool:
    """Whether they filed it, checked who asks or found the ids, and so cannot be its second person."""
    return user.pk in {erasure.filed_by_id, erasure.identified_by_id, erasure.attached_by_id}


def ground_of(text: str) -> str:
    """The words on one line. Raises Unfit where there are too few."""
    text = " ".join(text.split())
    if len(text) < MIN_WORDS:
        raise Unfit(f"Give the ground in at least {MIN_WORDS} characters: it is part of what the person is told.")
    return text[:500]


# --- who asks, and whose data --------------------------------------------------------------------------------------


def check_identity(pk: "UUID", by: User, how: str) -> Erasure:
    """An officer has checked who asks, and says how (a call back, a document that was seen and not kept)."""
    with transaction.atomic():
        erasure = locked(pk)
        if erasure.state != State.IDENTITY:
            raise NotNow("It is not open who asks: there is nothing to check now.")
        not_about_themselves(erasure, by)
        erasure.identified_at, erasure.identified_how = timezone.now(), Identified.OFFICER
        erasure.identified_by, erasure.identity_note = by, ground_of(how)
        proceed(erasure)
        note(erasure, Action.IDENTITY_PROVEN, officer(by), details={"method": "officer"})
        return erasure


def attach(pk: "UUID", by: User, subjects: Sequence[SubjectId]) -> Erasure:
    """An officer says which ids are this person's. A request that is open for one of them makes this a duplicate."""
    if not subjects:
        raise Unfit("Give at least one id.")
    with transaction.atomic():
        erasure = locked(pk)
        if erasure.state not in (State.IDENTITY, State.APPROVAL) or erasure.channel == Channel.SELF:
            raise NotNow("Whose data this is about cannot be changed any more.")
        not_about_themselves(erasure, by)
        erasure.subjects = list(dict.fromkeys(str(subject) for subject in subjects))
        not_about_themselves(erasure, by)
        if erasure.identified_by and is_about(erasure, erasure.identified_by):
            raise Unfit("One of these ids is of the officer who has checked who asks: this needs a new request.")
        erasure.attached_by, erasure.attached_at = by, timezone.now()
        erasure.approved_by = erasure.approved_at = None
        _own_account_of(erasure)
        try:
            with transaction.atomic():
                erasure.open_rows.all().delete()
                occupy(erasure)
        except IntegrityError:
            return _duplicate(erasure, by)
        erasure.save()
        note(erasure, Action.REQUEST_ATTACHED, officer(by), details={"count": len(erasure.subjects)})
        return erasure


def _duplicate(erasure: Erasure, by: User) -> Erasure:
    same = Erasure.objects.filter(open_rows__subject__in=erasure.subjects, open_rows__agent=erasure.agent)
    other = same.exclude(pk=erasure.pk).first()
    erasure.duplicate_of, erasure.ground = other, "The same was asked for before: see that request."
    if other is not None:
        letters.tell(erasure, "request_joined", other=other.reference)
    move(erasure, State.CANCELLED)
    note(erasure, Action.REQUEST_CANCELLED, officer(by), reason=erasure.ground)
    return erasure


def _own_account_of(erasure: Erasure) -> None:
    """The account that these ids belong to, where there is exactly one: it sees the request among its own."""
    links = SubjectLink.objects.filter(subject__in=erasure.subjects).values_list("account_id", flat=True)
    issued = User.objects.filter(subject__in=erasure.subjects).values_list("pk", flat=True)
    accounts = {*links, *issued}
    if len(accounts) == 1 and erasure.account_id is None:
        erasure.account_id = accounts.pop()


def not_about_themselves(erasure: Erasure, by: User) -> None:
    if is_about(erasure, by):
        raise Unfit("This request is about you: somebody else of the privacy team has to work on it.")


# --- yes, no, later ------------------------------------------------------------------------------------------------


def approve(pk: "UUID", by: User) -> Erasure:
    """The second person agrees. Nobody who filed it, checked who asks or found the ids may be the second person."""
    with transaction.atomic():
        erasure = locked(pk)
        if erasure.state != State.APPROVAL:
            raise NotNow("This request does not wait for a second person.")
        if not erasure.subjects:
            raise Unfit("Nobody has said yet whose data this is about: add the ids first.")
        not_about_themselves(erasure, by)
        if worked_on(erasure, by):
            raise Unfit("You have worked on this request already: a second person has to approve it.")
        if erasure.scope == Scope.ACCOUNT and erasure.account and (why := removal.objection(erasure.account)):
            raise Unfit(f"{why[:1].upper()}{why[1:]}.")
        if why := whose.misfit(erasure):
            raise Unfit(why)
        erasure.approved_by, erasure.approved_at = by, timezone.now()
        erasure.approved_for = whose.fingerprint(erasure)
        proceed(erasure)
        note(erasure, Action.REQUEST_APPROVED, officer(by))
        return erasure


def refuse(pk: "UUID", by: User, ground: str) -> Erasure:
    """Refuse, with the ground that the person is told, and where they can complain."""
    with transaction.atomic():
        erasure = locked(pk)
        if not erasure.is_cancellable:
            raise NotNow("Erasing has begun: it cannot be refused." if erasure.is_begun else "It has ended.")
        not_about_themselves(erasure, by)
        erasure.ground = ground_of(ground)
        letters.tell(erasure, "request_refused", ground=erasure.ground)
        move(erasure, State.REFUSED)
        note(erasure, Action.REQUEST_REFUSED, officer(by), reason=erasure.ground)
        return erasure


def hold(pk: "UUID", by: User, ground: str, until: date) -> Erasure:
    """A legal hold, or a longer one: nothing is erased before `until`, when `by` has to look at it again.

    It is on the data: what else would begin soon for the same ids is held with it.
    """
    with transaction.atomic():
        others = lock_with_others(pk)
        erasure = locked(pk)
        if not erasure.is_cancellable:
            raise NotNow("Erasing has begun: it cannot be held." if erasure.is_begun else "It has ended.")
        not_about_themselves(erasure, by)
        if until <= office_day():
            raise Unfit("The hold has to end on a day that is still to come.")
        if erasure.state == State.ON_HOLD and (erasure.ground, erasure.held_until) == (ground_of(ground), until):
            raise NotNow("It is on hold until that day already.")
        erasure.ground, erasure.held_until, erasure.reviewer = ground_of(ground), until, by
        erasure.held_from, erasure.held_at = erasure.held_from or erasure.state, timezone.now()
        erasure.approval_told_at = None  # what they were told about its beginning is not true any more
        letters.tell(erasure, "request_held", ground=erasure.ground, until=letters.day(until))
        if erasure.state == State.ON_HOLD:
            erasure.save()
        else:
            move(erasure, State.ON_HOLD)
        for other in others:
            hold_too(other, erasure)
            note(other, Action.REQUEST_HELD, officer(by), reason=erasure.ground, details={"until": until.isoformat()})
        note(erasure, Action.REQUEST_HELD, officer(by), reason=erasure.ground, details={"until": until.isoformat()})
        return erasure


def release(pk: "UUID", by: User | None) -> Erasure:
    """End a hold and go on with what comes next; `by` None when its time is over."""
    with transaction.atomic():
        erasure = locked(pk)
        if erasure.state != State.ON_HOLD:
            raise NotNow("This request is not on hold.")
        if by is not None:
            not_about_themselves(erasure, by)
        erasure.ground, erasure.held_until, erasure.held_from = "", None, ""
        erasure.links.all().delete()  # they may be over by now: whoever has to prove who asks is asked anew
        erasure.released_at = timezone.now() if by else erasure.released_at
        proceed(erasure)
        note(erasure, Action.REQUEST_RELEASED, officer(by) if by else SYSTEM)
        return erasure


def cancel(pk: "UUID", actor: Actor) -> Erasure:
    """Taken back by the person, before anything was erased."""
    with transaction.atomic():
        erasure = locked(pk)
        if not erasure.is_cancellable:
            raise NotNow("It can no longer be cancelled: erasing has begun." if erasure.is_begun else "It has ended.")
        letters.tell(erasure, "request_cancelled")
        move(erasure, State.CANCELLED)
        note(erasure, Action.REQUEST_CANCELLED, actor)
        return erasure


def begin_now(pk: "UUID", actor: Actor) -> Erasure:
    """End the time of grace: the person does not want to wait."""
    with transaction.atomic():
        erasure = locked(pk)
        if erasure.state != State.WAITING:
            raise NotNow("It does not wait for the end of the time in which it can be cancelled.")
        erasure.grace_until = erasure.next_at = timezone.now()
        erasure.save(update_fields=["grace_until", "next_at"])
        ring_for(erasure)
        note(erasure, Action.REQUEST_RELEASED, actor)
        return erasure


# --- time ----------------------------------------------------------------------------------------------------------


def extend(pk: "UUID", by: User, reason: str) -> Erasure:
    """The one extension of the law, told with its reasons within the first period."""
    with transaction.atomic():
        erasure = locked(pk)
        if erasure.is_terminal:
            raise NotNow("It has ended.")
        if erasure.extended_at is not None:
            raise NotNow("It was extended before, and the law allows that once.")
        if office_day() > erasure.clock().extend_by:
            raise NotNow("An extension has to be told within the first period, which is over.")
        not_about_themselves(erasure, by)
        erasure.extension_reason, erasure.extended_at = ground_of(reason), timezone.now()
        set_dates(erasure)
        erasure.save()
        letters.tell(erasure, "request_extended", ground=erasure.extension_reason, until=letters.day(erasure.due))
        note(erasure, Action.REQUEST_EXTENDED, officer(by), reason=erasure.extension_reason)
        return erasure


def try_again(pk: "UUID", by: User) -> Erasure:
    """After somebody looked into it: ten more attempts."""
    with transaction.atomic():
        erasure = locked(pk)
        if erasure.state != State.NEEDS_ATTENTION:
            raise NotNow("It does not wait for anybody.")
        not_about_themselves(erasure, by)
        erasure.attempts, erasure.next_at, erasure.lease_until = 0, timezone.now(), None
        erasure.forget_exceptions()
        move(erasure, State.ERASING)
        ring_for(erasure)
        note(erasure, Action.REQUEST_RELEASED, officer(by))
        return erasure


def unconfirmed(pk: "UUID") -> Erasure:
    """Nobody proved who asks within the time: it ends, with reasons and the way to complain."""
    with transaction.atomic():
        erasure = locked(pk)
        if erasure.state != State.IDENTITY:
            raise NotNow("Who asks is not open any more.")
        letters.tell(erasure, "request_unconfirmed")
        erasure.ground = "Nobody confirmed that they asked for this."
        move(erasure, State.UNCONFIRMED)
        note(erasure, Action.REQUEST_UNCONFIRMED, SYSTEM)
        return erasure


def confirm_receipt(pk: "UUID", by: User) -> Erasure:
    """The receipt of the request was confirmed to somebody without e-mail, by letter or by telephone."""
    with transaction.atomic():
        erasure = locked(pk)
        if erasure.confirmed_at is not None:
            raise NotNow("Its receipt was confirmed before.")
        if erasure.is_terminal:
            raise NotNow("It has ended.")
        not_about_themselves(erasure, by)
        erasure.confirmed_at = timezone.now()
        erasure.save(update_fields=["confirmed_at"])
        note(erasure, Action.REQUEST_CONFIRMED, officer(by))
        return erasure


# --- places that the portal cannot read ----------------------------------------------------------------------------


def report_outside(pk: "UUID", name: str, by: User, words: str) -> OutsidePlace:
    """Somebody reports that an outside place was emptied. The receipt says: reported, not verified by us.

    What people erase themselves has ended before anybody can look: then it stands on their page, not on the receipt.
    """
    with transaction.atomic():
        erasure = locked(pk)
        place = erasure.outside.filter(name=name).first()
        if place is None:
            raise Unfit("There is no such place in this request.")
        if place.reported_at is not None:
            raise NotNow("This was reported before.")
        if erasure.is_terminal and erasure.state not in ERASED:
            raise NotNow("It has ended, and nothing was erased.")
        not_about_themselves(erasure, by)
        place.reported_by, place.reported_at, place.note = by, timezone.now(), " ".join(words.split())[:300]
        place.save()
        note(erasure, Action.OUTSIDE_REPORTED, officer(by), details={"place": str(place.pk)})
        return place


def actions_for(erasure: Erasure, by: User) -> list[str]:
    """The acts of officers that fit the request's state and this one of them, in the order of the page."""
    stuck = erasure.state == State.NEEDS_ATTENTION
    fit = {
        "confirm_receipt": erasure.confirmed_at is None and not erasure.is_terminal,
        "check_identity": erasure.state == State.IDENTITY,
        "attach": erasure.state in (State.IDENTITY, State.APPROVAL) and erasure.channel != Channel.SELF,
        "approve": erasure.state == State.APPROVAL and bool(erasure.subjects) and not worked_on(erasure, by),
        "hold": erasure.is_cancellable,
        "release": erasure.state == State.ON_HOLD,
        "refuse": erasure.is_cancellable,
        "extend": not erasure.is_terminal and erasure.extended_at is None and office_day() <= erasure.clock().extend_by,
        "try_again": stuck,
        "except_places": stuck and erasure.except_at is None and erasure.steps.filter(left=None).exists(),
        "agree_exception": stuck and erasure.except_at is not None and erasure.except_by_id != by.pk,
    }
    return [] if is_about(erasure, by) else [name for name, fits in fit.items() if fits]
