"""A restriction: assistants are handed nothing, in words and never as an empty list; the person reads on."""

from dataclasses import replace
from typing import Any

import pytest

from memoryportal.memory import (
    ErasureRunning,
    InvalidSubject,
    MemoryNotFound,
    ScopedMemory,
    ScopeViolation,
    Summary,
    UseRestricted,
    controls,
    uses,
)
from memoryportal.memory.stores import current_store

from .calls import READS, fill
from .model_server import ModelServer
from .planted import Superuser, shut, stored

OF_ASSISTANTS = [name for name in READS if "." not in name]
# What the portal asks on the person's behalf; an assistant is refused for another reason, or is told nothing by it.
FOR_THE_PERSON = {"handed", "handed one", "stopped"}
OF_ERASURES = {"known_ids", "history_of"}


def _cook(of: ScopedMemory) -> ScopedMemory:
    return ScopedMemory(of.subject, agent="cook")


@pytest.fixture
def restricted(superuser: Superuser, alice: ScopedMemory) -> str:
    """The id of a memory of hers, in every place, that no assistant may be handed any more."""
    memory_id = fill(superuser, alice)
    controls.restrict(alice.subject)
    return memory_id


@pytest.mark.parametrize("agent", [None, "cook"])
@pytest.mark.parametrize("name", sorted(set(OF_ASSISTANTS) - FOR_THE_PERSON - OF_ERASURES))
def test_an_assistant_is_told_and_handed_nothing(
    superuser: Superuser, alice: ScopedMemory, restricted: str, name: str, agent: str | None
) -> None:
    before = stored(superuser)
    with pytest.raises(UseRestricted) as refusal:
        READS[name](ScopedMemory(alice.subject, agent=agent), restricted)
    assert refusal.value.status_code == 403
    assert stored(superuser) == before


@pytest.mark.parametrize("name", READS)
def test_the_person_reads_on(superuser: Superuser, alice: ScopedMemory, name: str) -> None:
    memory_id = fill(superuser, alice)
    before = _but_what_is_shut(READS[name](alice, memory_id))
    controls.restrict(alice.subject)
    if name not in ("controls.gate_states", "controls.states"):
        assert _but_what_is_shut(READS[name](alice, memory_id)) == before


def _but_what_is_shut(answer: Any) -> str:
    """A summary tells of the restriction itself; everything else in it stays as it was."""
    return repr(replace(answer, shut=[]) if isinstance(answer, Summary) else answer)


def test_the_summary_tells_of_it(superuser: Superuser, alice: ScopedMemory) -> None:
    fill(superuser, alice)
    assert alice.summary().shut == []
    controls.restrict(alice.subject)
    assert [(control.agent, control.state) for control in alice.summary().shut] == [("", "restricted")]


@pytest.mark.parametrize("name", [name for name in READS if name.startswith("bulk.")])
def test_reading_in_bulk_is_for_the_person(superuser: Superuser, alice: ScopedMemory, name: str) -> None:
    memory_id = fill(superuser, alice)
    with pytest.raises(ScopeViolation):
        READS[name](ScopedMemory(alice.subject), memory_id)


def test_what_does_not_exist_is_restricted_too(alice: ScopedMemory, bob: ScopedMemory) -> None:
    """No difference by which an assistant could ask what there is."""
    foreign = bob.add("I drink tea")[0].id
    nothing = "123e4567-e89b-12d3-a456-426614174000"
    for memory_id in (foreign, nothing, "no id"):
        with pytest.raises(MemoryNotFound):
            _cook(alice).get(memory_id)
    controls.restrict(alice.subject)
    for memory_id in (foreign, nothing, "no id"):
        for call in (_cook(alice).get, _cook(alice).history, lambda each: _cook(alice).update(each, "x")):
            with pytest.raises(UseRestricted):
                call(memory_id)
    assert _cook(bob).page().total == 0
    assert ScopedMemory(bob.subject).get(foreign).text == "I drink tea"


