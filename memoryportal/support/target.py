"""Whom a member of the staff has found: kept in their session for five minutes, never in a URL or a form."""

import time

from django.http import HttpRequest

from memoryportal.accounts.models import User
from memoryportal.accounts.subjects import OwnSubject, subjects_in_order
from memoryportal.memory import SubjectId

from .people import Person

SECONDS = 300
_KEY = "support_found"


def keep(request: HttpRequest, person: Person, reference: str = "") -> None:
    """`reference` is that of the deletion request by which they were found, if it was by one."""
    account = person.account.pk if person.account else None
    found = {"subject": str(person.subject), "account": account, "at": time.time(), "reference": reference}
    request.session[_KEY] = found


def found_by(request: HttpRequest) -> str:
    """The reference that was kept with them, or ''."""
    return str(request.session.get(_KEY, {}).get("reference", ""))


def kept(request: HttpRequest) -> Person | None:
    """Whom this session has found within the last five minutes. A clock that was set back makes it forget."""
    found = request.session.get(_KEY)
    if not found or not 0 <= time.time() - found["at"] < SECONDS:
        forget(request)
        return None
    return Person(SubjectId(found["subject"]), User.objects.filter(pk=found["account"]).first())


def forget(request: HttpRequest) -> None:
    request.session.pop(_KEY, None)


def ids_of(person: Person) -> list[OwnSubject]:
    """The ids under which this person can be looked at. `key` names one in a form, so that no id is read from there."""
    return subjects_in_order(person.account) if person.account else []


def under(person: Person, key: str) -> Person:
    """The same person under another one of their own ids; as found for any other key."""
    subject = next((own.subject for own in ids_of(person) if own.key == key), person.subject)
    return Person(subject, person.account)
