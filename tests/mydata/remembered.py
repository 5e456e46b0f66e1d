"""Memories for tests, told by assistants through the memory room, with times of one's choice."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

from memoryportal.memory import Item, ScopedMemory, controls
from memoryportal.memory.backdate import Timeline, backdate
from memoryportal.memory.stores import current_store

START = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


def remember(memory: ScopedMemory, *texts: str, agent=None, run=None, role="user", at: datetime = START) -> list[Item]:
    """One memory for each text, a minute apart, the first at `at`; the items in that order."""
    told = ScopedMemory(memory.subject, agent=agent, run=run)
    items: list[Item] = []
    for start in range(0, len(texts), 50):
        items += told.add([{"role": role, "content": text} for text in texts[start : start + 50]], infer=False)
    backdate(memory, [Timeline(item.id, [at + timedelta(minutes=n)]) for n, item in enumerate(items)])
    return [memory.get(item.id) for item in items]


def expire(memory: ScopedMemory, item: Item, on: date) -> None:
    backdate(memory, [Timeline(item.id, [item.created], on)])


def everything(memory: ScopedMemory) -> list[tuple[str, str]]:
    """(id, text) of all memories, and so what a refused change must leave as it was."""
    return [(item.id, item.text) for item in memory.walk()]


@contextmanager
def erasing(memory: ScopedMemory) -> Iterator[None]:
    """The fence that stands while everything of this person is erased."""
    controls.shut(current_store(), memory.subject, "erasing")
    try:
        yield
    finally:
        controls.reopen(current_store(), memory.subject, "erasing")
