"""Two workers with the same row: one works. One that lost its lease writes nothing more, wherever it stood still."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import DatabaseError, connection
from django.db.models.functions import Now

from memoryportal.audit.models import Event
from memoryportal.erasure import engine, lease, ledger
from memoryportal.erasure.lease import Lease, LeaseLost, claim, due
from memoryportal.erasure.models import Erasure
from memoryportal.erasure.reach import Reach
from memoryportal.erasure.states import State
from memoryportal.memory import ScopedMemory, controls

from .children import carry_out, run_in_child, start, wrap
from .house import House, again, assert_ended_well, ends_of

pytestmark = pytest.mark.django_db(transaction=True)
ROOM = "memoryportal.erasure"


def lapse(erasure: Erasure) -> None:
    """Its worker has not been heard of for long enough."""
    Erasure.objects.filter(pk=erasure.pk).update(lease_until=Now() - timedelta(seconds=1))


# --- two at once ----------------------------------------------------------------------------------------------------


def test_of_many_threads_one_works(house: House) -> None:
    erasure, barrier = house.ask(), threading.Barrier(6)

    def work() -> None:
        barrier.wait()
        try:
            engine.run(erasure)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as executor:
        for future in [executor.submit(work) for _ in range(6)]:
            future.result()
    assert_ended_well(house, erasure)
    erasure.refresh_from_db()
    assert (erasure.attempts, erasure.lease_token) == (1, 2)  # taken up once, and ended
    assert Event.objects.filter(object=erasure.reference, action="erasure.begun").count() == 1


def test_of_many_processes_one_works(house: House) -> None:
    erasure = house.ask()
    children = [start(carry_out, erasure.pk) for _ in range(4)]
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0] * 4
    assert_ended_well(house, erasure)
    erasure.refresh_from_db()
    assert (erasure.attempts, erasure.lease_token) == (1, 2)


def test_a_request_that_somebody_works_on_is_not_due(house: House) -> None:
    erasure = house.ask()
    assert claim(erasure.pk)
    assert claim(erasure.pk) is None
    assert not due().exists()
    assert engine.is_running(erasure.pk)
    before = Erasure.objects.values().get(pk=erasure.pk)
    engine.run(erasure)
    assert Erasure.objects.values().get(pk=erasure.pk) == before
    lapse(erasure)
    assert not engine.is_running(erasure.pk)
    assert due().get().pk == erasure.pk


# --- a worker that lost it ------------------------------------------------------------------------------------------


@pytest.fixture
def lost(house: House) -> tuple[Lease, Reach]:
    """A worker's lease, which somebody else has taken over and ended the request with."""
    erasure = house.ask()
    old = claim(erasure.pk)
    assert old is not None
    reach = Reach(old)
    again(erasure)
    assert_ended_well(house, erasure)
    controls.reopen(engine.current_store(), house.subject, "paused")
    house.memory.add("I am new here.", infer=False)
    return old, reach


ACTS: dict[str, Callable[[Lease, Reach], Any]] = {
    "renew": lambda lease, reach: lease.renew(),
    "shut": lambda lease, reach: reach.shut("erasing"),
    "journal": lambda lease, reach: reach.write_journal(),
    "found": lambda lease, reach: engine.note_found(lease, reach.count()),
    "erase": lambda lease, reach: reach.erase(),
    "verify": lambda lease, reach: engine.verify(lease, reach, engine.Questions([])),
    "watch": lambda lease, reach: engine._erase_and_read(lease, reach, engine.Questions([])),
    "finish": lambda lease, reach: engine.finishing.finish(lease, reach, True),
}


@pytest.mark.parametrize("act", ACTS)
def test_an_old_worker_writes_nothing_more(house: House, lost: tuple[Lease, Reach], act: str) -> None:
    before = (_whole(house), house.rows(house.alice), house.gates(), list(ledger.read()))
    with pytest.raises(LeaseLost):
        ACTS[act](*lost)
    assert (_whole(house), house.rows(house.alice), house.gates(), list(ledger.read())) == before
    assert house.gates() == set()


def _whole(house: House) -> Any:
    erasure = Erasure.objects.get()
    return Erasure.objects.values().get(), list(erasure.steps.values()), Event.objects.count()


def test_an_old_worker_does_not_put_off_what_another_works_on(house: House) -> None:
    erasure = house.ask()
    old = claim(erasure.pk)
    assert old is not None
    lapse(erasure)
    assert claim(erasure.pk)
    before = Erasure.objects.values().get(pk=erasure.pk)
    engine._postpone(old, OSError("no disk"))
    assert Erasure.objects.values().get(pk=erasure.pk) == before


def test_one_that_was_given_to_people_is_nobodys_any_more(house: House) -> None:
    erasure = house.ask()
    old = claim(erasure.pk)
    assert old is not None
    Erasure.objects.filter(pk=erasure.pk).update(attempts=lease.MAX_ATTEMPTS)
    lapse(erasure)
    assert engine.run(erasure).state == State.NEEDS_ATTENTION
    with pytest.raises(LeaseLost):
        old.renew()


# --- a worker that stands still, and wakes up when all is over ------------------------------------------------------


