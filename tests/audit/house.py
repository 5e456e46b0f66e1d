"""A database made like production: prepared by a superuser, migrated by its owner, used by the app's login.

The databases of the other tests grant the app more (TRUNCATE), so what a login may do to the trail is tried out here.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from django.core.management import call_command
from psycopg import sql

from memoryportal.audit.actions import Action
from memoryportal.audit.record import Actor, record
from memoryportal.base.databases import embedded_dsn
from memoryportal.base.names import APP, OWNER
from memoryportal.base.roles import prepare_database
from memoryportal.memory.scope import SubjectId
from tests.conftest import become

PARTITIONS = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit_event'::regclass ORDER BY 1"
APPEND = "FUNCTION audit_append(text, text, text, text, text, text, text, text, jsonb)"
ALICE = SubjectId("alice-of-the-trail")


class House:
    """One such database. `data_dir` is the folder of the server that it is on."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.name = f"audit_{uuid.uuid4().hex[:8]}"

    def dsn(self, role: str, name: str | None = None) -> str:
        return embedded_dsn(self.data_dir, role, name or self.name)

    def connect(self, role: str) -> "psycopg.Connection[tuple[Any, ...]]":
        return psycopg.connect(self.dsn(role), autocommit=True)

    def build(self) -> None:
        prepare_database(self.dsn("postgres", "postgres"), self.name)
        become(OWNER, self.name, self.data_dir)
        call_command("migrate", verbosity=0, interactive=False)

    def sweep(self) -> None:
        """Back to an empty trail of this month alone."""
        with self.connect(OWNER) as owner:
            owner.execute("TRUNCATE audit_event, audit_head, audit_subjectkey")
            for (table,) in owner.execute(PARTITIONS).fetchall():
                owner.execute(f"DROP TABLE {table}")
            owner.execute("SELECT audit_partition(now())")

    @contextmanager
    def broken(self) -> Iterator[None]:
        """The portal's login cannot append."""
        with self.connect(OWNER) as owner:
            owner.execute(f"REVOKE EXECUTE ON {APPEND} FROM {APP}")
            try:
                yield
            finally:
                owner.execute(f"GRANT EXECUTE ON {APPEND} TO {APP}")

    def tear_down(self) -> None:
        with psycopg.connect(self.dsn("postgres", "postgres"), autocommit=True) as cluster:
            cluster.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(self.name)))

    def use(self, role: str = APP) -> None:
        """Let Django's connection be `role` on this database from now on."""
        become(role, self.name, self.data_dir)


def run_data_dir() -> Path:
    return Path(os.environ["DATA_DIR"])


def happen(number: int, action: Action = Action.MEMORY_CORRECTED, **about: object) -> list[int]:
    """That many events about Alice; their numbers."""
    return [record(action, actor=Actor("1", "person"), subject=ALICE, **about) for _ in range(number)]
