"""Addresses come from the environment, and a command's login from its name."""

from pathlib import Path

import environ
import pytest
from django.core.exceptions import ImproperlyConfigured

from memoryportal.base.databases import Addresses, app_database, database, read_addresses, runs_as_owner, socket_dir

APP = "postgresql://app:s3cret@db.example.com:6432/portal?sslmode=verify-full"
OWNER = "postgresql://owner@db.example.com/portal"


def read(tmp_path: Path, **variables: str) -> Addresses:
    env = environ.Env()
    env.ENVIRON = variables
    return read_addresses(env, tmp_path)


def test_unset_means_embedded(tmp_path: Path) -> None:
    addresses = read(tmp_path)
    assert addresses.embedded
    assert addresses.app == f"postgresql://memoryportal_app@/memoryportal?host={tmp_path}/pgdata"
    assert addresses.owner.startswith("postgresql://memoryportal_owner@/")
    assert addresses.scoped.startswith("postgresql://memoryportal_scoped@/")


def test_socket_folder_comes_from_the_pid_file(tmp_path: Path) -> None:
    (tmp_path / "pgdata").mkdir()
    (tmp_path / "pgdata" / "postmaster.pid").write_text("1\n/x\n0\n5432\n/short/folder\n\n")
    assert socket_dir(tmp_path) == Path("/short/folder")


def test_folder_names_are_quoted(tmp_path: Path) -> None:
    entry = database(read(tmp_path / "with space&?").app)
    assert entry["HOST"] == str(tmp_path / "with space&?" / "pgdata")


def test_own_database_gets_its_parts_and_options(tmp_path: Path) -> None:
    addresses = read(tmp_path, DATABASE_URL=APP, DATABASE_OWNER_URL=OWNER)
    entry = app_database(addresses, ["manage.py", "shell"])
    assert not addresses.embedded
    assert (entry["USER"], entry["PASSWORD"], entry["HOST"]) == ("app", "s3cret", "db.example.com")
    assert (entry["PORT"], entry["NAME"]) == ("6432", "portal")
    assert entry["OPTIONS"]["sslmode"] == "verify-full"
    assert entry["OPTIONS"]["options"] == "-c statement_timeout=10000"
    assert entry["CONN_HEALTH_CHECKS"]
    assert addresses.scoped == APP


def test_options_of_the_address_are_kept(tmp_path: Path) -> None:
    entry = database("postgresql://app@db/portal?options=-c%20work_mem%3D8MB")
    assert entry["OPTIONS"]["options"] == "-c work_mem=8MB -c statement_timeout=10000"


def test_owner_commands_use_the_owner_without_time_limit(tmp_path: Path) -> None:
    addresses = read(tmp_path, DATABASE_URL=APP, DATABASE_OWNER_URL=OWNER)
    entry = app_database(addresses, ["manage.py", "migrate"])
    assert entry["USER"] == "owner"
    assert "options" not in entry["OPTIONS"]


@pytest.mark.parametrize(
    ("argv", "owner"),
    [
        (["manage.py", "migrate"], True),
        (["/x/manage.py", "prepare_store"], True),
        (["manage.py", "serve"], False),
        (["manage.py"], False),
        (["granian", "migrate"], False),
    ],
)
def test_who_runs_as_owner(argv: list[str], owner: bool) -> None:
    assert runs_as_owner(argv) is owner


@pytest.mark.parametrize(
    "bad", ["mysql://app:s3cret@db/x", "sqlite:///x", "postgresql://app:s3cret@db:x/portal?nonsense=1", "app:s3cret@db"]
)
def test_bad_address_is_one_sentence_without_the_password(tmp_path: Path, bad: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        read(tmp_path, DATABASE_URL=bad)
    assert "DATABASE_URL" in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_address_without_a_database_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="DATABASE_OWNER_URL names no database"):
        read(tmp_path, DATABASE_URL=APP, DATABASE_OWNER_URL="postgresql://owner@db")
