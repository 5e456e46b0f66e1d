"""A person, an assistant, a conversation, both: what is told in one of them, what expires there, and what erasing
takes.
"""

from datetime import UTC, datetime, timedelta

import pytest

from memoryportal.memory import Filters, ScopedMemory

from .conftest import Person
from .test_contract import found, texts

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
TOMORROW = datetime.now(UTC).date() + timedelta(days=1)
NAMES = ("planner", "coach", None)
RUNS = ("monday", None)
SCOPES = [{}, {"agent": "planner"}, {"run": "monday"}, {"agent": "planner", "run": "monday"}]
LABELS = ["user", "user+agent", "user+run", "user+agent+run"]


def tell(person: Person, who: str) -> dict[tuple[str | None, str | None], ScopedMemory]:
    """One memory that has expired and one that will, in each combination."""
    told = {(agent, run): person(who, agent=agent, run=run) for agent in NAMES for run in RUNS}
    for (agent, run), memory in told.items():
        memory.add(f"The parking ticket of {agent} on {run}.", expires=YESTERDAY)
        memory.add(f"The season ticket of {agent} on {run}.", expires=TOMORROW)
    return told


def inside(scope: dict[str, str], agent: str | None, run: str | None) -> bool:
    return scope.get("agent") in (None, agent) and scope.get("run") in (None, run)


@pytest.mark.parametrize("scope", SCOPES, ids=LABELS)
def test_what_expires_is_listed_found_and_erased_within_its_scope(
    person: Person, bob: ScopedMemory, scope: dict[str, str]
) -> None:
    told = tell(person, "alice")
    memory = person("alice", **scope)
    own = [key for key in told if inside(scope, *key)]
    expected = {f"The {kind} ticket of {agent} on {run}." for agent, run in own for kind in ("parking", "season")}
    page, summary = memory.page(limit=100), memory.summary()
    assert (set(texts(page.items)), page.total, len(page.items)) == (expected, 2 * len(own), 2 * len(own))
    assert {(item.expires, item.expired) for item in page.items} == {(YESTERDAY, True), (TOMORROW, False)}
    assert (summary.total, summary.expired, memory.count(), memory.held()["memories"]) == (
        2 * len(own),
        len(own),
        2 * len(own),
        2 * len(own),
    )
    assert found(memory, "parking", by="word", limit=100) == {text for text in expected if "parking" in text}
    near = found(memory, "ticket for parking the car", limit=100)
    assert near <= expected
    assert any("parking" in text for text in near)
    assert texts(memory.page(Filters(agent="coach")).items) == [t for t in texts(page.items) if "of coach" in t]
    assert [item.id for item in memory.walk(batch=3)] == [item.id for item in page.items][::-1]
    assert memory.erase().memories == 2 * len(own)
    assert (memory.count(), {place.place: place.count for place in memory.residue()}["memories"]) == (0, 0)
    assert person("alice").count() == 2 * (len(told) - len(own))
    assert bob.count() == 3


@pytest.mark.parametrize("scope", SCOPES, ids=LABELS)
def test_an_expired_memory_can_be_read_corrected_and_deleted(person: Person, scope: dict[str, str]) -> None:
    memory = person("alice", **scope)
    item = memory.add("I have a visitor's badge.", expires=YESTERDAY)[0]
    corrected = memory.update(item.id, "I had a visitor's badge.")
    assert (corrected.expires, corrected.expired, corrected.agent, corrected.run) == (
        YESTERDAY,
        True,
        scope.get("agent"),
        scope.get("run"),
    )
    assert memory.get(item.id) == corrected
    assert memory.delete(item.id).memories == 1
    assert person("alice").count() == 0