def test_adding_and_deleting_go_on(superuser: Superuser, alice: ScopedMemory, restricted: str) -> None:
    cook = _cook(alice)
    (item,) = cook.add("I drink mate")  # what it is told back is what it has just said
    with pytest.raises(UseRestricted):
        cook.update(item.id, "I drink tea")
    assert alice.get(item.id).text == "I drink mate"
    assert cook.delete(item.id).memories == 1
    assert ScopedMemory(alice.subject).erase().memories == 1
    assert alice.page().total == 0


def test_one_assistant(alice: ScopedMemory, bob: ScopedMemory) -> None:
    for owner in (alice, bob):
        for agent in ("cook", "planner"):
            ScopedMemory(owner.subject, agent=agent).add("I drink tea")
    controls.restrict(alice.subject, "cook")
    with pytest.raises(UseRestricted):
        _cook(alice).page()
    with pytest.raises(UseRestricted):
        ScopedMemory(alice.subject, agent="cook", run="r1").search("tea")
    with pytest.raises(UseRestricted):  # nobody knows that it is not the cook
        ScopedMemory(alice.subject).page()
    assert ScopedMemory(alice.subject, agent="planner").page().total == 1
    assert ScopedMemory(alice.subject, agent="cook2").page().total == 0
    assert _cook(bob).page().total == 1
    assert alice.page().total == 2
    controls.unrestrict(alice.subject, "cook")
    assert _cook(alice).page().total == 1


def test_all_and_one_are_lifted_apart(alice: ScopedMemory) -> None:
    controls.restrict(alice.subject)
    controls.restrict(alice.subject, "cook")
    controls.restrict(alice.subject)
    assert [(control.agent, control.state) for control in controls.states(alice.subject)] == [
        ("", "restricted"),
        ("cook", "restricted"),
    ]
    controls.unrestrict(alice.subject)
    with pytest.raises(UseRestricted):
        _cook(alice).count()
    assert ScopedMemory(alice.subject, agent="planner").count() == 0
    controls.unrestrict(alice.subject, "cook")
    assert controls.states(alice.subject) == []


@pytest.mark.parametrize("agent", ["*", "a,b", " cook", "c\u200book", "a" * 129])
@pytest.mark.parametrize("switch", [controls.pause, controls.resume, controls.restrict, controls.unrestrict])
def test_a_name_that_no_assistant_can_have(superuser: Superuser, alice: ScopedMemory, switch: Any, agent: str) -> None:
    with pytest.raises(InvalidSubject):
        switch(alice.subject, agent)
    assert not any(stored(superuser).values())


def test_a_restriction_in_the_last_moment(superuser: Superuser, alice: ScopedMemory, restricted: str) -> None:
    """It came while the assistant's search was under way: what was found is not noted, and so not handed out."""
    before = stored(superuser)
    with pytest.raises(UseRestricted):
        uses.note(current_store(), _cook(alice).scope, [restricted])
    assert stored(superuser) == before


@pytest.mark.parametrize(
    "name", ["page", "search", "get", "get_many", "history", "count", "summary", "walk", "messages"]
)
def test_nothing_is_handed_out_while_everything_is_erased(superuser: Superuser, alice: ScopedMemory, name: str) -> None:
    memory_id = fill(superuser, alice)
    with shut(alice, "erasing"):
        before = stored(superuser)
        with pytest.raises(ErasureRunning):
            READS[name](_cook(alice), memory_id)
        assert stored(superuser) == before
        READS[name](alice, memory_id)


def test_the_model_is_not_shown_what_is_restricted(
    superuser: Superuser, alice: ScopedMemory, settings: Any, model_server: ModelServer
) -> None:
    """An extraction sends what is remembered already, and the last messages, to the language model."""
    settings.MEM0_CONFIG = model_server.mem0_config()
    _cook(alice).add("I drink tea", infer=False)
    controls.restrict(alice.subject)
    before = stored(superuser)
    model_server.embedded.clear()
    with pytest.raises(UseRestricted):
        _cook(alice).add("what do I drink?")
    assert (model_server.prompts, model_server.embedded) == ([], [])
    assert stored(superuser) == before
