"""What every store does alike: a shut gate lets nothing new in; during a pause people still correct and delete."""

import threading
import time
from collections.abc import Callable

import pytest

from memoryportal.memory import (
    ErasureRunning,
    GateOpen,
    MemoryNotFound,
    MemoryRoomError,
    ScopedMemory,
    SubjectId,
    WritesPaused,
    controls,
)
from memoryportal.memory.stores.base import Store

from .conftest import Person
from .planting import Planter
from .test_contract import said, texts
from .test_contract_changes import snapshot


def test_pause_refuses_new_memories_only(alice: ScopedMemory, bob: ScopedMemory, store: Store) -> None:
    item, other = said(alice, "I like tea.", "I like the sea.")
    controls.shut(store, alice.subject, "paused")
    before = snapshot(alice)
    with pytest.raises(WritesPaused):
        alice.add("I like cake.")
    assert snapshot(alice) == before
    assert alice.update(item.id, "I like coffee.").text == "I like coffee."
    assert alice.delete(other.id).memories == 1
    assert said(bob, "I like cake.")[0].text == "I like cake."
    controls.reopen(store, alice.subject, "paused")
    assert len(said(alice, "I like cake.")) == 1


def test_pause_of_one_assistant_leaves_the_others(person: Person, store: Store) -> None:
    alice = person("alice")
    controls.shut(store, alice.subject, "paused", agent="planner")
    with pytest.raises(WritesPaused):
        person("alice", agent="planner").add("One.")
    said(person("alice", agent="coach"), "Two.")
    assert texts(alice.page().items) == ["Two."]
    controls.reopen(store, alice.subject, "paused", agent="planner")


def test_nothing_is_written_while_erasing(alice: ScopedMemory, store: Store) -> None:
    item = said(alice, "I like tea.")[0]
    controls.shut(store, alice.subject, "erasing")
    before = snapshot(alice)
    with pytest.raises(ErasureRunning):
        alice.add("I like cake.")
    with pytest.raises(ErasureRunning):
        alice.update(item.id, "I like coffee.")
    assert snapshot(alice) == before
    assert alice.erase().memories == 1
    with pytest.raises(ErasureRunning):
        alice.add("I like cake.")
    assert {found.count for found in alice.residue()} == {0}


@pytest.mark.parametrize(("state", "refusal"), [("paused", WritesPaused), ("erasing", ErasureRunning)])
def test_every_write_of_mem0_itself_asks_the_gate(
    alice: ScopedMemory, plant: Planter, store: Store, state: controls.State, refusal: type[MemoryRoomError]
) -> None:
    if not plant.able:
        assert (alice.entities(), alice.messages()) == ([], [])
        return
    plant.memory(alice, "I know Miriam.")
    controls.shut(store, alice.subject, state)
    before = alice.held()
    for write in (
        lambda: plant.memory(alice, "I know Tomas."),
        lambda: plant.name(alice, "Tomas", []),
        lambda: plant.messages(alice, "I know Tomas."),
    ):
        with pytest.raises(refusal):
            write()
    assert alice.held() == before
    controls.reopen(store, alice.subject, state)
    assert plant.memory(alice, "I know Tomas.") in {item.id for item in alice.page().items}


def test_writers_that_began_before_the_gate_was_shut_leave_nothing(alice: ScopedMemory, store: Store) -> None:
    """An assistant that keeps adding through the portal while its person is erased: nothing of it stays."""
    stop, outcomes = threading.Event(), []

    def chatter() -> None:
        writer = ScopedMemory(SubjectId(str(alice.subject)), agent="planner")
        while not stop.is_set():
            try:
                outcomes.append(len(writer.add("Yet another thing.")))
            except MemoryRoomError as error:
                outcomes.append(type(error))

    threads = [threading.Thread(target=chatter) for _ in range(2)]
    for thread in threads:
        thread.start()
    eventually(lambda: outcomes.count(1) >= 4)
    controls.shut(store, alice.subject, "erasing")
    removed = alice.erase().memories
    eventually(lambda: ErasureRunning in outcomes)
    stop.set()
    for thread in threads:
        thread.join()
    # A writer that was admitted may come to look at its new memory when it has been erased already.
    assert removed == outcomes.count(1) + outcomes.count(MemoryNotFound)
    assert {found.count for found in alice.residue()} == {0}


def eventually(true: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until it is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize(("agent", "shut"), [("", ""), ("planner", "planner"), ("planner", ""), ("", "planner")])
def test_an_erasure_that_must_be_behind_the_gate_is_behind_its_own(
    store: Store, person: Person, agent: str, shut: str
) -> None:
    """A worker that comes too late removes nothing of what was remembered after the end."""
    memory = person("alice", agent="planner")
    said(memory, "I am new here.")
    erasing = person("alice", agent=agent or None)
    with pytest.raises(GateOpen):
        erasing.erase(behind=agent)
    controls.shut(store, memory.subject, "erasing", shut)
    if agent != shut:
        with pytest.raises(GateOpen):
            erasing.erase(behind=agent)
        assert person("alice").count() == 1
    else:
        assert erasing.erase(behind=agent).memories == 1
    controls.reopen(store, memory.subject, "erasing", shut)
