"""A pause binds whoever writes: the portal's own assistants before a model is asked, and plain mem0 in the table."""

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from mem0.vector_stores.pgvector import PGVector

from memoryportal.memory import ScopedMemory, SubjectId, UseRestricted, WritesPaused, controls, pool
from memoryportal.memory.configuration import configuration
from memoryportal.memory.inspection import inspect
from memoryportal.memory.prepare import prepare_store
from memoryportal.memory.rename import rename_subject

from .conftest import superuser_dsn
from .databases import OLD_TIME, Database, plain_mem0
from .model_server import ModelServer
from .planted import SOMEWHERE, Superuser, as_text, payload, plant, plant_entity, plant_message, stored


def _cook(of: ScopedMemory) -> ScopedMemory:
    """The assistant's side."""
    return ScopedMemory(of.subject, agent="cook")


@pytest.fixture
def mem0() -> Iterator[PGVector]:
    """A host's own mem0 on the same table, which knows nothing of the portal and sees every row."""
    store = PGVector("", "memories", 256, "", "", "", "", False, False, connection_string=superuser_dsn())
    store._collection_ensured = True
    yield store
    store.connection_pool.close()


def _add(mem0: PGVector, memory: ScopedMemory, **more: Any) -> str:
    memory_id = str(uuid.uuid4())
    mem0.insert([SOMEWHERE], [payload(memory.subject, "written past the portal", **more)], [memory_id])
    return memory_id


def _change(mem0: PGVector, memory_id: str) -> None:
    row = mem0.get(memory_id)
    mem0.update(memory_id, SOMEWHERE, {**row.payload, "data": "changed past the portal"})


def test_plain_mem0_can_neither_add_nor_change(
    superuser: Superuser, mem0: PGVector, alice: ScopedMemory, bob: ScopedMemory
) -> None:
    hers, his = (_add(mem0, owner, agent_id="cook") for owner in (alice, bob))
    controls.pause(alice.subject)
    before = stored(superuser)
    for write in (lambda: _add(mem0, alice), lambda: _add(mem0, alice, agent_id="cook"), lambda: _change(mem0, hers)):
        with pytest.raises(psycopg.Error) as refusal:
            write()
        assert refusal.value.sqlstate == "MP001"
    assert stored(superuser) == before
    _add(mem0, bob)
    _change(mem0, his)
    assert bob.get(his).text == "changed past the portal"
    mem0.delete(hers)  # deletions always pass
    assert alice.page().total == 0
    controls.resume(alice.subject)
    _change(mem0, _add(mem0, alice))
    assert alice.page().total == 1


def test_plain_mem0_and_the_pause_of_one_assistant(mem0: PGVector, alice: ScopedMemory) -> None:
    ids = {agent: _add(mem0, alice, **({"agent_id": agent} if agent else {})) for agent in ("cook", "planner", None)}
    controls.pause(alice.subject, "cook")
    with pytest.raises(psycopg.Error):
        _change(mem0, ids["cook"])
    for agent, into in (("cook", "planner"), ("planner", "cook")):  # neither out of its hands, nor into them
        with pytest.raises(psycopg.Error) as refusal:
            mem0.update(ids[agent], None, {**mem0.get(ids[agent]).payload, "agent_id": into})
        assert refusal.value.sqlstate == "MP001"
    for agent in ("planner", None):
        _change(mem0, ids[agent])
        assert alice.get(ids[agent]).text == "changed past the portal"
    assert alice.get(ids["cook"]).text == "written past the portal"


def test_no_statement_gets_past_a_pause(superuser: Superuser, alice: ScopedMemory) -> None:
    item = alice.add("I drink tea")[0]
    plant_entity(superuser, alice.subject, "Miriam", [item.id])
    plant_message(superuser, alice.subject, "said")
    controls.pause(alice.subject)
    before = stored(superuser)
    another = str(uuid.uuid4())
    for statement, values in (
        ("UPDATE memories SET payload = jsonb_set(payload, '{data}', '\"changed\"')", ()),
        ("UPDATE memories SET payload = payload || '{\"topic\": 1}'", ()),
        ("UPDATE memories SET vector = %s::vector", (as_text([0.5] * 256),)),
        ("UPDATE memories_messages SET content = 'changed'", ()),
        ("UPDATE memories_entities SET payload = jsonb_set(payload, '{data}', '\"changed\"')", ()),
        ("UPDATE memories_entities SET payload = payload || %s", (json.dumps({"linked_memory_ids": [another]}),)),
        (
            "UPDATE memories_entities SET payload = payload || %s",
            (json.dumps({"linked_memory_ids": [item.id, another]}),),
        ),
        ("UPDATE memories_entities SET payload = payload - 'linked_memory_ids'", ()),
        ("UPDATE memories_entities SET vector = %s::vector", (as_text([0.5] * 256),)),
        (
            "INSERT INTO memories SELECT * FROM memories ON CONFLICT (id) DO UPDATE SET payload = memories.payload",
            (),
        ),
    ):
        with pytest.raises(psycopg.Error) as refusal:
            superuser.execute(statement, values)  # type: ignore[arg-type]
        assert refusal.value.sqlstate == "MP001", statement
    assert stored(superuser) == before


