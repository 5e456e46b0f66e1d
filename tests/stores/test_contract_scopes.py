"""What every store keeps apart: people, assistants and conversations, whatever their ids look like."""

from collections.abc import Callable

import pytest

from memoryportal.memory import Filters, MemoryNotFound, ScopedMemory
from tests.hostile import APART

from .conftest import Person
from .planting import Planter
from .test_contract import found, said, texts
from .test_contract_changes import snapshot


@pytest.mark.parametrize("group", APART, ids=lambda group: group[0])
def test_lookalike_people_are_different_people(person: Person, group: tuple[str, ...]) -> None:
    people = {name: person(name, exactly=True) for name in group}
    items = {name: said(memory, f"The secret word of number {number} is xylophone.")[0]
             for number, (name, memory) in enumerate(people.items())}  # fmt: skip
    for name, memory in people.items():
        assert [item.id for item in memory.page().items] == [items[name].id], name
        assert (memory.count(), memory.summary().total, memory.held()["memories"]) == (1, 1, 1)
        assert found(memory, "secret xylophone") == found(memory, "xylophone", by="word") == {items[name].text}
    first, *others = people
    assert people[first].erase().memories == 1
    for name in others:
        assert people[name].get(items[name].id) == items[name]
        assert people[name].history(items[name].id) == people[name].history(items[name].id)
        assert people[name].count() == 1


@pytest.mark.parametrize("group", APART[:3], ids=lambda group: group[0])
@pytest.mark.parametrize("kind", ["agent", "run"])
def test_lookalike_assistants_and_conversations_are_kept_apart(
    person: Person, group: tuple[str, ...], kind: str
) -> None:
    for name in group:
        said(person("alice", **{kind: name}), f"Told to {name}.")
    alice = person("alice")
    for name in group:
        assert texts(person("alice", **{kind: name}).page().items) == [f"Told to {name}."]
        assert texts(alice.page(Filters(**{kind: name})).items) == [f"Told to {name}."]
    counted = dict(alice.summary().agents if kind == "agent" else alice.summary().runs)
    assert counted == dict.fromkeys(group, 1)
    assert person("alice", **{kind: group[0]}).erase().memories == 1
    assert alice.count() == len(group) - 1


VERBS: dict[str, Callable[[ScopedMemory, str], object]] = {
    "get": lambda memory, other: memory.get(other),
    "update": lambda memory, other: memory.update(other, "I was here."),
    "delete": lambda memory, other: memory.delete(other),
    "delete_many": lambda memory, other: memory.delete_many([memory.page().items[0].id, other]),
    "history": lambda memory, other: memory.history(other),
    "purge_version": lambda memory, other: memory.purge_version(other, 1),
}


@pytest.mark.parametrize("verb", VERBS)
def test_memory_of_somebody_else_does_not_exist(alice: ScopedMemory, bob: ScopedMemory, verb: str) -> None:
    said(alice, "Mine.")
    target = bob.page().items[0]
    bob.update(target.id, "I play the viola.")
    mine, others = snapshot(alice), snapshot(bob)
    with pytest.raises(MemoryNotFound) as foreign:
        VERBS[verb](alice, target.id)
    with pytest.raises(MemoryNotFound) as missing:
        VERBS[verb](alice, "00000000-0000-4000-8000-000000000000")
    assert str(foreign.value) == str(missing.value)
    assert (snapshot(alice), snapshot(bob)) == (mine, others)


@pytest.mark.parametrize("verb", VERBS)
def test_memory_of_another_assistant_does_not_exist_in_a_narrower_scope(person: Person, verb: str) -> None:
    planner, coach = person("alice", agent="planner"), person("alice", agent="coach")
    said(planner, "Mine.")
    target = said(coach, "Yours.")[0]
    before = snapshot(person("alice"))
    with pytest.raises(MemoryNotFound):
        VERBS[verb](planner, target.id)
    assert snapshot(person("alice")) == before


def test_scopes_nest(person: Person, bob: ScopedMemory) -> None:
    """user ⊃ user+agent ⊃ user+agent+run, and user+run beside them."""
    for agent in ("planner", None):
        for run in ("monday", None):
            said(person("alice", agent=agent, run=run), f"{agent} {run}")
    seen = {
        (None, None): {"planner monday", "planner None", "None monday", "None None"},
        ("planner", None): {"planner monday", "planner None"},
        (None, "monday"): {"planner monday", "None monday"},
        ("planner", "monday"): {"planner monday"},
        ("coach", None): set(),
        (None, "tuesday"): set(),
    }
    for (agent, run), expected in seen.items():
        memory = person("alice", agent=agent, run=run)
        assert set(texts(memory.page().items)) == expected
        assert (memory.count(), memory.summary().total, memory.held()["memories"]) == (len(expected),) * 3
        assert found(memory, "planner monday") <= expected
        assert found(memory, "monday", by="word") == {text for text in expected if "monday" in text}
        assert [item.text for item in memory.walk(batch=1)] == texts(memory.page(order="oldest").items)