def carry_out_with_a_nap(pk: Any, name: str, call: int) -> None:
    """Stop before the call, as a machine that is suspended."""
    calls = 0

    def around(function: Any) -> Any:
        def called(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == call:
                os.kill(os.getpid(), signal.SIGSTOP)
            return function(*args, **kwargs)

        return called

    wrap(name, around)
    carry_out(pk)


@contextmanager
def asleep(erasure: Erasure, name: str, call: int) -> Iterator[None]:
    child = start(carry_out_with_a_nap, erasure.pk, name, call)
    try:
        _wait_until_stopped(child.pid)
        yield
    finally:
        os.kill(child.pid, signal.SIGCONT)
        child.join(60)
        assert child.exitcode is not None


def _wait_until_stopped(pid: int) -> None:
    end = time.monotonic() + 60
    while True:
        with open(f"/proc/{pid}/stat") as file:
            if file.read().rsplit(")", 1)[1].split()[0] == "T":
                return
        assert time.monotonic() < end
        time.sleep(0.01)


NAPS = (
    (f"{ROOM}.engine:Reach", 1),
    (f"{ROOM}.reach:controls.shut", 1),
    (f"{ROOM}.engine:Questions.taken_from", 1),
    (f"{ROOM}.reach:Reach.write_journal", 1),
    (f"{ROOM}.reach:ScopedMemory.erase", 1),
    (f"{ROOM}.reach:Reach._erase_memories", 1),
    (f"{ROOM}.engine:verify", 1),
    (f"{ROOM}.engine:finishing.finish", 1),
    (f"{ROOM}.finishing:_end", 1),
)


@pytest.mark.parametrize(("name", "call"), NAPS, ids=[name.split(":")[1] for name, _ in NAPS])
def test_a_worker_that_wakes_up_after_the_end_harms_nobody(house: House, name: str, call: int) -> None:
    """Its sessions on the server were ended meanwhile, as the server does by itself after ten minutes."""
    erasure = house.ask()
    with asleep(erasure, name, call):
        _end_idle_transactions(house)
        again(erasure)
        assert_ended_well(house, erasure)
        controls.reopen(engine.current_store(), house.subject, "paused")
        house.memory.add("I am new here.", infer=False)
        before = (_whole(house), house.rows(house.alice), list(ledger.read()))
    assert (_whole(house), house.rows(house.alice), list(ledger.read())) == before
    assert ends_of(erasure) == ["erasure.done"]
    assert house.memory.count() == 1


def _end_idle_transactions(house: House) -> None:
    """The child's only: nobody else is in the middle of a transaction now."""
    house.superuser.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND state = 'idle in transaction'"
    )
    time.sleep(0.1)


def test_the_server_ends_the_transaction_of_a_worker_that_stands_still(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "FROZEN", "50ms")
    held = claim(house.ask().pk)
    assert held is not None
    with pytest.raises(DatabaseError):
        _stand_still_in(held)
    connection.close()


def _stand_still_in(held: Lease) -> None:
    with held.step():
        time.sleep(0.4)
        held.renew()


# --- steps that take long -------------------------------------------------------------------------------------------


def test_a_lease_is_kept_while_one_step_takes_long(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "LASTS", timedelta(seconds=0.6))
    held = claim(house.ask().pk)
    assert held is not None
    with held.kept():
        for _ in range(6):
            time.sleep(0.3)
            assert not due().exists()
    time.sleep(0.7)
    assert due().exists()


def test_nobody_is_kept_for_ever(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "LASTS", timedelta(seconds=0.3))
    monkeypatch.setattr(lease, "KEPT_FOR", timedelta(seconds=0.5))
    held = claim(house.ask().pk)
    assert held is not None
    with held.kept():
        time.sleep(1.2)
        assert due().exists()


def test_a_lease_that_was_taken_is_not_taken_back(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "LASTS", timedelta(seconds=0.3))
    erasure = house.ask()
    old = claim(erasure.pk)
    assert old is not None
    lapse(erasure)
    with old.kept():
        taken = claim(erasure.pk)
        assert taken is not None
        time.sleep(0.3)
        taken.renew()
    assert Erasure.objects.get(pk=erasure.pk).lease_token == taken.token


# --- clocks that jump -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [-400, -1, 1, 400])
def test_a_clock_that_jumps_takes_no_lease_away(house: House, days: int) -> None:
    erasure = house.ask()
    held = claim(erasure.pk)
    assert held is not None
    with time_machine.travel(timedelta(days=days)):
        assert claim(erasure.pk) is None
        held.renew()
        assert engine.is_running(erasure.pk)


@pytest.mark.parametrize("days", [-400, -1, 1, 400])
def test_a_run_on_a_clock_that_is_wrong_ends_well(house: House, days: int) -> None:
    with time_machine.travel(timedelta(days=days), tick=True):
        erasure = house.ask()
        assert_ended_well(house, engine.run(erasure))


def test_a_delay_that_a_wrong_clock_wrote_does_not_last(house: House, settings: Any, tmp_path: Any) -> None:
    there, settings.ERASURE_LEDGER = settings.ERASURE_LEDGER, str(tmp_path)
    with time_machine.travel(timedelta(days=30), tick=True):
        erasure = engine.run(house.ask())
    settings.ERASURE_LEDGER = there
    assert erasure.state == State.RETRYING
    assert_ended_well(house, engine.run(erasure))


def test_a_lease_far_ahead_does_not_count(house: House) -> None:
    """The database's own clock was ahead, and was set right."""
    erasure = house.ask()
    assert run_in_child(claim, erasure.pk) == 0
    Erasure.objects.filter(pk=erasure.pk).update(lease_until=Now() + timedelta(days=3))
    assert_ended_well(house, engine.run(erasure))


def test_a_clock_that_jumps_back_and_forth(house: House, settings: Any, tmp_path: Any) -> None:
    there, settings.ERASURE_LEDGER = settings.ERASURE_LEDGER, str(tmp_path)
    erasure = house.ask()
    for hours in (0, 48, -48, 5, -5, 500):
        with time_machine.travel(timedelta(hours=hours), tick=True):
            erasure = engine.run(erasure)
        assert erasure.state == State.RETRYING
        assert ends_of(erasure) == []
    settings.ERASURE_LEDGER = there
    assert_ended_well(house, again(erasure))
    assert ScopedMemory.for_person(house.subject).count() == 0
