"""Connections that give up by themselves, and errors that repeat nothing that was stored."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from django.db import DataError, IntegrityError, OperationalError, ProgrammingError, connection, transaction

from memoryportal.base.backend.base import PatientConnection
from memoryportal.base.databases import embedded_dsn
from memoryportal.base.deadline import DEADLINE_SECONDS, DeadlineConnection
from memoryportal.base.models import CachedValue, Installation

CANARY = "canary-0815 lives in Hamburg"


@pytest.fixture
def frozen(data_dir: Path) -> Iterator["DeadlineConnection"]:
    """A connection whose server process is stopped in the middle of things."""
    opened = DeadlineConnection.connect(embedded_dsn(data_dir, "postgres", "postgres"), autocommit=True)
    server = psutil.Process(opened.info.backend_pid)
    server.suspend()
    yield opened
    server.resume()


def test_frozen_server_is_given_up_on_the_clients_side(frozen: DeadlineConnection) -> None:
    frozen.deadline = 0.5
    begun = time.monotonic()
    with pytest.raises(psycopg.OperationalError, match="did not answer in time"):
        frozen.execute("SELECT 1")
    assert 0.4 < time.monotonic() - begun < 5
    assert frozen.closed, "nobody knows what it would answer next"


@pytest.mark.django_db
def test_django_connects_with_a_deadline_and_a_statement_timeout() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout'), current_user")
        assert cursor.fetchone() == ("10s", "memoryportal_app")
    assert type(connection.connection) is DeadlineConnection
    assert connection.connection.deadline == DEADLINE_SECONDS


def test_work_on_the_schema_has_all_the_time(data_dir: Path) -> None:
    with PatientConnection.connect(embedded_dsn(data_dir, "postgres", "postgres")) as patient:
        assert patient.deadline is None
        assert patient.execute("SELECT pg_sleep(0.2), 7").fetchone() == ("", 7)


def assert_content_free(error: BaseException | None) -> None:
    while error is not None:
        assert CANARY not in str(error) + repr(error.args)
        error = error.__cause__


@pytest.mark.django_db
def test_refused_row_is_not_repeated() -> None:
    CachedValue.objects.create(cache_key=CANARY, value="x", expires="2030-01-01T00:00Z")
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        CachedValue.objects.create(cache_key=CANARY, value="x", expires="2030-01-01T00:00Z")
    assert_content_free(refused.value)
    assert "UniqueViolation (23505) on base_cache.base_cache_pkey" in str(refused.value)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("statement", "kind"),
    [("SELECT CAST(%s AS integer)", DataError), ("SELECT CAST(%s AS uuid)", DataError)],
)
def test_refused_value_is_not_repeated(statement: str, kind: type[Exception]) -> None:
    with pytest.raises(kind) as refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, [CANARY])
    assert_content_free(refused.value)
    assert "22P02" in str(refused.value)


@pytest.mark.django_db
def test_programming_error_still_says_what_is_missing() -> None:
    with pytest.raises(ProgrammingError, match='relation "nowhere" does not exist'), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT %s FROM nowhere", [CANARY])


@pytest.mark.django_db
def test_constraint_keeps_the_installation_to_one_row() -> None:
    Installation.objects.get_or_create(id=1, defaults={"demo": False})
    with pytest.raises(IntegrityError, match="installation_is_one_row"), transaction.atomic():
        Installation.objects.create(id=2, demo=True)
    assert Installation.objects.count() == 1


@pytest.mark.django_db
def test_unreachable_server_is_an_operational_error(data_dir: Path, tmp_path: Path) -> None:
    from django.db.utils import ConnectionHandler

    from memoryportal.base.databases import database

    entry: dict[str, Any] = database(f"postgresql://app@/portal?host={tmp_path}")
    handler = ConnectionHandler({"default": entry})
    with pytest.raises(OperationalError, match="No such file or directory") as refused:
        handler["default"].ensure_connection()
    assert "\n" not in str(refused.value)
