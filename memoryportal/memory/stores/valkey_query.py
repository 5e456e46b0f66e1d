"""Queries in valkey-search's language, built from typed values. Nothing that a caller writes becomes syntax.

A TAG clause matches exactly because every character with a meaning is escaped and because a Scope refuses `*`: a tag
that ends in `*` is a prefix match even when it is escaped. Times are indexed in whole seconds (mem0 stores them so);
where a filter asks for a part of a second, the query is a little wider and `keep` has the last word.
"""

import math
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ..errors import ScopeViolation
from ..rows import parse_time
from ..scope import TIMES, AnyScope, Filters, KnowledgeScope
from .conditions import instant

LATEST = math.floor(TIMES[1].timestamp())


def escape(value: str) -> str:
    """`value` as one tag that matches itself and nothing else. Raises ScopeViolation for what cannot be one."""
    if not value or "*" in value or "\x1f" in value or any(character.isspace() for character in value):
        raise ScopeViolation("an id that cannot be kept apart reached the store")
    return "".join(c if c.isalnum() or not c.isascii() else f"\\{c}" for c in value)


def tag(field: str, value: str) -> str:
    return f"@{field}:{{{escape(value)}}}"


def created(low: int | None, high: int | None) -> str:
    """Rows with low <= created_at < high; None stands for no bound. Rows without a time are in no range, and a number
    that is later than any time is none."""
    return f"@created_at:[{'-inf' if low is None else low} ({LATEST if high is None else high}]"


@dataclass(frozen=True, slots=True)
class Selection:
    """The rows that a scope and its filters mean.

    `tags` is the part of the query that names the owner; it is never empty. `low` and `high` bound created_at in
    seconds, `high` excluded. `since` and `until` are set where whole seconds do not say it exactly. `nobodys`: only
    rows without a person, which the index cannot be asked for.
    """

    tags: str
    low: int | None = None
    high: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    nobodys: bool = False

    @property
    def dated(self) -> bool:
        """Whether only rows with a time belong to it."""
        return self.low is not None or self.high is not None

    @property
    def exact(self) -> bool:
        """Whether the server finds these rows and no others, so that its count is true."""
        return self.since is None and self.until is None and not self.nobodys

    @property
    def impossible(self) -> bool:
        """No row can match; the server would call such a range a mistake."""
        return self.low is not None and self.high is not None and self.low >= self.high

    @property
    def query(self) -> str:
        return self.timed_query if self.dated else self.tags

    @property
    def timed_query(self) -> str:
        """The same, of rows that have a time."""
        return f"{self.tags} {created(self.low, self.high)}"

    def within(self, low: int | None, high: int | None) -> "Selection":
        """The rows of these that were created in [low, high)."""
        lows = [bound for bound in (low, self.low) if bound is not None]
        highs = [bound for bound in (high, self.high) if bound is not None]
        return replace(self, low=max(lows, default=None), high=min(highs, default=None))

    def keep(self, payload: dict[str, Any]) -> bool:
        """Whether a row that the server found is really meant."""
        return self.exact or (self.includes(payload) and not (self.nobodys and payload.get("user_id") is not None))

    def includes(self, payload: dict[str, Any]) -> bool:
        """Whether a row of the owner's lies within the selection's dates."""
        at = parse_time(payload.get("created_at")) if self.dated else None
        if at is None:
            return not self.dated
        since = self.since.timestamp() if self.since else self.low
        until = self.until.timestamp() if self.until else self.high
        return (since is None or at.timestamp() >= since) and (until is None or at.timestamp() < until)


def select(scope: AnyScope, filters: Filters | None = None) -> Selection:
    """The rows of a scope under its filters."""
    filters = filters or Filters()
    clauses = [] if isinstance(scope, KnowledgeScope) else [tag("user_id", str(scope.subject))]
    for field, values in (("agent_id", (scope.agent, filters.agent)), ("run_id", (scope.run, filters.run))):
        clauses += [tag(field, value) for value in values if value is not None]
    since = None if filters.since is None else parse_time(instant(filters.since, end=False))
    until = None if filters.until is None else parse_time(instant(filters.until, end=True))
    return Selection(
        " ".join(clauses),
        None if since is None else math.floor(since.timestamp()),
        None if until is None else math.ceil(until.timestamp()),
        since if since and since.microsecond else None,
        until if until and until.microsecond else None,
        isinstance(scope, KnowledgeScope),
    )
