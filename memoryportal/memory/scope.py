"""Who a call is about. A scope is built from typed values only; a caller's filter dictionary does not exist here."""

import hashlib
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Literal, Self

from .errors import BadQuery, InvalidSubject
from .texts import as_text

MAX_ID_LENGTH = 128
# Zero-width, direction and invisible-operator characters make two ids look like one.
INVISIBLE = {"Cf", "Cc", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"}
# Times between these can be shown in every time zone; beyond them one of the zones leaves the calendar.
TIMES = datetime(1, 1, 3, tzinfo=UTC), datetime(9999, 12, 29, tzinfo=UTC)


def check_id(value: object, what: str) -> str:
    """Return `value` when it can be kept apart from every other id on every store, else raise InvalidSubject.

    Ids are refused, never repaired: mem0 trims and stringifies, and a trimmed id is somebody else's id.
    """
    if not isinstance(value, str):
        raise InvalidSubject(f"{what} must be a str, not {type(value).__name__}")
    if not value:
        raise InvalidSubject(f"{what} is empty")
    if len(value) > MAX_ID_LENGTH:
        raise InvalidSubject(f"{what} is longer than {MAX_ID_LENGTH} characters")
    if "*" in value or "," in value:
        raise InvalidSubject(f"{what} contains * or , which stores read as 'several'")
    if any(c.isspace() or unicodedata.category(c) in INVISIBLE for c in value):
        raise InvalidSubject(f"{what} contains white space, control or invisible characters")
    if not unicodedata.is_normalized("NFC", value):
        raise InvalidSubject(f"{what} is not in Unicode normal form C")
    return value


class SubjectId(str):
    """The id under which a store keeps one person's memories (mem0's `user_id`). Refuses, never repairs."""

    __slots__ = ()

    def __new__(cls, value: str) -> Self:
        return super().__new__(cls, check_id(value, "subject"))


@dataclass(frozen=True, slots=True)
class Scope:
    """A subject, optionally narrowed to one assistant (`agent`) and one conversation (`run`).

    `by_person`: the person acts, not an assistant. Whose rows these are is the same, so it counts for no comparison.
    """

    subject: SubjectId
    agent: str | None = None
    run: str | None = None
    by_person: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        if type(self.subject) is not SubjectId:
            raise InvalidSubject("a scope needs a SubjectId")
        if self.agent is not None:
            check_id(self.agent, "agent")
        if self.run is not None:
            check_id(self.run, "run")

    def owns(self, payload: dict[str, object]) -> bool:
        """Whether a stored row belongs to this scope. Equality, never containment."""
        return (
            payload.get("user_id") == str(self.subject)
            and (self.agent is None or as_text(payload.get("agent_id")) == self.agent)
            and (self.run is None or as_text(payload.get("run_id")) == self.run)
        )

    @property
    def is_narrowed(self) -> bool:
        """Whether this is less than the whole subject."""
        return self.agent is not None or self.run is not None

    def down_to(self, payload: dict[str, Any]) -> "Scope":
        """The scope that one of this scope's rows was written in; itself where the row names an id that is refused."""
        try:
            return Scope(self.subject, payload.get("agent_id"), payload.get("run_id"), self.by_person)
        except InvalidSubject:
            return self

    def mem0_ids(self) -> dict[str, str]:
        """The entity parameters that mem0's calls take: user_id, agent_id, run_id."""
        ids = {"user_id": str(self.subject), "agent_id": self.agent, "run_id": self.run}
        return {key: value for key, value in ids.items() if value is not None}

    @property
    def walls(self) -> tuple[str, str]:
        """What row-level security is told: (subject, assistant whose own knowledge it is). One of them is empty."""
        return str(self.subject), ""


@dataclass(frozen=True, slots=True)
class KnowledgeScope:
    """What one assistant knows by itself, perhaps within one conversation: rows with its name and without a person.

    Not a Scope: it has no subject, so nothing that is about a person takes it.
    """

    agent: str
    run: str | None = None

    def __post_init__(self) -> None:
        check_id(self.agent, "agent")
        if self.run is not None:
            check_id(self.run, "run")

    def owns(self, payload: dict[str, object]) -> bool:
        """Whether a stored row belongs to this scope. A row that names any person never does."""
        return (
            payload.get("user_id") is None
            and payload.get("agent_id") == self.agent
            and (self.run is None or payload.get("run_id") == self.run)
        )

    def mem0_ids(self) -> dict[str, str]:
        """The entity parameters that mem0's calls take: agent_id, run_id."""
        return {"agent_id": self.agent, **({} if self.run is None else {"run_id": self.run})}

    @property
    def walls(self) -> tuple[str, str]:
        """As a Scope's: (no subject, the assistant)."""
        return "", self.agent


AnyScope = Scope | KnowledgeScope
Order = Literal["newest", "oldest"]


def _in_calendar(value: date) -> bool:
    if isinstance(value, datetime):
        return TIMES[0] <= value <= TIMES[1]
    return TIMES[0].date() <= value < TIMES[1].date()  # the end of a day is the beginning of the next


@dataclass(frozen=True, slots=True)
class Filters:
    """What to show of a scope. Dates are whole days; `since` is included, `until` is included.

    `since` and `until` may be aware datetimes too (a day in the person's own time zone); then `until` is excluded.
    """

    agent: str | None = None
    run: str | None = None
    since: date | datetime | None = None
    until: date | datetime | None = None

    def __post_init__(self) -> None:
        for name in ("agent", "run"):
            if getattr(self, name) is not None:
                check_id(getattr(self, name), name)
        for name in ("since", "until"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, date):
                raise BadQuery(f"{name} must be a day or a time, not {type(value).__name__}")
            if isinstance(value, datetime) and value.tzinfo is None:
                raise BadQuery(f"{name} needs a time zone")
            if value is not None and not _in_calendar(value):
                raise BadQuery(f"{name} lies at the very end of the calendar")

    def __bool__(self) -> bool:
        return any((self.agent, self.run, self.since, self.until))

    def fingerprint(self) -> str:
        """A short digest that ties a page cursor to the filters it was issued for."""
        return hashlib.sha256(repr((self.agent, self.run, self.since, self.until)).encode()).hexdigest()[:12]