def test_the_assistant_is_told_before_a_model_is_asked(
    superuser: Superuser, alice: ScopedMemory, settings: Any, model_server: ModelServer
) -> None:
    settings.MEM0_CONFIG = model_server.mem0_config()
    item = _cook(alice).add("I drink tea", infer=False)[0]
    controls.pause(alice.subject)
    before = stored(superuser)
    model_server.embedded.clear()
    changes: tuple[Callable[[], Any], ...] = (
        lambda: _cook(alice).add("I drink mate"),
        lambda: _cook(alice).add("I drink mate", infer=False),
        lambda: _cook(alice).update(item.id, "I drink mate"),
        lambda: ScopedMemory(alice.subject).update(item.id, "I drink mate"),
        lambda: alice.add("I drink mate"),  # what is new is new, whoever says it
    )
    for change in changes:
        with pytest.raises(WritesPaused):
            change()
    assert (model_server.prompts, model_server.embedded) == ([], [])
    assert stored(superuser) == before


def test_the_person_corrects_and_everybody_deletes(superuser: Superuser, alice: ScopedMemory) -> None:
    one, two, three = (_cook(alice).add(text)[0].id for text in ("one", "two", "three"))
    plant_entity(superuser, alice.subject, "Miriam", [one, two, three], agent_id="cook")
    controls.pause(alice.subject)
    assert alice.update(one, "corrected").text == "corrected"
    assert [version.new for version in alice.history(one)] == ["one", "corrected"]
    assert _cook(alice).delete(two).counts == {"memories": 1, "entities": 0, "history": 1, "messages": 0, "uses": 0}
    assert [entity.memory_ids for entity in alice.entities()] == [[three]]
    assert _cook(alice).erase().memories == 2
    assert alice.entities() == []


def test_the_persons_word_is_over_with_the_correction(superuser: Superuser, alice: ScopedMemory) -> None:
    """The same pooled connection serves an assistant next."""
    item = alice.add("I drink tea")[0]
    controls.pause(alice.subject)
    pool.close_all()
    for number in range(3):
        assert alice.update(item.id, f"corrected {number}").text == f"corrected {number}"
        with pytest.raises(WritesPaused), pool.transaction(configuration().dsn, str(alice.subject)) as cursor:
            cursor.execute("UPDATE memories SET payload = jsonb_set(payload, '{data}', '\"changed\"')")
    assert alice.get(item.id).text == "corrected 2"


def test_an_assistant_without_a_name_changes_no_memory_of_a_paused_one(alice: ScopedMemory) -> None:
    item = _cook(alice).add("I drink tea")[0]
    other = ScopedMemory(alice.subject, agent="planner").add("I plan trips")[0]
    controls.pause(alice.subject, "cook")
    with pytest.raises(WritesPaused):
        ScopedMemory(alice.subject).update(item.id, "changed")
    assert ScopedMemory(alice.subject).update(other.id, "changed").text == "changed"
    assert alice.get(item.id).text == "I drink tea"


def test_since_when(alice: ScopedMemory, bob: ScopedMemory) -> None:
    controls.pause(alice.subject)
    controls.pause(alice.subject, "cook")
    controls.restrict(alice.subject, "cook")
    first = controls.states(alice.subject)
    assert [(control.agent, control.state) for control in first] == [
        ("", "paused"),
        ("cook", "paused"),
        ("cook", "restricted"),
    ]
    for control in first:
        assert abs(datetime.now(UTC) - control.since) < timedelta(minutes=1)
    controls.pause(alice.subject)
    assert controls.states(alice.subject) == first, "asked again, it is paused since the first time"
    assert controls.states(bob.subject) == []
    controls.resume(bob.subject)
    controls.resume(alice.subject)
    assert controls.states(alice.subject) == first[1:]


def test_pausing_waits_a_moment_for_a_writer(
    superuser: Superuser, alice: ScopedMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controls, "PAUSE_SECONDS", 0.2)
    with psycopg.connect(superuser_dsn()) as writer:
        plant(writer, [payload(alice.subject, "early")])
        controls.pause(alice.subject)  # it does not wait for ever, and the pause stands
        with pytest.raises(WritesPaused):
            _cook(alice).add("late")
        writer.rollback()
    assert alice.page().total == 0


def test_a_paused_person_is_moved_to_another_id(superuser: Superuser, alice: ScopedMemory) -> None:
    item = alice.add("I drink tea")[0]
    controls.pause(alice.subject)
    moved = ScopedMemory.for_person(SubjectId(f"{alice.subject}-new"))
    rename_subject(str(alice.subject), moved.subject)
    assert moved.get(item.id).text == "I drink tea"
    with pytest.raises(WritesPaused):
        _cook(moved).add("I drink mate")


def test_preparing_a_store_is_nobodys_change(database: Database) -> None:
    """A plain mem0 of old has gone on writing its own kind of time into its own table."""
    plain_mem0(database, rows=40)
    prepare_store()
    person = ScopedMemory.for_person(SubjectId("person7"))
    database.superuser.execute("UPDATE memories SET payload = payload || %s", (json.dumps({"created_at": OLD_TIME}),))
    controls.pause(person.subject)
    assert "turned created_at of 40 memories into UTC" in prepare_store()
    with pytest.raises(psycopg.Error) as refusal:
        database.superuser.execute(
            "UPDATE memories SET payload = payload || '{}' WHERE payload->>'user_id' = 'person7'"
        )
    assert refusal.value.sqlstate == "MP001"


def test_a_table_from_before_there_was_a_restriction(database: Database) -> None:
    prepare_store()
    database.superuser.execute("ALTER TABLE memories_gate DROP CONSTRAINT memories_gate_state_check")
    database.superuser.execute("ALTER TABLE memories_gate ADD CHECK (state IN ('paused', 'erasing'))")
    assert "the table memories_gate cannot hold restrictions" in {finding.sentence for finding in inspect()}
    assert prepare_store() == ["let the table memories_gate hold restrictions"]
    assert prepare_store() == []
    controls.restrict(SubjectId("alice"))
    with pytest.raises(UseRestricted):
        ScopedMemory(SubjectId("alice")).page()
