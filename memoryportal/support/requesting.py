"""Write deletion requests down for people: the staff never carry them out by that."""

from datetime import date, datetime, time
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from memoryportal.accounts.models import User
from memoryportal.accounts.roles import PRIVACY
from memoryportal.accounts.subjects import own_subjects
from memoryportal.audit.actions import Action
from memoryportal.audit.record import Actor, record
from memoryportal.base.queue import ring
from memoryportal.erasure import identity, services, tasks
from memoryportal.erasure.models import Channel, Erasure, office_day
from memoryportal.erasure.states import TERMINAL
from memoryportal.memory import SubjectId

from . import grants
from .models import AccessGrant, Kind

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from .people import Person


def hand_over(grant: AccessGrant, reason: str) -> Erasure:
    """The open deletion request of the grant's person, made now if there is none. Raises GrantEnded."""
    current = grants.check_open(grant)
    channel = Channel.PRIVACY if current.kind == Kind.REQUEST else Channel.SUPPORT
    about: dict[str, Any] = {"by": current.staff, "channel": channel, "ticket": current.ticket}
    with transaction.atomic():
        erasure = services.hand_over(current.person, SubjectId(current.subject), **about)
        ask_by_mail(erasure)
        record(Action.REQUEST_HANDED_OVER, **grants.whose(current), object=erasure.reference, reason=reason)
    return erasure


def open_request(grant: AccessGrant) -> Erasure | None:
    """The deletion request of the grant's person that has not ended. Raises GrantEnded."""
    return services.open_for(SubjectId(grants.check_open(grant).subject))


def ask_by_mail(erasure: Erasure) -> bool:
    """Ring for the first link that asks the person whether they want it; False where none can or need be sent.

    A lost bell is rung again by erasure.tasks.sweep.
    """
    if not identity.address_to_ask(erasure) or erasure.links.exists():
        return False
    transaction.on_commit(partial(_ring, erasure.pk))
    return True


def _ring(pk: UUID) -> None:
    ring(tasks.send_link, once=f"erasure.link:{pk}", erasure_id=str(pk))


def file_letter(by: User, person: "Person | None", received: date, **about: str) -> tuple[Erasure, bool]:
    """A request from a letter or a mail, and whether it was made now: there may be an open one for this person.

    `received` is the day on which it came in; `about` has scope, agent, ticket, told, address. Sent twice it is made
    once. Raises AuditUnavailable.
    """
    account = person.account if person else None
    subjects = own_subjects(account) if account else []
    given: dict[str, Any] = {"account": account, "by": by, "actor": Actor(str(by.pk), PRIVACY), **about}
    with transaction.atomic():
        User.objects.select_for_update().get(pk=by.pk)  # two clicks wait for each other here
        if there := _sent_before(by, subjects, about):
            return there, False
        earlier = set(_about(subjects).values_list("pk", flat=True))
        erasure = services.file(Channel.PRIVACY, subjects, received=_moment_of(received), **given)
    made = erasure.pk not in earlier
    if made:
        ask_by_mail(erasure)
    return erasure, made


def _moment_of(day: date) -> datetime | None:
    """The beginning of an earlier day in TIME_ZONE; None for today, which is now."""
    if day == office_day():
        return None
    return datetime.combine(day, time.min, tzinfo=timezone.get_default_timezone())


def _about(subjects: list[SubjectId]) -> "QuerySet[Erasure]":
    return Erasure.objects.filter(subjects__overlap=[str(subject) for subject in subjects])


def _sent_before(by: User, subjects: list[SubjectId], about: dict[str, str]) -> Erasure | None:
    """An open one from the same letter: where nobody's id is known yet, nothing else stands in the way of a second."""
    filed = Erasure.objects.filter(filed_by=by, channel=Channel.PRIVACY).exclude(state__in=TERMINAL)
    return filed.filter(subjects=[str(subject) for subject in subjects], **about).first()
