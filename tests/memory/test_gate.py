"""The gate: a pause and an erasure hold against everybody who writes, unmodified mem0 in other processes included."""

import json
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from memoryportal.memory import ErasureRunning, MemoryRoomError, ScopedMemory, StoreUnavailable, WritesPaused, controls
from memoryportal.memory.stores import current_store

from .conftest import superuser_dsn
from .planted import Superuser, payload, plant, plant_entity, plant_history, plant_message, shut, stored


def _writes(superuser: Superuser, subject: str, memory_id: str, entity_id: str, agent: str | None) -> dict[str, Any]:
    """Each kind of write that reaches the tables, by whoever it is."""
    more = {"agent_id": agent} if agent else {}
    return {
        "insert memories": lambda: plant(superuser, [payload(subject, "new", **more)]),
        "insert memories_entities": lambda: plant_entity(superuser, subject, "new", [], **more),
        "insert memories_messages": lambda: plant_message(superuser, subject, "new", agent),
        "insert memories_history": lambda: plant_history(superuser, subject, memory_id, None, "new"),
        "update memories": lambda: _touch(superuser, "memories", "id", memory_id),
        "update memories_entities": lambda: _touch(superuser, "memories_entities", "id", entity_id),
        "update memories_messages": lambda: _touch(superuser, "memories_messages", "subject", subject),
        "update memories_history": lambda: _touch(superuser, "memories_history", "subject", subject),
    }


def _touch(superuser: Superuser, table: str, column: str, value: str) -> None:
    superuser.execute(f"UPDATE {table} SET {column} = {column} WHERE {column} = %s", (value,))


def _refused(writes: dict[str, Callable[[], Any]]) -> dict[str, str]:
    """The writes that were refused, and with what."""
    refused = {}
    for name, write in writes.items():
        try:
            write()
        except psycopg.Error as error:
            refused[name] = str(error.sqlstate)
    return refused


def _fill(superuser: Superuser, owner: ScopedMemory, agent: str | None = None) -> tuple[str, str]:
    (memory_id,) = plant(superuser, [payload(owner.subject, "I drink tea", **({"agent_id": agent} if agent else {}))])
    plant_message(superuser, owner.subject, "said", agent)
    plant_history(superuser, owner.subject, memory_id, None, "I drink tea")
    return memory_id, plant_entity(superuser, owner.subject, "Miriam", [memory_id])


REFUSED = {f"insert {table}" for table in ("memories", "memories_entities", "memories_messages")}
REFUSED |= {f"update {table}" for table in ("memories", "memories_messages")}


@pytest.mark.parametrize("agent", [None, "cook"])
def test_what_a_pause_refuses(superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory, agent: str | None) -> None:
    ids = {owner: _fill(superuser, owner, agent) for owner in (alice, bob)}
    with shut(alice, "paused"):
        refused = _refused(_writes(superuser, alice.subject, *ids[alice], agent))
        assert refused == dict.fromkeys(REFUSED, "MP001")
        assert _refused(_writes(superuser, bob.subject, *ids[bob], agent)) == {}
    assert _refused(_writes(superuser, alice.subject, *ids[alice], agent)) == {}


@pytest.mark.parametrize("agent", [None, "cook"])
def test_what_an_erasure_refuses(
    superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory, agent: str | None
) -> None:
    ids = {owner: _fill(superuser, owner, agent) for owner in (alice, bob)}
    before = stored(superuser, alice.subject)
    with shut(alice, "erasing"):
        writes = _writes(superuser, alice.subject, *ids[alice], agent)
        assert _refused(writes) == dict.fromkeys(writes, "MP002")
        assert _refused(_writes(superuser, bob.subject, *ids[bob], agent)) == {}
    assert stored(superuser, alice.subject) == before
    assert _refused(_writes(superuser, alice.subject, *ids[alice], agent)) == {}


def test_links_can_be_taken_away_during_an_erasure_and_nothing_else(superuser: Superuser, alice: ScopedMemory) -> None:
    """An erasure of one assistant takes its memories out of names that stay; nothing can be put in."""
    ids = plant(superuser, [payload(alice.subject, text) for text in ("one", "two", "three")])
    name = plant_entity(superuser, alice.subject, "Miriam", ids[:2])
    change = "UPDATE memories_entities SET payload = payload || %s WHERE id = %s"
    with shut(alice, "erasing"):
        for refused in ({"linked_memory_ids": ids}, {"linked_memory_ids": ids[1:]}, {"data": "x"}, {}):
            with pytest.raises(psycopg.Error) as refusal:
                superuser.execute(change, (json.dumps(refused), name))
            assert refusal.value.sqlstate == "MP002"
        superuser.execute(change, (json.dumps({"linked_memory_ids": ids[:1]}), name))
    assert [entity.memory_ids for entity in alice.entities()] == [ids[:1]]


def test_a_pause_of_one_assistant_lets_the_others_write(superuser: Superuser, alice: ScopedMemory) -> None:
    cook, planner = (ScopedMemory(alice.subject, agent=agent) for agent in ("cook", "planner"))
    with shut(alice, "paused", "cook"):
        with pytest.raises(WritesPaused):
            cook.add("I drink tea")
        with pytest.raises(psycopg.Error) as refusal:
            plant(superuser, [payload(alice.subject, "I drink tea", agent_id="cook", run_id="r1")])
        assert refusal.value.sqlstate == "MP001"
        for free in (
            planner,
            alice,
            ScopedMemory(alice.subject, agent="cook2"),
            ScopedMemory(alice.subject, agent="coo"),
        ):
            assert free.add("I drink coffee")[0].text == "I drink coffee"
        with pytest.raises(psycopg.Error):
            plant_message(superuser, alice.subject, "x", "cook")
    assert cook.add("I drink tea")[0].agent == "cook"


