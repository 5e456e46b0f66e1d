"""Whose rows they are: a stranger's row never leaves the memory room, and nothing of a stranger's is touched."""

from collections.abc import Callable

import httpx
import pytest

from memoryportal.memory import (
    BadQuery,
    MemoryNotFound,
    NotConfirmed,
    ScopedMemory,
)
from memoryportal.memory.rows import FOREIGN_ROWS

from .helpers import kept, narrowed, texts
from .server import Platform
from .state import STRANGER


def test_row_of_a_stranger_is_dropped_counted_and_reported(
    platform: Platform, alice: ScopedMemory, caplog: pytest.LogCaptureFixture
) -> None:
    item = alice.add("I am vegetarian.")[0]
    platform.state.odd.stranger = True
    before = FOREIGN_ROWS.count
    for read in (
        lambda: texts(alice),
        lambda: [hit.item.text for hit in alice.search("vegetarian").hits],
        lambda: [hit.item.text for hit in alice.search("i", by="word").hits],
    ):
        assert read() == ["I am vegetarian."]
    assert (alice.count(), alice.page().total, alice.summary().total, alice.held()["memories"]) == (1, 1, 1, 1)
    assert FOREIGN_ROWS.count == before + 8  # the search meets one in its own results too
    with pytest.raises(MemoryNotFound):
        alice.get(item.id)  # another memory was answered
    assert FOREIGN_ROWS.count == before + 9
    assert {record.levelname for record in caplog.records if "foreign row" in record.message} == {"CRITICAL"}
    assert "secret" not in caplog.text
    assert STRANGER not in caplog.text


def test_history_entry_of_a_stranger_is_dropped_and_counted(platform: Platform, alice: ScopedMemory) -> None:
    item = alice.add("I am vegetarian.")[0]
    row, entries = platform.state.rows[item.id], platform.state.past[item.id]
    entries.append({**entries[0], "user_id": STRANGER, "new_memory": "A stranger's secret."})
    before = FOREIGN_ROWS.count
    assert [version.new for version in alice.history(row.id)] == ["I am vegetarian."]
    assert FOREIGN_ROWS.count == before + 1


VERBS: dict[str, Callable[[ScopedMemory, str], object]] = {
    "get": lambda memory, other: memory.get(other),
    "update": lambda memory, other: memory.update(other, "I was here."),
    "delete": lambda memory, other: memory.delete(other),
    "delete_many": lambda memory, other: memory.delete_many([memory.page().items[0].id, other]),
    "history": lambda memory, other: memory.history(other),
    "purge_version": lambda memory, other: memory.purge_version(other, 1),
}
WRITES = {"memories_update", "memories_delete", "memories_batch_delete", "memories_delete_all", "entities_delete"}


@pytest.mark.parametrize("verb", VERBS)
def test_memory_of_somebody_else_is_never_even_asked_to_change(
    platform: Platform, alice: ScopedMemory, bob: ScopedMemory, verb: str
) -> None:
    alice.add("Mine.")
    target = bob.page().items[0]
    before = (kept(platform, alice), kept(platform, bob))
    with pytest.raises(MemoryNotFound):
        VERBS[verb](alice, target.id)
    assert (kept(platform, alice), kept(platform, bob)) == before
    assert not WRITES & {asked.name for asked in platform.requests}
    assert "memories_history_list" not in {asked.name for asked in platform.requests}


def test_metadata_does_not_make_an_owner(platform: Platform, alice: ScopedMemory, bob: ScopedMemory) -> None:
    """Metadata is written by whoever has a key, and lies flat beside the owner in our rows."""
    claim = {"user_id": str(alice.subject), "agent_id": "x", "data": "forged", "created_at": "2000-01-01"}
    theirs = platform.state.store(memory="Bob's.", user_id=str(bob.subject), metadata=claim)
    mine = platform.state.store(memory="Mine.", user_id=str(alice.subject), metadata={"user_id": str(bob.subject)})
    with pytest.raises(MemoryNotFound):
        alice.get(theirs.id)
    item = alice.get(mine.id)
    assert (texts(alice), item.metadata, item.agent) == (["Mine."], {}, None)
    assert (bob.get(theirs.id).text, bob.count()) == ("Bob's.", 4)


