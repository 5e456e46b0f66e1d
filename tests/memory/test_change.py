"""Correct, delete, purge: on one's own memories only, all of it or nothing, and never half of a race."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from memoryportal.memory import (
    BadQuery,
    CountMoved,
    Filters,
    Item,
    MemoryChanged,
    MemoryNotFound,
    ScopedMemory,
)

from .planted import Superuser, holds, payload, plant, plant_entity, plant_history, stored

VERBS: dict[str, Callable[[ScopedMemory, str], Any]] = {
    "get": lambda memory, memory_id: memory.get(memory_id),
    "get_many": lambda memory, memory_id: memory.get_many([memory_id]),
    "history": lambda memory, memory_id: memory.history(memory_id),
    "update": lambda memory, memory_id: memory.update(memory_id, "taken over"),
    "update expecting": lambda memory, memory_id: memory.update(memory_id, "taken over", expected="x"),
    "purge_version": lambda memory, memory_id: memory.purge_version(memory_id, 1),
    "delete": lambda memory, memory_id: memory.delete(memory_id),
    "delete_many": lambda memory, memory_id: memory.delete_many([memory_id, memory_id]),
}


def _changed(memory: ScopedMemory, first: str = "I drink tea", *more: str) -> Item:
    item = memory.add(first)[0]
    for text in more:
        item = memory.update(item.id, text)
    return item


# --- whose ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
def test_a_foreign_memory_does_not_exist(
    superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory, verb: str
) -> None:
    _changed(alice, "mine", "still mine")
    foreign = _changed(bob, "first wording", "second wording")
    plant_entity(superuser, bob.subject, "Miriam", [foreign.id])
    before = stored(superuser)
    bad = [
        foreign.id,
        foreign.id.upper(),
        f"{{{foreign.id}}}",
        str(uuid.uuid4()),
        "x",
        "",
        "*",
        "%",
        "None",
        "1",
        "a\0b",
    ]
    bad += ["' OR 1=1 --", foreign.id[:-1], f"{foreign.id}\n", "𝟙" * 32, "\ud800"]
    said = set()
    for memory_id in bad:
        with pytest.raises(MemoryNotFound) as refusal:
            VERBS[verb](alice, memory_id)
        said.add((type(refusal.value), str(refusal.value)))
    assert len(said) == 1  # nobody can tell a stranger's memory from none at all
    assert stored(superuser) == before


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("memory_id", [None, 5, b"x", ["x"], {"id": 1}, 1.5], ids=repr)
def test_what_is_no_id_finds_nothing(alice: ScopedMemory, verb: str, memory_id: Any) -> None:
    with pytest.raises(MemoryNotFound):
        VERBS[verb](alice, memory_id)


@pytest.mark.parametrize("verb", VERBS)
def test_another_assistants_memory_is_outside_a_narrowed_scope(superuser: Superuser, person: Any, verb: str) -> None:
    cook = person("alice", agent="cook")
    planner = ScopedMemory(cook.subject, agent="planner", run="r1")
    item = _changed(planner, "first wording", "second wording")
    before = stored(superuser)
    for narrowed in (cook, ScopedMemory(cook.subject, run="r2"), ScopedMemory(cook.subject, agent="planner", run="r2")):
        with pytest.raises(MemoryNotFound):
            VERBS[verb](narrowed, item.id)
    assert stored(superuser) == before
    assert cook.past() == []  # who says whose a wording was, once its memory is gone?
    assert ScopedMemory(cook.subject).get(item.id).text == "second wording"


def test_one_foreign_id_among_ones_own_deletes_nothing(
    superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory
) -> None:
    own, foreign = _changed(alice), _changed(bob)
    before = stored(superuser)
    for other in (foreign.id, str(uuid.uuid4()), "x"):
        with pytest.raises(MemoryNotFound):
            alice.delete_many([own.id, other])
    assert stored(superuser) == before
    assert alice.delete_many([own.id, own.id.upper()]).memories == 1


# --- correct ---------------------------------------------------------------------------------------------------------


def test_a_correction_keeps_its_history(alice: ScopedMemory) -> None:
    item = _changed(alice, "I drink tea", "I drink coffee", "I drink mate")
    history = alice.history(item.id)
    assert [(v.event, v.old, v.new) for v in history] == [
        ("ADD", None, "I drink tea"),
        ("UPDATE", "I drink tea", "I drink coffee"),
        ("UPDATE", "I drink coffee", "I drink mate"),
    ]
    assert [version.seq for version in history] == sorted({version.seq for version in history})
    assert item.updated is not None
    assert item.created is not None
    assert item.updated > item.created


def test_a_correction_keeps_everything_else(alice: ScopedMemory) -> None:
    narrowed = ScopedMemory(alice.subject, agent="cook", run="r1")
    first = narrowed.add("I drink tea", metadata={"source": "chat"}, expires="2099-01-01")[0]
    second = alice.update(first.id, "I drink coffee")
    for name in ("id", "agent", "run", "created", "expires", "role", "actor", "metadata"):
        assert getattr(second, name) == getattr(first, name)
    assert second.version != first.version


def test_the_same_wording_changes_nothing(superuser: Superuser, alice: ScopedMemory) -> None:
    item = _changed(alice)
    before = stored(superuser)
    assert alice.update(item.id, "  I drink tea\n") == item
    assert stored(superuser) == before


@pytest.mark.parametrize("text", ["", "  \n", "\u00a0", "x" * 8001, "a\0b", "a\ud800", None, 5, ["x"]])
def test_a_text_that_cannot_be_kept_is_refused(superuser: Superuser, alice: ScopedMemory, text: Any) -> None:
    item = _changed(alice)
    before = stored(superuser)
    with pytest.raises(BadQuery) as refusal:
        alice.update(item.id, text)
    assert "xxx" not in str(refusal.value)
    assert stored(superuser) == before
    assert alice.update(item.id, "x" * 8000).text == "x" * 8000


def test_a_correction_of_something_else_than_was_shown_is_refused(superuser: Superuser, alice: ScopedMemory) -> None:
    shown = _changed(alice)
    current = alice.update(shown.id, "I drink coffee")
    before = stored(superuser)
    with pytest.raises(MemoryChanged):
        alice.update(shown.id, "I drink water", expected=shown.version)
    assert stored(superuser) == before
    assert alice.update(shown.id, "I drink water", expected=current.version).text == "I drink water"


@pytest.mark.parametrize("agent", [None, "cook", "a,b*"])
def test_names_of_the_old_wording_go(
    superuser: Superuser, alice: ScopedMemory, monkeypatch: pytest.MonkeyPatch, agent: str | None
) -> None:
    """A person corrects a memory of one of their assistants: what was noted from the old text must not stay behind."""
    monkeypatch.setattr("mem0.memory.main.extract_entities", _capitals)
    more = {"agent_id": agent} if agent else {}  # a plain mem0 stores any name of an assistant
    item, other = plant(superuser, [payload(alice.subject, text, **more) for text in ("Miriam in Hamburg", "Hamburg")])
    plant_entity(superuser, alice.subject, "Miriam", [item], **more)
    plant_entity(superuser, alice.subject, "Hamburg", [item, other], **more)
    alice.update(item, "I met Ruth in Lisbon")
    noted = {entity.text: entity.memory_ids for entity in alice.entities()}
    assert noted.pop("Hamburg") == [other]
    assert noted == ({} if agent == "a,b*" else {"Ruth": [item], "Lisbon": [item]})


def test_names_of_a_correction_stay_with_its_assistant(
    superuser: Superuser, alice: ScopedMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mem0.memory.main.extract_entities", _capitals)
    item = ScopedMemory(alice.subject, agent="cook").add("I met Miriam")[0]
    plant_entity(superuser, alice.subject, "Lisbon", [str(uuid.uuid4())], agent_id="planner")
    alice.update(item.id, "I met Ruth in Lisbon")
    own = {(entity.text, entity.agent): entity.memory_ids for entity in alice.entities()}
    assert own[("Lisbon", "cook")] == own[("Ruth", "cook")] == [item.id]
    assert item.id not in own[("Lisbon", "planner")]


def _capitals(text: str) -> list[tuple[str, str]]:
    return [("PROPER", word) for word in text.split() if word[0].isupper() and word != "I"]


# --- purge -----------------------------------------------------------------------------------------------------------


def test_a_purged_wording_stands_nowhere(superuser: Superuser, alice: ScopedMemory) -> None:
    item = _changed(alice, "secret wording", "I drink coffee", "secret wording", "I drink mate")
    alice.purge_version(item.id, alice.history(item.id)[0].seq)
    assert holds(superuser, "secret wording") == []
    history = alice.history(item.id)
    assert [(v.old, v.new, v.purged) for v in history] == [
        (None, None, True),
        (None, "I drink coffee", True),
        ("I drink coffee", None, True),
        (None, "I drink mate", True),
    ]
    assert alice.get(item.id).text == "I drink mate"


def test_the_current_wording_cannot_be_purged(superuser: Superuser, alice: ScopedMemory) -> None:
    item = _changed(alice, "I drink tea", "I drink coffee")
    before = stored(superuser)
    with pytest.raises(BadQuery):
        alice.purge_version(item.id, alice.history(item.id)[1].seq)
    assert stored(superuser) == before


def test_the_wording_before_the_first_noted_change_can_be_purged(superuser: Superuser, alice: ScopedMemory) -> None:
    (memory_id,) = plant(
        superuser, [payload(alice.subject, "secret wording")]
    )  # a plain mem0 kept its history elsewhere
    alice.update(memory_id, "I drink coffee")
    alice.purge_version(memory_id, 0)
    assert holds(superuser, "secret wording") == []
    with pytest.raises(MemoryNotFound):
        alice.purge_version(memory_id, 0)


def test_purging_touches_one_memory_only(superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory) -> None:
    mine, other, foreign = (_changed(owner, "same", "new") for owner in (alice, alice, bob))
    foreign_seq = bob.history(foreign.id)[0].seq
    for seq in (foreign_seq, alice.history(other.id)[0].seq, -1, 10**12, 10**30):
        with pytest.raises(MemoryNotFound):
            alice.purge_version(mine.id, seq)
    alice.purge_version(mine.id, alice.history(mine.id)[0].seq)
    assert [version.new for version in alice.history(other.id)] == ["same", "new"]
    assert [version.new for version in bob.history(foreign.id)] == ["same", "new"]


# --- delete by filter ------------------------------------------------------------


def test_a_count_that_moved_deletes_nothing(superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory) -> None:
    cook = ScopedMemory(alice.subject, agent="cook")
    item = cook.add("one")[0]
    cook.add("two")
    alice.add("of nobody in particular")
    ScopedMemory(bob.subject, agent="cook").add("foreign")
    plant_history(superuser, alice.subject, item.id, "zero", "one")
    before = stored(superuser)
    for expected in (0, 1, 3, 4, -2):
        with pytest.raises(CountMoved) as moved:
            alice.delete_matching(Filters(agent="cook"), expected)
        assert (moved.value.expected, moved.value.found) == (expected, 2)
    assert stored(superuser) == before
    assert alice.delete_matching(Filters(agent="cook"), 2).counts["history"] == 3
    assert alice.page().total == 1
    assert bob.page().total == 1
