"""File a deletion request, and find one's own."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone

from memoryportal.accounts.subjects import own_subjects
from memoryportal.accounts.trail import person
from memoryportal.audit.actions import Action
from memoryportal.audit.record import NOBODY, Actor
from memoryportal.memory import SubjectId
from memoryportal.memory.scope import check_id

from . import letters
from .models import Channel, Erasure, Identified, OpenErasure, OutsidePlace, Scope
from .moves import NotNow, grace_of, is_address_of, is_written_to, locked, move, note, proceed, send_back, set_dates
from .states import TERMINAL, State

if TYPE_CHECKING:
    from memoryportal.accounts.models import User


class ErasureNotFound(LookupError):
    """No such erasure of this account; somebody else's is exactly this too."""


def ask(
    account: "User",
    *subjects: SubjectId,
    scope: Scope = Scope.EVERYTHING,
    agent: str = "",
    keep_never: bool = False,
) -> Erasure:
    """The open request of a signed-in person for these subjects of theirs, made now if there is none.

    A double submit makes one. A request that somebody else filed for the person is taken up as their own: asking is
    proof of who asks. The caller has asked for the password again. Whoever gives up the account is written to at its
    address, which the request keeps until the last mail was sent. Raises NotNow while one of these ids is being erased
    for somebody else.
    """
    about = {"account": account, "address": account.email if scope == Scope.ACCOUNT else ""}
    try:
        with transaction.atomic():
            erasure = _new(Channel.SELF, subjects, scope=scope, agent=agent, keep_never=keep_never, **about)
            _identify(erasure, account)
            note(erasure, Action.ERASURE_ASKED, person(account), details={"form": str(scope)})
            return erasure
    except IntegrityError:
        there = _in_the_way(subjects, agent)
    if not is_theirs(there, account):
        stand_aside(there, subjects)
        return ask(account, *subjects, scope=scope, agent=agent, keep_never=keep_never)
    same = there.scope == scope and there.keep_never == keep_never and {*map(str, subjects)} <= {*there.subjects}
    if not same and _gave_way(there, account):
        return ask(account, *subjects, scope=scope, agent=agent, keep_never=keep_never)
    return _take_up(there, account)


def is_theirs(there: Erasure, account: "User") -> bool:
    """Whether this account's owner may be shown it and take it up: theirs, or nobody's, for ids of theirs only."""
    if there.account_id is not None:
        return bool(there.account_id == account.pk)
    own = {str(subject) for subject in own_subjects(account)}
    return set(there.subjects) <= own and is_address_of(account, there.address)


def stand_aside(there: Erasure, subjects: Sequence[SubjectId]) -> None:
    """A request of somebody else's keeps nobody out from what is theirs by now, and is looked at again.

    Raises NotNow where erasing has begun; nothing is changed then.
    """
    with transaction.atomic():
        erasure = locked(there.pk)
        if erasure.is_begun:
            raise NotNow("What is stored under this id is being erased at this moment. Ask again when that is over.")
        erasure.open_rows.filter(subject__in=[str(subject) for subject in subjects]).delete()
        if erasure.state == State.WAITING:
            send_back(erasure)


def _gave_way(there: Erasure, account: "User") -> bool:
    """Take back an earlier request of the person's that has not begun and asks for something else. Never a held one."""
    with transaction.atomic():
        erasure = locked(there.pk)
        if not erasure.is_cancellable or erasure.state == State.ON_HOLD or erasure.account_id != account.pk:
            return False
        erasure.ground = "Asked for again, and otherwise."
        move(erasure, State.CANCELLED)
        note(erasure, Action.REQUEST_CANCELLED, person(account), details={"kind": "replaced"})
    return True


def _take_up(erasure: Erasure, account: "User") -> Erasure:
    with transaction.atomic():
        erasure = locked(erasure.pk)
        if _is_unasked(erasure) and erasure.is_cancellable and erasure.state != State.ON_HOLD:
            _identify(erasure, account)
            note(erasure, Action.ERASURE_ASKED, person(account))
    return erasure


def _is_unasked(erasure: Erasure) -> bool:
    """Whether the person themselves has not said yet that they ask for it."""
    return erasure.identified_at is None or erasure.identified_how == Identified.HOST


def _identify(erasure: Erasure, account: "User") -> None:
    """They see it on their page at once; a mail comes now only where there is time to take it back."""
    now = timezone.now()
    erasure.account = erasure.account or account
    if not is_written_to(account, erasure.address):
        erasure.address = ""  # somebody else typed it, and nobody has shown whose it is: the account's own will do
    erasure.identified_at, erasure.identified_how = now, Identified.SESSION
    erasure.confirmed_at = erasure.confirmed_at or now
    proceed(erasure)
    if grace_of(erasure):
        letters.tell(erasure, "request_received", until=letters.day(erasure.grace_until), due=letters.day(erasure.due))


