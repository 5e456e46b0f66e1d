"""Qdrant filters of a scope and its filters, built from typed values. A caller's filter does not exist here."""

import json
from typing import Any

from qdrant_client import models

from ..rows import parse_time, time_key
from ..scope import AnyScope, Filters, KnowledgeScope, Order
from ..texts import as_text
from .conditions import instant

KEYS = ["user_id", "agent_id", "run_id", "created_at", "expiration_date"]


def _equal(key: str, value: str) -> models.FieldCondition:
    return models.FieldCondition(key=key, match=models.MatchValue(value=value))


def _owner(scope: AnyScope) -> Any:
    """Rows of the scope's person, or without a person where the scope is an assistant's knowledge."""
    if isinstance(scope, KnowledgeScope):
        return models.IsEmptyCondition(is_empty=models.PayloadField(key="user_id"))
    return _equal("user_id", str(scope.subject))


def of(scope: AnyScope, filters: Filters | None = None, *, wide: bool = False) -> models.Filter:
    """All conditions; every one must hold. `wide`: also rows whose name is no text, but would be this one as a text.

    Qdrant takes a list for all that is in it, so the rows that it finds have to be compared again (`fits`).
    """
    filters = filters or Filters()
    equal = [("agent_id", name) for name in (scope.agent, filters.agent) if name is not None]
    equal += [("run_id", name) for name in (scope.run, filters.run) if name is not None]
    equal = [(key, name) for key, name in equal if not (wide and _may_be_no_text(name))]
    must: list[Any] = [_owner(scope), *(_equal(key, value) for key, value in equal)]
    if filters.since is not None or filters.until is not None:
        since = None if filters.since is None else parse_time(instant(filters.since, end=False))
        until = None if filters.until is None else parse_time(instant(filters.until, end=True))
        must.append(models.FieldCondition(key="created_at", range=models.DatetimeRange(gte=since, lt=until)))
    return models.Filter(must=must)


def _may_be_no_text(name: str) -> bool:
    """Whether a number, say, would be written like this name."""
    try:
        return not isinstance(json.loads(name), str)
    except ValueError:
        return False


def fits(payload: dict[str, Any], filters: Filters) -> bool:
    """Whether a row is one that the filters mean."""
    return (
        filters.agent in (None, as_text(payload.get("agent_id")))
        and filters.run in (None, as_text(payload.get("run_id")))
        and within(payload, filters)
    )


def of_owner_text(owner: str) -> models.Filter:
    """Rows of exactly this user id, whatever it is: for rename_subject."""
    return models.Filter(must=[_equal("user_id", owner)])


def one(scope: AnyScope, memory_id: str) -> models.Filter:
    """This row, and only while it is the scope's person's."""
    return models.Filter(must=[models.HasIdCondition(has_id=[memory_id]), _owner(scope)])


def within(payload: dict[str, Any], filters: Filters) -> bool:
    """Whether a row lies in the filters' dates; a row without a date lies in none."""
    if filters.since is None and filters.until is None:
        return True
    created = parse_time(time_key(payload))
    since = None if filters.since is None else parse_time(instant(filters.since, end=False))
    until = None if filters.until is None else parse_time(instant(filters.until, end=True))
    return created is not None and (since is None or created >= since) and (until is None or created < until)


def utc(time: str) -> str:
    """The same moment as text that sorts by time, whatever offset it was written with."""
    moment = parse_time(time)
    return moment.isoformat(timespec="microseconds") if moment else time


def position(row: tuple[Any, dict[str, Any]]) -> tuple[str, str]:
    """Where a row stands in time order. Without a date it is the oldest."""
    return utc(time_key(row[1])), str(row[0])


def beyond(places: list[tuple[str, str]], after: tuple[str, str] | None, order: Order) -> list[tuple[str, str]]:
    """The places that come after the cursor's."""
    if after is None:
        return places
    mark = (utc(after[0]), after[1])
    return [place for place in places if (place < mark if order == "newest" else place > mark)]
