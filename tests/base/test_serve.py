"""Production: the web process on one's own PostgreSQL, and on the embedded one."""

import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg import sql

from memoryportal.base import guard
from memoryportal.base.databases import PROJECT_DIR, embedded_dsn
from memoryportal.base.names import APP, OWNER, SCOPED
from memoryportal.base.roles import prepare_database

from .houses import eventually, manage, nothing_runs
from .test_checks import production
from .test_demo import answers, free_port

SCHEMA = ("migrate", "prepare_store", "collectstatic")


def prepared(env: dict[str, str]) -> dict[str, str]:
    """The documented steps of an installation, done."""
    for command in SCHEMA:
        result = manage(command, *(["--noinput"] if command == "collectstatic" else []), env=env)
        assert result.returncode == 0, result.stderr
    return env


def serve(env: dict[str, str], port: int, workers: int = 1) -> "subprocess.Popen[str]":
    command = [sys.executable, "manage.py", "serve", "--port", str(port), "--workers", str(workers)]
    return subprocess.Popen(command, cwd=PROJECT_DIR, env=env, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def own_database(data_dir: Path) -> Iterator[dict[str, str]]:
    """Addresses of the three logins on a PostgreSQL that is not the portal's to start or stop."""
    name, superuser = f"serve_{uuid.uuid4().hex[:8]}", embedded_dsn(data_dir, "postgres", "postgres")
    prepare_database(superuser, name)
    logins = {"DATABASE_URL": APP, "DATABASE_OWNER_URL": OWNER, "MEMORY_DATABASE_URL": SCOPED}
    yield {variable: embedded_dsn(data_dir, role, name) for variable, role in logins.items()}
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_on_ones_own_postgresql(own_database: dict[str, str], data_dir: Path, tmp_path: Path) -> None:
    port, env = free_port(), prepared(production(tmp_path, ALLOWED_HOSTS="127.0.0.1", **own_database))
    web = serve(env, port)
    try:
        assert eventually(lambda: web.poll() is not None or answers(port), 60), web.stderr and web.stderr.read()
        assert "granian" in " ".join(psutil.Process(web.pid).cmdline()), "signals reach granian itself"
        assert not (tmp_path / "pgdata").exists()
        web.terminate()
        web.wait(timeout=30)
        assert not answers(port, "/healthz")
        assert not nothing_runs(data_dir), "somebody's PostgreSQL is left alone"
    finally:
        web.kill()


def test_owner_login_is_refused(own_database: dict[str, str], tmp_path: Path) -> None:
    env = prepared(production(tmp_path, ALLOWED_HOSTS="127.0.0.1", **own_database))
    env["DATABASE_URL"] = env["DATABASE_OWNER_URL"]
    web = serve(env, free_port())
    _, complaint = web.communicate(timeout=60)
    assert web.returncode == 1
    assert "The running login memoryportal_owner owns tables" in complaint
    assert "Traceback" not in complaint


def test_on_the_embedded_server(tmp_path: Path) -> None:
    variables = ("DATABASE_URL", "DATABASE_OWNER_URL", "MEMORY_DATABASE_URL")
    port, env = free_port(), production(tmp_path, ALLOWED_HOSTS="127.0.0.1", **dict.fromkeys(variables, ""))
    web = serve(prepared(env), port)
    try:
        assert eventually(lambda: web.poll() is not None or answers(port), 60), web.stderr and web.stderr.read()
        web.terminate()
        assert web.wait(timeout=60) == 0
        assert not answers(port, "/healthz")
        assert nothing_runs(tmp_path)
    finally:
        web.kill()
        guard.stop_server(tmp_path.resolve() / "pgdata")
