"""What goes in and what comes out. Nothing that comes in names a person but `subject`, under a service key."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from memoryportal.memory import BadQuery, Hit, Item, Summary
from memoryportal.memory.checks import (
    MAX_MESSAGES,
    MAX_METADATA_KEYS,
    MAX_NAME,
    MAX_QUERY,
    MAX_TEXT,
    check_metadata,
)
from memoryportal.memory.scope import MAX_ID_LENGTH

Right = Literal["read", "write", "delete"]
DAY = r"^\d{4}-\d{2}-\d{2}$"


class _In(BaseModel):
    """Strict and closed: a field that is not ours is refused, and nothing is taken for something else."""

    model_config = ConfigDict(extra="forbid", strict=True)


class _Out(BaseModel):
    model_config = ConfigDict(extra="forbid")


# --- in --------------------------------------------------------------------------------------------------------------


def _no_system(role: object) -> object:
    if role == "system":
        raise PydanticCustomError("system_role", "instructions are nothing to remember")
    return role


def _plain_metadata(metadata: dict[str, Any] | None) -> dict[str, Any] | None:
    try:
        return check_metadata(metadata)
    except BadQuery:  # its sentence names the key, which is the caller's own word
        raise PydanticCustomError("metadata", "short plain values under identifiers that the store does not use")


Value = str | bool | int | float | None
Metadata = Annotated[dict[str, Value], Field(max_length=MAX_METADATA_KEYS), AfterValidator(_plain_metadata)]
Role = Annotated[Literal["user", "assistant"], BeforeValidator(_no_system)]
Id = Annotated[str, Field(min_length=1, max_length=MAX_ID_LENGTH)]


class Message(_In):
    """One message of a conversation."""

    role: Role
    content: str = Field(min_length=1, max_length=MAX_TEXT)
    name: str | None = Field(None, max_length=MAX_NAME)


class Add(_In):
    """What to remember: `messages`, or one `text`. With `infer` a language model extracts facts (default: if there is
    one); without it every message is kept as it is. `expires` is the last day on which assistants are handed it."""

    messages: list[Message] | None = Field(None, min_length=1, max_length=MAX_MESSAGES)
    text: str | None = Field(None, min_length=1, max_length=MAX_TEXT)
    infer: bool | None = None
    metadata: Metadata | None = None
    expires: str | None = Field(None, pattern=DAY, json_schema_extra={"format": "date"})

    def told(self) -> str | list[dict[str, str]]:
        """The one of the two that was given. Raises PydanticCustomError for both or none."""
        if (self.messages is None) == (self.text is None):
            raise PydanticCustomError("one_of", "messages or text")
        return self.text or [message.model_dump(exclude_none=True) for message in self.messages or []]


class Search(_In):
    """Words to look for, by meaning or by word."""

    query: str = Field(min_length=1, max_length=MAX_QUERY)
    by: Literal["meaning", "word"] = "meaning"
    limit: int = Field(10, ge=1, le=100)


class Correct(_In):
    """Another wording. With `expected` (the `version` that was read) it is refused when somebody else was quicker."""

    text: str = Field(min_length=1, max_length=MAX_TEXT)
    expected: str | None = Field(None, max_length=64)


class Ask(_In):
    """For whom a token is: `subject` is the person's id in your system, which your back end vouches for."""

    subject: Id
    agent: Id
    run: Id | None = None
    rights: list[Right] | None = Field(None, min_length=1, max_length=3)


class Erase(_In):
    """Whose memories are to be erased."""

    subject: Id


# --- out -------------------------------------------------------------------------------------------------------------


class Memory(_Out):
    """One memory. Times are in UTC; `version` goes into `expected` of a correction."""

    id: str
    text: str
    agent: str | None
    run: str | None
    role: str | None
    created: datetime | None
    updated: datetime | None
    expires: date | None
    version: str
    metadata: dict[str, Any]

    @classmethod
    def of(cls, item: Item) -> "Memory":
        return cls(**{name: getattr(item, name) for name in cls.model_fields})


class Stored(_Out):
    """A memory for somebody who may not read, or who asks again: its id, and nothing of what it says."""

    id: str


class Found(Memory):
    """A memory that was found. `score` is 0 to 1, and null for a search by word."""

    score: float | None = None

    @classmethod
    def of_hit(cls, hit: Hit) -> "Found":
        return cls(**{name: getattr(hit.item, name) for name in Memory.model_fields}, score=hit.score)


class Added(_Out):
    """What is remembered now; with `infer` that may be nothing. A token without the right `read`, and a repeated
    request, get ids alone. `stopped` counts wordings that the person never wants to be learned again, and that were
    left out."""

    memories: list[Memory | Stored]
    stopped: int


class Results(_Out):
    """Best first. `more`: further memories matched beyond the limit."""

    memories: list[Found]
    more: bool


class Listed(_Out):
    """One page. `next` goes into `after`; `total` counts all that is stored in this scope, expired memories too."""

    memories: list[Memory]
    next: str | None
    total: int


class Deleted(_Out):
    """What went, counted in each place."""

    id: str
    removed: dict[str, int]


class Count(_Out):
    name: str | None
    count: int


class Overview(_Out):
    """How many memories there are, since when, and from which assistants and conversations."""

    total: int
    expired: int
    since: datetime | None
    latest: datetime | None
    agents: list[Count]
    runs: list[Count]

    @classmethod
    def of(cls, summary: Summary) -> "Overview":
        agents, runs = ([Count(name=n, count=c) for n, c in pairs] for pairs in (summary.agents, summary.runs))
        numbers = {"total": summary.total, "expired": summary.expired}
        return cls(**numbers, since=summary.since, latest=summary.latest, agents=agents, runs=runs)


class Token(_Out):
    """Hand it to the assistant and to nobody else."""

    token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of a scheme
    expires_in: int
    rights: list[Right]


class Filed(_Out):
    """A deletion request. People and staff know it by its reference."""

    reference: str
    state: str


class FieldProblem(_Out):
    """`field` is a field of ours, such as messages.0.role; never what was sent."""

    field: str
    problem: str


class ProblemDetails(_Out):
    """RFC 9457. Rely on `code`; `title` and `detail` are for people."""

    type: str
    code: str
    status: int
    title: str
    detail: str | None = None
    errors: list[FieldProblem] | None = None
