"""Each layer alone: the portal's own conditions without the wall, and the second look without either of them."""

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from memoryportal.memory import CountMoved, MemoryNotFound, ScopedMemory, ScopeViolation, SubjectId, bulk, pool
from memoryportal.memory.configuration import configuration
from memoryportal.memory.rows import FOREIGN_ROWS
from memoryportal.memory.stores import conditions, side

from .calls import CALLS, CANARY, READS, fill
from .planted import EMBEDDER, TABLES, Superuser, payload, plant, plant_entity, plant_history, stored


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("one", "other"), [("alice", "bob"), ("a%", "ab"), ("a_", "ab"), ("ann", "Ann"), ("u1", "u11")]
)
def test_the_portal_keeps_people_apart_without_the_wall(
    superuser: Superuser, wall_down: None, name: str, one: str, other: str
) -> None:
    alice, bob = (ScopedMemory.for_person(SubjectId(subject)) for subject in (one, other))
    nowhere = str(uuid.uuid4())
    without_him = _answer(superuser, one, lambda: CALLS[name](alice, nowhere))
    foreign = fill(superuser, bob)
    before = stored(superuser, other)
    with_him = _answer(superuser, one, lambda: CALLS[name](alice, foreign))
    assert with_him.replace(foreign, nowhere) == without_him  # not even a count tells that he exists
    assert "I drink tea" not in with_him
    assert stored(superuser, other) == before


def _answer(superuser: Superuser, subject: str, call: Callable[[], Any]) -> str:
    """What a call says, ids and times of what it added left out; what it wrote for `subject` is gone again."""
    try:
        said = repr(call())
    except (MemoryNotFound, CountMoved) as error:
        said = repr(error)
    for table in TABLES:
        owner = "payload->>'user_id'" if table in ("memories", "memories_entities") else "subject"
        superuser.execute(f"DELETE FROM {table} WHERE {owner} = %s", (subject,))  # type: ignore[arg-type]
    return re.sub(r"(id|version)='[^']*'|datetime\.datetime\([^)]*\)", "", said)


def test_with_the_wall_down_somebody_else_would_be_found(
    superuser: Superuser, bob: ScopedMemory, wall_down: None
) -> None:
    """The test above has something to find: the same login sees everything then."""
    fill(superuser, bob)
    with pool.transaction(configuration().dsn, "somebody else") as cursor:
        assert cursor.execute("SELECT count(*) FROM memories").fetchone() == (1,)


SEARCHING = ("page", "search", "search by word", "get_many", "entities", "walk", "bulk.items", "bulk.entities")


@pytest.mark.parametrize("name", SEARCHING)
def test_a_row_that_slips_through_is_dropped_and_reported(
    superuser: Superuser,
    alice: ScopedMemory,
    bob: ScopedMemory,
    wall_down: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    """A mistake in a condition, on a store without a wall: the row arrives, and goes no further."""
    vector = EMBEDDER.embed("tea")
    ids = plant(superuser, [payload(owner.subject, f"tea {CANARY}") for owner in (alice, bob)], [vector] * 2)
    for owner, memory_id in zip((alice, bob), ids, strict=True):
        plant_entity(superuser, owner.subject, f"name of {owner.subject}", [memory_id])
    before = FOREIGN_ROWS.count
    monkeypatch.setattr(conditions, "of_scope", lambda scope: conditions.Conditions().add("true"))
    try:
        answer: Any = READS[name](alice, ids[1])
    except MemoryNotFound:
        answer = None
    assert FOREIGN_ROWS.count > before
    assert str(bob.subject) not in repr(answer)
    assert ids[1] not in repr(answer)
    assert any(record.levelname == "CRITICAL" for record in caplog.records)
    assert CANARY not in caplog.text


@pytest.mark.parametrize("name", ["history", "past", "bulk.history", "bulk.histories", "messages", "bulk.messages"])
def test_a_side_row_that_says_another_subject_is_dropped(
    superuser: Superuser, alice: ScopedMemory, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The same for history and messages: the row's own subject is read again, whatever was asked for."""
    memory_id = fill(superuser, alice)
    plant_history(superuser, alice.subject, "123e4567-e89b-12d3-a456-426614174000", None, "outlived its memory")
    assert CALLS[name](alice, memory_id)
    for module in (side, bulk):
        for columns in ("VERSION_COLUMNS", "MESSAGE_COLUMNS"):
            wrong = getattr(module, columns).removesuffix("subject") + "'somebody else'"
            monkeypatch.setattr(module, columns, wrong)
    before = FOREIGN_ROWS.count
    assert not CALLS[name](alice, memory_id)
    assert FOREIGN_ROWS.count > before


@pytest.mark.parametrize("name", ["bulk.history", "bulk.messages"])
def test_rows_that_name_no_assistant_are_not_read_for_one(superuser: Superuser, alice: ScopedMemory, name: str) -> None:
    fill(superuser, alice)
    with pytest.raises(ScopeViolation):
        CALLS[name](ScopedMemory(alice.subject, agent="cook"), "")
