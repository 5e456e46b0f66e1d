"""The bell may be lost and a worker may die with a job in its hands: the sweep finds what nobody works on."""

import os
import signal
import subprocess
import sys
import time
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from memoryportal.base.databases import embedded_dsn
from memoryportal.base.names import APP, OWNER, SCOPED
from memoryportal.base.queue import ring
from memoryportal.erasure import decisions, engine, tasks
from memoryportal.erasure.lease import LASTS, claim
from memoryportal.erasure.models import Erasure
from memoryportal.erasure.states import DUE, State

from .house import House, assert_ended_well
from .making import an_erasure

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def empty_queue(transactional_db: None) -> None:
    """Its tables are unmanaged: Django's flush leaves them."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_events")
        cursor.execute("DELETE FROM procrastinate_jobs")


def rung() -> set[str]:
    jobs = ProcrastinateJob.objects.filter(task_name__endswith="advance", status="todo")
    return {job.args["erasure_id"] for job in jobs}


def swept() -> set[str]:
    tasks.sweep(0)
    return rung()


def test_a_bell_that_was_lost_is_rung_again(house: House) -> None:
    erasure = house.ask()
    assert rung() == {str(erasure.pk)}
    ProcrastinateJob.objects.all().delete()
    assert swept() == {str(erasure.pk)}
    assert swept() == {str(erasure.pk)}
    assert ProcrastinateJob.objects.filter(status="todo").count() == 1  # one bell for one request


def test_it_rings_for_what_nobody_works_on_and_for_nothing_else() -> None:
    now = timezone.now()
    later, earlier = now + timedelta(hours=1), now - timedelta(hours=1)
    expected = set()
    for number, state in enumerate(State):
        for name, fields, is_free in (
            ("free", {}, True),
            ("its time has come", {"next_at": earlier, "grace_until": earlier}, True),
            ("not yet", {"next_at": later, "grace_until": later}, False),
            ("somebody is at it", {"lease_until": now + LASTS}, False),
            ("its worker died", {"lease_until": earlier}, True),
        ):
            erasure = an_erasure(f"u-{number}-{name.replace(' ', '-')}", state=str(state))
            if not erasure.is_terminal:
                Erasure.objects.filter(pk=erasure.pk).update(**{"next_at": None, "grace_until": earlier, **fields})
            if is_free and state in {*DUE, State.WAITING}:
                expected.add(str(erasure.pk))
    ProcrastinateJob.objects.all().delete()
    assert swept() == expected
    assert len(expected) == 15


def test_a_job_in_the_hands_of_a_dead_worker_keeps_nobody_out(house: House) -> None:
    """The queue still says `doing`; our own row says that the lease is over."""
    erasure = house.ask()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'doing'")
    assert claim(erasure.pk)
    assert swept() == set()
    Erasure.objects.filter(pk=erasure.pk).update(lease_until=Now() - timedelta(seconds=1))
    assert swept() == {str(erasure.pk)}
    call_command("worker", "--until-empty", "--concurrency", "1")
    assert_ended_well(house, erasure)


def test_a_bell_for_nothing_does_nothing(house: House) -> None:
    ring(tasks.advance, erasure_id=str(uuid.uuid4()))
    erasure = engine.run(house.ask())
    before = Erasure.objects.values().get(pk=erasure.pk)
    for _ in range(3):
        ring(tasks.advance, erasure_id=str(erasure.pk))
    call_command("worker", "--until-empty", "--concurrency", "2")
    assert Erasure.objects.values().get(pk=erasure.pk) == before
    assert not ProcrastinateJob.objects.filter(status="failed").exists()


def test_the_sweep_itself_is_queued_once() -> None:
    ring(tasks.sweep, once="erasure.sweep", timestamp=0)
    assert not ring(tasks.sweep, once="erasure.sweep", timestamp=0)


# --- the worker's own command ----------------------------------------------------------------------------------------


def environment() -> dict[str, str]:
    """As production: three logins, and this test's database."""
    name, folder = str(connection.settings_dict["NAME"]), Path(settings.DATA_DIR)
    logins = {"DATABASE_URL": APP, "DATABASE_OWNER_URL": OWNER, "MEMORY_DATABASE_URL": SCOPED}
    return {
        **os.environ,
        **{variable: embedded_dsn(folder, role, name) for variable, role in logins.items()},
        "DJANGO_SETTINGS_MODULE": "memoryportal.settings",
        "MEMORYPORTAL_TESTING": "1",
        "ERASURE_LEDGER": str(settings.ERASURE_LEDGER),
        "AUDIT_HEADS": f"{settings.ERASURE_LEDGER}.heads",  # the trail of this test alone
        "KEY_DIR": str(settings.KEY_DIR),
        "EMAIL_URL": "dummymail://",
    }


def wait_for(what: Any, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_the_worker_carries_out_what_was_asked(house: House, tmp_path: Path) -> None:
    """The command itself, in a process of its own; SIGTERM ends it."""
    command = [sys.executable, "manage.py", "worker", "--concurrency", "2"]
    erasure = house.ask()
    with (tmp_path / "worker.log").open("w") as log:
        worker = subprocess.Popen(command, env=environment(), stdout=log, stderr=log)
        try:
            wait_for(lambda: Erasure.objects.get(pk=erasure.pk).is_terminal)
        finally:
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(60) == 0
    assert_ended_well(house, erasure)
    assert "tea" not in (tmp_path / "worker.log").read_text()
    assert decisions.actions_for(Erasure.objects.get(pk=erasure.pk), house.bob) == []
