"""Open a grant, use it, end it. `use` is the staff's only way to a ScopedMemory: its event is committed first."""

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet, Value
from django.db.models.functions import Greatest
from django.utils import timezone

from memoryportal.accounts.roles import PRIVACY, ROLES, SUPPORT, roles_of
from memoryportal.audit.actions import Action
from memoryportal.audit.models import Event
from memoryportal.audit.pseudonyms import note_staff_access
from memoryportal.audit.record import Actor, record, record_first
from memoryportal.erasure.models import Erasure
from memoryportal.erasure.states import TERMINAL
from memoryportal.memory import ScopedMemory, SubjectId

from .models import MAX_SEARCHES, AccessGrant, How, Kind
from .occasions import why_not
from .people import Person, accounts_of

if TYPE_CHECKING:
    from memoryportal.accounts.models import User

_NOT_PLAIN = re.compile(r"[^\w.#/-]", re.ASCII)
USES = frozenset({Action.MEMORY_LISTED, Action.MEMORY_REVEALED, Action.MEMORY_SEARCH_ASKED, Action.MEMORY_DELETE_ASKED})
READS = (Action.MEMORY_REVEALED, Action.MEMORY_SEARCHED)  # their details hold the ids of what was shown


class GrantRefused(Exception):
    """No access; the message is a sentence for the member of the staff."""


class NoSearchesLeft(GrantRefused):
    """The grant's searches are used up; nothing was searched."""


class GrantEnded(GrantRefused):
    """The grant is over, or the role that it needs is gone. Nothing was shown."""


class GrantNotFound(GrantEnded):
    """Somebody else's grant, or none at all; nobody can tell which."""


def open_grant(staff: "User", person: Person, *, kind: Kind, minutes: int, **why: str) -> AccessGrant:
    """A grant from now on. `why` has category, ticket and reason. Raises GrantRefused; a refusal is an event too."""
    role = _role_for(staff, kind)
    if refusal := _refusal(staff, person, role) or _no_occasion(staff, kind, why["ticket"]):
        record(Action.GRANT_REFUSED, actor=Actor(str(staff.pk), role or "none"), subject=person.subject)
        raise GrantRefused(refusal)
    now = timezone.now()
    try:
        with transaction.atomic():
            _end_overdue(staff)
            grant = AccessGrant.objects.create(
                staff=staff,
                person=person.account,
                subject=str(person.subject),
                kind=kind,
                minutes=minutes,
                opened_at=now,
                ends_at=now + timedelta(minutes=minutes),
                **why,
            )
            _record(grant, Action.GRANT_OPENED, reason=why["reason"], details=_opening(grant))
    except IntegrityError:
        record(Action.GRANT_REFUSED, actor=Actor(str(staff.pk), role), subject=person.subject)
        raise GrantRefused("You have access to somebody already: end that first. No access was opened.") from None
    note_staff_access(person.subject)
    return grant


def _opening(grant: AccessGrant) -> dict[str, Any]:
    return {"minutes": grant.minutes, "category": str(grant.category), "kind": str(grant.kind)}


def _role_for(staff: "User", kind: Kind) -> str:
    """The role that such a grant needs, where the member of the staff holds it now; else ''."""
    needed = PRIVACY if kind == Kind.REQUEST else SUPPORT
    return needed if needed in roles_of(staff) else ""


def _refusal(staff: "User", person: Person, role: str) -> str:
    """Why not; '' when nothing speaks against it. Whoever the subject belongs to now counts, however it was found."""
    if not role:
        return "Your role does not allow this."
    accounts = accounts_of(person)
    if any(account.pk == staff.pk for account in accounts):
        return "You cannot open access to your own memories here: use your own pages."
    if any(map(_works_for_us, accounts)):
        return "You cannot open access to the memories of a member of the staff."
    return ""


def _works_for_us(account: "User") -> bool:
    return account.is_superuser or bool(roles_of(account) & set(ROLES))


def _no_occasion(staff: "User", kind: Kind, ticket: str) -> str:
    """Why this deletion request does not let them look; a support case is in another system."""
    if kind != Kind.REQUEST:
        return ""
    erasure = Erasure.objects.filter(reference=ticket).first()
    return why_not(erasure, staff) if erasure else "There is no deletion request with this reference."


def use(grant: AccessGrant, action: Action, **about: Any) -> ScopedMemory:
    """The person's memory, after an event that says so is committed. Raises GrantEnded, AuditUnavailable."""
    if action not in USES:
        raise ValueError(f"{action} is not a use of a grant")
    current = check_open(grant)
    note(current, action, **about)
    subject = SubjectId(current.subject)
    note_staff_access(subject)
    return ScopedMemory.for_person(subject)


def note(grant: AccessGrant, action: Action, **about: Any) -> None:
    """An event of this grant, committed when this returns. Raises AuditUnavailable."""
    record_first(action, **whose(grant), **about)


