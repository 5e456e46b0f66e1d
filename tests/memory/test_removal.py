"""Deleting empties every place, of this person and this scope only, all of it or nothing."""

import contextlib
from typing import Any

import psycopg
import pytest

from memoryportal.memory import Filters, MemoryNotFound, Residue, ScopedMemory, StoreUnavailable, pool
from memoryportal.memory.configuration import configuration
from memoryportal.memory.places import store_places

from .planted import Superuser, holds, payload, plant, plant_entity, plant_history, plant_message, stored

GONE = "123e4567-e89b-12d3-a456-426614174000"  # a memory that was deleted by a plain mem0


def _fill(superuser: Superuser, owner: ScopedMemory) -> str:
    """One memory in every place, with everything that hangs on it; its id."""
    item = owner.add("first wording")[0]
    owner.update(item.id, "second wording")
    more = {key: value for key, value in owner.scope.mem0_ids().items() if key != "user_id"}
    plant_entity(superuser, owner.subject, "Miriam", [item.id], **more)
    plant_message(superuser, owner.subject, "said once", owner.scope.agent, owner.scope.run)
    return item.id


def _whole(subject_of: ScopedMemory, agent: str | None = None, run: str | None = None) -> ScopedMemory:
    return ScopedMemory(subject_of.subject, agent=agent, run=run)


@pytest.mark.parametrize("how", ["delete", "delete_many", "delete_matching", "erase"])
def test_nothing_of_a_memory_is_left_anywhere(
    superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory, how: str
) -> None:
    memory_id = _fill(superuser, alice)
    _fill(superuser, bob)
    foreign = stored(superuser, bob.subject)
    ways = {
        "delete": lambda: alice.delete(memory_id),
        "delete_many": lambda: alice.delete_many([memory_id]),
        "delete_matching": lambda: alice.delete_matching(Filters(), 1),
        "erase": alice.erase,
    }
    removed = {"memories": 1, "entities": 1, "history": 2, "messages": 1, "uses": 0}
    assert ways[how]().counts == (removed | {"never": 0} if how == "erase" else removed)
    assert not any(stored(superuser, alice.subject).values())
    assert stored(superuser, bob.subject) == foreign
    assert alice.residue() == [Residue(place, 0) for place in store_places()]
    assert {residue.count for residue in bob.residue()} == {0, 1, 2}
    with pytest.raises(MemoryNotFound):
        alice.get(memory_id)


def test_a_noted_name_loses_the_link_and_goes_with_its_last(
    superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory
) -> None:
    one, two, three = (alice.add(text)[0].id for text in ("one", "two", "three"))
    shared = plant_entity(superuser, alice.subject, "shared", [one, two])
    plant_entity(superuser, alice.subject, "only one", [one, one])
    untouched = plant_entity(superuser, alice.subject, "three", [three])
    foreign = plant_entity(superuser, bob.subject, "foreign", [one])  # mem0 has linked across people
    assert alice.delete(one).counts["entities"] == 1
    assert {e.id: e.memory_ids for e in alice.entities()} == {shared: [two], untouched: [three]}
    assert [e.memory_ids for e in bob.entities()] == [[one]]
    assert foreign == bob.entities()[0].id
    assert alice.delete_many([two, three]).counts["entities"] == 2
    assert alice.entities() == []


@pytest.mark.parametrize("links", [None, "text", {"a": 1}, 5, [], [None], [{"a": 1}], ["not an id"]], ids=repr)
def test_odd_links_neither_stop_a_deletion_nor_survive_an_erasure(
    superuser: Superuser, alice: ScopedMemory, links: object
) -> None:
    item = alice.add("one")[0]
    plant_entity(superuser, alice.subject, "odd", links, agent_id="cook")  # type: ignore[arg-type]
    assert _whole(alice, "cook").held()["entities"] == 1
    assert alice.delete(item.id).counts["entities"] == 0
    assert [entity.text for entity in alice.entities()] == ["odd"]
    assert alice.erase().counts == {"memories": 0, "entities": 1, "history": 0, "messages": 0, "uses": 0, "never": 0}
    assert holds(superuser, "odd") == []


