"""Databases to measure in: one that the portal made, one that a plain mem0 made, with the same memories in both."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from memoryportal.base.names import OWNER
from memoryportal.base.roles import prepare_database
from memoryportal.memory.configuration import DEFAULT_COLLECTION, OFFLINE_DIMENSIONS
from memoryportal.memory.prepare import prepare_store

from .crowd import Row, load

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class House:
    """A database with a collection of memories. `superuser` is bound by no policy; `owner` is the tables' login."""

    name: str
    superuser: str
    owner: str

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.superuser, autocommit=True)

    def settle(self) -> None:
        """Leave no work for the autovacuum, which would come at some moment of the measurement."""
        with self.connect() as connection:
            connection.execute(sql.SQL("VACUUM ANALYZE {}").format(sql.Identifier(DEFAULT_COLLECTION)))
            connection.execute("CHECKPOINT")


@contextmanager
def house(server: Callable[[str], str], template: House | None = None) -> Iterator[House]:
    """A database of its own, empty or a copy of another. `server` gives the superuser's address for a name."""
    name = f"bench_{next(_numbers)}"
    made = House(name, server(name), make_conninfo(server(name), user=OWNER))
    with psycopg.connect(server("postgres"), autocommit=True) as cluster:
        if template is not None:
            statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY file_copy")
            cluster.execute(statement.format(*map(sql.Identifier, (name, OWNER, template.name))))
        prepare_database(server("postgres"), name)
        try:
            yield made
        finally:
            cluster.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def fill_portals(made: House, rows: list[Row]) -> None:
    """Tables as `prepare_store` makes them (the settings name this database), with the rows in them."""
    prepare_store()
    with made.connect() as connection:
        load(connection, DEFAULT_COLLECTION, rows)
    made.settle()


def fill_plain(made: House, rows: list[Row]) -> None:
    """mem0's own tables and indexes, HNSW among them, with the rows in them.

    The indexes are made after the rows: mem0's statements, in the order that takes minutes less.
    """
    store = plain_store(made)
    with _without(store, "use_hnsw"):
        store.create_col()
    with made.connect() as connection:
        connection.execute(
            sql.SQL("ALTER DATABASE {} SET maintenance_work_mem = '1GB'").format(sql.Identifier(made.name))
        )
        load(connection, DEFAULT_COLLECTION, rows)
    store.connection_pool.close()
    again = plain_store(made)
    again.create_col()
    again.connection_pool.close()
    made.settle()


@contextmanager
def _without(store: Any, flag: str) -> Iterator[None]:
    setattr(store, flag, False)
    yield
    setattr(store, flag, True)


def plain_store(made: House) -> Any:
    """mem0's own pgvector store with its defaults."""
    from mem0.vector_stores.pgvector import PGVector

    reach = {"connection_string": made.owner, "collection_name": DEFAULT_COLLECTION}
    nobody = dict.fromkeys(("dbname", "user", "password", "host", "port"), "")
    return PGVector(**reach, **nobody, embedding_model_dims=OFFLINE_DIMENSIONS, diskann=False, hnsw=True)