def test_what_an_assistant_adds_stays_with_the_person(
    platform: Platform, alice: ScopedMemory, bob: ScopedMemory
) -> None:
    """With both ids the Platform puts what an assistant said under the assistant alone, out of the person's reach."""
    conversation = [{"role": "user", "content": "I eat no meat."}, {"role": "assistant", "content": "You are vegan."}]
    added = narrowed(alice, "planner", "monday").add(conversation)
    assert [(item.text, item.agent, item.run, item.metadata) for item in added] == [
        ("I eat no meat.", "planner", "monday", {}), ("You are vegan.", "planner", "monday", {}),
    ]  # fmt: skip
    assert {(row.user_id, row.agent_id) for row in platform.state.rows.values() if row.id in {i.id for i in added}} == {
        (str(alice.subject), None)
    }
    assert set(texts(narrowed(alice, "planner"))) == {"I eat no meat.", "You are vegan."}
    assert texts(narrowed(alice, "coach")) == texts(narrowed(bob, "planner")) == []


def test_view_of_an_assistant_has_what_the_platform_marked_itself(platform: Platform, alice: ScopedMemory) -> None:
    platform.state.store(memory="Marked.", user_id=str(alice.subject), agent_id="planner")
    nobodys = platform.state.store(memory="Knowledge.", agent_id="planner")
    assert texts(narrowed(alice, "planner")) == texts(alice) == ["Marked."]
    assert alice.summary().agents == [("planner", 1)]
    alice.erase()
    assert list(platform.state.rows) == [nobodys.id]


@pytest.mark.parametrize("scope", [{"agent": "planner"}, {"run": "monday"}, {"agent": "planner", "run": "monday"}])
def test_erasing_one_assistant_or_conversation_is_never_by_its_name(
    platform: Platform, alice: ScopedMemory, bob: ScopedMemory, scope: dict[str, str]
) -> None:
    """Of two entities the Platform honours one: `user + run` would have deleted that conversation of everybody."""
    narrowed(alice, "planner", "monday").add("Mine, in there.")
    alice.add("Mine, elsewhere.")
    platform.state.store(memory="Bob's, in there.", user_id=str(bob.subject), agent_id="planner", run_id="monday")
    assert narrowed(alice, **scope).erase().memories == 1
    assert kept(platform, alice) == {"Mine, elsewhere."}
    assert "Bob's, in there." in kept(platform, bob)
    assert platform.count("memories_delete_all") == platform.count("entities_delete") == 0


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ({"user_id": "u1"}, {"b1", "b2"}),
        ({"user_id": "u1", "run_id": "r1"}, {"b1", "b2"}),  # and not only what u1 said in r1
        ({"run_id": "r1"}, {"a2", "b2"}),
        ({"user_id": "*"}, set()),
    ],
)
def test_stand_in_deletes_too_much_where_the_platform_does(query: dict[str, str], left: set[str]) -> None:
    """What the tests above guard against must be able to happen."""
    with Platform() as other:
        for text, user, run in (("a1", "u1", "r1"), ("a2", "u1", "r2"), ("b1", "u2", "r1"), ("b2", "u2", "r2")):
            other.state.store(memory=text, user_id=user, run_id=run)
        head = {"Authorization": f"Token {other.key}"}
        queued = httpx.delete(f"{other.url}/v1/memories/", params=query, headers=head).json()
        assert len(other.state.rows) == 4
        httpx.get(f"{other.url}/v1/event/{queued['event_id']}/", headers=head)
        assert {row.memory for row in other.state.rows.values()} == left


def test_note_of_the_assistant_cannot_be_forged(platform: Platform, alice: ScopedMemory) -> None:
    with pytest.raises(BadQuery):
        alice.add("x", metadata={"memoryportal_agent": "planner"})
    platform.state.store(memory="Odd.", user_id=str(alice.subject), metadata={"memoryportal_agent": ["a", "b"]})
    assert (texts(alice), alice.summary().agents) == (["Odd."], [(None, 1)])


def test_what_the_platform_stores_under_nobody_is_not_called_added(platform: Platform, alice: ScopedMemory) -> None:
    platform.state.odd.unattributed = True
    with pytest.raises(NotConfirmed):
        alice.add("I am vegetarian.")
    assert alice.count() == 0