@pytest.mark.parametrize("links", [None, "text", {"a": 1}, 5, [], [None], [{"a": 1}], ["not an id"]], ids=repr)
def test_odd_links_do_not_survive_the_erasure_of_their_assistant(
    superuser: Superuser, alice: ScopedMemory, links: object
) -> None:
    alice.add("one")
    cook = _whole(alice, "cook")
    cook.add("two")
    plant_entity(superuser, alice.subject, "odd", links, agent_id="cook")  # type: ignore[arg-type]
    assert cook.erase().counts["entities"] == 1
    assert holds(superuser, "odd") == []


def test_only_the_conversation_of_the_deleted_memory_loses_its_messages(
    superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory
) -> None:
    item = _whole(alice, "cook", "r1").add("one")[0]
    kept = [
        (None, None),
        ("cook", None),
        (None, "r1"),
        ("cook", "r2"),
        ("planner", "r1"),
        ("cookr1", None),
        ("cook", "r11"),
    ]
    for agent, run in [*kept, ("cook", "r1"), ("cook", "r1")]:
        plant_message(superuser, alice.subject, "said", agent, run)
    plant_message(superuser, bob.subject, "said", "cook", "r1")
    assert alice.delete(item.id).counts["messages"] == 2
    assert sorted(map(str, ((m.agent, m.run) for m in alice.messages()))) == sorted(map(str, kept))
    assert len(bob.messages()) == 1


@pytest.mark.parametrize(
    ("agent", "run", "gone"),
    [
        ("cook", "r1", {("cook", "r1")}),
        ("cook", None, {("cook", "r1"), ("cook", "r2"), ("cook", None)}),
        (None, "r1", {("cook", "r1"), ("planner", "r1"), (None, "r1")}),
        (None, None, {("cook", "r1"), ("cook", "r2"), ("cook", None), ("planner", "r1"), (None, "r1"), (None, None)}),
    ],
)
@pytest.mark.parametrize("how", ["delete", "purge"])
def test_who_looked_without_naming_a_conversation_may_have_said_it_in_every_one(
    superuser: Superuser, alice: ScopedMemory, agent: str | None, run: str | None, gone: Any, how: str
) -> None:
    """To look across conversations one names none of them; what is said is kept with the one in which it is said."""
    talks = {("cook", "r1"), ("cook", "r2"), ("cook", None), ("planner", "r1"), (None, "r1"), (None, None)}
    memory_id = plant(superuser, [payload(alice.subject, "tea", agent_id="writer", run_id="r0")])[0]
    alice.update(memory_id, "coffee")
    superuser.execute(
        "INSERT INTO memories_uses (subject, memory_id, agent, run) VALUES (%s, %s, %s, %s)",
        (alice.subject, memory_id, agent, run),
    )
    for talk in talks:
        plant_message(superuser, alice.subject, "You drink tea.", *talk)
    if how == "delete":
        alice.delete(memory_id)
    else:
        alice.purge_version(memory_id, 0)
    assert {(message.agent, message.run) for message in alice.messages()} == talks - gone


def test_erasing_takes_what_no_memory_leads_to(superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory) -> None:
    for owner in (alice, bob):
        plant_history(superuser, owner.subject, GONE, None, "outlived its memory")
        plant_message(superuser, owner.subject, "said", "cook", "r9")
        plant_entity(superuser, owner.subject, "Miriam", [GONE])
    assert [version.new for version in alice.past()] == ["outlived its memory"]
    assert alice.erase().counts == {"memories": 0, "entities": 1, "history": 1, "messages": 1, "uses": 0, "never": 0}
    assert not any(stored(superuser, alice.subject).values())
    assert bob.held() == {"memories": 0, "entities": 1, "history": 1, "messages": 1, "uses": 0, "never": 0}


