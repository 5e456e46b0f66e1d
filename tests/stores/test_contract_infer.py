"""What every store does alike with facts from a language model. The Platform thinks for itself: tests/platform."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings

from memoryportal.memory import (
    ErasureRunning,
    MemoryChanged,
    MemoryNotFound,
    MemoryRoomError,
    ScopedMemory,
    WritesPaused,
    controls,
)
from memoryportal.memory.history import SubjectHistory
from memoryportal.memory.stores.base import Store
from tests.memory.model_server import ModelServer, running
from tests.memory.planted import shut_beside

from .conftest import parameter
from .registry import ENTRIES, Entry
from .test_contract import found
from .test_contract_changes import snapshot

TURN = [{"role": "user", "content": "My sister Miriam and I live in Hamburg."}]


@pytest.fixture(scope="module", params=[parameter(entry) for entry in ENTRIES if entry.side])
def entry(request: pytest.FixtureRequest) -> Entry:
    return request.param


@pytest.fixture
def noting(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[str], None]], None]:
    """Let mem0 find names (capitalised words) without spaCy, and do something right before it notes them."""

    def install(before: Callable[[str], None] = lambda text: None) -> None:
        def names(text: str) -> list[tuple[str, str]]:
            before(text)
            return [
                ("PROPER", word.strip(".")) for word in text.split() if word[0].isupper() and word not in ("I", "My")
            ]

        monkeypatch.setattr("mem0.memory.main.extract_entities", names)
        monkeypatch.setattr("mem0.memory.main.extract_entities_batch", lambda texts: [names(text) for text in texts])

    install()
    return install


@pytest.fixture
def model(store: Store, noting: object) -> Iterator[ModelServer]:
    """The store in force, with a language model that says what it is told to say."""
    with running() as server:
        config = json.loads(settings.MEM0_CONFIG or server.mem0_config(llm=False))
        thinking = {**config, "embedder": {"provider": "wordllama"}, "llm": json.loads(server.mem0_config())["llm"]}
        with override_settings(MEM0_CONFIG=json.dumps(thinking)):
            server.facts = [{"text": text} for text in ("Miriam is my sister.", "I live in Hamburg.")]
            yield server


def test_facts_are_kept_with_their_names_and_the_turn(
    alice: ScopedMemory, bob: ScopedMemory, model: ModelServer
) -> None:
    before = snapshot(bob)
    items = alice.add(TURN)
    assert [item.text for item in items] == ["Miriam is my sister.", "I live in Hamburg."]
    assert alice.held() == {"memories": 2, "entities": 2, "history": 2, "messages": 1, "uses": 0, "never": 0}
    assert [(entity.text, entity.memory_ids) for entity in alice.entities()] == [
        ("Hamburg", [items[1].id]),
        ("Miriam", [items[0].id]),
    ]
    assert found(alice, "my sister") == {"Miriam is my sister."}
    assert alice.delete(items[0].id).counts == {"memories": 1, "entities": 1, "history": 1, "messages": 1, "uses": 0}
    assert alice.held() == {"memories": 1, "entities": 1, "history": 1, "messages": 0, "uses": 0, "never": 0}
    assert snapshot(bob) == before


def test_a_fact_that_is_known_already_is_not_noted_twice(alice: ScopedMemory, model: ModelServer) -> None:
    alice.add(TURN)
    assert alice.add(TURN) == []
    assert alice.held() == {"memories": 2, "entities": 2, "history": 2, "messages": 2, "uses": 0, "never": 0}


def test_names_of_two_memories_are_one_name(alice: ScopedMemory, model: ModelServer) -> None:
    first = alice.add(TURN)[0]
    model.facts = [{"text": "Miriam plays chess."}]
    second = alice.add(TURN)[0]
    links = {entity.text: set(entity.memory_ids) for entity in alice.entities()}
    assert links["Miriam"] == {first.id, second.id}
    alice.update(second.id, "Tomas plays chess.")
    links = {entity.text: set(entity.memory_ids) for entity in alice.entities()}
    assert (links["Miriam"], links["Tomas"]) == ({first.id}, {second.id})


def test_what_is_deleted_before_its_names_are_noted_leaves_nothing(
    alice: ScopedMemory, bob: ScopedMemory, model: ModelServer, noting: Callable[[Callable[[str], None]], None]
) -> None:
    before = snapshot(bob)

    def delete(text: str) -> None:
        for item in alice.page().items:
            alice.delete(item.id)

    noting(delete)
    with contextlib.suppress(MemoryNotFound):
        assert alice.add(TURN) == []
    assert (alice.count(), alice.entities(), alice.past(), alice.held()["history"]) == (0, [], [], 0)
    assert snapshot(bob) == before


@pytest.mark.parametrize("act", ["delete", "correct", "erase and let in again"])
def test_what_is_taken_away_while_the_model_thinks_is_not_learned_from_its_answer(
    alice: ScopedMemory, bob: ScopedMemory, model: ModelServer, act: str
) -> None:
    """The model has read the memory, and says it again in words of its own."""
    person = ScopedMemory.for_person(alice.subject)
    told, kept = alice.add("I eat no meat.", infer=False)[0], alice.add("I like tea.", infer=False)[0]
    bob.add("I eat no meat.", infer=False)
    model.facts = [{"text": "Vegetarian dishes are what this person asks for."}]
    acts: dict[str, Callable[[], object]] = {
        "delete": lambda: person.delete(told.id),
        "correct": lambda: person.update(told.id, "I eat everything."),
        "erase and let in again": person.erase,
    }
    model.before_answer = acts[act]
    before = snapshot(bob)
    with pytest.raises(MemoryChanged):
        alice.add(TURN)
    assert "I eat no meat." in model.prompts[-1]
    left = {"delete": {"I like tea."}, "correct": {"I eat everything.", "I like tea."}, "erase and let in again": set()}
    assert {item.text for item in alice.page().items} == left[act]
    assert (alice.entities(), alice.past(), alice.messages()) == ([], [], [])
    assert snapshot(bob) == before
    model.before_answer = None
    assert [item.text for item in alice.add(TURN)] == ["Vegetarian dishes are what this person asks for."]
    assert ("I eat no meat." in model.prompts[-1]) is False
    assert kept.id in {item.id for item in alice.page().items} or act.startswith("erase")


def test_conversation_that_is_emptied_while_the_model_thinks(alice: ScopedMemory, model: ModelServer) -> None:
    """The memory was not among those that the model was shown; what was said about it was."""
    first = alice.add(TURN)
    assert len(first) == 2
    for number in range(12):
        alice.add(f"Chess club number {number} meets in Altona.", infer=False)
    model.facts = [{"text": "A sibling of hers lives by the Elbe."}]
    question = [{"role": "user", "content": "Chess club number 3 meets in Altona."}]
    model.before_answer = lambda: ScopedMemory.for_person(alice.subject).delete(first[0].id)
    with pytest.raises(MemoryChanged):
        alice.add(question)
    assert TURN[0]["content"] in model.prompts[-1]
    assert "A sibling of hers lives by the Elbe." not in {item.text for item in alice.page(limit=100).items}
    assert (alice.count(), alice.messages()) == (13, [])


def test_messages_that_newer_ones_push_out_are_not_taken_for_deleted(alice: ScopedMemory, model: ModelServer) -> None:
    for number in range(6):
        model.facts = [{"text": f"Fact {number}."}]
        turns = [{"role": role, "content": f"{role} {number}"} for role in ("user", "assistant")]
        assert [item.text for item in alice.add(turns)] == [f"Fact {number}."]
    assert len(alice.messages()) == 10


def test_what_was_said_before_an_erasure_is_not_stored_after_it(
    alice: ScopedMemory, bob: ScopedMemory, model: ModelServer, store: Store
) -> None:
    """Everything is erased, read again and let in again before the model has answered: the eraser has to wait."""
    before, ended = snapshot(bob), threading.Event()

    def erase() -> None:
        alice.erase(behind="")
        controls.reopen(store, alice.subject, "erasing")
        ended.set()

    model.before_answer = lambda: shut_beside(alice, "erasing", then=erase)
    with pytest.raises(ErasureRunning):
        alice.add(TURN)
    assert ended.wait(20)
    assert set(alice.held().values()) == {0}
    assert snapshot(bob) == before
    model.before_answer = None
    assert len(alice.add(TURN)) == 2


def test_a_pause_that_comes_between_the_memory_and_its_message_leaves_neither(
    alice: ScopedMemory, model: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or somebody would be told that nothing was written, although it was."""
    keep = SubjectHistory.save_messages

    def late(self: SubjectHistory, *args: Any) -> None:
        controls.pause(alice.subject)
        keep(self, *args)

    monkeypatch.setattr(SubjectHistory, "save_messages", late)
    with pytest.raises(WritesPaused):
        alice.add(TURN)
    assert set(alice.held().values()) == {0}


def test_what_is_deleted_before_its_message_is_kept_takes_the_message_along(
    alice: ScopedMemory, bob: ScopedMemory, model: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, keep = snapshot(bob), SubjectHistory.save_messages

    def late(self: SubjectHistory, *args: Any) -> None:
        for item in alice.page().items:
            alice.delete(item.id)
        keep(self, *args)

    monkeypatch.setattr(SubjectHistory, "save_messages", late)
    assert alice.add(TURN) == []
    assert set(alice.held().values()) == {0}
    assert snapshot(bob) == before


@pytest.mark.parametrize(("state", "refusal"), [("paused", WritesPaused), ("erasing", ErasureRunning)])
def test_gate_that_is_shut_while_the_model_thinks(
    alice: ScopedMemory, model: ModelServer, store: Store, state: controls.State, refusal: type[MemoryRoomError]
) -> None:
    model.before_answer = lambda: shut_beside(alice, state)
    with pytest.raises(refusal):
        alice.add(TURN)
    assert set(alice.held().values()) == {0}
