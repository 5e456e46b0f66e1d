"""A real PostgreSQL of the test's own that is frozen, killed and started again under the portal."""

import contextlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from memoryportal.base.databases import embedded_dsn
from memoryportal.base.deadline import DeadlineConnection
from memoryportal.base.embedded import EmbeddedPostgres
from memoryportal.base.names import OWNER, SCOPED
from memoryportal.base.roles import prepare_database
from memoryportal.memory import NotConfirmed, ScopedMemory, StoreUnavailable, pool
from memoryportal.memory.prepare import prepare_store

from .calls import CALLS, CHANGES, assert_free_of_content, fill
from .planted import Superuser, stored

NAME = "dies"


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="memoryportal-dies-"))
    made.chmod(0o755)  # root's server runs as another account
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def server(folder: Path, settings: Any) -> Iterator[psutil.Process]:
    """The server's first process; the portal is on it."""
    settings.MEMORY_DATABASE_URL = embedded_dsn(folder, SCOPED, NAME)
    settings.MEMORY_OWNER_URL = embedded_dsn(folder, OWNER, NAME)
    with EmbeddedPostgres(folder, say=lambda _: None):
        prepare_database(embedded_dsn(folder, "postgres", "postgres"), NAME)
        prepare_store()
        first = int((folder / "pgdata" / "postmaster.pid").read_text().splitlines()[0])
        yield psutil.Process(first)
        pool.close_all()


@contextmanager
def looking(folder: Path) -> Iterator[Superuser]:
    superuser = psycopg.connect(embedded_dsn(folder, "postgres", NAME), autocommit=True)
    try:
        yield superuser
    finally:
        superuser.close()  # the server may be gone


@contextmanager
def frozen(server: psutil.Process) -> Iterator[None]:
    """Every process of the server stands still."""
    everyone = [server, *server.children(recursive=True)]
    for process in everyone:
        os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in everyone:
            os.kill(process.pid, signal.SIGCONT)


def test_a_frozen_server_is_given_up_and_nothing_is_invented(
    server: psutil.Process, folder: Path, alice: ScopedMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DeadlineConnection, "deadline", 0.4)
    monkeypatch.setattr(pool, "CONNECT_SECONDS", 2)
    with looking(folder) as superuser:
        memory_id = fill(superuser, alice)
        before = stored(superuser, str(alice.subject))
    alice.page()

    def said(name: str) -> Exception | None:
        try:
            CALLS[name](alice, memory_id)
        except StoreUnavailable as error:
            return error
        return None

    began = time.monotonic()
    with frozen(server), ThreadPoolExecutor(32) as executor:
        answers = dict(zip(CALLS, executor.map(said, CALLS), strict=True))
    assert time.monotonic() - began < 40
    assert [name for name, error in answers.items() if error is None] == []
    for error in answers.values():
        assert_free_of_content(error)  # type: ignore[arg-type]
    assert {name for name, error in answers.items() if isinstance(error, NotConfirmed)} <= set(CHANGES)
    with looking(folder) as superuser:
        assert stored(superuser, str(alice.subject)) == before  # nobody was told otherwise, or that it is not known
    assert alice.get(memory_id).id == memory_id


@pytest.mark.parametrize("name", ["add", "update", "erase"])
def test_a_server_that_is_killed_in_the_middle_has_done_all_or_nothing(
    server: psutil.Process, folder: Path, alice: ScopedMemory, name: str
) -> None:
    """It stops at a lock in the middle of the change, dies there, and is started again."""
    with looking(folder) as superuser:
        memory_id = fill(superuser, alice)
        before = stored(superuser, str(alice.subject))
        with looking(folder) as holder, ThreadPoolExecutor(1) as executor:
            holder.autocommit = False
            holder.execute("LOCK TABLE memories_history IN SHARE MODE")
            changing = executor.submit(CHANGES[name], alice, memory_id)
            end = time.monotonic() + 20
            while superuser.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchone() is None:
                assert time.monotonic() < end
                time.sleep(0.01)
            for process in [server, *server.children(recursive=True)]:
                with contextlib.suppress(ProcessLookupError):  # the last ones end with the first
                    os.kill(process.pid, signal.SIGKILL)
            with pytest.raises(StoreUnavailable) as failure:
                changing.result(30)
            assert not isinstance(failure.value, NotConfirmed)
            assert_free_of_content(failure.value)
            with pytest.raises(StoreUnavailable):
                alice.page()
    with EmbeddedPostgres(folder, say=lambda _: None), looking(folder) as superuser:
        assert stored(superuser, str(alice.subject)) == before
        assert _when_it_is_back(alice, memory_id) == memory_id
        pool.close_all()


def _when_it_is_back(memory: ScopedMemory, memory_id: str) -> str:
    end = time.monotonic() + 15
    while True:
        try:
            return memory.get(memory_id).id
        except StoreUnavailable:
            assert time.monotonic() < end
            time.sleep(0.1)
