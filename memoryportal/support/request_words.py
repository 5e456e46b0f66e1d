"""Deletion requests in words, as the staff read them in the list: no address, no id of anybody."""

from dataclasses import dataclass
from datetime import date

from django.utils import dateformat

from memoryportal.accounts.staff import pseudonym_of_staff
from memoryportal.erasure.clocks import lateness
from memoryportal.erasure.models import Channel, Erasure, Scope, office_day
from memoryportal.erasure.states import TERMINAL, State

from .present import day
from .request_queue import NO_DATE, SOON, Group

LAWS = {"gdpr": "GDPR", "ccpa": "CCPA", "both": "GDPR and CCPA"}


@dataclass(frozen=True, slots=True)
class Row:
    """One request in the list. `waits`: what one of the staff has to do. `look` is the class of the tag of `due`."""

    reference: str
    scope: str
    waits: str
    about: str
    due: str
    look: str


def row(erasure: Erasure) -> Row:
    """A row of request_queue.page, which has `group` and `due_now`."""
    due, today = erasure.due_now, office_day()  # type: ignore[attr-defined]
    wanted = waits(erasure) if erasure.group == Group.SOMEBODY else ""  # type: ignore[attr-defined]
    return Row(
        reference=erasure.reference,
        scope=scope(erasure),
        waits=wanted,
        about=" · ".join(_about(erasure, wanted)),
        due="" if erasure.state in TERMINAL else due_in_words(due, today),
        look=due_look(due, today),
    )


def _about(erasure: Erasure, waits: str) -> list[str]:
    """The quiet line: its state, where nothing else says it; how it came in, since when."""
    ended = [f"ended {day(erasure.ended_at)}"] if erasure.ended_at else []
    state = [] if waits else [str(State(erasure.state).label)]
    return [*state, str(Channel(erasure.channel).label), f"since {day(erasure.asked_at)}", *ended]


def scope(erasure: Erasure) -> str:
    """Such as "Everything that is remembered"; the assistant's name is no personal data."""
    label = str(Scope(erasure.scope).label)
    if erasure.scope == Scope.ASSISTANT:
        label = f"what the assistant “{erasure.agent}” remembers"
    return label[:1].upper() + label[1:]


def waits(erasure: Erasure) -> str:
    """What one of the staff has to do, for a request of Group.SOMEBODY."""
    if erasure.state == State.APPROVAL:
        return "A second person has to approve it" if erasure.subjects else "Somebody has to find out whose data it is"
    if erasure.state == State.NEEDS_ATTENTION and erasure.except_at:
        return "A second person has to agree that it ends without a place that cannot be read"
    if erasure.state == State.NEEDS_ATTENTION:
        return "Several attempts failed: somebody has to look into it"
    if erasure.state == State.IDENTITY and not erasure.address and erasure.account_id is None:
        return "Somebody has to check who asks: there is no e-mail address"
    if erasure.state == State.ON_HOLD and erasure.held_until:
        return f"The hold ends on {date_words(erasure.held_until)}: somebody has to look at it again"
    return f"They have to be told by {date_words(erasure.confirm_by)} that it came in"


def due_in_words(due: date, today: date) -> str:
    return "no date" if due == NO_DATE else lateness(due, today).capitalize()


def due_look(due: date, today: date) -> str:
    """After the words, a colour: late is red, a week is yellow."""
    if due < today:
        return "tag-danger"
    return "tag-warning" if due <= today + SOON else ""


def date_words(value: date | None) -> str:
    """Such as "3 May 2026". A day of the law is the same in every zone."""
    return dateformat.format(value, "j F Y") if value else ""


def colleague(number: int | None, reader: int) -> str:
    """A member of the staff, as the staff read about each other."""
    if number is None:
        return "somebody whose account is gone"
    return "you" if number == reader else f"staff member {pseudonym_of_staff(number)}"
