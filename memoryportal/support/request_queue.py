"""The queue of deletion requests: who sees which, what each of them waits for, and which is due first."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Case, Count, DateField, Exists, ExpressionWrapper, F, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Cast, Coalesce, Least, TruncDate
from django.utils import timezone

from memoryportal.accounts.models import User
from memoryportal.accounts.roles import AUDITOR, PRIVACY
from memoryportal.erasure.clocks import CCPA_DAYS
from memoryportal.erasure.models import Erasure, OutsidePlace, office_day
from memoryportal.erasure.states import ERASED, TERMINAL, State

PAGE = 25
SOON = timedelta(days=7)
OPEN = [state for state in State if state not in TERMINAL]
NO_DATE = date(9999, 12, 31)
_DAY, _DAYS = DateField(), models.DurationField()


class Group(models.TextChoices):
    """What a request waits for. `needs_somebody` and `group` say which is which."""

    SOMEBODY = "somebody", "Needs somebody now"
    PERSON = "person", "Waiting for the person"
    RUNNING = "running", "Goes on by itself"
    HELD = "held", "On hold"
    ENDED = "ended", "Ended"
    OUTSIDE = "outside", "Erased, with places outside to report"


IN_THE_END = frozenset({Group.ENDED, Group.OUTSIDE})  # no groups of open requests: chosen in other ways, listed by end


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the list is narrowed to; empty fields want everything. `group` "" is every request that has not ended."""

    group: str = ""
    law: str = ""
    channel: str = ""

    def filter(self, about: "QuerySet[Erasure]", today: date) -> "QuerySet[Erasure]":
        exact = {name: value for name, value in (("law", self.law), ("channel", self.channel)) if value}
        about = about.filter(**exact)
        if self.group == Group.ENDED:
            return about.filter(state__in=TERMINAL, ended_at__isnull=False)  # as its index says it
        if self.group == Group.OUTSIDE:
            return to_report(about)
        about = about.filter(state__in=OPEN)
        return grouped(about, today).filter(Q(group=self.group)) if self.group else about


@dataclass(frozen=True, slots=True)
class Page:
    """`next` is the cursor of the page after this one, or "" on the last."""

    requests: list[Erasure]
    next: str


def visible(user: User, roles: Collection[str]) -> "QuerySet[Erasure]":
    """All for privacy and auditors; for support, those that they wrote down themselves."""
    everything = Erasure.objects.all()
    return everything if {PRIVACY, AUDITOR} & set(roles) else everything.filter(filed_by=user)


def to_report(about: "QuerySet[Erasure]") -> "QuerySet[Erasure]":
    """What was erased while nobody had said yet that a place outside the portal was emptied."""
    open_places = OutsidePlace.objects.filter(erasure=OuterRef("pk"), reported_at=None)
    return about.filter(Exists(open_places), state__in=ERASED, ended_at__isnull=False)


def number_to_report(about: "QuerySet[Erasure]") -> int:
    """How many of these there are; nothing is asked where no such place is configured."""
    return to_report(about).count() if settings.OUTSIDE_PLACES else 0


# --- what it waits for, and until when ---------------------------------------------------------------------------


def needs_somebody(today: date) -> Q:
    """What goes no further unless one of the staff acts."""
    no_mail = Q(address="", account=None)
    unconfirmed = Q(confirmed_at=None, confirm_by__isnull=False)
    return (
        Q(state__in=[State.RECEIVED, State.APPROVAL, State.NEEDS_ATTENTION])
        | Q(state=State.IDENTITY) & no_mail
        | Q(state__in=OPEN) & unconfirmed & (no_mail | Q(confirm_by__lte=today + SOON / 2))
        | Q(state=State.ON_HOLD, held_until__lte=today + SOON)
    )


def grouped(about: "QuerySet[Erasure]", today: date) -> "QuerySet[Erasure]":
    """With `group`, one of Group."""
    which = Case(
        When(state__in=TERMINAL, then=Value(Group.ENDED.value)),
        When(needs_somebody(today), then=Value(Group.SOMEBODY.value)),
        When(state=State.IDENTITY, then=Value(Group.PERSON.value)),
        When(state=State.ON_HOLD, then=Value(Group.HELD.value)),
        default=Value(Group.RUNNING.value),
    )
    return about.annotate(group=which)


