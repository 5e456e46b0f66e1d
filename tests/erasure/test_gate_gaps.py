"""A gate that was switched off is no gate: an erasure is watched then, and nothing is called ready."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from memoryportal.accounts.models import User
from memoryportal.audit.models import Event
from memoryportal.erasure import engine, services
from memoryportal.erasure.models import Erasure
from memoryportal.erasure.states import State
from memoryportal.memory import ScopedMemory, SubjectId, readiness
from memoryportal.memory.gate_gaps import gate_gaps
from memoryportal.memory.prepare import prepare_store

pytestmark = pytest.mark.django_db(transaction=True)
START = "2026-11-20 10:00 +0000"
TABLES = ("memories", "memories_entities", "memories_history", "memories_messages")
Superuser = psycopg.Connection[Any]


@pytest.fixture
def subject(alice: User, superuser: Superuser) -> Iterator[SubjectId]:
    """Of somebody with a memory. Whatever was done to the gate is repaired in the end."""
    ScopedMemory(SubjectId(alice.subject)).add("I like the window seat.", infer=False)
    yield SubjectId(alice.subject)
    prepare_store()


def switch(superuser: Superuser, how: str, table: str = "memories") -> None:
    superuser.execute(f"ALTER TABLE {table} {how} TRIGGER memoryportal_gate")


def narrow(superuser: Superuser, what: str) -> None:
    """Make it anew, otherwise: as somebody might who writes it from memory."""
    superuser.execute("DROP TRIGGER memoryportal_gate ON memories")
    superuser.execute(f"CREATE TRIGGER memoryportal_gate {what} EXECUTE FUNCTION memories_gate_check('payload', 'yes')")


def test_no_gap_where_nothing_was_touched(subject: SubjectId) -> None:
    assert gate_gaps(subject) == []


@pytest.mark.parametrize("table", TABLES)
def test_each_table_is_looked_at(table: str, subject: SubjectId, superuser: Superuser) -> None:
    switch(superuser, "DISABLE", table)
    assert gate_gaps(subject) == [table]
    switch(superuser, "ENABLE REPLICA", table)
    assert gate_gaps(subject) == [table]
    switch(superuser, "ENABLE ALWAYS", table)
    assert gate_gaps(subject) == []
    superuser.execute(f"DROP TRIGGER memoryportal_gate ON {table}")
    assert gate_gaps(subject) == [table]
    prepare_store()
    assert gate_gaps(subject) == []


@pytest.mark.parametrize(
    "what",
    [
        "BEFORE INSERT ON memories FOR EACH ROW",
        "AFTER INSERT OR UPDATE ON memories FOR EACH ROW",
        "BEFORE INSERT OR UPDATE OF vector ON memories FOR EACH ROW",
        "BEFORE INSERT OR UPDATE ON memories FOR EACH ROW WHEN (NEW.payload ? 'agent_id')",
    ],
)
def test_half_a_gate_is_none(what: str, subject: SubjectId, superuser: Superuser) -> None:
    narrow(superuser, what)
    assert gate_gaps(subject) == ["memories"]


def test_an_erasure_without_a_gate_is_watched_and_says_so_in_the_end(
    alice: User, subject: SubjectId, superuser: Superuser
) -> None:
    switch(superuser, "DISABLE")
    with time_machine.travel(START, tick=True) as clock:
        erasure = engine.run(services.ask(alice, subject))
        assert erasure.state == State.WATCHING
        assert erasure.receipt is None
        assert Event.objects.filter(action="erasure.watched").count() == 1
        clock.shift(timedelta(minutes=11))
        assert engine.run(erasure).state == State.WATCHING
        clock.shift(timedelta(days=1, minutes=1))
        ended = engine.run(erasure)
    assert ended.state == State.COMPLETED_WITH_EXCEPTIONS
    assert ended.steps.get(place="memories").problem == engine.NO_GATE
    assert ended.steps.get(place="memories").left == 0


def test_what_was_written_past_the_gate_goes_and_with_the_gate_it_ends(
    alice: User, subject: SubjectId, superuser: Superuser
) -> None:
    switch(superuser, "DISABLE", "memories_messages")
    switch(superuser, "DISABLE")
    with time_machine.travel(START, tick=True) as clock:
        erasure = engine.run(services.ask(alice, subject))
        superuser.execute(
            "INSERT INTO memories (id, vector, payload) SELECT gen_random_uuid(), array_fill(0.1, ARRAY[256])::vector, "
            "jsonb_build_object('data', 'I like the aisle.', 'user_id', %s::text, "
            "'created_at', '2026-11-20T10:00:00+00:00')",
            (subject,),
        )
        prepare_store()
        clock.shift(timedelta(minutes=11))
        ended = engine.run(erasure)
    assert ended.state == State.COMPLETED
    assert ended.sweeps == 1
    assert ScopedMemory.for_person(subject).count() == 0


def test_one_that_began_with_a_gap_does_not_end_as_if_there_was_none(
    alice: User, subject: SubjectId, superuser: Superuser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Repaired while it was at work: what came in before that is looked for again."""
    switch(superuser, "DISABLE")
    began = engine.Questions.taken_from

    def repair(reach: Any) -> Any:
        switch(superuser, "ENABLE")
        return began(reach)

    monkeypatch.setattr(engine.Questions, "taken_from", staticmethod(repair))
    assert engine.run(services.ask(alice, subject)).state == State.WATCHING
    assert Erasure.objects.get().next_at > timezone.now() + timedelta(minutes=9)


def test_a_portal_without_its_gate_is_not_ready(
    subject: SubjectId, superuser: Superuser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "HOLDS", 0)
    assert Client().get("/readyz").status_code == 200
    switch(superuser, "DISABLE", "memories_history")
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.content.decode()) == (503, "not ready: store\n")
    switch(superuser, "ENABLE", "memories_history")
    assert Client().get("/readyz").status_code == 200
