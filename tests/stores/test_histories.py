"""Random lives of three people and their assistants, next to a model of who has what. Nothing ever crosses over.

`HISTORIES=2000 make test ARGS=tests/stores/test_histories.py` for a long run; each history has up to fourteen steps.
"""

import os
import uuid
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memoryportal.memory import Filters, MemoryNotFound, ScopedMemory, SubjectId
from memoryportal.memory.rows import FOREIGN_ROWS
from memoryportal.memory.stores.base import Store

from .registry import Entry
from .test_contract import found

AGENTS = (None, "planner", "planner2")
Step = tuple[str, int, int, int]
Held = dict[str, tuple[str | None, str]]
"""What one person has: id -> (assistant, text)."""


@dataclass
class World:
    """Three people whose ids are as alike as allowed, and what each of them must have."""

    tag: str = field(default_factory=lambda: uuid.uuid4().hex[:10])
    ids: list[str] = field(default_factory=list)
    said: int = 0

    def __post_init__(self) -> None:
        self.subjects = [SubjectId(f"{self.tag}{end}") for end in ("a", "A", "ab")]
        self.held: list[Held] = [{}, {}, {}]

    def memory(self, who: int, agent: int = 0) -> ScopedMemory:
        return ScopedMemory(self.subjects[who], agent=AGENTS[agent])

    def of(self, who: int, agent: int) -> Held:
        """What a scope must have."""
        return {i: row for i, row in self.held[who].items() if AGENTS[agent] in (None, row[0])}

    def text(self, who: int) -> str:
        self.said += 1
        return f"Number {who} keeps secret {self.said} about tea."


@contextmanager
def expected(possible: bool) -> Any:
    """The block must succeed when it is possible, and else find nothing."""
    if possible:
        yield
    else:
        with pytest.raises(MemoryNotFound):
            yield


def add(world: World, who: int, agent: int, pick: int) -> None:
    texts = [world.text(who) for _ in range(1 + pick % 2)]
    items = world.memory(who, agent).add([{"role": "user", "content": text} for text in texts])
    world.held[who].update({item.id: (AGENTS[agent], item.text) for item in items})
    world.ids += [item.id for item in items]


def picked(world: World, pick: int) -> str:
    """Anybody's memory, also one that is long gone."""
    return world.ids[pick % len(world.ids)] if world.ids else str(uuid.uuid4())


def update(world: World, who: int, agent: int, pick: int) -> None:
    target, text = picked(world, pick), world.text(who)
    with expected(target in world.of(who, agent)):
        world.memory(who, agent).update(target, text)
        world.held[who][target] = (world.held[who][target][0], text)


def get(world: World, who: int, agent: int, pick: int) -> None:
    target = picked(world, pick)
    with expected(target in world.of(who, agent)):
        item = world.memory(who, agent).get(target)
        assert (item.agent, item.text) == world.held[who][target]


def delete(world: World, who: int, agent: int, pick: int) -> None:
    target = picked(world, pick)
    with expected(target in world.of(who, agent)):
        assert world.memory(who, agent).delete(target).memories == 1
        del world.held[who][target]


def delete_many(world: World, who: int, agent: int, pick: int) -> None:
    targets = {picked(world, pick), picked(world, pick + 1), picked(world, pick + 2)}
    with expected(targets <= world.of(who, agent).keys()):
        assert world.memory(who, agent).delete_many(list(targets)).memories == len(targets)
        for target in targets:
            del world.held[who][target]


def delete_matching(world: World, who: int, agent: int, pick: int) -> None:
    chosen = Filters(agent=AGENTS[1 + pick % 2])
    doomed = {i: row for i, row in world.of(who, agent).items() if row[0] == chosen.agent}
    assert world.memory(who, agent).delete_matching(chosen, expected=len(doomed)).memories == len(doomed)
    world.held[who] = {i: row for i, row in world.held[who].items() if i not in doomed}


def erase(world: World, who: int, agent: int, pick: int) -> None:
    doomed = world.of(who, agent)
    assert world.memory(who, agent).erase().memories == len(doomed)
    world.held[who] = {i: row for i, row in world.held[who].items() if i not in doomed}


VERBS: dict[str, Callable[[World, int, int, int], None]] = {
    verb.__name__: verb for verb in (add, update, get, delete, delete_many, delete_matching, erase)
}
WEIGHTED = ["add"] * 6 + ["update", "get", "delete"] * 2 + ["delete_many", "delete_matching", "erase"]
STEPS = st.lists(
    st.tuples(st.sampled_from(WEIGHTED), st.integers(0, 2), st.integers(0, 2), st.integers(0, 11)),
    min_size=2,
    max_size=14,
)


def look_around(world: World) -> None:
    """Everything that can be asked, for everybody: exactly what the model says."""
    for who in range(3):
        for agent in range(3):
            memory, must = world.memory(who, agent), world.of(who, agent)
            page = memory.page(limit=100)
            assert {item.id: (item.agent, item.text) for item in page.items} == must
            assert page.total == memory.count() == memory.held()["memories"] == len(must)
        memory, own = world.memory(who), {text for _, text in world.held[who].values()}
        assert found(memory, "secret tea", by="word", limit=100) == own
        assert found(memory, f"number {1 - who} keeps a secret about tea", limit=100) == own
        assert dict(memory.summary().agents) == {
            name: sum(row[0] == name for row in world.held[who].values()) for name, _ in world.held[who].values()
        }


def live(steps: list[Step]) -> None:
    world, before = World(), FOREIGN_ROWS.count
    for verb, who, agent, pick in steps:
        VERBS[verb](world, who, agent, pick)
    look_around(world)
    for who in range(3):
        assert world.memory(who).erase().memories == len(world.held[who])
        assert {place.count for place in world.memory(who).residue()} == {0}
        assert world.memory(who).past() == []
    assert FOREIGN_ROWS.count == before


def test_no_history_leads_to_a_row_of_somebody_else(entry: Entry, store: Store) -> None:
    number = int(os.environ.get("HISTORIES") or entry.histories)
    settings(max_examples=number, suppress_health_check=[HealthCheck.too_slow], database=None)(given(STEPS)(live))()
