"""`check --deploy` and the owner's login, each against real settings and a real server."""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from memoryportal.base.databases import PROJECT_DIR, embedded_dsn
from memoryportal.base.names import APP, OWNER
from memoryportal.base.roles import prepare_database

from .houses import environment, manage


def documented_settings() -> dict[str, str]:
    """The variables of .env.example, as a shell would read them."""
    lines = (PROJECT_DIR / ".env.example").read_text().splitlines()
    found = [re.fullmatch(r"([A-Z0-9_]+)=\"?(.*?)\"?", line) for line in lines]
    return {match[1]: match[2] for match in found if match}


def production(tmp_path: Path, **more: str) -> dict[str, str]:
    """The documented settings with changes; an empty value unsets the variable."""
    settings = {**documented_settings(), "SECRET_KEY": "".join(f"{n:x}kQ" for n in range(30)), "DEBUG": "false", **more}
    settings = {**environment(tmp_path), **settings, "DATA_DIR": str(tmp_path)}
    return {name: value for name, value in settings.items() if value}


def test_documented_production_settings_are_clean(tmp_path: Path) -> None:
    result = manage("check", "--deploy", "--fail-level", "WARNING", env=production(tmp_path))
    assert result.returncode == 0, result.stderr
    assert "no issues" in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"CONTROLLER_NAME": ""}, "memoryportal.E001"),
        ({"PRIVACY_CONTACT": ""}, "memoryportal.E002"),
        ({"COMPLAINT_URL": ""}, "memoryportal.E003"),
        ({"DEBUG": "true"}, "memoryportal.E004"),
        ({"EMAIL_URL": ""}, "memoryportal.W006"),
        ({"DATABASE_OWNER_URL": ""}, "memoryportal.W007"),
        ({"MEMORY_DATABASE_URL": ""}, "memoryportal.W008"),
        ({"SECRET_KEY": "short"}, "security.W009"),
        ({"ALLOWED_HOSTS": ""}, "security.W020"),
    ],
)
def test_each_gap_is_named(tmp_path: Path, change: dict[str, str], expected: str) -> None:
    result = manage("check", "--deploy", "--fail-level", "WARNING", env=production(tmp_path, **change))
    assert result.returncode == 1
    assert expected in result.stderr


@pytest.mark.parametrize("law", ["eu", "GDPR", "gdpr,ccpa", " gdpr"])
def test_a_law_that_is_none_is_refused_at_the_start(tmp_path: Path, law: str) -> None:
    """The database takes no other word either, but only when the first person asks to be erased."""
    result = manage("check", env=environment(tmp_path, DATA_LAW=law))
    assert result.returncode == 1
    assert "DATA_LAW is gdpr, ccpa or both" in result.stderr


@pytest.mark.parametrize("law", ["gdpr", "ccpa", "both"])
def test_each_law_starts(tmp_path: Path, law: str) -> None:
    assert manage("check", env=environment(tmp_path, DATA_LAW=law)).returncode == 0


@pytest.fixture
def migrated(data_dir: Path, tmp_path: Path) -> Iterator[str]:
    name, superuser = f"checks_{uuid.uuid4().hex[:8]}", embedded_dsn(data_dir, "postgres", "postgres")
    prepare_database(superuser, name)
    with psycopg.connect(embedded_dsn(data_dir, OWNER, name)) as owner:
        owner.execute("CREATE TABLE mine ()")
    yield name
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.mark.parametrize(("role", "status"), [(APP, 0), (OWNER, 1), ("postgres", 1)])
def test_running_login_must_own_nothing(data_dir: Path, tmp_path: Path, migrated: str, role: str, status: int) -> None:
    env = production(tmp_path, DATABASE_URL=embedded_dsn(data_dir, role, migrated))
    result = manage("check", "--deploy", "--database", "default", env=env)
    assert result.returncode == status
    assert ("memoryportal.E009" in result.stderr) is bool(status)