def test_erasing_one_assistant_leaves_the_others(superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory) -> None:
    cook, planner = _whole(alice, "cook"), _whole(alice, "planner")
    for owner in (alice, planner, _whole(bob, "cook")):
        _fill(superuser, owner)
    others = {owner.subject: stored(superuser, owner.subject) for owner in (alice, bob)}
    memory_id = _fill(superuser, _whole(alice, "cook", "r1"))
    plant_message(superuser, alice.subject, "nothing came of it", "cook", "r2")
    plant_entity(superuser, alice.subject, "linked to nothing", [], agent_id="cook")
    assert cook.held() == {"memories": 1, "entities": 2, "history": 2, "messages": 2, "uses": 0, "never": 0}
    assert cook.erase().counts == {"memories": 1, "entities": 2, "history": 2, "messages": 2, "uses": 0, "never": 0}
    assert {subject: stored(superuser, subject) for subject in others} == others
    assert cook.held() == dict.fromkeys(store_places(), 0)
    assert {residue.count for residue in cook.residue()} == {0}
    assert cook.page().total == 0
    assert planner.held() == {"memories": 1, "entities": 1, "history": 2, "messages": 1, "uses": 0, "never": 0}
    assert memory_id not in {item.id for item in alice.page().items}


def test_erasing_one_conversation_leaves_the_others(superuser: Superuser, alice: ScopedMemory) -> None:
    for agent, run in (("cook", "r1"), ("cook", "r2"), ("planner", "r1"), (None, None)):
        _fill(superuser, _whole(alice, agent, run))
    assert _whole(alice, "cook", "r1").erase().memories == 1
    assert sorted(str((item.agent, item.run)) for item in alice.page().items) == [
        "('cook', 'r2')",
        "('planner', 'r1')",
        "(None, None)",
    ]
    assert alice.held() == {"memories": 3, "entities": 3, "history": 6, "messages": 3, "uses": 0, "never": 0}


@pytest.mark.parametrize("broken", ["memories_entities", "memories_history", "memories_messages"])
@pytest.mark.parametrize("how", ["delete", "delete_matching", "erase"])
def test_a_place_that_cannot_be_emptied_keeps_everything(
    superuser: Superuser, alice: ScopedMemory, broken: str, how: str
) -> None:
    memory_id = _fill(superuser, alice)
    before = stored(superuser)
    ways = {
        "delete": lambda: alice.delete(memory_id),
        "delete_matching": lambda: alice.delete_matching(Filters(), 1),
        "erase": alice.erase,
    }
    table = psycopg.sql.Identifier(broken)
    superuser.execute(psycopg.sql.SQL("REVOKE DELETE ON {} FROM memoryportal_scoped").format(table))
    try:
        with pytest.raises(StoreUnavailable):
            ways[how]()
    finally:
        superuser.execute(psycopg.sql.SQL("GRANT DELETE ON {} TO memoryportal_scoped").format(table))
    assert stored(superuser) == before


def test_residue_names_the_place_that_cannot_be_read(superuser: Superuser, alice: ScopedMemory) -> None:
    _fill(superuser, alice)
    superuser.execute("REVOKE SELECT ON memories_history FROM memoryportal_scoped")
    try:
        found = {residue.place: residue for residue in alice.residue()}
    finally:
        superuser.execute("GRANT SELECT ON memories_history TO memoryportal_scoped")
    assert found["history"].count is None
    assert found["history"].problem
    assert (found["memories"].count, found["entities"].count, found["messages"].count) == (1, 1, 1)


def test_residue_reads_on_connections_of_its_own(superuser: Superuser, alice: ScopedMemory) -> None:
    _fill(superuser, alice)
    with contextlib.ExitStack() as held:
        for _ in range(10):  # every connection of the pool
            held.enter_context(pool.get_pool(configuration().dsn).connection())
        assert [residue.count for residue in alice.residue()] == [1, 1, 2, 1, 0, 0]
    assert alice.erase().memories == 1


def test_deleting_nothing_says_so(superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory) -> None:
    _fill(superuser, bob)
    before = stored(superuser)
    none = {"memories": 0, "entities": 0, "history": 0, "messages": 0, "uses": 0}
    assert alice.delete_many([]).counts == none
    assert alice.delete_matching(Filters(), 0).counts == none
    assert alice.erase().counts == {**none, "never": 0}
    assert stored(superuser) == before
