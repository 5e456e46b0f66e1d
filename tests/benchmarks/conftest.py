"""Measurements. They assert what is right, never how long it took; the table comes at the end of the run."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.test import override_settings
from psycopg.conninfo import make_conninfo

from memoryportal.base.databases import embedded_dsn
from memoryportal.base.embedded import FAST_AND_LOOSE
from memoryportal.base.names import SCOPED
from memoryportal.memory import pool

from .crowd import Row, crowd
from .houses import House, fill_plain, house
from .report import Report

LARGE, SMALL = 100_000, 10_000
_report = Report()
Server = Callable[[str], str]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if _report.lines:
        terminalreporter.section("measurements")
        for line in _report.table():
            terminalreporter.write_line(line)
        _report.keep()


@pytest.fixture(scope="session")
def report() -> Report:
    return _report


def _address(name: str) -> str:
    return embedded_dsn(Path(os.environ["DATA_DIR"]), "postgres", name)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The superuser's address of a database. The server keeps its promises to the disk here, other than in tests."""
    with psycopg.connect(_address("postgres"), autocommit=True) as cluster:
        for name in FAST_AND_LOOSE:
            cluster.execute(psycopg.sql.SQL("ALTER SYSTEM SET {} = 'on'").format(psycopg.sql.Identifier(name)))
        cluster.execute("SELECT pg_reload_conf()")
    yield _address
    with psycopg.connect(_address("postgres"), autocommit=True) as cluster:
        for name in FAST_AND_LOOSE:
            cluster.execute(psycopg.sql.SQL("ALTER SYSTEM RESET {}").format(psycopg.sql.Identifier(name)))
        cluster.execute("SELECT pg_reload_conf()")


@pytest.fixture(scope="session")
def rows() -> Callable[[int], list[Row]]:
    """The memories of a crowd of this size."""
    return cache(crowd)


@pytest.fixture(scope="session")
def large_plain(server: Server, rows: Callable[[int], list[Row]]) -> Iterator[House]:
    """100,000 memories in tables that a plain mem0 made. Only read from, and copied."""
    with house(server) as made:
        fill_plain(made, rows(LARGE))
        yield made


@pytest.fixture(scope="session")
def small_plain(server: Server, rows: Callable[[int], list[Row]]) -> Iterator[House]:
    """10,000 of the same kind."""
    with house(server) as made:
        fill_plain(made, rows(SMALL))
        yield made


@contextmanager
def portal_on(made: House) -> Iterator[None]:
    """The portal's configuration names this house's database."""
    scoped = make_conninfo(made.superuser, user=SCOPED)
    with override_settings(MEMORY_OWNER_URL=made.owner, MEMORY_DATABASE_URL=scoped):
        try:
            yield
        finally:
            pool.close_all()
