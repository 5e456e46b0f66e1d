"""What the stand-in remembers, and how each operation changes it."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

from memoryportal.memory.embedding import OFFLINE_FLOOR, OTHER_FLOOR, OfflineEmbedder

from .filters import Conjunction, Nulls, conjunctions, matches

STRANGER = "somebody-else"
PACIFIC = timezone(timedelta(hours=-7))  # the Platform's answers are not in UTC
_embedder = OfflineEmbedder()


@lru_cache(maxsize=4096)
def _vector(text: str) -> tuple[float, ...]:
    return tuple(_embedder.embed(text))


def similarity(one: str, other: str) -> float:
    """0..1 on a scale of the Platform's own: related texts begin at OTHER_FLOOR."""
    cosine = sum(a * b for a, b in zip(_vector(one), _vector(other), strict=True))
    return max(0.0, min(1.0, cosine * OTHER_FLOOR / OFFLINE_FLOOR))


@dataclass
class Row:
    """One stored memory. `late` is the number of reads that do not show it yet."""

    memory: str
    user_id: str | None = None
    agent_id: str | None = None
    app_id: str | None = None
    run_id: str | None = None
    metadata: dict[str, Any] | None = None
    expiration_date: str | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    updated_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    late: int = 0

    @property
    def expired(self) -> bool:
        return self.expiration_date is not None and self.expiration_date < datetime.now(UTC).date().isoformat()

    def answer(self, run_key: str = "session_id") -> dict[str, Any]:
        """As list and get show it; search says `run_id` where they say `session_id`."""
        return {
            "id": self.id,
            "memory": self.memory,
            "user_id": self.user_id,
            "agent_id": self.agent_id,
            "app_id": self.app_id,
            run_key: self.run_id,
            "metadata": self.metadata,
            "categories": [],
            "created_at": self.created_at.astimezone(PACIFIC).isoformat(),
            "updated_at": self.updated_at.astimezone(PACIFIC).isoformat(),
            "expiration_date": self.expiration_date,
        }


@dataclass
class Event:
    """Something queued. It is carried out once `polls` readings have said PENDING and `due` is over."""

    kind: str
    act: Callable[[], list[dict[str, Any]]]
    polls: int
    due: datetime
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "PENDING"
    results: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Oddities:
    """How the stand-in behaves. Everything off is what the documentation promises."""

    polls: int = 0  # how often an event says PENDING
    seconds: float = 0.0  # how long an event takes
    failing: bool = False  # events end as FAILED, with nothing done
    halfway: bool = False  # events end as FAILED, with everything done
    never: bool = False  # events never end
    lying: bool = False  # "deleted" is said and nothing is deleted
    ignoring: bool = False  # a correction is answered and not made
    ghosts: int = 0  # so many reads still show what was deleted
    late: int = 0  # so many reads do not show yet what was added
    unattributed: bool = False  # what is added belongs to nobody
    stranger: bool = False  # every answer holds a row of somebody else
    cut: bool = False  # a list says that its first page is the last
    endless: bool = False  # a list says that there is always one more page
    nulls: Nulls = "branch"
    between_pages: list[Callable[["State"], None]] = field(default_factory=list)  # each is run once, after a page


class State:
    """All rows, histories and events of one project."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.past: dict[str, list[dict[str, Any]]] = {}
        self.events: dict[str, Event] = {}
        self.users_removed: list[str] = []
        self.odd = Oddities()
        self._ghosts: dict[str, tuple[Row, int]] = {}
        self._last = datetime.now(UTC)

    # --- writing -------------------------------------------------------------------------------------------------

    def store(self, **values: Any) -> Row:
        """A row with a history of one entry. No two rows are of the same microsecond."""
        self._last = max(datetime.now(UTC), self._last + timedelta(microseconds=1))
        row = Row(**{"created_at": self._last, "updated_at": self._last, "late": self.odd.late, **values})
        self.rows[row.id] = row
        self.past[row.id] = [self._entry(row, "ADD", None, row.memory)]
        return row

    def stranger(self) -> Row:
        return Row(memory="A stranger's secret.", user_id=STRANGER)

    def correct(self, row: Row, text: str) -> None:
        if not self.odd.ignoring:
            self.past[row.id].append(self._entry(row, "UPDATE", row.memory, text))
            row.memory, row.updated_at = text, datetime.now(UTC)

    def drop(self, rows: list[Row]) -> None:
        """Delete rows. Their history stays: nobody outside knows for how long the Platform keeps it."""
        for row in rows if not self.odd.lying else []:
            self.rows.pop(row.id, None)
            self.past[row.id].append(self._entry(row, "DELETE", row.memory, ""))
            self._ghosts[row.id] = (row, self.odd.ghosts)

    def _entry(self, row: Row, event: str, old: str | None, new: str) -> dict[str, Any]:
        now = datetime.now(PACIFIC).isoformat()
        return {
            "id": str(uuid.uuid4()),
            "memory_id": row.id,
            "input": [{"role": "user", "content": new}],
            "old_memory": old,
            "new_memory": new,
            "user_id": row.user_id or "",
            "event": event,
            "created_at": now,
            "updated_at": now,
        }

    def queue(self, kind: str, act: Callable[[], list[dict[str, Any]]]) -> Event:
        due = datetime.now(UTC) + timedelta(seconds=self.odd.seconds)
        event = Event(kind, act, self.odd.polls, due)
        self.events[event.id] = event
        return event

    def poll(self, event: Event) -> None:
        """One reading of an event, which carries it out when its time has come."""
        ready = event.polls <= 0 and event.due <= datetime.now(UTC) and not self.odd.never
        event.polls -= 1
        if event.status == "PENDING" and ready:
            event.status = "FAILED" if self.odd.failing or self.odd.halfway else "SUCCEEDED"
            event.results = [] if self.odd.failing else event.act()

    def added(self, row: Row) -> dict[str, Any]:
        return {"id": row.id, "data": {"memory": row.memory}, "event": "ADD"}

    # --- reading -------------------------------------------------------------------------------------------------

    def visible(self) -> list[Row]:
        """The rows that one read sees, newest first."""
        seen = []
        for row in self.rows.values():
            if row.late <= 0:
                seen.append(row)
            row.late -= 1
        for row, reads in list(self._ghosts.values()):
            self._ghosts.pop(row.id, None)
            if reads > 0:
                seen.append(row)
                self._ghosts[row.id] = (row, reads - 1)
        return sorted(seen, key=lambda row: (row.created_at, row.id), reverse=True)

    def asked(self, filters: Any, show_expired: bool) -> list[Row]:
        """The rows that a filter asks for. Raises BadFilter."""
        alternatives: list[Conjunction] = conjunctions(filters)
        return [
            row
            for row in self.visible()
            if matches(alternatives, row, self.odd.nulls) and (show_expired or not row.expired)
        ]

    def expiry(self, given: Any) -> str | None:
        return date.fromisoformat(given).isoformat() if given else None
