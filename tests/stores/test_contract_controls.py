"""What every store does alike: uses are noted and end, switches bind assistants, stopped wordings stay away."""

import pytest

from memoryportal.memory import ScopedMemory, StoreUnavailable, UseRestricted, WritesPaused, controls, uses
from memoryportal.memory.stores.base import Store

from .test_contract import said, texts
from .test_contract_changes import snapshot


def _planner(of: ScopedMemory) -> ScopedMemory:
    """The assistant's side."""
    return ScopedMemory(of.subject, agent="planner")


def test_what_assistants_are_handed_is_noted_until_it_is_deleted(alice: ScopedMemory, bob: ScopedMemory) -> None:
    planner = _planner(alice)
    one, two = said(planner, "I like tea.", "I like the sea.")
    before = bob.held()
    planner.search("tea", by="word")
    planner.get(one.id)
    planner.page()
    alice.page()
    assert {(handed.agent, handed.times, handed.memories) for handed in alice.handed()} == {("planner", 4, 2)}
    assert [handed.times for handed in alice.handed(one.id)] == [3]
    assert alice.delete(one.id).counts["uses"] == 3
    assert alice.held()["uses"] == 1
    assert ScopedMemory.for_person(alice.subject, agent="planner").erase().counts["uses"] == 1
    assert [found.count for found in alice.residue() if found.place == "uses"] == [0]
    assert bob.held() == before
    assert alice.handed(two.id) == []


def test_restriction_is_never_an_empty_list(alice: ScopedMemory, store: Store) -> None:
    planner = _planner(alice)
    item = said(planner, "I like tea.")[0]
    controls.restrict(alice.subject, "planner")
    before = snapshot(alice)
    for read in (planner.page, planner.count, planner.summary, planner.held, planner.entities, planner.messages):
        with pytest.raises(UseRestricted):
            read()
    for search in ("meaning", "word"):
        with pytest.raises(UseRestricted):
            planner.search("tea", by=search)  # type: ignore[arg-type]
    with pytest.raises(UseRestricted):
        planner.update(item.id, "I like coffee.")
    assert snapshot(alice) == before
    assert ScopedMemory(alice.subject, agent="coach").page().total == 0
    controls.unrestrict(alice.subject, "planner")
    assert texts(planner.page().items) == ["I like tea."]


def test_pause_binds_assistants_and_not_the_person(alice: ScopedMemory, bob: ScopedMemory) -> None:
    planner = _planner(alice)
    item, other = said(planner, "I like tea.", "I like the sea.")
    controls.pause(alice.subject)
    before = snapshot(alice)
    for change in (lambda: planner.add("I like cake."), lambda: planner.update(item.id, "I like coffee.")):
        with pytest.raises(WritesPaused):
            change()
    assert snapshot(alice) == before
    assert alice.update(item.id, "I like coffee.").text == "I like coffee."
    assert planner.delete(other.id).memories == 1
    assert said(_planner(bob), "I like cake.")
    controls.resume(alice.subject)
    assert planner.update(item.id, "I like mate.").text == "I like mate."


def test_pause_that_comes_after_the_question_binds_too(alice: ScopedMemory, store: Store) -> None:
    """The gate is asked twice: before a model is, and where the row is written."""
    planner = _planner(alice)
    item = said(planner, "I like tea.")[0]
    controls.pause(alice.subject)
    before = snapshot(alice)
    with pytest.raises(WritesPaused):
        store.correct(planner.scope, item.id, "I like coffee.", item.version)
    assert snapshot(alice) == before


def test_stopped_wording_stays_away(alice: ScopedMemory, bob: ScopedMemory) -> None:
    item = said(alice, "I like tea.")[0]
    assert alice.delete(item.id, never_again=True).stopped == 1
    added = _planner(alice).add([{"role": "user", "content": text} for text in ("i like TEA", "I like the sea.")])
    assert ([item.text for item in added], added.stopped) == (["I like the sea."], 1)
    assert said(bob, "I like tea.")[0].text == "I like tea."
    assert alice.erase(keep=("never",)).memories == 1
    assert alice.stopped().count == 1
    assert alice.erase().counts["never"] == 1
    assert {found.count for found in alice.residue()} == {0}


def test_use_that_cannot_be_noted_is_refused(alice: ScopedMemory, store: Store) -> None:
    planner = _planner(alice)
    item = said(planner, "I like tea.")[0]

    class Elsewhere:
        """The same side tables, without a use log."""

        tables = type(store.tables)(f"{store.tables.collection}_lost")
        open = store.open

    for ids in ([item.id], ["not an id"]):
        with pytest.raises(StoreUnavailable):
            uses.note(Elsewhere(), planner.scope, ids)
    assert alice.held()["uses"] == 0
