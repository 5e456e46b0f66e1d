"""What every store does alike: adding, correcting, deleting, erasing, and saying truly what was done."""

import threading

import pytest

from memoryportal.memory import (
    BadQuery,
    CountMoved,
    Filters,
    MemoryChanged,
    MemoryNotFound,
    MemoryRoomError,
    ScopedMemory,
)
from memoryportal.memory.stores.base import Store

from .conftest import Person
from .planting import Planter
from .test_contract import YESTERDAY, found, said, texts

RESERVED = (
    "user_id",
    "agent_id",
    "run_id",
    "actor_id",
    "id",
    "data",
    "hash",
    "created_at",
    "updated_at",
    "expiration_date",
)


def snapshot(memory: ScopedMemory) -> tuple[object, ...]:
    """Everything that can be read of a scope: for "nothing has changed"."""
    items = list(memory.walk())
    return items, memory.held(), memory.entities(), memory.messages(), {i.id: memory.history(i.id) for i in items}


# --- adding ----------------------------------------------------------------------------------------------------------


def test_add_remembers_each_message_in_its_order(alice: ScopedMemory) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "I am vegetarian."},
        {"role": "assistant", "content": "Noted: no meat."},
    ]
    added = alice.add(messages, infer=False)
    assert [(item.text, item.role) for item in added] == [
        ("I am vegetarian.", "user"),
        ("Noted: no meat.", "assistant"),
    ]
    assert {item.id for item in alice.page().items} == {item.id for item in added}


@pytest.mark.parametrize("key", RESERVED)
def test_add_refuses_metadata_that_the_store_keeps_for_itself(alice: ScopedMemory, bob: ScopedMemory, key: str) -> None:
    before = snapshot(bob)
    with pytest.raises(BadQuery):
        alice.add("I am vegetarian.", metadata={key: str(bob.subject)})
    assert alice.count() == 0
    assert snapshot(bob) == before


@pytest.mark.parametrize(
    "messages",
    [
        [],
        "",
        "  ",
        "a\0b",
        "x" * 8001,
        [{"role": "robot", "content": "x"}],
        [{"role": "user"}],
        [{"content": "x"}],
        ["x"],
    ],
)
def test_add_refuses_what_is_no_message(alice: ScopedMemory, messages: object) -> None:
    with pytest.raises(BadQuery):
        alice.add(messages)  # type: ignore[arg-type]
    assert alice.count() == 0


def test_long_text_comes_back_whole(alice: ScopedMemory) -> None:
    text = "ß日本🫐 " * 1600 + "end"
    assert alice.get(said(alice, text[:8000].strip())[0].id).text == text[:8000].strip()


# --- correcting ------------------------------------------------------------------------------------------------------


def test_update_replaces_the_old_meaning(alice: ScopedMemory, bob: ScopedMemory) -> None:
    before = said(alice, "I play the violin in an orchestra.", "I like the sea.")[0]
    after = alice.update(before.id, "I am allergic to peanuts.", expected=before.version)
    assert (after.id, after.text, after.created) == (before.id, "I am allergic to peanuts.", before.created)
    assert after.version != before.version
    assert alice.get(before.id) == after
    assert found(alice, "peanut allergy") == {"I am allergic to peanuts."}
    assert found(alice, "violin in the orchestra") == found(alice, "violin", by="word") == set()
    assert found(alice, "peanuts", by="word") == {"I am allergic to peanuts."}
    assert alice.count() == 2


def test_update_keeps_everything_but_the_wording(person: Person) -> None:
    memory = person("alice", agent="planner", run="monday")
    before = memory.add("I like tea.", metadata={"colour": "green"}, expires=YESTERDAY)[0]
    after = memory.update(before.id, "I like coffee.")
    kept = ("id", "agent", "run", "created", "expires", "expired", "role", "metadata")
    assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]


def test_update_refuses_a_memory_that_was_changed_meanwhile(alice: ScopedMemory) -> None:
    shown = said(alice, "I like tea.")[0]
    alice.update(shown.id, "I like coffee.")
    before = snapshot(alice)
    with pytest.raises(MemoryChanged):
        alice.update(shown.id, "I like cocoa.", expected=shown.version)
    assert snapshot(alice) == before


def test_update_to_the_same_wording_changes_nothing(alice: ScopedMemory) -> None:
    item = said(alice, "I like tea.")[0]
    before = snapshot(alice)
    assert alice.update(item.id, " I like tea. ") == item
    assert snapshot(alice) == before


@pytest.mark.parametrize("text", ["", "   ", "x" * 8001, "a\0b"])
def test_update_refuses_a_text_that_cannot_be_stored(alice: ScopedMemory, text: str) -> None:
    item = said(alice, "I like tea.")[0]
    before = snapshot(alice)
    with pytest.raises(BadQuery):
        alice.update(item.id, text)
    assert snapshot(alice) == before