def test_erase_of_one_conversation_leaves_the_rest(person: Person) -> None:
    for agent, run in (
        ("planner", "monday"),
        ("planner", "tuesday"),
        ("coach", "monday"),
        (None, "monday"),
        (None, None),
    ):
        said(person("alice", agent=agent, run=run), f"{agent} {run}")
    assert person("alice", agent="planner", run="monday").erase().memories == 1
    assert person("alice").count() == 4
    assert person("alice", run="monday").erase().memories == 2
    assert set(texts(person("alice").page().items)) == {"planner tuesday", "None None"}


def test_delete_matching_keeps_to_the_scope(person: Person, bob: ScopedMemory) -> None:
    said(person("alice", agent="planner"), "One.")
    said(person("alice", agent="coach"), "Two.")
    assert person("alice", agent="planner").delete_matching(Filters(), expected=1).memories == 1
    assert person("alice", agent="planner").delete_matching(Filters(agent="coach"), expected=0).memories == 0
    assert (person("alice").count(), bob.count()) == (1, 3)


def test_delete_in_a_narrower_scope_takes_names_that_were_noted_in_a_wider_one(person: Person, plant: Planter) -> None:
    alice, planner = person("alice"), person("alice", agent="planner")
    item = said(planner, "I know Miriam.")[0]
    if plant.able:
        plant.name(alice, "Miriam", [item.id])
        assert [entity.text for entity in alice.entities()] == ["Miriam"]
    assert planner.delete(item.id).memories == 1
    assert alice.entities() == []


def test_erasing_one_assistant_leaves_a_name_that_anothers_memory_links_to(person: Person, plant: Planter) -> None:
    alice, planner, coach = person("alice"), person("alice", agent="planner"), person("alice", agent="coach")
    mine, other = said(planner, "I know Miriam.")[0], said(coach, "I met Miriam.")[0]
    if plant.able:
        plant.name(planner, "Miriam", [mine.id, other.id])
        plant.name(planner, "Tomas", [mine.id])
        plant.name(planner, "Ulla", [])
        assert planner.held()["entities"] == 2
    planner.erase()
    kept = [("Miriam", [other.id])] if plant.able else []
    assert [(entity.text, entity.memory_ids) for entity in alice.entities()] == kept
    assert {found.place: found.count for found in planner.residue()}.get("entities", 0) == 0
    assert [item.id for item in alice.page().items] == [other.id]


@pytest.mark.parametrize("noted", [{}, {"agent": "planner"}, {"agent": "planner", "run": "monday"}])
def test_update_takes_the_names_of_the_old_wording_away_wherever_they_were_noted(
    person: Person, plant: Planter, noted: dict[str, str]
) -> None:
    alice, planner = person("alice"), person("alice", agent="planner", run="monday")
    item = said(planner, "I know Miriam.")[0]
    if plant.able:
        plant.name(person("alice", **noted), "Miriam", [item.id])
    assert alice.update(item.id, "I know nobody.").text == "I know nobody."
    assert alice.entities() == []


def test_noted_names_and_messages_keep_to_the_scope(person: Person, plant: Planter) -> None:
    planner, coach, bob = person("alice", agent="planner"), person("alice", agent="coach"), person("bob")
    if not plant.able:
        assert [memory.entities() + memory.messages() for memory in (planner, coach, bob)] == [[], [], []]
        return
    for memory, name in ((planner, "Miriam"), (coach, "Tomas"), (bob, "Ulla")):
        plant.name(memory, name, [said(memory, f"I know {name}.")[0].id])
        plant.messages(memory, f"Do you know {name}?")
    for memory, names in (
        (planner, ["Miriam"]),
        (coach, ["Tomas"]),
        (person("alice"), ["Miriam", "Tomas"]),
        (bob, ["Ulla"]),
    ):
        assert [entity.text for entity in memory.entities()] == names
        assert [message.text for message in memory.messages()] == [f"Do you know {name}?" for name in names]
        assert (memory.held()["entities"], memory.held()["messages"]) == (len(names), len(names))
