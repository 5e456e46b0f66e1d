"""Two at once on the same memory: one after the other, each whole, and nothing left over from the one that lost."""

import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from memoryportal.memory import Filters, Item, MemoryChanged, MemoryNotFound, MemoryRoomError, ScopedMemory
from memoryportal.memory.pipeline import pipeline
from memoryportal.memory.stores import current_store

from .conftest import superuser_dsn
from .planted import EMBEDDER, Superuser, plant_entity, stored


def _meanwhile(*acts: Callable[[], Any]) -> list[Any]:
    """Run these at the same time; what each returned, or the memory room's error that it raised."""
    results: list[Any] = [None] * len(acts)
    barrier = threading.Barrier(len(acts))

    def run(number: int) -> None:
        barrier.wait()
        results[number] = _outcome(acts[number])

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    return results


def _queued(superuser: Superuser, memory_id: str, *acts: Callable[[], Any]) -> list[Any]:
    """Let each act in turn wait for the same row, then let go: they get the row in this order."""
    results: list[Any] = [None] * len(acts)

    def run(number: int) -> None:
        results[number] = _outcome(acts[number])

    with psycopg.connect(superuser_dsn()) as holder:
        holder.execute("SELECT 1 FROM memories WHERE id = %s FOR UPDATE", (memory_id,))
        threads = []
        for number in range(len(acts)):
            threads.append(threading.Thread(target=run, args=(number,)))
            threads[-1].start()
            _until(lambda waiting=number + 1: _waiting(superuser) == waiting)
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    return results


def _outcome(act: Callable[[], Any]) -> Any:
    try:
        return act()
    except MemoryRoomError as error:
        return error


def _waiting(superuser: Superuser) -> int:
    row = superuser.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchone()
    return int(row[0])  # type: ignore[index]


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_correction_that_waits_for_a_deletion_leaves_no_history(superuser: Superuser, alice: ScopedMemory) -> None:
    item = alice.add("I drink tea")[0]
    removed, refused = _queued(
        superuser, item.id, lambda: alice.delete(item.id), lambda: alice.update(item.id, "I drink coffee")
    )
    assert removed.counts == {"memories": 1, "entities": 0, "history": 1, "messages": 0, "uses": 0}
    assert isinstance(refused, MemoryNotFound)
    assert not any(stored(superuser, alice.subject).values())


def test_a_deletion_that_waits_for_a_correction_takes_its_history_too(
    superuser: Superuser, alice: ScopedMemory
) -> None:
    item = alice.add("I drink tea")[0]
    updated, removed = _queued(
        superuser, item.id, lambda: alice.update(item.id, "I drink coffee"), lambda: alice.delete(item.id)
    )
    assert removed.counts == {"memories": 1, "entities": 0, "history": 2, "messages": 0, "uses": 0}
    assert isinstance(updated, Item | MemoryNotFound)  # the deletion may end before the answer is read
    assert not any(stored(superuser, alice.subject).values())


def test_two_corrections_of_the_same_wording_make_one(superuser: Superuser, alice: ScopedMemory) -> None:
    item = alice.add("I drink tea")[0]
    first, second = _queued(
        superuser,
        item.id,
        lambda: alice.update(item.id, "I drink coffee", item.version),
        lambda: alice.update(item.id, "I drink water", item.version),
    )
    assert first.text == "I drink coffee"
    assert isinstance(second, MemoryChanged)
    assert [version.new for version in alice.history(item.id)] == ["I drink tea", "I drink coffee"]


def test_a_correction_moves_nothing_out_of_a_filtered_deletion(superuser: Superuser, alice: ScopedMemory) -> None:
    for _ in range(15):
        cook = ScopedMemory(alice.subject, agent="cook")
        items = [cook.add(f"memory {n}")[0] for n in range(3)]
        corrected, removed = _meanwhile(
            lambda items=items: alice.update(items[1].id, "corrected"),
            lambda: alice.delete_matching(Filters(agent="cook"), expected=3),
        )
        assert removed.memories == 3
        assert isinstance(corrected, Item | MemoryNotFound)
        assert not any(stored(superuser, alice.subject).values())


def test_racing_deletions_delete_once(superuser: Superuser, alice: ScopedMemory) -> None:
    for _ in range(10):
        item = alice.add("I drink tea")[0]
        outcomes = _meanwhile(*[lambda item=item: alice.delete(item.id)] * 4)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["MemoryNotFound"] * 3 + ["Removed"]


def test_history_that_comes_late_is_not_written(superuser: Superuser, alice: ScopedMemory) -> None:
    """mem0 notes the history of what a language model found in a transaction of its own, after the memory's."""
    item = alice.add("I drink tea")[0]
    history = pipeline().bind(current_store(), alice.scope).db
    with psycopg.connect(superuser_dsn()) as deleter:
        deleter.execute("DELETE FROM memories WHERE id = %s", (item.id,))
        late = threading.Thread(target=history.add_history, args=(item.id, None, "I drink tea", "ADD"))
        late.start()
        _until(lambda: _waiting(superuser) == 1)
        deleter.execute("DELETE FROM memories_history WHERE memory_id = %s", (item.id,))
    late.join(20)
    assert not late.is_alive()
    history.add_history(item.id, None, "I drink tea", "ADD")
    assert not any(stored(superuser, alice.subject).values())


@pytest.mark.parametrize("noted", ["new", "known"])
def test_names_of_a_deleted_memory_are_not_noted(
    superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory, noted: str
) -> None:
    """The same for names: a deletion may come between a memory and its names."""
    gone, kept, foreign = (owner.add("I met Miriam")[0].id for owner in (alice, alice, bob))
    names, mine = pipeline().bind(current_store(), alice.scope).entity_store, {"user_id": str(alice.subject)}
    row = {"data": "Miriam", "entity_type": "PROPER", **mine}
    known = plant_entity(superuser, alice.subject, "Miriam", [gone, kept]) if noted == "known" else None

    def note(*links: str) -> None:
        if known:
            names.update(known, None, {**row, "linked_memory_ids": [*links]})
        else:
            names.insert([EMBEDDER.embed("Miriam")], [{**row, "linked_memory_ids": [*links]}], [str(uuid.uuid4())])

    with psycopg.connect(superuser_dsn()) as deleter:
        deleter.execute("DELETE FROM memories WHERE id = %s", (gone,))
        late = threading.Thread(target=note, args=(gone, foreign))
        late.start()
        _until(lambda: _waiting(superuser) == 1)
        deleter.execute("DELETE FROM memories_history WHERE memory_id = %s", (gone,))
    late.join(20)
    assert not late.is_alive()
    assert alice.entities() == []
    if known is None:
        note(gone, kept, foreign)
        assert [entity.memory_ids for entity in alice.entities()] == [[kept]]
