"""A real PostgreSQL for the whole run, one database per worker, and the people that tests are about."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import settings as hypothesis_settings

from memoryportal.base.databases import database, embedded_dsn
from memoryportal.base.embedded import EmbeddedPostgres
from memoryportal.base.names import APP, OWNER, SCOPED
from memoryportal.base.roles import prepare_database

if TYPE_CHECKING:
    from django.test import Client

    from memoryportal.accounts.models import User
    from memoryportal.memory import ScopedMemory

# A shared machine is sometimes slow; that is no finding.
hypothesis_settings.register_profile("memoryportal", deadline=None)
hypothesis_settings.load_profile("memoryportal")
PASSWORD = "demo-portal-1"
_server: EmbeddedPostgres | None = None


def _data_dir() -> Path:
    return Path(os.environ["DATA_DIR"])


def pytest_configure(config: pytest.Config) -> None:
    """The controller (or the only process) starts the server before workers begin; they find it through DATA_DIR."""
    global _server
    if hasattr(config, "workerinput") or config.getoption("collectonly") or config.getoption("help"):
        return
    _server = EmbeddedPostgres(_data_dir(), durable=False)
    _server.__enter__()


def pytest_unconfigure(config: pytest.Config) -> None:
    global _server
    if hasattr(config, "workerinput"):
        return
    if _server is not None:
        _server.__exit__(None, None, None)
        _server = None
    shutil.rmtree(_data_dir(), ignore_errors=True)


def pytest_report_header() -> str:
    from memoryportal.base.environment import cleared_line
    from tests.settings import CLEARED

    return cleared_line(CLEARED)


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Measurements take minutes and a quiet machine: `make bench` sets BENCH."""
    return True if "benchmarks" in collection_path.parts and not os.environ.get("BENCH") else None


# --- the database --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest, django_test_environment: None, django_db_blocker: Any
) -> Iterator[None]:
    """Migrated by the owner, prepared by the memory room, then used by the app's login, as in production."""
    from memoryportal.memory import pool

    name = f"test_memoryportal_{os.environ.get('PYTEST_XDIST_WORKER', 'gw')}"
    prepare_database(embedded_dsn(_data_dir(), "postgres", "postgres"), name)
    with django_db_blocker.unblock():
        _migrate(name)
        become(APP, name)
    yield
    pool.close_all()
    with django_db_blocker.unblock():
        _close()


def _migrate(name: str) -> None:
    from django.conf import settings
    from django.core.management import call_command

    from memoryportal.memory.prepare import prepare_store

    become(OWNER, name)
    call_command("migrate", verbosity=0, interactive=False)
    owner_dsn = embedded_dsn(_data_dir(), OWNER, name)
    settings.MEMORY_DATABASE_URL = embedded_dsn(_data_dir(), SCOPED, name)
    settings.MEMORY_OWNER_URL = owner_dsn
    with psycopg.connect(owner_dsn) as owner:  # Django empties tables between tests with TRUNCATE: only here
        tables = [row[0] for row in owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        for table in tables:
            owner.execute(
                psycopg.sql.SQL("GRANT TRUNCATE ON {} TO {}").format(*map(psycopg.sql.Identifier, (table, APP)))
            )
    prepare_store(owner_dsn)


def become(role: str, name: str, data_dir: Path | None = None) -> None:
    """Let Django's connection be `role` on the database `name` from now on."""
    from django.db import connections

    _close()
    entry = database(embedded_dsn(data_dir or _data_dir(), role, name), patient=role == OWNER)
    for handler in (connections.settings["default"], connections["default"].settings_dict):
        handler.update({key: entry[key] for key in ("NAME", "USER", "HOST", "PASSWORD", "PORT", "OPTIONS")})


def _close() -> None:
    from django.db import connections

    connections["default"].close()


@pytest.fixture(autouse=True)
def own_ledger(tmp_path: Path) -> Iterator[None]:
    """What one test erases must not look like a restore to the next one, whose database never saw it.

    Not by the fixture `settings`, which would end after those that clean up with what a test has set.
    """
    from django.test import override_settings

    with override_settings(ERASURE_LEDGER=str(tmp_path / "erasure-ledger.jsonl")):
        yield


@pytest.fixture(autouse=True)
def _empty_queue(request: pytest.FixtureRequest) -> Iterator[None]:
    """Jobs that a test committed: Django's flush between tests does not know procrastinate's tables."""
    yield
    marker = request.node.get_closest_marker("django_db")
    committed = bool(marker and marker.kwargs.get("transaction")) or "transactional_db" in request.fixturenames
    if committed:
        name = f"test_memoryportal_{os.environ.get('PYTEST_XDIST_WORKER', 'gw')}"
        with psycopg.connect(embedded_dsn(_data_dir(), "postgres", name), autocommit=True) as superuser:
            superuser.execute("DELETE FROM procrastinate_jobs")


# --- people ----------------------------------------------------------------------------------------------------------


def _person(name: str) -> "User":
    from allauth.account.models import EmailAddress

    from memoryportal.accounts.models import User

    address = f"{name}@example.com"
    user = User.objects.create_user(address, PASSWORD)
    EmailAddress.objects.create(user=user, email=address, verified=True, primary=True)
    return user


@pytest.fixture
def alice(db: None) -> "User":
    return _person("alice")


@pytest.fixture
def bob(db: None) -> "User":
    return _person("bob")


def _signed_in(user: "User") -> "Client":
    from django.test import Client

    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def alice_client(alice: "User") -> "Client":
    return _signed_in(alice)


@pytest.fixture
def bob_client(bob: "User") -> "Client":
    return _signed_in(bob)


def _memory_of(user: "User") -> "Iterator[ScopedMemory]":
    """The memory tables lie outside Django's transaction: clean up by subject, whatever the test did."""
    from memoryportal.memory import ScopedMemory, SubjectId, controls
    from memoryportal.memory.stores import current_store

    memory = ScopedMemory.for_person(SubjectId(user.subject))
    yield memory
    memory.erase()
    for agent, state in controls.gate_states(current_store(), memory.subject):  # an erasure that a test left half done
        controls.reopen(current_store(), memory.subject, state, agent)


@pytest.fixture
def alice_memory(alice: "User") -> "Iterator[ScopedMemory]":
    yield from _memory_of(alice)


@pytest.fixture
def bob_memory(bob: "User") -> "Iterator[ScopedMemory]":
    yield from _memory_of(bob)


# --- browser ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """The distribution's Chromium, without anything that would call home."""
    arguments = "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync"
    return {
        **browser_type_launch_args,
        "executable_path": shutil.which("chromium") or "/usr/bin/chromium",
        "args": [*arguments.split(), "--no-first-run"],
    }