def dated(about: "QuerySet[Erasure]", today: date) -> "QuerySet[Erasure]":
    """With `due_now`: the column `due` as of today. Where the clock rests it goes on moving, as in Clock.due."""
    rested = ExpressionWrapper(Value(today, _DAY) - F("rests_since"), _DAYS)
    moved = _plus(F("due"), rested)
    days = Case(When(extended_at=None, then=timedelta(days=CCPA_DAYS)), default=timedelta(days=2 * CCPA_DAYS))
    californian = _plus(TruncDate("asked_at", tzinfo=timezone.get_default_timezone()), days)
    due = Case(
        When(Q(rests_since=None) | Q(law="ccpa"), then=F("due")),
        When(law="gdpr", then=moved),
        default=Least(moved, californian),
    )
    return about.annotate(due_now=Coalesce(due, Value(NO_DATE, _DAY), output_field=_DAY))


def _plus(day: Any, days: Any) -> Cast:
    return Cast(ExpressionWrapper(day + days, models.DateTimeField()), _DAY)


# --- the list ------------------------------------------------------------------------------------------------------


def page(about: "QuerySet[Erasure]", wanted: Wanted, after: str = "") -> Page:
    """A page of requests, those that are due first on top; of ended ones, the last that ended. A bad cursor is none."""
    today = office_day()
    ended = wanted.group in IN_THE_END
    listed = dated(grouped(wanted.filter(about, today), today), today)
    order = ("-ended_at", "-reference") if ended else ("due_now", "reference")
    found = list(listed.filter(_after(after, ended)).order_by(*order).only(*_SHOWN)[: PAGE + 1])
    return Page(found[:PAGE], _cursor(found[PAGE - 1], ended) if len(found) > PAGE else "")


_SHOWN = (
    *("reference", "state", "scope", "agent", "channel", "law", "subjects", "address", "account", "confirm_by"),
    *("asked_at", "due", "confirmed_at", "rests_since", "rested_days", "extended_at", "held_until", "ended_at"),
    "except_at",
)


def _cursor(last: Erasure, ended: bool) -> str:
    where: Any = last.ended_at if ended else last.due_now  # type: ignore[attr-defined]
    return f"{where.isoformat()}~{last.reference}"


def _after(cursor: str, ended: bool) -> Q:
    where, _, reference = cursor.partition("~")
    try:
        at = datetime.fromisoformat(where) if ended else date.fromisoformat(where)
    except ValueError:
        return Q()
    if ended:
        # The first condition is for the index: it cannot begin in the middle of an OR.
        return Q(ended_at__lte=at) & (Q(ended_at__lt=at) | Q(reference__lt=reference))
    return Q(due_now__gt=at) | Q(due_now=at, reference__gt=reference)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many open requests there are: by group, past their date, due within a week, waiting for a second person."""

    groups: dict[str, int]
    late: int
    soon: int
    second: int

    @property
    def open(self) -> int:
        return sum(self.groups.values())


def counts(about: "QuerySet[Erasure]") -> Counts:
    """In one statement, over the requests that have not ended."""
    today = office_day()
    numbers = {
        "number": Count("pk"),
        "late": Count("pk", filter=Q(due_now__lt=today)),
        "soon": Count("pk", filter=Q(due_now__gte=today, due_now__lte=today + SOON)),
        "second": Count("pk", filter=Q(state=State.APPROVAL) | Q(state=State.NEEDS_ATTENTION, except_at__isnull=False)),
    }
    rows = dated(grouped(about.filter(state__in=OPEN), today), today).order_by().values(*["group"]).annotate(**numbers)
    found = {row.pop("group"): row for row in rows}
    late, soon, second = (sum(row[name] for row in found.values()) for name in ("late", "soon", "second"))
    return Counts({group: row["number"] for group, row in found.items()}, late, soon, second)
