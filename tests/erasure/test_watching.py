"""Where the store cannot hold foreign writers back, an erasure is watched for ten minutes and a day before its end."""

import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.test import override_settings
from procrastinate.contrib.django.models import ProcrastinateJob

from memoryportal.accounts.models import User
from memoryportal.audit.models import Event
from memoryportal.erasure import engine, services, tasks
from memoryportal.erasure.lease import due
from memoryportal.erasure.models import Erasure
from memoryportal.erasure.states import State
from memoryportal.memory import ErasureRunning, ScopedMemory, SubjectId, controls
from memoryportal.memory.prepare import prepare_store
from memoryportal.memory.stores import close_all, current_store
from tests.platform.helpers import QUICK, be_patient
from tests.platform.server import Platform
from tests.stores.registry import mem0_config

from .house import counts, ends_of

pytestmark = pytest.mark.django_db(transaction=True)
START = "2026-11-20 10:00 +0000"
Foreign = Callable[[str, str], None]
"""Writes a memory of a person past the portal."""


@pytest.fixture(params=["qdrant", "platform"])
def foreign(request: pytest.FixtureRequest, django_db_setup: None, tmp_path: Path, settings: Any) -> Iterator[Foreign]:
    settings.ERASURE_LEDGER = str(tmp_path / "ledger.jsonl")
    yield from _qdrant(tmp_path) if request.param == "qdrant" else _platform()


def _qdrant(folder: Path) -> Iterator[Foreign]:
    with override_settings(**mem0_config("qdrant", path=str(folder / "qdrant"))):
        prepare_store()

        def write(subject: str, text: str) -> None:
            store = current_store()
            payload = {"data": text, "user_id": subject, "hash": "", "created_at": "2026-11-20T10:00:00+00:00"}
            store.insert_rows(store.tables.name(), [(str(uuid.uuid4()), [0.1] * 256, payload)])

        yield write
        close_all()


def _platform() -> Iterator[Foreign]:
    with Platform() as platform, override_settings(MEM0_API_KEY=platform.key, MEM0_HOST=platform.url):
        be_patient(QUICK)
        prepare_store()
        yield lambda subject, text: [platform.state.store(memory=text, user_id=subject)].clear()
        close_all()


@pytest.fixture
def memory(alice: User, foreign: Foreign) -> Iterator[ScopedMemory]:
    found = ScopedMemory.for_person(SubjectId(alice.subject))
    for text in ("I like tea.", "I like milk."):
        foreign(alice.subject, text)
    yield found
    for agent, state in controls.gate_states(current_store(), found.subject):
        controls.reopen(current_store(), found.subject, state, agent)
    found.erase()


def gates(memory: ScopedMemory) -> set[tuple[str, str]]:
    return set(controls.gate_states(current_store(), memory.subject))


def test_it_is_watched_for_ten_minutes_and_a_day(alice: User, memory: ScopedMemory, foreign: Foreign) -> None:
    other = f"bystander-{uuid.uuid4().hex[:8]}"
    foreign(other, "I am somebody else.")
    with time_machine.travel(START, tick=True) as clock:
        erasure = engine.run(services.ask(alice, memory.subject))
        assert (erasure.state, erasure.sweeps, erasure.lease_until) == (State.WATCHING, 1, None)
        assert memory.count() == 0
        assert gates(memory) == {("", "erasing")}
        assert engine.run(erasure).sweeps == 1  # it is not time yet
        clock.shift(timedelta(minutes=9))
        assert not due().exists()
        clock.shift(timedelta(minutes=2))
        foreign(alice.subject, "I was written past the gate.")
        erasure = engine.run(erasure)
        assert (erasure.state, erasure.sweeps) == (State.WATCHING, 2)
        assert memory.count() == 0
        clock.shift(timedelta(hours=23))
        assert not due().exists()
        clock.shift(timedelta(hours=2))
        foreign(alice.subject, "And I, a day later.")
        erasure = engine.run(erasure)
    assert erasure.state == State.COMPLETED
    assert counts(erasure)["memories"] == (4, 4, 0)
    assert memory.count() == 0
    assert gates(memory) == {("", "paused")}
    assert ends_of(erasure) == ["erasure.done"]
    watched = Event.objects.filter(action="erasure.watched").order_by("seq")
    assert [event.details["count"] for event in watched] == [1, 2]
    assert erasure.receipt["receipt"]["readings"] == 6
    assert ScopedMemory.for_person(SubjectId(other)).count() == 1


def test_nothing_can_be_added_through_the_portal_meanwhile(alice: User, memory: ScopedMemory) -> None:
    erasure = engine.run(services.ask(alice, memory.subject))
    assert erasure.state == State.WATCHING
    with pytest.raises(ErasureRunning):
        ScopedMemory(memory.subject).add("I like cake.", infer=False)


def test_the_sweep_rings_when_it_is_time(alice: User, memory: ScopedMemory) -> None:
    with time_machine.travel(START, tick=True) as clock:
        erasure = engine.run(services.ask(alice, memory.subject))
        ProcrastinateJob.objects.all().delete()
        tasks.sweep(0)
        assert not _rung(erasure)
        clock.shift(timedelta(minutes=11))
        tasks.sweep(0)
        assert _rung(erasure)


def _rung(erasure: Erasure) -> bool:
    return ProcrastinateJob.objects.filter(task_name__endswith="advance", args__erasure_id=str(erasure.pk)).exists()


def test_a_store_that_is_away_at_a_sweep_delays_it_and_the_next_one_counts(
    alice: User, memory: ScopedMemory, settings: Any, tmp_path: Path
) -> None:
    with time_machine.travel(START, tick=True) as clock:
        erasure = engine.run(services.ask(alice, memory.subject))
        clock.shift(timedelta(minutes=11))
        right = settings.MEMORY_DATABASE_URL
        settings.MEMORY_DATABASE_URL = "postgresql://nobody@127.0.0.1:9/none"
        close_all()
        erasure = engine.run(erasure)
        assert (erasure.state, erasure.sweeps) == (State.RETRYING, 1)
        settings.MEMORY_DATABASE_URL = right
        close_all()
        clock.shift(timedelta(minutes=5))
        erasure = engine.run(erasure)
        assert (erasure.state, erasure.sweeps) == (State.WATCHING, 2)
        clock.shift(timedelta(days=2))
        assert engine.run(erasure).state == State.COMPLETED


def test_it_is_not_watched_for_ever(alice: User, memory: ScopedMemory) -> None:
    """Three runs, however often the bell is rung."""
    with time_machine.travel(START, tick=True) as clock:
        erasure, runs = services.ask(alice, memory.subject), 0
        while not erasure.is_terminal:
            erasure, runs = engine.run(erasure), runs + 1
            clock.shift(timedelta(days=2))
            assert runs < 10
    assert (runs, erasure.sweeps) == (3, 2)
