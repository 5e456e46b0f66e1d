"""Nothing is called gone before it is seen to be gone."""

import threading
from collections.abc import Callable

import pytest

from memoryportal.memory import (
    Filters,
    NotConfirmed,
    ScopedMemory,
    SubjectId,
)
from memoryportal.memory.stores import current_store
from tests.agent.talking import NAME, talker, words

from .helpers import kept
from .server import Platform


def three(memory: ScopedMemory) -> list[str]:
    return [memory.add(f"Note {number}.")[0].id for number in range(3)]


DELETIONS: dict[str, Callable[[ScopedMemory, list[str]], object]] = {
    "delete": lambda memory, ids: memory.delete(ids[0]),
    "delete_many": lambda memory, ids: memory.delete_many(ids),
    "delete_matching": lambda memory, ids: memory.delete_matching(Filters(), expected=3),
    "erase": lambda memory, ids: memory.erase(),
}


@pytest.mark.parametrize("verb", DELETIONS)
def test_deleted_is_never_believed(platform: Platform, alice: ScopedMemory, verb: str) -> None:
    ids = three(alice)
    platform.state.odd.lying = True
    with pytest.raises(NotConfirmed, match="still shows"):
        DELETIONS[verb](alice, ids)
    assert alice.count() == 3
    assert alice.residue()[0].count == 3
    platform.state.odd.lying = False
    DELETIONS[verb](alice, ids)  # a repeat finishes it
    assert alice.count() == (2 if verb == "delete" else 0)


@pytest.mark.parametrize("verb", DELETIONS)
def test_deletion_waits_until_it_is_seen(platform: Platform, alice: ScopedMemory, bob: ScopedMemory, verb: str) -> None:
    ids = three(alice)
    platform.state.odd.polls, platform.state.odd.ghosts = 2, 3
    removed = DELETIONS[verb](alice, ids)
    assert removed.memories == (1 if verb == "delete" else 3)  # type: ignore[attr-defined]
    assert alice.count() == (2 if verb == "delete" else 0)
    assert bob.count() == 3


def test_erasure_whose_event_fails_goes_on_by_ids(platform: Platform, alice: ScopedMemory, bob: ScopedMemory) -> None:
    three(alice)
    platform.state.odd.failing = True
    assert alice.erase().memories == 3
    assert (kept(platform, alice), len(kept(platform, bob))) == (set(), 3)
    assert platform.count("memories_batch_delete") == 1


def test_erasure_whose_event_does_not_end_is_not_confirmed(platform: Platform, alice: ScopedMemory) -> None:
    three(alice)
    platform.state.odd.never = True
    with pytest.raises(NotConfirmed):
        alice.erase()
    platform.state.odd.never = False
    assert alice.erase().memories == 3
    assert alice.erase().memories == 0
    assert platform.state.users_removed == [str(alice.subject)] * 2


def test_erasure_takes_rows_that_somebody_wrote_meanwhile(platform: Platform, alice: ScopedMemory) -> None:
    """Whoever has a key can write past the portal's gate."""
    three(alice)
    platform.state.odd.seconds = 0.1
    writer = threading.Timer(0.15, lambda: platform.state.store(memory="Late.", user_id=str(alice.subject), late=-1))
    writer.start()
    removed = alice.erase().memories
    writer.join()
    assert removed in (3, 4)
    assert kept(platform, alice) == set()


def test_erasure_of_odd_subjects_asks_for_their_own_path(platform: Platform, bob: ScopedMemory) -> None:
    for name in ("a/b", "a%2Fb", "..", ".", "a?b=c", "a#b", "ünï", "a&user_id=b"):
        memory = ScopedMemory.for_person(SubjectId(name))
        memory.add("Mine.")
        assert memory.erase().memories == 1
    assert platform.state.users_removed == ["a/b", "a%2Fb", "a?b=c", "a#b", "ünï", "a&user_id=b"]
    assert bob.count() == 3


def test_residue_is_read_on_connections_of_its_own(platform: Platform, alice: ScopedMemory) -> None:
    three(alice)
    current_store().client._connected().client.close()  # type: ignore[attr-defined]
    assert [(found.place, found.count) for found in alice.residue()] == [
        ("memories", 3),
        ("history", 0),
        ("messages", 0),
        ("uses", 0),
        ("never", 0),
    ]
    current_store().client.close()  # type: ignore[attr-defined]


SPOKEN: dict[str, Callable[[ScopedMemory, str], object]] = {
    "delete": lambda memory, memory_id: memory.delete(memory_id),
    "delete_matching": lambda memory, _: memory.delete_matching(Filters(agent=NAME), expected=1),
    "erase, one assistant": lambda memory, _: ScopedMemory(memory.subject, agent=NAME).erase(),
    "erase": lambda memory, _: memory.erase(),
}


@pytest.mark.django_db
@pytest.mark.parametrize("verb", SPOKEN)
def test_what_was_said_about_it_goes_with_it(platform: Platform, verb: str) -> None:
    with talker("alice") as talks, talker("bob") as other:
        for each in (talks, other):
            each.says("I have zymosis.")
        (item,) = talks.memory.walk()
        assert "zymosis" in words(talks.opens())
        SPOKEN[verb](talks.memory, item.id)
        assert talks.buffered() == []
        assert "zymosis" not in words(talks.opens())
        assert "zymosis" in words(other.opens())
        assert other.memory.count() == 1
