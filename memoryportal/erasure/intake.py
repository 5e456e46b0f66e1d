"""Requests from the public form, which anybody can send about any address.

Writing one down takes the same steps whoever the address belongs to: nothing is looked up before the worker is at it,
and nobody's ids are looked for before the person has shown that the address is theirs. So a request of a stranger
neither tells anything nor stands in anybody's way.
"""

from functools import partial
from uuid import UUID

from allauth.account.models import EmailAddress
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from memoryportal.accounts import letters as mails
from memoryportal.accounts import removal
from memoryportal.accounts.models import User, normal_address
from memoryportal.accounts.subjects import own_subjects
from memoryportal.audit.actions import Action
from memoryportal.audit.record import NOBODY, SYSTEM, Actor
from memoryportal.base.mail import send
from memoryportal.base.queue import ring

from . import identity, letters, quotas, services
from .models import Channel, Erasure, Identified, Scope
from .moves import NotNow, grace_of, locked, move, note
from .states import TERMINAL, State

MOST_UNCONFIRMED = 3  # open requests of one address, each about one assistant, that get a mail; each ends after a week
BEFORE = "The same was asked for before: see that request."
AFTER = "Asked for again, and confirmed."


def file(address: str, scope: Scope, agent: str = "", told: str = "") -> None:
    """Write a request down and ring for its link. Raises nothing that depends on whose address it is."""
    with transaction.atomic():
        erasure = services.file(
            Channel.FORM, address=normal_address(address), scope=scope, agent=agent, told=" ".join(told.split())
        )
        transaction.on_commit(partial(_ring, erasure.pk))


def _ring(pk: UUID) -> None:
    from .tasks import send_link  # the tasks import this module

    ring(send_link, once=f"erasure.link:{pk}", erasure_id=str(pk))


# --- the worker: which mail goes out -------------------------------------------------------------------------------


def send_link(pk: UUID) -> bool:
    """Send the link that a request waits for; for one that was asked for before, one more of that one's.

    False when none may be sent. Can be repeated. Raises what sending raises.
    """
    there = _settle(pk)
    if there is None:
        return False
    if there.state == State.IDENTITY:
        return identity.send_link(there.pk)
    return _send_status(there)


def _settle(pk: UUID) -> Erasure | None:
    """The request that a mail should be about, after linking a new one to the open one for the same."""
    with transaction.atomic():
        erasure = locked(pk)
        if erasure.state == State.CANCELLED:
            return erasure.duplicate_of
        if erasure.channel != Channel.FORM or erasure.state != State.IDENTITY or erasure.links.exists():
            return erasure
        before = _open_before(erasure)
        same = before.filter(scope=erasure.scope, agent=erasure.agent).first()
        if same is None and not _is_one_too_many(erasure, before):
            return erasure
        _end_as_duplicate(erasure, same or before.last(), SYSTEM)
        return same


def _is_one_too_many(erasure: Erasure, before: QuerySet[Erasure]) -> bool:
    """Of the wider ones there is one each at most: no stranger keeps them out with assistants that do not exist."""
    narrow = before.filter(state=State.IDENTITY, scope=Scope.ASSISTANT)
    return erasure.scope == Scope.ASSISTANT and narrow.count() >= MOST_UNCONFIRMED


def _open_before(erasure: Erasure) -> QuerySet[Erasure]:
    """Open requests from the same address that came in earlier, oldest first."""
    earlier = Q(asked_at__lt=erasure.asked_at) | Q(asked_at=erasure.asked_at, pk__lt=erasure.pk)
    return Erasure.objects.filter(earlier, address=erasure.address).exclude(state__in=TERMINAL).order_by("asked_at")


def _end_as_duplicate(erasure: Erasure, there: Erasure | None, actor: Actor) -> None:
    """No mail about its end: the open one is what there is to know."""
    erasure.duplicate_of, erasure.ground, erasure.address = there, BEFORE, ""
    move(erasure, State.CANCELLED)
    note(erasure, Action.REQUEST_CANCELLED, actor, details={"kind": "duplicate"})