def test_the_person_corrects_purges_and_deletes_during_a_pause(superuser: Superuser, alice: ScopedMemory) -> None:
    item = alice.add("secret wording")[0]
    with shut(alice, "paused"):
        assert alice.update(item.id, "I drink coffee").text == "I drink coffee"
        assert [version.event for version in alice.history(item.id)] == ["ADD", "UPDATE"]
        alice.purge_version(item.id, alice.history(item.id)[0].seq)
        with pytest.raises(WritesPaused):
            alice.add("I drink mate")
        assert alice.delete(item.id).counts == {"memories": 1, "entities": 0, "history": 2, "messages": 0, "uses": 0}
        assert alice.erase().memories == 0


def test_the_person_can_only_read_during_an_erasure(superuser: Superuser, alice: ScopedMemory) -> None:
    item = alice.add("I drink tea")[0]
    seq = alice.update(item.id, "I drink coffee") and alice.history(item.id)[0].seq
    with shut(alice, "erasing"):
        before = stored(superuser)
        for change in (
            lambda: alice.add("I drink mate"),
            lambda: alice.update(item.id, "I drink mate"),
            lambda: alice.purge_version(item.id, seq),
        ):
            with pytest.raises(ErasureRunning):
                change()
        assert stored(superuser) == before
        assert alice.page().total == 1
        assert alice.erase().memories == 1


def test_an_erasure_that_ends_leaves_the_pause_standing(alice: ScopedMemory) -> None:
    store = current_store()
    for state in ("paused", "erasing", "erasing"):
        controls.shut(store, alice.subject, state)  # type: ignore[arg-type]
    assert controls.gate_states(store, alice.subject) == {("", "paused"), ("", "erasing")}
    with pytest.raises(ErasureRunning):
        alice.add("x")
    controls.reopen(store, alice.subject, "erasing")
    with pytest.raises(WritesPaused):
        alice.add("x")
    controls.reopen(store, alice.subject, "paused")
    controls.reopen(store, alice.subject, "paused")
    assert alice.add("x")


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
@pytest.mark.parametrize("table", ["memories", "memories_entities", "memories_messages", "memories_history"])
def test_an_old_view_of_the_gate_is_refused(superuser: Superuser, alice: ScopedMemory, level: str, table: str) -> None:
    """A transaction that began before the gate was shut would go on seeing it open."""
    memory_id, _ = _fill(superuser, alice)
    before = stored(superuser)
    columns = {
        "memories": ("id, payload", (uuid.uuid4(), json.dumps(payload(alice.subject, "late")))),
        "memories_entities": ("id, payload", (uuid.uuid4(), json.dumps(payload(alice.subject, "late")))),
        "memories_messages": ("subject, content", (alice.subject, "late")),
        "memories_history": ("subject, memory_id, event", (alice.subject, memory_id, "ADD")),
    }
    names, values = columns[table]
    with psycopg.connect(superuser_dsn()) as writer:
        writer.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
        with pytest.raises(psycopg.Error) as refusal:
            writer.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join(['%s'] * len(values))})", values)
    assert refusal.value.sqlstate == "MP004"
    assert stored(superuser) == before


def test_shutting_waits_for_a_writer_that_was_before(superuser: Superuser, alice: ScopedMemory) -> None:
    with psycopg.connect(superuser_dsn()) as writer:
        plant(writer, [payload(alice.subject, "early")])
        until = time.monotonic() + 0.3
        threading.Timer(0.3, writer.commit).start()
        controls.shut(current_store(), alice.subject, "erasing")
        assert time.monotonic() >= until
        assert alice.erase().memories == 1
        controls.reopen(current_store(), alice.subject, "erasing")


def test_a_writer_that_never_ends_delays_the_erasure_and_the_gate_staysshut(
    superuser: Superuser, alice: ScopedMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controls, "DRAIN_SECONDS", 0.3)
    with psycopg.connect(superuser_dsn()) as writer:
        plant(writer, [payload(alice.subject, "early")])
        with pytest.raises(StoreUnavailable):
            controls.shut(current_store(), alice.subject, "erasing")
        with pytest.raises(ErasureRunning):
            alice.add("late")
        writer.rollback()
    controls.shut(current_store(), alice.subject, "erasing")  # asked again
    assert controls.drain(current_store(), alice.subject) < 0.3


def test_many_subjects_use_few_locks(superuser: Superuser) -> None:
    """One lock for each subject runs out of shared memory at some ten thousand rows in one transaction."""
    with psycopg.connect(superuser_dsn()) as writer:
        plant(writer, [payload(f"subject{n}", "x") for n in range(3000)])
        row = writer.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        ).fetchone()
        writer.rollback()
    assert row is not None
    assert 100 < row[0] <= 1024


def test_a_refusal_says_what_is_the_matter(alice: ScopedMemory) -> None:
    for state, said in (("paused", "paused"), ("erasing", "being erased")):
        with shut(alice, state), pytest.raises(MemoryRoomError, match=said):  # type: ignore[arg-type]
            alice.add("secret wording")


def test_the_gates_function_runs_as_its_owner_with_a_fixed_path(superuser: Superuser) -> None:
    row = superuser.execute(
        "SELECT prosecdef, proconfig::text, r.rolname FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner "
        "WHERE proname = 'memories_gate_check'"
    ).fetchone()
    assert row is not None
    assert row[0] is True
    assert "pg_catalog, public, pg_temp" in row[1].replace('"', "")
    assert row[2] == "memoryportal_owner"
