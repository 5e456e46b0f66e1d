"""What the staff see of a memory before they reveal it: when, from which assistant, and roughly how long. No letter."""

from dataclasses import dataclass
from datetime import datetime

from memoryportal.memory import Item

LENGTHS = ((60, "short"), (300, "medium"), (1500, "long"))


@dataclass(frozen=True, slots=True)
class Masked:
    """A memory without its text. `length` is one of four words: an exact length would tell texts apart."""

    id: str
    created: datetime | None
    agent: str | None
    length: str


def mask(item: Item) -> Masked:
    """The masked form; made on the server, so that the text never leaves it."""
    size = len(item.text)
    length = next((word for limit, word in LENGTHS if size <= limit), "very long")
    return Masked(item.id, item.created, item.agent, length)
