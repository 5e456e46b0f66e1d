"""What was done about one deletion request, by whom and when, as the trail has it; the newest first."""

from dataclasses import dataclass
from itertools import groupby

from memoryportal.accounts.roles import ROLES
from memoryportal.accounts.subjects import PERSON
from memoryportal.audit import reading
from memoryportal.audit.actions import Action
from memoryportal.audit.models import Event

from .present import moment
from .request_words import colleague

MOST = 100
_OTHERS = {
    PERSON: "the person",
    "system": "this portal, by itself",
    "anonymous": "somebody who was not signed in",
    "operator": "the people who run this portal",
    "admin": "an administrator",
    "host": "the application that uses the memories",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """One line; `times` is how often the same was done in a row, by the same person."""

    what: str
    who: str
    when: str
    iso: str
    why: str
    times: int


def timeline(reference: str, reader: int) -> list[Moment]:
    """The newest hundred. `reader` is the number of the account of whoever reads it."""
    return [_moment(list(row), reader) for _, row in groupby(reading.of_request(reference, MOST), key=_in_a_row)]


def _in_a_row(event: Event) -> tuple[object, ...]:
    return (event.action, event.actor) if event.action == Action.REQUEST_OPENED else (event.seq,)


def _moment(row: list[Event], reader: int) -> Moment:
    event = row[0]
    what = Action(event.action).label if event.action in Action.values else event.action
    return Moment(str(what), _who(event, reader), moment(event.at), event.at.isoformat(), event.reason, len(row))


def _who(event: Event, reader: int) -> str:
    if event.role in ROLES and event.actor.isdecimal():
        name = colleague(int(event.actor), reader)
        return name if name == "you" else f"{event.role}, {name}"
    return _OTHERS.get(event.role, event.role)