def test_update_that_races_with_a_deletion_never_brings_the_memory_back(alice: ScopedMemory) -> None:
    for _ in range(8):
        item = said(alice, "I like tea.")[0]
        start = threading.Barrier(2)
        errors: list[MemoryRoomError] = []

        def correct(memory_id: str = item.id, start: threading.Barrier = start, errors: list = errors) -> None:
            start.wait()
            try:
                alice.update(memory_id, "I like coffee.")
            except (MemoryNotFound, MemoryChanged) as error:
                errors.append(error)

        thread = threading.Thread(target=correct)
        thread.start()
        start.wait()
        alice.delete(item.id)
        thread.join()
        assert alice.count() == 0
        assert [place for place in alice.residue() if place.count != 0] == []


def test_of_two_corrections_at_once_one_is_told(alice: ScopedMemory) -> None:
    item = said(alice, "I like tea.")[0]
    outcomes: list[object] = []

    def correct(text: str) -> None:
        try:
            outcomes.append(alice.update(item.id, text, expected=item.version).text)
        except MemoryChanged as error:
            outcomes.append(type(error))

    threads = [threading.Thread(target=correct, args=(text,)) for text in ("I like coffee.", "I like cocoa.")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, outcomes)) == sorted(map(str, [alice.get(item.id).text, MemoryChanged]))
    assert found(alice, alice.get(item.id).text) == {alice.get(item.id).text}


# --- history ---------------------------------------------------------------------------------------------------------


def test_history_tells_every_wording_oldest_first(alice: ScopedMemory, bob: ScopedMemory, store: Store) -> None:
    item = said(alice, "I like tea.", "I like the sea.")[0]
    alice.update(item.id, "I like coffee.")
    alice.update(item.id, "I like cocoa.")
    versions = alice.history(item.id)
    if not store.abilities.keeps_history:  # then the store may have one of its own
        assert {version.memory_id for version in versions} <= {item.id}
        return
    assert [(v.event, v.old, v.new) for v in versions] == [
        ("ADD", None, "I like tea."),
        ("UPDATE", "I like tea.", "I like coffee."),
        ("UPDATE", "I like coffee.", "I like cocoa."),
    ]
    assert all(v.memory_id == item.id and v.at is not None and not v.purged for v in versions)
    assert [v.seq for v in versions] == sorted({v.seq for v in versions})


def test_purge_takes_a_former_wording_out_wherever_it_stands(alice: ScopedMemory, store: Store) -> None:
    item = said(alice, "I like tea.")[0]
    alice.update(item.id, "I like coffee.")
    alice.update(item.id, "I like cocoa.")
    versions = alice.history(item.id)
    if not store.abilities.keeps_history:
        with pytest.raises((MemoryNotFound, BadQuery)):
            alice.purge_version(item.id, 1)
        assert alice.history(item.id) == versions
        return
    alice.purge_version(item.id, versions[1].seq)
    after = alice.history(item.id)
    assert "I like coffee." not in repr(after)
    assert [(v.old, v.new, v.purged) for v in after] == [
        (None, "I like tea.", False),
        ("I like tea.", None, True),
        (None, "I like cocoa.", True),
    ]
    before = snapshot(alice)
    with pytest.raises(BadQuery):
        alice.purge_version(item.id, versions[2].seq)  # the current wording
    with pytest.raises(MemoryNotFound):
        alice.purge_version(item.id, versions[2].seq + 1000)
    assert snapshot(alice) == before


# --- deleting --------------------------------------------------------------------------------------------------------


def test_delete_removes_one_memory_from_every_place(alice: ScopedMemory, bob: ScopedMemory, store: Store) -> None:
    gone, kept = said(alice, "I am allergic to peanuts.", "I like the sea.")
    before = snapshot(bob)
    removed = alice.delete(gone.id)
    assert removed.memories == 1
    with pytest.raises(MemoryNotFound):
        alice.get(gone.id)
    assert texts(alice.page().items) == [kept.text]
    assert (alice.page().total, alice.count(), alice.summary().total) == (1, 1, 1)
    assert found(alice, "peanut allergy") == found(alice, "peanuts", by="word") == set()
    assert alice.past() == []
    if store.abilities.keeps_history:
        assert alice.held()["history"] == len(alice.history(kept.id))
    assert snapshot(bob) == before


def test_delete_of_what_is_gone_already(alice: ScopedMemory) -> None:
    item = said(alice, "I like tea.")[0]
    alice.delete(item.id)
    with pytest.raises(MemoryNotFound):
        alice.delete(item.id)


def test_delete_many_takes_all_or_none(alice: ScopedMemory, bob: ScopedMemory) -> None:
    items = said(alice, "One.", "Two.", "Three.")
    stranger = bob.page().items[0]
    before, others = snapshot(alice), snapshot(bob)
    for missing in (stranger.id, "00000000-0000-4000-8000-000000000000", "no uuid"):
        with pytest.raises(MemoryNotFound):
            alice.delete_many([items[0].id, missing, items[1].id])
        assert (snapshot(alice), snapshot(bob)) == (before, others)
    assert alice.delete_many([items[0].id, items[1].id, items[0].id.upper()]).memories == 2
    assert texts(alice.page().items) == ["Three."]
    assert alice.delete_many([]).memories == 0
    assert alice.count() == 1


