"""People with rows in every place of the store, and a superuser who sees them all."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings as django_settings
from django.db import connection

from memoryportal.accounts.models import User
from memoryportal.base.databases import embedded_dsn
from memoryportal.memory import SubjectId
from tests.memory.planted import TABLES

from .house import House


@pytest.fixture
def superuser(django_db_setup: None) -> Iterator[psycopg.Connection[Any]]:
    """Bound by no policy. The memory tables are empty before and after: they lie outside of Django's flush."""
    name = str(connection.settings_dict["NAME"])
    with psycopg.connect(embedded_dsn(Path(django_settings.DATA_DIR), "postgres", name), autocommit=True) as found:
        _empty(found)
        yield found
        _empty(found)


def _empty(superuser: psycopg.Connection[Any]) -> None:
    for table in TABLES:
        superuser.execute(psycopg.sql.SQL("DELETE FROM {}").format(psycopg.sql.Identifier(table)))


@pytest.fixture
def house(superuser: psycopg.Connection[Any], alice: User, bob: User, tmp_path: Path, settings: Any) -> House:
    """Alice and Bob, both with something in every place."""
    settings.ERASURE_LEDGER = str(tmp_path / "ledger.jsonl")
    made = House(superuser, alice, bob)
    for user in (alice, bob):
        made.fill(SubjectId(user.subject))
    made.before, made.others = made.rows(alice), made.rows(bob)
    return made
