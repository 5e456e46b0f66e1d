"""manage.py verify_isolation: proves, refuses, fails aloud, and leaves nobody behind, even when it is killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from memoryportal.base.databases import PROJECT_DIR
from memoryportal.memory import StoreUnavailable
from memoryportal.memory.configuration import configuration
from memoryportal.memory.prepare import prepare_store
from memoryportal.memory.verification.subjects import PREFIX, ThrowAway

from ..base.houses import environment
from .databases import Database, plain_mem0
from .planted import Superuser, stored


@pytest.fixture(autouse=True)
def data_dir(settings: Any, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


def proven(*options: str) -> str:
    said = StringIO()
    call_command("verify_isolation", *options, stdout=said)
    return said.getvalue()


def test_the_story_is_proven_and_nobody_is_left(superuser: Superuser, data_dir: Path) -> None:
    said = proven()
    lines = [line for line in said.splitlines() if line.startswith(("  ok", "  FAIL"))]
    assert len(lines) > 35
    assert not any("FAIL" in line for line in lines)
    assert "Isolation is proven on this store. Both throw-away people are erased." in said
    assert "vegetarian" not in said
    assert not any(stored(superuser).values())
    assert not (data_dir / "verify_isolation.json").exists()


def test_a_store_that_the_portal_did_not_create_is_asked_for(database: Database) -> None:
    plain_mem0(database, rows=40)
    prepare_store()
    before = stored(database.superuser)
    with pytest.raises(CommandError, match="say --on-live-store"):
        proven()
    assert stored(database.superuser) == before
    assert "Isolation is proven" in proven("--on-live-store")
    assert stored(database.superuser) == before


def test_a_store_that_nobody_has_prepared_is_called_that(database: Database) -> None:
    with pytest.raises(CommandError, match="the store has no tables yet"):
        proven()


@contextmanager
def rows_that_come_back(superuser: Superuser) -> Iterator[None]:
    """What is deleted is there again: no store is like that, and the proof has to say so."""
    superuser.execute(
        "CREATE FUNCTION come_back() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN "
        "INSERT INTO memories VALUES (gen_random_uuid(), OLD.vector, OLD.payload); RETURN NULL; END $$"
    )
    superuser.execute("CREATE TRIGGER come_back AFTER DELETE ON memories FOR EACH ROW EXECUTE FUNCTION come_back()")
    try:
        yield
    finally:
        superuser.execute("DROP FUNCTION come_back() CASCADE")


def test_a_store_that_does_not_delete_fails_the_proof(superuser: Superuser, data_dir: Path) -> None:
    said = StringIO()
    with rows_that_come_back(superuser), pytest.raises(CommandError, match="checks failed: isolation is NOT proven"):
        call_command("verify_isolation", stdout=said)
    assert "FAIL  deleting one memory leaves the other" in said.getvalue()


def test_breakage_shows_what_happens_without_the_wrapper(superuser: Superuser) -> None:
    said = proven("--breakage")
    assert "Bob's assistant asks with no user id: 4 memories, 2 of them Alice's" in said
    assert "Bob's assistant asks with user_id='u_bob': 2 memories, 0 of them Alice's" in said
    assert not any(stored(superuser).values())
    assert superuser.execute("SELECT 1 FROM pg_class WHERE relname LIKE 'verify_breakage%'").fetchone() is None


def test_a_second_run_waits_for_the_first(data_dir: Path) -> None:
    with ThrowAway(data_dir / "verify_isolation.json").alone(), pytest.raises(CommandError, match="under way"):
        proven()


# --- as an operator runs it -------------------------------------------------------------------------------------------


def started(data_dir: Path) -> "subprocess.Popen[str]":
    dsn, owner = configuration().dsn, configuration().owner_dsn
    addresses = {"DATABASE_URL": dsn, "MEMORY_DATABASE_URL": dsn, "MEMORY_OWNER_URL": owner}
    return subprocess.Popen(
        [sys.executable, "manage.py", "verify_isolation"],
        cwd=PROJECT_DIR,
        env=environment(data_dir, **addresses),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def people(superuser: Superuser) -> int:
    statement = "SELECT count(DISTINCT payload->>'user_id') FROM memories WHERE payload->>'user_id' LIKE %s"
    return int(superuser.execute(statement, (f"{PREFIX}%",)).fetchone()[0])  # type: ignore[index]


def test_a_run_that_is_killed_is_cleaned_up_by_the_next(superuser: Superuser, data_dir: Path) -> None:
    run = started(data_dir)
    end = time.monotonic() + 60
    while people(superuser) < 2:
        assert time.monotonic() < end
        assert run.poll() is None
        time.sleep(0.005)
    with superuser.transaction():  # it cannot go on from here
        superuser.execute("LOCK TABLE memories IN ACCESS EXCLUSIVE MODE")
        os.kill(run.pid, signal.SIGKILL)
        run.wait(20)
    assert people(superuser) == 2
    said = proven()
    assert "(erased 2 throw-away people of a run that did not end)" in said
    assert "Isolation is proven" in said
    assert not any(stored(superuser).values())


def test_exit_codes(superuser: Superuser, data_dir: Path) -> None:
    run = started(data_dir)
    said, _ = run.communicate(timeout=90)
    assert run.returncode == 0, said
    with rows_that_come_back(superuser):
        run = started(data_dir)
        said, _ = run.communicate(timeout=90)
    assert run.returncode == 1, said
    assert "Traceback" not in said


def test_a_store_that_is_away_is_named(settings: Any) -> None:
    settings.MEMORY_DATABASE_URL = "postgresql://nobody@/nowhere?host=/nonexistent"
    with pytest.raises((CommandError, StoreUnavailable), match="could not be reached"):
        proven()
