"""What the assistants of the demo remember about its two people, read from demo_memories.json.

Nobody in it is real. The first memories of each are the sentences of the mem0 examples that this portal grew out of,
word for word. The conversations "form-testing" and "escaping-bug" hold texts that try to be markup, formulas, SQL or
templates.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

SOURCE = Path(__file__).with_name("demo_memories.json")
PEOPLE = ("alice", "bob")
Role = Literal["user", "assistant"]


@dataclass(frozen=True, slots=True)
class DemoMemory:
    """One memory. `days_ago` is when its first wording was stored, in days before now.

    `expires_in_days` counts whole days from today, is negative for a memory that has expired already and None for one
    that never does. `edits` are the earlier wordings, oldest first, without the current `text`.
    """

    text: str
    agent: str | None
    run: str | None
    role: Role
    days_ago: float
    expires_in_days: int | None = None
    edits: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class DemoEntity:
    """A person, place or thing. `memories` are positions in the list that `load` gives for the same person."""

    text: str
    kind: str
    memories: list[int]


@dataclass(frozen=True, slots=True)
class DemoMessage:
    """One message of the buffer, oldest first."""

    agent: str | None
    run: str | None
    role: Role
    text: str


def load(person: str) -> list[DemoMemory]:
    """All memories of "alice" or "bob": the examples' sentences, then the others oldest first. KeyError for anybody
    else.
    """
    return [DemoMemory(**row) for row in _rows(person, "memories")]


def load_entities(person: str) -> list[DemoEntity]:
    return [DemoEntity(**row) for row in _rows(person, "entities")]


def load_messages(person: str) -> list[DemoMessage]:
    return [DemoMessage(**row) for row in _rows(person, "messages")]


def _rows(person: str, part: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(SOURCE.read_text(encoding="utf-8"))[person][part]
    return rows
