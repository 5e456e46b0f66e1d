"""Find one person by something that the caller must know exactly. There is no browsing and no "similar"."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from memoryportal.accounts.models import SubjectLink, User
from memoryportal.audit.actions import Action
from memoryportal.audit.record import Actor, record
from memoryportal.erasure.models import Erasure
from memoryportal.memory import InvalidSubject, SubjectId
from memoryportal.memory.existence import owns_something

from .models import Quota

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import QuerySet


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a grant can be about: a subject, and its account where it has one."""

    subject: SubjectId
    account: User | None


class TooMany(Exception):
    """The quota of this hour is used up; the look-up was not made."""


def find(staff: User, role: str, words: str) -> Person | None:
    """The person with exactly this e-mail address, subject or request reference; None is an event as well.

    Somebody without an account is found by an id under which something is stored; that it is, is all that is learned.
    Raises TooMany when the member of the staff has made FINDS_PER_HOUR look-ups in this hour, and StoreUnavailable
    when nobody can tell whether the id is there: it is no miss then.
    """
    _count(staff)
    found = next(_matches(words.strip()), None)
    actor = Actor(str(staff.pk), role)
    if found is None:
        # Whoever tries addresses leaves a row for each; what was typed is not kept.
        record(Action.PERSON_MISSED, actor=actor)
        Quota.objects.filter(staff=staff, hour=_hour()).update(misses=F("misses") + 1)
    else:
        record(Action.PERSON_FOUND, actor=actor, subject=found.subject)
    return found


def accounts_of(person: Person) -> list[User]:
    """Every account that this is about: the one it was found with, and whoever the subject belongs to now."""
    owners = list(_owners(person.subject))
    return owners if person.account is None else [person.account, *owners]


def finds_left(staff: User) -> int:
    """How many look-ups are left in this hour."""
    used = Quota.objects.filter(staff=staff, hour=_hour()).values_list("finds", flat=True).first()
    return max(0, int(settings.FINDS_PER_HOUR) - (used or 0))


def _hour() -> datetime:
    return timezone.now().replace(minute=0, second=0, microsecond=0)


def _count(staff: User) -> None:
    Quota.objects.get_or_create(staff=staff, hour=_hour())
    allowed = Quota.objects.filter(staff=staff, hour=_hour(), finds__lt=settings.FINDS_PER_HOUR)
    if not allowed.update(finds=F("finds") + 1):
        raise TooMany(f"{settings.FINDS_PER_HOUR} look-ups in this hour are used up.")


def _matches(words: str) -> "Iterator[Person]":
    if not words:
        return
    if "@" in words and (account := _with_address(words.lower())):
        yield from _subjects(account)
    if words.upper().startswith("MP-") and (erasure := Erasure.objects.filter(reference=words.upper()).first()):
        for subject in erasure.subject_ids:
            account = _owners(subject).first() or erasure.account
            # Looking for somebody who is gone with their account would make them a key in the trail anew.
            if account is not None or not erasure.is_erased or owns_something(subject):
                yield Person(subject, account)
    try:
        subject = SubjectId(words)
    except InvalidSubject:
        return
    account = _owners(subject).first()
    if account is not None or owns_something(subject):
        yield Person(subject, account)


def _with_address(address: str) -> User | None:
    """Not where nobody has confirmed it: somebody may have mistyped theirs, and the caller has this one."""
    unconfirmed = EmailAddress.objects.filter(user=OuterRef("pk"), email=address, verified=False)
    return User.objects.filter(~Exists(unconfirmed), email=address).first()


def _owners(subject: SubjectId) -> "QuerySet[User]":
    """The account that the subject was issued or is linked to; at most one."""
    return User.objects.filter(Q(subject=str(subject)) | Q(subject_links__subject=str(subject))).distinct()


def _subjects(account: User) -> "Iterator[Person]":
    """The account's subjects, the connected ones first: that is where assistants remember."""
    for link in SubjectLink.objects.filter(account=account).order_by("created_at"):
        yield Person(SubjectId(link.subject), account)
    yield Person(SubjectId(account.subject), account)