def whose(grant: AccessGrant) -> dict[str, Any]:
    """Who acts on whom under which grant: what every event of a grant says."""
    role = PRIVACY if grant.kind == Kind.REQUEST else SUPPORT
    return {
        "actor": Actor(str(grant.staff_id), role),
        "subject": SubjectId(grant.subject),
        "grant": str(grant.pk),
    }


def check_open(grant: AccessGrant) -> AccessGrant:
    """The grant as the database has it now, when it can be used. Raises GrantEnded after ending what is over."""
    current = AccessGrant.objects.select_related("staff", "person").get(pk=grant.pk)
    if current.ended_at is None and (how := _why_over(current)):
        end(current, how)
    if not current.is_open:
        raise GrantEnded("This access has ended. Nothing was shown.")
    return current


def _why_over(grant: AccessGrant) -> How | None:
    """Why a grant that nobody has ended opens nothing any more; None while it does."""
    if not _role_for(grant.staff, Kind(grant.kind)):
        return How.ROLE
    if not grant.is_open:
        return How.BY_ITSELF
    if _changed_hands(grant):
        return How.OWNER
    return How.REQUEST if _request_has_ended(grant) else None


def _changed_hands(grant: AccessGrant) -> bool:
    """Whether it would not be opened for this person any more: somebody else has the id by now, or they joined us."""
    accounts = accounts_of(Person(SubjectId(grant.subject), grant.person))
    return any(account.pk != grant.person_id or _works_for_us(account) for account in accounts)


def _request_has_ended(grant: AccessGrant) -> bool:
    """A support case is in another system; a deletion request that is not kept any more has ended, too."""
    if grant.kind != Kind.REQUEST:
        return False
    return not Erasure.objects.filter(reference=grant.ticket).exclude(state__in=TERMINAL).exists()


def own(staff: "User", grant_id: UUID) -> AccessGrant:
    """This member's grant. Raises GrantNotFound for somebody else's and for one that never was."""
    found = AccessGrant.objects.filter(staff=staff, pk=grant_id).select_related("staff", "person").first()
    if found is None:
        raise GrantNotFound("There is no such access of yours.")
    return found


def running(staff: "User") -> AccessGrant | None:
    """The one open grant of this member of the staff."""
    found = AccessGrant.objects.filter(staff=staff, ended_at__isnull=True).select_related("person").first()
    return found if found and found.is_open else None


def end(grant: AccessGrant, how: How) -> bool:
    """End it once; False when it had ended already. The worker then tells the person."""
    with transaction.atomic():
        ended = AccessGrant.objects.filter(pk=grant.pk, ended_at__isnull=True).update(
            ended_at=timezone.now(), ended_how=how
        )
        if ended:
            _record(grant, Action.GRANT_ENDED, details={"kind": str(how), "count": grant.revealed})
    grant.refresh_from_db()
    return bool(ended)


def overdue() -> "QuerySet[AccessGrant]":
    """Grants whose time is over and that nobody has ended yet."""
    return AccessGrant.objects.filter(ended_at__isnull=True, ends_at__lte=timezone.now())


def end_orphaned() -> None:
    """End the open grants of everybody who lost the role, or the account, that they were opened with; those for
    deletion requests that have ended; and those to an id that is somebody else's by now.
    """
    for grant in AccessGrant.objects.filter(ended_at__isnull=True).select_related("staff", "person"):
        if (how := _why_over(grant)) and how != How.BY_ITSELF:
            end(grant, how)


def end_with_request(reference: str) -> None:
    """End the open grants for this deletion request, which has ended."""
    for grant in AccessGrant.objects.filter(ended_at__isnull=True, kind=Kind.REQUEST, ticket=reference):
        end(grant, How.REQUEST)


def _end_overdue(staff: "User") -> None:
    for grant in overdue().filter(staff=staff):
        end(grant, How.BY_ITSELF)


def count_search(grant: AccessGrant) -> int:
    """Use up one search of the grant; how many are left. Raises GrantRefused when none is: search is an oracle."""
    counted = AccessGrant.objects.filter(pk=grant.pk, searches__lt=MAX_SEARCHES).update(searches=F("searches") + 1)
    if not counted:
        raise NoSearchesLeft(f"All {MAX_SEARCHES} searches of this access are used up. Nothing was searched.")
    grant.refresh_from_db(fields=["searches"])
    return MAX_SEARCHES - grant.searches


def count_revealed(grant: AccessGrant) -> None:
    """Note how many different memories were shown, for the mail to the person: what the trail says."""
    details = Event.objects.filter(grant=str(grant.pk), action__in=READS).values_list("details", flat=True)
    number = len({memory_id for shown in details for memory_id in shown.get("ids", ())})
    AccessGrant.objects.filter(pk=grant.pk).update(revealed=Greatest(F("revealed"), Value(number)))


def _record(grant: AccessGrant, action: Action, **about: Any) -> None:
    record(action, **whose(grant), object=f"ticket:{_NOT_PLAIN.sub('_', grant.ticket)[:40]}", **about)
