"""Every parameter of every public method is handed what mem0 would take for a condition, an owner or an order."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from memoryportal.memory import (
    AgentKnowledge,
    Filters,
    InvalidSubject,
    MemoryRoomError,
    Scope,
    ScopedMemory,
    StoreUnavailable,
    SubjectId,
)
from memoryportal.memory.scope import KnowledgeScope
from tests.hostile import smuggled

from .conftest import Person
from .test_contract import said
from .test_contract_changes import snapshot

CANARY = "zimtstern"
# What a text may hold is the caller's own affair: these are searched for, stored or remembered as they are.
FLAGS = ("infer", "never_again")
FREE_TEXT = {("search", "words"), ("update", "text"), ("add", "messages")}
NO_PARAMETERS = {"held", "past", "subject", "abilities", "stopped", "allow_again", "known_ids", "for_person"}


def methods(kind: type) -> list[str]:
    """The public methods that take something, each named once."""
    public = {
        name: value for name, value in vars(kind).items() if not name.startswith("_") and inspect.isfunction(value)
    }
    return sorted(name for name, value in public.items() if len(inspect.signature(value).parameters) > 1)


def arguments(name: str, memory_id: str) -> dict[str, Any]:
    """An honest value for every parameter that a public method has, by its name."""
    return {
        "memory_id": memory_id,
        "memory_ids": [memory_id],
        "seq": 0,
        "text": "I like tea.",
        "words": "tea",
        "filters": Filters(),
        "after": None,
        "limit": 5,
        "batch": 5,
        "order": "newest",
        "by": "meaning",
        "messages": "I like tea.",
        "infer": False,
        "never_again": False,
        "keep": (),
        "behind": None,
        "metadata": None,
        "expires": None,
        "expected": 10**6 if name == "delete_matching" else None,
    }


def attempts(kind: type, name: str, memory_id: str, other: str) -> list[tuple[str, str, dict[str, Any]]]:
    """(parameter, what is smuggled, all arguments) of each call."""
    parameters = [each for each in inspect.signature(getattr(kind, name)).parameters if each != "self"]
    honest = {each: arguments(name, memory_id)[each] for each in parameters}
    return [(each, label, {**honest, each: value}) for each in parameters for label, value in smuggled(other).items()]


def called(act: Callable[..., Any], given: dict[str, Any]) -> str:
    """The answer as a text, or "" for a refusal by name. What a store stumbles over has reached it: that is none."""
    try:
        answer = act(**given)
        return repr(list(answer)) if inspect.isgenerator(answer) else repr(answer)
    except StoreUnavailable:
        raise
    except MemoryRoomError as refusal:
        return CANARY if CANARY in str(refusal) else ""


def accepts(name: str, parameter: str, value: Any) -> bool:
    """Whether the value is what the parameter is for."""
    if (name, parameter) in FREE_TEXT:
        return isinstance(value, str)
    kinds: dict[str, Any] = {"limit": int, "batch": int, "memory_ids": tuple, "metadata": dict}
    kinds |= dict.fromkeys(FLAGS, bool)
    if parameter == "metadata":
        return value == {}
    return isinstance(value, kinds.get(parameter, ())) and (parameter in FLAGS or not isinstance(value, bool))


@pytest.mark.parametrize("name", methods(ScopedMemory))
def test_no_parameter_leads_to_somebody_else(person: Person, name: str) -> None:
    alice, bob = person("alice"), person("bob")
    said(bob, f"My secret is {CANARY}.")
    before = snapshot(bob)
    for parameter, label, given in attempts(ScopedMemory, name, said(alice, "I like tea.")[0].id, str(bob.subject)):
        answer = called(getattr(alice, name), given)
        assert CANARY not in answer, (parameter, label)
        assert not answer or accepts(name, parameter, given[parameter]), (parameter, label, answer)
    assert snapshot(bob) == before


@pytest.mark.parametrize("name", methods(AgentKnowledge))
def test_no_parameter_leads_from_knowledge_to_people(person: Person, name: str) -> None:
    bob = person("bob", agent="support_bot")
    said(bob, f"My secret is {CANARY}.")
    before, knowledge = snapshot(bob), AgentKnowledge(f"support_bot-{bob.subject}")
    for parameter, label, given in attempts(AgentKnowledge, name, knowledge.add("Rule.")[0].id, str(bob.subject)):
        answer = called(getattr(knowledge, name), given)
        assert CANARY not in answer, (parameter, label)
        assert not answer or accepts(name, parameter, given[parameter]), (parameter, label, answer)
    assert snapshot(bob) == before
    for item in knowledge.page(limit=500).items:
        knowledge.delete(item.id)


def test_every_public_method_is_tried() -> None:
    for kind in (ScopedMemory, AgentKnowledge):
        public = {name for name in vars(kind) if not name.startswith("_")}
        assert public - set(methods(kind)) <= NO_PARAMETERS


@pytest.mark.parametrize("label", [label for label in smuggled("bob") if label != "as a tag"])
def test_nothing_of_it_is_an_owner_an_assistant_or_a_conversation(label: str) -> None:
    """But for the text of a tag: an id like every other, and kept apart (hostile.APART)."""
    value = smuggled("bob")[label]
    makers: list[Callable[[Any], object]] = [
        SubjectId,
        Scope,
        ScopedMemory,
        ScopedMemory.for_person,
        KnowledgeScope,
        AgentKnowledge,
        lambda given: Scope(SubjectId("a"), given),
        lambda given: Scope(SubjectId("a"), None, given),
        lambda given: ScopedMemory(SubjectId("a"), agent=given),
        lambda given: ScopedMemory(SubjectId("a"), run=given),
        lambda given: AgentKnowledge("a", run=given),
        lambda given: Filters(agent=given),
        lambda given: Filters(run=given),
    ]
    for make in makers:
        with pytest.raises(InvalidSubject):
            make(value)
    for name in ("since", "until"):
        with pytest.raises(MemoryRoomError):
            Filters(**{name: value})