def test_delete_matching_deletes_what_the_person_was_shown(person: Person, bob: ScopedMemory) -> None:
    said(person("alice", agent="planner"), "One.", "Two.")
    said(person("alice", agent="coach"), "Three.")
    alice, others = person("alice"), snapshot(bob)
    before = snapshot(alice)
    for wrong in (0, 1, 3):
        with pytest.raises(CountMoved) as moved:
            alice.delete_matching(Filters(agent="planner"), expected=wrong)
        assert (moved.value.expected, moved.value.found) == (wrong, 2)
        assert snapshot(alice) == before
    assert alice.delete_matching(Filters(agent="planner"), expected=2).memories == 2
    assert texts(alice.page().items) == ["Three."]
    assert alice.delete_matching(Filters(agent="planner"), expected=0).memories == 0
    assert alice.delete_matching(Filters(), expected=1).memories == 1
    assert alice.count() == 0
    assert snapshot(bob) == others


def test_delete_takes_the_buffered_messages_of_its_conversation(person: Person, plant: Planter) -> None:
    monday, tuesday = person("alice", agent="planner", run="monday"), person("alice", agent="planner", run="tuesday")
    gone, kept = said(monday, "I like tea.")[0], said(tuesday, "I like the sea.")[0]
    if not plant.able:
        assert person("alice").messages() == []
        return
    plant.messages(monday, "I like tea.", "And cake.")
    plant.messages(tuesday, "I like the sea.")
    assert [(m.agent, m.run, m.text) for m in person("alice").messages()][-1] == (
        "planner",
        "tuesday",
        "I like the sea.",
    )
    assert person("alice").delete(gone.id).counts["messages"] == 2
    assert [message.text for message in person("alice").messages()] == ["I like the sea."]
    assert tuesday.get(kept.id) == kept


def test_delete_takes_the_noted_names_that_only_it_had(person: Person, plant: Planter) -> None:
    alice, bob = person("alice"), person("bob")
    gone, kept = said(alice, "Miriam lives in Hamburg.", "Hamburg is large.")
    if not plant.able:
        assert alice.entities() == []
        return
    plant.name(alice, "Miriam", [gone.id])
    plant.name(alice, "Hamburg", [gone.id, kept.id])
    (own,) = said(bob, "Miriam is my aunt.")
    plant.name(bob, "Miriam", [gone.id, own.id])  # a link to somebody else's memory: nobody's but Bob's to remove
    assert [(entity.text, entity.memory_ids) for entity in alice.entities()] == [
        ("Hamburg", [gone.id, kept.id]),
        ("Miriam", [gone.id]),
    ]
    assert alice.delete(gone.id).counts["entities"] == 1
    assert [(entity.text, entity.memory_ids) for entity in alice.entities()] == [("Hamburg", [kept.id])]
    assert [entity.text for entity in bob.entities()] == ["Miriam"]


# --- erasing ---------------------------------------------------------------------------------------------------------


def test_erase_leaves_nothing_in_any_place(person: Person, bob: ScopedMemory, plant: Planter, store: Store) -> None:
    alice = person("alice")
    items = said(alice, "One.", "Two.") + said(person("alice", agent="planner", run="monday"), "Three.")
    alice.update(items[0].id, "One and a half.")
    if plant.able:
        plant.name(alice, "Miriam", [items[0].id])
        plant.messages(person("alice", run="monday"), "Hello.")
    before, held = snapshot(bob), alice.held()
    assert held["memories"] == 3
    assert {found.place: found.count for found in alice.residue()} == held
    removed = alice.erase()
    assert {place: removed.counts.get(place, 0) for place in held} == held
    assert {found.count for found in alice.residue()} == set(alice.held().values()) == {0}
    assert (alice.page().total, alice.past(), alice.entities(), alice.messages()) == (0, [], [], [])
    assert alice.search("one").hits == []
    assert snapshot(bob) == before
    assert set(alice.erase().counts.values()) == {0}


def test_erase_of_one_assistant_leaves_the_others(person: Person, plant: Planter) -> None:
    planner, coach = person("alice", agent="planner"), person("alice", agent="coach")
    mine, others = said(planner, "One.", "Two."), said(coach, "Three.")
    said(person("alice"), "Four.")
    if plant.able:
        for memory, item in ((planner, mine[0]), (coach, others[0])):
            plant.name(memory, f"Miriam of {item.agent}", [item.id])
            plant.messages(memory, f"Hello {item.agent}.")
        # of conversations in which nothing was remembered, and of a memory that a plain mem0 deleted
        plant.messages(person("alice", agent="planner", run="monday"), "Anybody there?")
        plant.name(person("alice", agent="planner", run="monday"), "Ulla", ["00000000-0000-4000-8000-000000000000"])
    before = snapshot(coach)
    assert planner.erase().memories == 2
    held = planner.held()
    assert {count for place, count in held.items() if place != "history"} == {0}
    assert texts(person("alice").page(order="oldest").items) == ["Three.", "Four."]
    after = snapshot(coach)
    assert (after[0], after[2:]) == (before[0], before[2:])
