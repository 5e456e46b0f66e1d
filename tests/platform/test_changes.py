"""Adding, correcting, history and the gate."""

import threading

import pytest

from memoryportal.memory import (
    BadQuery,
    ErasureRunning,
    MemoryNotFound,
    NotConfirmed,
    ScopedMemory,
    StoreUnavailable,
    WritesPaused,
    bulk,
    controls,
)
from memoryportal.memory.rows import FOREIGN_ROWS
from memoryportal.memory.stores import current_store

from .helpers import kept, narrowed
from .server import Platform


def test_add_waits_for_the_queue_and_for_the_row_to_be_seen(platform: Platform, alice: ScopedMemory) -> None:
    platform.state.odd.polls, platform.state.odd.seconds, platform.state.odd.late = 3, 0.05, 2
    assert [item.text for item in alice.add("I am vegetarian.")] == ["I am vegetarian."]
    assert platform.count("event_read") >= 4


def test_add_that_does_not_end_is_not_confirmed(platform: Platform, alice: ScopedMemory) -> None:
    platform.state.odd.never = True
    with pytest.raises(NotConfirmed, match="accepted"):
        alice.add("I am vegetarian.")


def test_add_that_fails_is_said_to_have_failed(platform: Platform, alice: ScopedMemory) -> None:
    platform.state.odd.failing = True
    with pytest.raises(StoreUnavailable, match="nothing was remembered") as failed:
        alice.add("I am vegetarian.")
    assert not isinstance(failed.value, NotConfirmed)
    assert kept(platform, alice) == set()


def test_add_that_fails_and_names_what_it_stored_is_not_confirmed(platform: Platform, alice: ScopedMemory) -> None:
    platform.state.odd.halfway = True
    with pytest.raises(NotConfirmed, match="a part of it was remembered"):
        alice.add("I am vegetarian.")


def test_add_that_fails_after_another_part_is_not_confirmed(platform: Platform, alice: ScopedMemory) -> None:
    turns = [{"role": "user", "content": "One."}, {"role": "assistant", "content": "Two."}]
    platform.fail("/v3/memories/add/", 400, skip=1)
    with pytest.raises(NotConfirmed, match="before all of it was done"):
        alice.add(turns, infer=False)


def test_add_without_inference_keeps_who_spoke(platform: Platform, alice: ScopedMemory) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "I am vegetarian.", "name": "Al"},
        {"role": "assistant", "content": "Noted."},
    ]
    added = narrowed(alice, "planner").add(messages, infer=False, metadata={"colour": "green"})
    assert [(item.text, item.role, item.actor, item.agent, item.metadata) for item in added] == [
        ("I am vegetarian.", "user", "Al", "planner", {"colour": "green"}),
        ("Noted.", "assistant", None, "planner", {"colour": "green"}),
    ]


def test_add_without_inference_is_all_or_nothing(platform: Platform, alice: ScopedMemory) -> None:
    turns = [{"role": "user", "content": "One."}, {"role": "assistant", "content": "Two."}]
    platform.fail("/v3/memories/add/", 400, skip=1)
    with pytest.raises(StoreUnavailable):
        alice.add(turns, infer=False)
    assert kept(platform, alice) == set()


def test_correction_is_read_again(platform: Platform, alice: ScopedMemory) -> None:
    item = alice.add("I am vegetarian.")[0]
    platform.state.odd.ignoring = True
    with pytest.raises(NotConfirmed):
        alice.update(item.id, "I am vegan.")
    platform.state.odd.ignoring = False
    assert alice.update(item.id, "I am vegan.").text == "I am vegan."


def test_history_is_the_platforms_and_cannot_be_purged(platform: Platform, alice: ScopedMemory) -> None:
    item = alice.add("I am vegetarian.")[0]
    alice.update(item.id, "I am vegan.")
    versions = alice.history(item.id)
    assert [(v.seq, v.event, v.old, v.new) for v in versions] == [
        (1, "ADD", None, "I am vegetarian."), (2, "UPDATE", "I am vegetarian.", "I am vegan."),
    ]  # fmt: skip
    with pytest.raises(BadQuery, match="cannot remove one earlier wording"):
        alice.purge_version(item.id, 1)
    assert alice.history(item.id) == versions == bulk.histories(alice, [item.id])[item.id]
    assert current_store().abilities.keeps_history is False


def test_history_by_id_is_of_ones_own(platform: Platform, alice: ScopedMemory, bob: ScopedMemory) -> None:
    before = FOREIGN_ROWS.count
    with pytest.raises(MemoryNotFound):
        bulk.histories(alice, [bob.page().items[0].id])
    assert FOREIGN_ROWS.count == before + 1


def test_limits_say_what_cannot_be_verified(platform: Platform, alice: ScopedMemory) -> None:
    assert any("unverifiable: the Platform's internals" in limit for limit in current_store().abilities.limits)
    assert (alice.entities(), alice.messages(), alice.past()) == ([], [], [])
    assert current_store().abilities.fenced is False


@pytest.mark.parametrize(("state", "error"), [("paused", WritesPaused), ("erasing", ErasureRunning)])
def test_shut_gate_sends_nothing(
    platform: Platform, alice: ScopedMemory, state: controls.State, error: type[Exception]
) -> None:
    item = alice.add("I like tea.")[0]
    controls.shut(current_store(), alice.subject, state)
    with pytest.raises(error):
        current_store().add(alice.scope, [{"role": "user", "content": "I like cake."}], True, None, None)
    if state == "erasing":
        with pytest.raises(error):
            alice.update(item.id, "I like coffee.")
    assert platform.count("memories_add_v3") == 1
    assert platform.count("memories_update") == 0
    assert kept(platform, alice) == {"I like tea."}
    controls.reopen(current_store(), alice.subject, state)


def test_eraser_waits_for_an_addition_that_is_on_its_way(platform: Platform, alice: ScopedMemory) -> None:
    platform.state.odd.seconds = 0.2
    adding = threading.Thread(target=alice.add, args=("I like tea.",))
    adding.start()
    while not platform.count("event_read"):
        pass
    controls.shut(current_store(), alice.subject, "erasing")
    assert kept(platform, alice) == {"I like tea."}  # its end was waited for
    adding.join()
    assert alice.erase().memories == 1
    controls.reopen(current_store(), alice.subject, "erasing")