def file(
    channel: Channel,
    subjects: Sequence[SubjectId] = (),
    *,
    account: "User | None" = None,
    by: "User | None" = None,
    actor: Actor = NOBODY,
    address: str = "",
    ticket: str = "",
    told: str = "",
    scope: Scope = Scope.EVERYTHING,
    agent: str = "",
    vouched: bool = False,
    received: datetime | None = None,
) -> Erasure:
    """Write a request down for somebody else. Nothing is carried out before it is known who asks.

    `address` is where mails about it go (an account's own where it has one); `told` is what the person wrote so that
    their data can be found; `vouched`: the application has checked who asks; `received`: when it came in, where that
    was before now. One that is open for the same subject is linked, and never runs by itself.
    """
    about: dict[str, Any] = {"account": account, "filed_by": by, "address": address, "ticket": ticket, "told": told}
    about["asked_at"] = received or timezone.now()
    try:
        with transaction.atomic():
            erasure = _new(channel, subjects, scope=scope, agent=agent, **about)
            if vouched:
                erasure.identified_at, erasure.identified_how = timezone.now(), Identified.HOST
            proceed(erasure)
            note(erasure, Action.REQUEST_FILED, actor, details={"form": str(channel)})
            return erasure
    except IntegrityError:
        return _in_the_way(subjects, agent)


def hand_over(
    account: "User | None", subject: SubjectId, by: "User", channel: Channel = Channel.SUPPORT, ticket: str = ""
) -> Erasure:
    """The open request of this subject, written down by the staff if there is none. The caller records the event."""
    about: dict[str, Any] = {"account": account, "filed_by": by, "ticket": ticket}
    try:
        with transaction.atomic():
            erasure = _new(channel, [subject], scope=Scope.EVERYTHING, **about)
            proceed(erasure)
            return erasure
    except IntegrityError:
        return _in_the_way([subject], "")


def _new(channel: Channel, subjects: Sequence[SubjectId], *, agent: str = "", scope: Scope, **about: Any) -> Erasure:
    if (scope == Scope.ASSISTANT) != bool(agent):
        raise ValueError("an assistant is named exactly where the request is about one")
    ids = list(dict.fromkeys(str(subject) for subject in subjects))
    agent = check_id(agent, "agent") if agent else ""
    erasure = Erasure(channel=channel, scope=scope, agent=agent, subjects=ids, **about)
    set_dates(erasure)
    erasure.save(force_insert=True)
    OutsidePlace.objects.bulk_create(OutsidePlace(erasure=erasure, name=name) for name in settings.OUTSIDE_PLACES)
    occupy(erasure)
    return erasure


def occupy(erasure: Erasure) -> None:
    """Stand in the way of a second request for the same. Raises IntegrityError when one is there."""
    OpenErasure.objects.bulk_create(
        OpenErasure(erasure=erasure, subject=subject, agent=erasure.agent) for subject in erasure.subjects
    )


def _in_the_way(subjects: Sequence[SubjectId], agent: str) -> Erasure:
    """The open one of any of these. It may have ended meanwhile: the newest is the answer all the same."""
    ids = [str(subject) for subject in subjects]
    standing = Erasure.objects.filter(open_rows__subject__in=ids, open_rows__agent=agent).order_by("-asked_at").first()
    return standing or Erasure.objects.filter(subjects__overlap=ids, agent=agent).latest("asked_at")


def open_for(subject: SubjectId) -> Erasure | None:
    """The request of this subject that has not ended."""
    return Erasure.objects.filter(subjects__contains=[str(subject)]).exclude(state__in=TERMINAL).first()


def own(account: "User", erasure_id: UUID) -> Erasure:
    """One request that is this account's. Raises ErasureNotFound."""
    try:
        return Erasure.objects.prefetch_related("steps", "outside").get(account=account, id=erasure_id)
    except Erasure.DoesNotExist:
        raise ErasureNotFound("no such erasure") from None


def hurry(erasure: Erasure) -> None:
    """Let a delayed one be tried again now instead of later. An attempt that somebody asks for is none that failed."""
    waiting = Erasure.objects.filter(pk=erasure.pk, state=State.RETRYING, next_at__gt=timezone.now())
    waiting.update(next_at=timezone.now(), attempts=Greatest(F("attempts") - 1, 1))


def history(account: "User") -> list[Erasure]:
    """All requests of this account, newest first."""
    return list(Erasure.objects.filter(account=account))
