"""The person's switches bind assistants, whatever their token says, from the next request on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from memoryportal.memory import ScopedMemory, SubjectId, controls
from memoryportal.memory.stores import current_store

from .calling import Assistant, code

pytestmark = pytest.mark.django_db
WRITES: list[Callable[[Assistant, str], Any]] = [
    lambda a, _: a.call("post", "/memories", {"text": "I eat meat now.", "infer": False}),
    lambda a, i: a.call("patch", f"/memories/{i}", {"text": "I eat meat now."}),
]
READS: list[Callable[[Assistant, str], Any]] = [
    lambda a, _: a.call("get", "/memories"),
    lambda a, _: a.call("post", "/memories/search", {"query": "food"}),
    lambda a, i: a.call("get", f"/memories/{i}"),
    lambda a, _: a.call("get", "/summary"),
]


@contextmanager
def shut(assistant: Assistant, state: Any, agent: str = "") -> Iterator[None]:
    subject = SubjectId(assistant.subject)
    controls.shut(current_store(), subject, state, agent)
    try:
        yield
    finally:
        controls.reopen(current_store(), subject, state, agent)


@pytest.mark.parametrize("agent", ["", "kitchen_helper"])
def test_paused(alice: Assistant, agent: str) -> None:
    memory_id = alice.add("I am vegetarian.")
    with shut(alice, "paused", agent):
        for write in WRITES:
            assert code(write(alice, memory_id)) == "writes-paused"
        for read in READS:
            assert read(alice, memory_id).status_code == 200
        assert alice.texts() == ["I am vegetarian."]
        assert alice.call("delete", f"/memories/{memory_id}").status_code == 200, "every deletion passes"
    assert WRITES[0](alice, memory_id).status_code == 201


def test_another_assistant_is_paused(alice: Assistant) -> None:
    with shut(alice, "paused", "travel_planner"):
        assert alice.add("I am vegetarian.")


@pytest.mark.parametrize("agent", ["", "kitchen_helper"])
def test_restricted(alice: Assistant, agent: str) -> None:
    memory_id = alice.add("I am vegetarian.")
    with shut(alice, "restricted", agent):
        for read in READS:
            answer = read(alice, memory_id)
            assert code(answer) == "use-restricted", "never an empty list"
            assert "vegetarian" not in answer.content.decode()
    assert alice.texts() == ["I am vegetarian."]


def test_erasing(alice: Assistant) -> None:
    memory_id = alice.add("I am vegetarian.")
    with shut(alice, "erasing"):
        for act in (*WRITES, *READS):
            answer = act(alice, memory_id)
            assert code(answer) == "erasure-running"
            assert answer.status_code == 409
    assert alice.texts() == ["I am vegetarian."]


def test_what_the_person_never_wants_learned_again(alice: Assistant) -> None:
    memory_id = alice.add("I am vegetarian.")
    person = ScopedMemory.for_person(SubjectId(alice.subject))
    person.delete_many([memory_id], never_again=True)
    told = [{"role": "user", "content": text} for text in ("I am vegetarian.", "I live in Porto.")]
    first, answer = (
        alice.call("post", "/memories", {"messages": told, "infer": False}, Idempotency_Key="one").json() for _ in "12"
    )
    assert ([memory["text"] for memory in first["memories"]], first["stopped"]) == (["I live in Porto."], 1)
    assert (answer["memories"], answer["stopped"]) == ([{"id": first["memories"][0]["id"]}], 1), "and again the same"
    assert alice.texts() == ["I live in Porto."]
    answer = alice.call("patch", f"/memories/{answer['memories'][0]['id']}", {"text": "I am vegetarian."})
    assert code(answer) == "wording-stopped"
    assert alice.texts() == ["I live in Porto."]


def test_one_person_s_switch_is_not_another_s(alice: Assistant, bob: Assistant) -> None:
    with shut(alice, "paused"), shut(alice, "restricted"):
        assert bob.add("A window seat.")
        assert bob.texts() == ["A window seat."]
