"""Events and the state of the chain, as an auditor reads them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from django.utils import dateformat, timezone

from memoryportal.accounts.models import User
from memoryportal.accounts.subjects import PERSON
from memoryportal.audit import reading
from memoryportal.audit.actions import Action
from memoryportal.audit.heads import HeadsUnavailable, last_head
from memoryportal.audit.models import Event
from memoryportal.audit.verify import INTACT

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Line:
    """One event. `who` names a member of the staff by their address and a person by the number of their account."""

    event: Event
    what: str
    who: str
    when: str
    grant: str
    details: list[tuple[str, str]]


def lines(events: Iterable[Event]) -> list[Line]:
    shown = list(events)
    addresses = _addresses(shown)
    return [_line(event, addresses) for event in shown]


def _line(event: Event, addresses: dict[str, str]) -> Line:
    known = Action(event.action).label if event.action in Action.values else event.action
    grant = event.grant if _UUID.fullmatch(event.grant) else ""  # a false event may say anything there
    return Line(event, str(known), _who(event, addresses), _moment(event), grant, _details(event))


def _moment(event: Event) -> str:
    """To the second: the order of events matters here."""
    return dateformat.format(timezone.localtime(event.at), "j F Y, H:i:s")


def _addresses(events: list[Event]) -> dict[str, str]:
    """Of everybody who acted in a role: an auditor must know whom to ask."""
    numbers = {event.actor for event in events if event.role != PERSON and event.actor.isdecimal()}
    found = User.objects.filter(pk__in=numbers).values_list("pk", "email")
    return {str(pk): email for pk, email in found}


def _who(event: Event, addresses: dict[str, str]) -> str:
    if not event.actor.isdecimal():
        return event.actor
    name = addresses.get(event.actor, f"account {event.actor}")
    return f"the person (account {event.actor})" if event.role == PERSON else f"{name}, {event.role}"


def _details(event: Event) -> list[tuple[str, str]]:
    values = event.details.items() if isinstance(event.details, dict) else []
    return [(key, ", ".join(map(str, value)) if isinstance(value, list) else str(value)) for key, value in values]


@dataclass(frozen=True, slots=True)
class ChainState:
    """How the trail was found at its last verification, and what has happened since."""

    verified: str = ""
    intact: bool = False
    events: int = 0
    first_bad: int | None = None
    since: int = 0
    signed: int | None = None
    unsigned: int = 0
    trouble: str = ""


def chain_state() -> ChainState:
    newest, last = reading.newest(), reading.last_verification()
    try:
        head, trouble = last_head(), ""
    except HeadsUnavailable as error:
        head, trouble = None, str(error)
    signed = head.seq if head else None
    unsigned = newest - (signed or 0)
    if last is None:
        return ChainState(signed=signed, unsigned=unsigned, trouble=trouble)
    return ChainState(
        verified=_moment(last),
        intact=last.details.get("state") == INTACT,
        events=last.details.get("count") or 0,
        first_bad=last.details.get("first"),
        since=newest - last.seq,
        signed=signed,
        unsigned=unsigned,
        trouble=trouble,
    )
