"""A command finds its database, and says in one sentence what is wrong with it."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from memoryportal.base import command_line
from memoryportal.base.databases import embedded_dsn
from memoryportal.base.embedded import EmbeddedPostgres
from memoryportal.base.names import APP, OWNER
from memoryportal.base.roles import prepare_database

from .houses import environment, manage, nothing_runs


@pytest.fixture
def fresh(data_dir: Path) -> Iterator[str]:
    """The name of a prepared database without tables, on the run's own server."""
    name, superuser = f"fresh_{uuid.uuid4().hex[:8]}", embedded_dsn(data_dir, "postgres", "postgres")
    prepare_database(superuser, name)
    yield name
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def own_server(tmp_path: Path, app: str, owner: str = "") -> dict[str, str]:
    return environment(tmp_path, DATABASE_URL=app, DATABASE_OWNER_URL=owner)


def sentence_of(*command: str, env: dict[str, str]) -> str:
    result = manage(*command, env=env)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert result.stderr.count("\n") == 1, "one line"
    return result.stderr.strip()


def test_missing_database_is_one_sentence(data_dir: Path, tmp_path: Path) -> None:
    env = own_server(tmp_path, embedded_dsn(data_dir, APP, "nowhere"))
    assert sentence_of("migrate", env=env) == "The database nowhere does not exist: run manage.py prepare_database."


def test_missing_login_is_one_sentence(data_dir: Path, tmp_path: Path) -> None:
    env = own_server(tmp_path, embedded_dsn(data_dir, "nobody_here"))
    assert sentence_of("showmigrations", env=env) == (
        "The login nobody_here does not exist: run manage.py prepare_database."
    )


def test_wrong_login_is_one_sentence(data_dir: Path, tmp_path: Path, fresh: str) -> None:
    env = own_server(tmp_path, embedded_dsn(data_dir, APP, fresh))
    assert "This login may not do that: migrate needs the owner's" in sentence_of("migrate", env=env)


def test_no_server_is_one_sentence(tmp_path: Path) -> None:
    env = own_server(tmp_path, "postgresql://app@127.0.0.1:1/portal")
    assert sentence_of("showmigrations", env=env).startswith("The database cannot be reached")


def test_no_tables_is_one_sentence(data_dir: Path, tmp_path: Path, fresh: str) -> None:
    env = own_server(tmp_path, embedded_dsn(data_dir, APP, fresh))
    assert "run manage.py migrate" in sentence_of("clearsessions", env=env)


def test_missing_extension_is_one_sentence(data_dir: Path, tmp_path: Path, fresh: str) -> None:
    with psycopg.connect(embedded_dsn(data_dir, "postgres", fresh), autocommit=True) as connection:
        connection.execute("DROP EXTENSION vector")
    owner = embedded_dsn(data_dir, OWNER, fresh)
    env = environment(tmp_path, DATABASE_URL=owner, MEMORY_DATABASE_URL=embedded_dsn(data_dir, APP, fresh))
    sentence = sentence_of("prepare_store", env=env)
    assert "vector" in sentence


def test_bad_address_and_missing_secret_key_are_one_sentence(tmp_path: Path) -> None:
    assert sentence_of("migrate", env=own_server(tmp_path, "mysql://x")).startswith("DATABASE_URL must begin with")
    production = environment(tmp_path, DEBUG="false")
    assert sentence_of("check", env=production).startswith("SECRET_KEY is not set.")


def test_traceback_can_be_asked_for(data_dir: Path, tmp_path: Path) -> None:
    env = own_server(tmp_path, embedded_dsn(data_dir, APP, "nowhere"))
    assert "Traceback" in manage("migrate", "--traceback", env=env).stderr


def test_command_starts_and_stops_the_embedded_server(tmp_path: Path) -> None:
    env = environment(tmp_path / "data")
    assert manage("migrate", "-v0", env=env).returncode == 0
    assert nothing_runs(tmp_path / "data")
    with (
        EmbeddedPostgres(tmp_path / "data") as server,
        psycopg.connect(server.superuser_dsn("memoryportal")) as database,
    ):
        owner = database.execute("SELECT tableowner FROM pg_tables WHERE tablename = 'base_cache'").fetchone()
        assert owner == (OWNER,)
        assert database.execute("SELECT demo FROM base_installation").fetchone() == (False,)


@pytest.mark.parametrize(
    "argv",
    [
        ["manage.py"],
        ["manage.py", "help", "migrate"],
        ["manage.py", "migrate", "--help"],
        ["manage.py", "--version"],
        ["manage.py", "check", "--deploy"],
        ["manage.py", "makemigrations", "--check"],
        ["manage.py", "collectstatic"],
    ],
)
def test_commands_without_a_database(argv: list[str]) -> None:
    assert not command_line.needs_database(argv)


@pytest.mark.parametrize("argv", [["manage.py", "check", "--database", "default"], ["manage.py", "migrate"]])
def test_commands_with_a_database(argv: list[str]) -> None:
    assert command_line.needs_database(argv)


def test_help_leaves_no_folder_behind(tmp_path: Path) -> None:
    assert manage("migrate", "--help", env=environment(tmp_path / "data")).returncode == 0
    assert not (tmp_path / "data").exists()


def test_command_of_a_running_house_starts_no_second_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMORYPORTAL_HOUSE", "somebody's")
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with command_line.server_for(["manage.py", "migrate"]):
        assert not (tmp_path / "data").exists()
    assert os.environ["MEMORYPORTAL_HOUSE"] == "somebody's"
