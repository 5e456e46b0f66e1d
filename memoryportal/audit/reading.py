"""Read the trail: what a person may see of it, and what an auditor looks for. Pages go by number, the newest first."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from .actions import Action
from .models import Event, Head
from .pseudonyms import Pseudonym

PAGE = 50
BATCH = 1000


@dataclass(frozen=True, slots=True)
class Page:
    """`next` is the number to read on before, or None on the last page."""

    events: list[Event]
    next: int | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an auditor looks for; empty fields want everything. `since` is included, `until` is not.

    `people` are names of one person (one for each of their ids); None is everybody, [] is somebody whom no event names.
    """

    since: datetime | None = None
    until: datetime | None = None
    actor: str = ""
    action: str = ""
    people: list[Pseudonym] | None = None
    grant: str = ""

    def events(self) -> "QuerySet[Event]":
        exact = {"actor": self.actor, "action": self.action, "grant": self.grant}
        times = {"at__gte": self.since, "at__lt": self.until}
        found = Event.objects.filter(**{name: value for name, value in (exact | times).items() if value})
        return found if self.people is None else found.filter(subject__in=self.people)


def page(wanted: Wanted, before: int | None = None, size: int = PAGE) -> Page:
    """A page of what an auditor looks for."""
    return _cut(list(_before(wanted.events(), before)[: size + 1]), size)


def walk(wanted: Wanted, upto: int) -> Iterator[list[Event]]:
    """All of it up to event `upto`, oldest first, some at a time: what an export streams."""
    last = 0
    while batch := list(wanted.events().filter(seq__gt=last, seq__lte=upto).order_by("seq")[:BATCH]):
        yield batch
        last = batch[-1].seq


def newest() -> int:
    """The number of the newest event; 0 in an empty trail."""
    return Head.objects.filter(pk=1).values_list("seq", flat=True).first() or 0


def last_verification() -> Event | None:
    return Event.objects.filter(action=Action.TRAIL_VERIFIED).order_by("-seq").first()


# --- one person's part -----------------------------------------------------------------------------------------------


def about(
    people: Iterable[Pseudonym], account: int, before: int | None = None, *, others: bool = False, size: int = PAGE
) -> Page:
    """What was done with this person's data, by whomever, and what they did as themselves with this account.

    `others`: only what somebody else did.
    """
    own = Q(actor=str(account), role="person")
    named = Event.objects.filter(subject__in=list(people))
    # Two walks along two indexes. One condition with OR would read the whole trail for somebody with few events.
    parts = [named.exclude(own)] if others else [named, Event.objects.filter(own)]
    found = {event.seq: event for part in parts for event in _before(part, before)[: size + 1]}
    return _cut([found[seq] for seq in sorted(found, reverse=True)], size)


def openings(grants: Iterable[str]) -> dict[str, Event]:
    """The event that opened each of these grants: it says why."""
    wanted = {grant for grant in grants if grant}
    if not wanted:
        return {}
    opened = Event.objects.filter(grant__in=wanted, action=Action.GRANT_OPENED)
    return {event.grant: event for event in opened}


def of_grant(grant: str) -> list[Event]:
    """Everything that was done under one grant, in order."""
    return list(Event.objects.filter(grant=grant).order_by("seq"))


def of_request(reference: str, size: int) -> list[Event]:
    """The newest events about one deletion request, newest first; accesses that were opened for it included."""
    return list(events_of_request(reference).order_by("-seq")[:size])


def events_of_request(reference: str) -> "QuerySet[Event]":
    # The second condition is that of an index which holds these events only (sql/requests.sql).
    return Event.objects.filter(object__in=[reference, f"ticket:{reference}"], object__regex="^(ticket:)?MP-")


def _before(events: "QuerySet[Event]", before: int | None) -> "QuerySet[Event]":
    ordered = events.order_by("-seq")
    return ordered if before is None else ordered.filter(seq__lt=before)


def _cut(events: list[Event], size: int) -> Page:
    return Page(events[:size], events[size - 1].seq if len(events) > size else None)
