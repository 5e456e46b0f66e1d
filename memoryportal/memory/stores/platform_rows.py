"""The Platform's rows as ours, and what its lists cannot do: sort, count, filter and sum up, in process."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

from ..rows import CORE_KEYS, Row, parse_day, parse_time, time_key
from ..scope import Filters, KnowledgeScope, Order, Scope
from ..texts import as_text
from ..types import Summary, Version
from .conditions import instant

# The Platform keeps a fact under a user or under an assistant, never under both, and does not say who spoke. What the
# portal adds is kept under the user, and these notes in its metadata say the rest.
NOTES = {"memoryportal_agent": "agent_id", "memoryportal_role": "role", "memoryportal_name": "actor_id"}
_KEPT = ("app_id", "categories", "replaced_by", "synthesized", "lifecycle_state")


def filters_of(scope: Scope) -> dict[str, Any]:
    """All memories of a subject, whatever assistant, app and conversation they came from.

    An entity that a filter does not name must be null, says the Platform's documentation, so every combination is
    named; `*` means "not null" there. The subject stands in each alternative.
    """
    others = ("agent_id", "app_id", "run_id")
    chosen = (names for size in range(len(others) + 1) for names in combinations(others, size))
    subject = {"user_id": str(scope.subject)}
    return {"OR": [{"AND": [subject, *({name: "*"} for name in names)]} for names in chosen]}


def filters_of_knowledge(scope: KnowledgeScope) -> dict[str, Any]:
    """All memories of an assistant that name nobody: the person is never named, so it must be null."""
    others = ("app_id", "run_id")
    chosen = (names for size in range(len(others) + 1) for names in combinations(others, size))
    agent = {"agent_id": scope.agent}
    return {"OR": [{"AND": [agent, *({name: "*"} for name in names)]} for names in chosen]}


def score_of(raw: dict[str, Any]) -> float:
    """How close a result is, 0..1; 0 where no number says it."""
    score = raw.get("score")
    return float(score) if isinstance(score, int | float) else 0.0


def to_row(raw: dict[str, Any]) -> Row:
    """(id, payload) in mem0's own keys. Metadata never gets at them: it is written by whoever has a key."""
    given = raw.get("metadata")
    metadata = given if isinstance(given, dict) else {}
    noted = {column: _note(metadata.get(note)) for note, column in NOTES.items()}
    payload = {key: value for key, value in metadata.items() if key not in CORE_KEYS and key not in NOTES}
    payload |= {key: raw[key] for key in _KEPT if raw.get(key)}
    payload |= {
        "user_id": raw.get("user_id"),
        **noted,
        "agent_id": _name(raw.get("agent_id")) or noted["agent_id"],
        "run_id": _name(raw.get("session_id")) or _name(raw.get("run_id")),
        "data": raw.get("memory"),
        "created_at": _utc(raw.get("created_at")),
        "updated_at": _utc(raw.get("updated_at")),
        "expiration_date": raw.get("expiration_date"),
    }
    return str(raw.get("id")), payload


def _note(value: object) -> str | None:
    """What is no text was not noted by the portal."""
    return _name(value) if isinstance(value, str) else None


def _name(value: object) -> str | None:
    return as_text(value) or None


def _utc(value: object) -> str:
    """One form for all times, so that their texts sort as they do."""
    at = parse_time(value)
    return at.isoformat(timespec="microseconds") if at else ""


def key_of(row: Row) -> tuple[str, str]:
    """What lists are sorted by."""
    return time_key(row[1]), str(row[0])


def in_order(rows: Iterable[Row], order: Order) -> list[Row]:
    return sorted(rows, key=key_of, reverse=order == "newest")


def matching(rows: Iterable[Row], filters: Filters) -> list[Row]:
    """The rows that the filters ask for; a row without a date is in no range."""
    since = instant(filters.since, end=False) if filters.since is not None else None
    until = instant(filters.until, end=True) if filters.until is not None else None

    def fits(payload: dict[str, Any]) -> bool:
        at = payload["created_at"]
        return (
            filters.agent in (None, payload["agent_id"])
            and filters.run in (None, payload["run_id"])
            and (since is None or at >= since)
            and (until is None or "" < at < until)
        )

    return [row for row in rows if fits(row[1])]


def holding(rows: Iterable[Row], words: list[str]) -> list[Row]:
    """The rows whose text contains every word, in whatever case."""
    wanted = [word.casefold() for word in words]
    return [row for row in rows if all(word in (as_text(row[1]["data"]) or "").casefold() for word in wanted)]


def sum_up(rows: list[Row], filters: Filters) -> Summary:
    """Totals of all rows; agents and runs counted under the other filters."""
    for_agents = matching(rows, Filters(run=filters.run, since=filters.since, until=filters.until))
    for_runs = matching(rows, Filters(agent=filters.agent, since=filters.since, until=filters.until))
    times = sorted(row[1]["created_at"] for row in rows if row[1]["created_at"])
    return Summary(
        total=len(rows),
        since=parse_time(times[0]) if times else None,
        latest=parse_time(times[-1]) if times else None,
        agents=_counted(row[1]["agent_id"] for row in for_agents),
        runs=_counted(row[1]["run_id"] for row in for_runs),
        expired=sum(1 for row in rows if _expired(row)),
    )


def _expired(row: Row) -> bool:
    last = parse_day(row[1]["expiration_date"])
    return last is not None and last < datetime.now(UTC).date()


def _counted(names: Iterable[str | None]) -> list[tuple[str | None, int]]:
    return sorted(Counter(names).items(), key=lambda pair: (-pair[1], pair[0] or ""))


def to_versions(memory_id: str, entries: list[dict[str, Any]]) -> list[Version]:
    """The Platform's history of one memory, oldest first. It numbers nothing, so the order gives the numbers."""
    dated = sorted(entries, key=lambda entry: _utc(entry.get("updated_at") or entry.get("created_at")))
    return [
        Version(
            seq=number,
            memory_id=memory_id,
            event=str(entry.get("event") or ""),
            old=as_text(entry.get("old_memory")),
            new=as_text(entry.get("new_memory")),
            at=parse_time(entry.get("updated_at")) or parse_time(entry.get("created_at")),
            actor=None,
            role=None,
            purged=False,
        )
        for number, entry in enumerate(dated, start=1)
    ]
