"""People under ids that nobody else has, and a superuser who sees and removes what they leave behind."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from memoryportal.base.roles import prepare_database
from memoryportal.memory import ScopedMemory, SubjectId, pool
from memoryportal.memory.configuration import configuration

from ..proxy import Proxy
from .databases import Database
from .model_server import ModelServer, running
from .planted import TABLES, Superuser

Person = Callable[..., ScopedMemory]


def superuser_dsn(dbname: str | None = None) -> str:
    """The address of the cluster's superuser, by default on the database of this worker."""
    return make_conninfo(configuration().owner_dsn, user="postgres", **({"dbname": dbname} if dbname else {}))


@pytest.fixture(scope="session")
def _superuser(django_db_setup: None) -> Iterator[Superuser]:
    with psycopg.connect(superuser_dsn(), autocommit=True, options="-c lock_timeout=5000") as connection:
        yield connection


@pytest.fixture(autouse=True)
def superuser(_superuser: Superuser) -> Iterator[Superuser]:
    """Sees every row. Whatever a test wrote is gone after it, and what tests of other rooms left, before it."""
    _empty(_superuser)
    yield _superuser
    _empty(_superuser)


def _empty(superuser: Superuser) -> None:
    for table in TABLES:
        superuser.execute(psycopg.sql.SQL("DELETE FROM {}").format(psycopg.sql.Identifier(table)))


@pytest.fixture
def person() -> Person:
    """Makes somebody new, on the person's own side: `person("carol", agent="planner")`."""

    def make(name: str = "carol", agent: str | None = None, run: str | None = None) -> ScopedMemory:
        return ScopedMemory.for_person(SubjectId(f"{name}-{uuid.uuid4().hex[:8]}"), agent=agent, run=run)

    return make


@pytest.fixture
def alice(person: Person) -> ScopedMemory:
    return person("alice")


@pytest.fixture
def bob(person: Person) -> ScopedMemory:
    return person("bob")


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    """An embedder and a language model that obey, and that nothing is configured to use yet."""
    with running() as server:
        yield server


@pytest.fixture
def proxy(settings: Any) -> Iterator[Proxy]:
    """The portal's way to its store."""
    direct = configuration().dsn
    with Proxy(Path(conninfo_to_dict(direct)["host"]) / ".s.PGSQL.5432") as between:
        settings.MEMORY_DATABASE_URL = between.dsn(direct)
        yield between
        pool.close_all()


@pytest.fixture
def database(settings: Any, superuser: Superuser) -> Iterator[Database]:
    """Fresh, without any memory table, and what the portal is configured to use."""
    name = f"test_prepare_{uuid.uuid4().hex[:8]}"
    owner, scoped = configuration().owner_dsn, configuration().dsn
    prepare_database(superuser_dsn("postgres"), name)
    settings.MEMORY_OWNER_URL = make_conninfo(owner, dbname=name)
    settings.MEMORY_DATABASE_URL = make_conninfo(scoped, dbname=name)
    with psycopg.connect(superuser_dsn(name), autocommit=True) as connection:
        yield Database(connection, configuration().owner_dsn)
    pool.close_all()
    superuser.execute(psycopg.sql.SQL("DROP DATABASE {} WITH (FORCE)").format(psycopg.sql.Identifier(name)))


@pytest.fixture
def wall_down(superuser: Superuser) -> Iterator[None]:
    """Row-level security off, as where the portal connects as the tables' owner."""
    switch = "ALTER TABLE {} {} ROW LEVEL SECURITY"
    for table in TABLES:
        superuser.execute(psycopg.sql.SQL(switch).format(psycopg.sql.Identifier(table), psycopg.sql.SQL("DISABLE")))
    yield
    for table in TABLES:
        superuser.execute(psycopg.sql.SQL(switch).format(psycopg.sql.Identifier(table), psycopg.sql.SQL("ENABLE")))
