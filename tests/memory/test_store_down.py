"""A store that is away is named, in every call: never an empty answer, never a change denied or invented."""

import inspect
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import make_conninfo

from memoryportal.base.deadline import DeadlineConnection
from memoryportal.memory import (
    MemoryRoomError,
    ScopedMemory,
    StoreNotPrepared,
    StoreUnavailable,
    bulk,
    controls,
    pool,
)
from memoryportal.memory.configuration import configuration
from memoryportal.memory.stores import current_store

from ..proxy import Proxy
from .calls import CALLS, assert_free_of_content, fill
from .planted import Superuser, stored


@pytest.fixture
def filled(superuser: Superuser, alice: ScopedMemory) -> str:
    return fill(superuser, alice)


def _every_call_fails(
    memory: ScopedMemory, memory_id: str, kind: type[MemoryRoomError] = StoreUnavailable, width: int = 10
) -> list[MemoryRoomError]:
    """Each public call, several at a time because each may wait for a while. What they raised."""

    def run(name: str) -> MemoryRoomError:
        try:
            answer = CALLS[name](memory, memory_id)
        except MemoryRoomError as error:
            return error
        raise AssertionError(f"{name} answered {type(answer).__name__}")

    with ThreadPoolExecutor(width) as executor:
        residue = executor.submit(memory.residue)
        errors = list(executor.map(run, CALLS))
    for name, error in zip(CALLS, errors, strict=True):
        assert type(error) is kind, (name, repr(error))
        assert len(str(error)) > 20, name  # a sentence
        assert_free_of_content(error)
    assert [(found.count, bool(found.problem)) for found in residue.result()] == [(None, True)] * 6
    return errors


def test_the_list_of_calls_is_complete() -> None:
    public = {name for name in vars(ScopedMemory) if not name.startswith("_")}
    listed = {name.partition(" ")[0] for name in CALLS if "." not in name}
    assert {name for name in public - listed if inspect.isfunction(vars(ScopedMemory)[name])} == {"residue"}
    in_bulk = {name for name, value in vars(bulk).items() if inspect.isfunction(value) and not name.startswith("_")}
    in_bulk = {name for name in in_bulk if getattr(bulk, name).__module__ == bulk.__name__}
    assert {name.partition(".")[2] for name in CALLS if name.startswith("bulk.")} == in_bulk - {"abilities"}


def test_every_call_answers_through_the_proxy(superuser: Superuser, alice: ScopedMemory, proxy: Proxy) -> None:
    """The failures below are the store's, not the calls'."""
    for call in CALLS.values():
        call(alice, fill(superuser, alice))
        alice.erase()
        for state in ("paused", "restricted"):
            controls.reopen(current_store(), alice.subject, state)


def test_a_store_that_refuses_connections(superuser: Superuser, alice: ScopedMemory, filled: str, proxy: Proxy) -> None:
    before = stored(superuser)
    proxy.refuse()
    _every_call_fails(alice, filled, width=32)
    assert stored(superuser) == before
    proxy.forward()
    _recovers(alice, filled)


def test_connections_that_die_while_nobody_uses_them(
    superuser: Superuser, alice: ScopedMemory, filled: str, proxy: Proxy
) -> None:
    """A restarted server: the pool's connections are dead, new ones work. Nobody needs to notice."""
    for _ in range(3):
        assert alice.page().total == 1
        proxy.cut()
    assert alice.update(filled, "I drink coffee").text == "I drink coffee"


def test_a_store_that_hangs(
    superuser: Superuser, alice: ScopedMemory, filled: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DeadlineConnection, "deadline", 0.4)
    monkeypatch.setattr(pool, "CONNECT_SECONDS", 2)
    before = stored(superuser)
    alice.page()
    proxy.freeze()
    began = time.monotonic()
    _every_call_fails(alice, filled, width=32)
    assert time.monotonic() - began < 30
    assert stored(superuser) == before
    proxy.forward()
    _recovers(alice, filled)


def test_a_store_without_tables(superuser: Superuser, alice: ScopedMemory, filled: str, settings: Any) -> None:
    before = stored(superuser)
    settings.MEMORY_DATABASE_URL = make_conninfo(configuration().dsn, options="-c search_path=pg_catalog")
    for error in _every_call_fails(alice, filled, StoreNotPrepared):
        assert "prepare_store" in str(error)
    assert stored(superuser) == before


def test_a_login_without_rights(superuser: Superuser, alice: ScopedMemory, filled: str, settings: Any) -> None:
    before = stored(superuser)
    settings.MEMORY_DATABASE_URL = make_conninfo(configuration().dsn, user="memoryportal_app")
    for error in _every_call_fails(alice, filled, StoreNotPrepared):
        assert "prepare_store" in str(error)
    assert stored(superuser) == before


def test_a_wrong_password(superuser: Superuser, alice: ScopedMemory, filled: str, settings: Any) -> None:
    before = stored(superuser)
    with _password_required(superuser, "test_with_password"):
        settings.MEMORY_DATABASE_URL = make_conninfo(configuration().dsn, user="test_with_password", password="hunter2")
        for error in _every_call_fails(alice, filled, width=32):
            assert "hunter2" not in str(error)
        pool.close_all()
    assert stored(superuser) == before


class _password_required:
    """A role of this worker's own that the server asks for a password."""

    def __init__(self, superuser: Superuser, role: str) -> None:
        self.superuser, self.role = superuser, role
        row = superuser.execute("SELECT current_setting('hba_file')").fetchone()
        self.rules = Path(row[0])  # type: ignore[index]

    def __enter__(self) -> None:
        self.superuser.execute(f"CREATE ROLE {self.role} LOGIN PASSWORD 'right'")
        self.rules.write_text(f"local all {self.role} scram-sha-256\n{self.rules.read_text()}")
        self.superuser.execute("SELECT pg_reload_conf()")
        time.sleep(0.2)

    def __exit__(self, *_: object) -> None:
        rest = self.rules.read_text().splitlines(keepends=True)
        self.rules.write_text("".join(line for line in rest if self.role not in line))
        self.superuser.execute("SELECT pg_reload_conf()")
        self.superuser.execute(f"DROP ROLE {self.role}")


def _recovers(memory: ScopedMemory, memory_id: str) -> None:
    end = time.monotonic() + 10
    while True:
        try:
            assert memory.get(memory_id).id == memory_id
            return
        except StoreUnavailable:
            assert time.monotonic() < end