def _send_status(erasure: Erasure) -> bool:
    """Tell somebody who asks again how their confirmed request stands, once an hour at most."""
    if erasure.identified_how != Identified.MAIL:  # else a stranger may have given this address
        return False
    with transaction.atomic():
        erasure = locked(erasure.pk)
        if not erasure.address or not quotas.is_first(f"status:{erasure.pk}"):
            return False
        url = identity.absolute(reverse("mydata:request_secret", args=[identity.new_secret(erasure)]))
        send("request_status", erasure.address, reference=erasure.reference, url=url)
    return True


# --- the person: what the link confirms ----------------------------------------------------------------------------


def behind(token: str) -> Erasure:
    """The open request that a link was sent for, also when the link was used. Raises identity.NoSuchLink."""
    used = Erasure.objects.filter(links__digest=identity.digest(token), identified_how=Identified.MAIL)
    found = used.exclude(state__in=TERMINAL).first()
    return found or identity.by_link(token).erasure


def confirm(token: str) -> Erasure:
    """The person wants it: what is known to be theirs is added, and the request goes on.

    Returns the request to look at: an earlier one for the same, where there is one. Raises identity.NoSuchLink, and
    NotNow where something else has to end first; nothing is changed then.
    """
    try:
        with transaction.atomic():
            erasure = locked(behind(token).pk)
            if erasure.state != State.IDENTITY:  # a second click, perhaps at the same moment
                return erasure.duplicate_of or erasure
            return _attach(erasure) or identity.confirm(token)
    except IntegrityError:
        raise NotNow("Another request for the same came in at this moment. Please try again.") from None


def _attach(erasure: Erasure) -> Erasure | None:
    """Note the account of this address and its ids. The open request that covers this one already, where there is one.

    Without an account an officer has to find the ids. So it is for the staff's own accounts, too: deleting them is for
    an administrator.
    """
    account = _account_of(erasure.address)
    if account is None or erasure.subjects or (erasure.scope == Scope.ACCOUNT and removal.objection(account)):
        return None
    erasure.account, erasure.subjects = account, [str(subject) for subject in own_subjects(account)]
    for there in _in_the_way(erasure):
        if not services.is_theirs(there, account):
            services.stand_aside(there, erasure.subject_ids)
            continue
        if _covers(there, erasure):
            _end_as_duplicate(erasure, there, NOBODY)
            return there
        _make_way(there)
    erasure.save(update_fields=["account", "subjects"])
    services.occupy(erasure)
    _tell_account(erasure, account)
    return None


def _tell_account(erasure: Erasure, account: User) -> None:
    """To the account's own address, which may be another one: whoever lost a mailbox must hear of it, and stop it."""
    grace = grace_of(erasure)
    until = letters.day(timezone.now() + grace) if grace else ""
    about = {"reference": erasure.reference, "until": until, "due": letters.day(erasure.due)}
    mails.write("request_received", account.email, **about)


def _account_of(address: str) -> User | None:
    found = EmailAddress.objects.select_related("user").filter(
        email__iexact=address, verified=True, user__is_active=True
    )
    return found[0].user if found else None


def _in_the_way(erasure: Erasure) -> list[Erasure]:
    rows = Erasure.objects.filter(open_rows__subject__in=erasure.subjects, open_rows__agent=erasure.agent)
    return [locked(pk) for pk in rows.order_by("asked_at").values_list("pk", flat=True).distinct()]


def _covers(there: Erasure, erasure: Erasure) -> bool:
    """Whether an open request does all that this one asks for, and nobody else has to decide about it first."""
    wide_enough = there.scope in (erasure.scope, Scope.ACCOUNT) and set(erasure.subjects) <= set(there.subjects)
    kept = there.keep_never and not erasure.keep_never
    return wide_enough and not kept and (there.is_begun or there.state in (State.WAITING, State.ON_HOLD))


def _make_way(there: Erasure) -> None:
    """What has not begun gives way to what the person has just confirmed. Raises NotNow."""
    if there.is_begun or there.state == State.ON_HOLD:
        raise NotNow(
            f"The request {there.reference} for a part of this is under way or on hold. Confirm this one when that one "
            "has ended."
        )
    there.ground = AFTER
    move(there, State.CANCELLED)
    note(there, Action.REQUEST_CANCELLED, NOBODY, details={"kind": "replaced"})
