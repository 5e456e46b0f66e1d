"""Open a grant, use it, end it. `use` is the staff's only way to a ScopedMemory: its event is committed first."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from memoryportal.accounts.roles import PRIVACY, ROLES, SUPPORT, roles_of
from memoryportal.audit.actions import Action
from memoryportal.audit.pseudonyms import note_staff_access
from memoryportal.audit.record import Actor, record, record_first
from memoryportal.memory import ScopedMemory, SubjectId

from .models import MAX_SEARCHES, AccessGrant, How, Kind

if TYPE_CHECKING:
    from memoryportal.accounts.models import User

    from .people import Person

USES = frozenset({Action.MEMORY_LISTED, Action.MEMORY_REVEALED, Action.MEMORY_SEARCHED, Action.MEMORY_DELETE_ASKED})


class GrantRefused(Exception):
    """No access; the message is a sentence for the member of the staff."""


class GrantEnded(GrantRefused):
    """The grant is over, was never theirs, or their role is gone. Nothing was shown."""


def open_grant(staff: "User", person: "Person", *, kind: Kind, minutes: int, **why: str) -> AccessGrant:
    """A grant from now on. `why` has category, ticket and reason. Raises GrantRefused; a refusal is an event too."""
    role = _role_for(staff, kind)
    if refusal := _refusal(staff, person, role):
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
            _record(grant, Action.GRANT_OPENED, role or "", reason=why["reason"], details=_opening(grant))
    except IntegrityError:
        raise GrantRefused("You have access to somebody already: end that first.") from None
    note_staff_access(person.subject)
    return grant


def _opening(grant: AccessGrant) -> dict[str, Any]:
    return {"minutes": grant.minutes, "category": str(grant.category), "kind": str(grant.kind)}


def _role_for(staff: "User", kind: Kind) -> str:
    """The role that such a grant needs, where the member of the staff holds it now; else ''."""
    needed = PRIVACY if kind == Kind.REQUEST else SUPPORT
    return needed if needed in roles_of(staff) else ""


def _refusal(staff: "User", person: "Person", role: str) -> str:
    if not role:
        return "Your role does not allow this."
    if person.account is not None and person.account.pk == staff.pk:
        return "You cannot open access to your own memories here: use your own pages."
    if str(person.subject) == staff.subject:
        return "You cannot open access to your own memories here: use your own pages."
    if person.account is not None and (person.account.is_superuser or roles_of(person.account) & set(ROLES)):
        return "You cannot open access to a member of the staff."
    return ""


def use(grant: AccessGrant, action: Action, **about: Any) -> ScopedMemory:
    """The person's memory, after an event that says so is committed. Raises GrantEnded, AuditUnavailable."""
    if action not in USES:
        raise ValueError(f"{action} is not a use of a grant")
    current = check_open(grant)
    subject = SubjectId(current.subject)
    record_first(
        action,
        actor=Actor(str(current.staff_id), _role_for(current.staff, Kind(current.kind))),
        subject=subject,
        grant=str(current.pk),
        **about,
    )
    note_staff_access(subject)
    return ScopedMemory(subject)


def check_open(grant: AccessGrant) -> AccessGrant:
    """The grant as the database has it now, when it can be used. Raises GrantEnded after ending what is over."""
    current = AccessGrant.objects.select_related("staff", "person").get(pk=grant.pk)
    if current.ended_at is None and not (current.staff.is_active and _role_for(current.staff, Kind(current.kind))):
        end(current, How.ROLE)
    elif current.ended_at is None and not current.is_open:
        end(current, How.BY_ITSELF)
    if not current.is_open:
        raise GrantEnded("This access has ended. Nothing was shown.")
    return current


def own(staff: "User", grant_id: UUID) -> AccessGrant:
    """This member's grant. Raises GrantEnded for somebody else's and for one that never was."""
    found = AccessGrant.objects.filter(staff=staff, pk=grant_id).select_related("staff", "person").first()
    if found is None:
        raise GrantEnded("There is no such access of yours.")
    return found


def end(grant: AccessGrant, how: How) -> bool:
    """End it once; False when it had ended already. The worker then tells the person."""
    with transaction.atomic():
        ended = AccessGrant.objects.filter(pk=grant.pk, ended_at__isnull=True).update(
            ended_at=timezone.now(), ended_how=how
        )
        if ended:
            _record(grant, Action.GRANT_ENDED, "staff", details={"kind": str(how), "count": grant.revealed})
    grant.refresh_from_db()
    return bool(ended)


def overdue() -> "QuerySet[AccessGrant]":
    """Grants whose time is over and that nobody has ended yet."""
    return AccessGrant.objects.filter(ended_at__isnull=True, ends_at__lte=timezone.now())


def _end_overdue(staff: "User") -> None:
    for grant in overdue().filter(staff=staff):
        end(grant, How.BY_ITSELF)


def count_search(grant: AccessGrant) -> int:
    """Use up one search of the grant; how many are left. Raises GrantRefused when none is: search is an oracle."""
    counted = AccessGrant.objects.filter(pk=grant.pk, searches__lt=MAX_SEARCHES).update(searches=F("searches") + 1)
    if not counted:
        raise GrantRefused(f"All {MAX_SEARCHES} searches of this access are used up.")
    grant.refresh_from_db(fields=["searches"])
    return MAX_SEARCHES - grant.searches


def count_revealed(grant: AccessGrant, number: int) -> None:
    """Note how many memories were shown, for the mail to the person."""
    AccessGrant.objects.filter(pk=grant.pk).update(revealed=F("revealed") + number)


def _record(grant: AccessGrant, action: Action, role: str, **about: Any) -> None:
    record(
        action,
        actor=Actor(str(grant.staff_id), role),
        subject=SubjectId(grant.subject),
        object=f"ticket:{_ticket(grant)}",
        grant=str(grant.pk),
        **about,
    )


def _ticket(grant: AccessGrant) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_#." else "_" for letter in grant.ticket)[:40]
