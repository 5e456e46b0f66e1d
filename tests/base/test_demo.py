"""The demo: on its own database only, and nothing of it is left when it ends, however it ends."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from memoryportal.base import guard, web
from memoryportal.base.databases import PROJECT_DIR, embedded_dsn
from memoryportal.base.demo import database_kind
from memoryportal.base.embedded import EmbeddedPostgres
from memoryportal.base.environment import clear_live_settings, cleared_line

from .houses import environment, eventually, manage, nothing_runs

LIVE = {
    "MEM0_API_KEY": "m0-secret-value",
    "MEM0_CONFIG": '{"vector_store": {}}',
    "OPENAI_API_KEY": "sk-secret-value",
    "DATABASE_URL": "postgresql://live:secret-value@db.example.com/live",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int, path: str = "/readyz") -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def start_demo(env: dict[str, str], log: Path, *, through_shell: bool = False) -> "subprocess.Popen[bytes]":
    """Like a background job of a script: SIGINT is ignored when it begins."""
    command = [sys.executable, "manage.py", "demo"]
    if through_shell:
        command = ["sh", "-c", '"$@" --end-with-parent & wait', "sh", *command]
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with log.open("ab") as output:
            return subprocess.Popen(command, stdout=output, stderr=output, cwd=PROJECT_DIR, env=env)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.fixture
def demo_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "demo"
    guard.stop_server(tmp_path.resolve() / "demo" / "pgdata")


def gone(port: int, data_dir: Path) -> bool:
    return not answers(port, "/healthz") and nothing_runs(data_dir)


def test_a_demos_whole_life(demo_dir: Path, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log"
    env = environment(demo_dir, PORT=str(port), **LIVE)
    demo = start_demo(env, log)
    try:
        assert eventually(lambda: demo.poll() is not None or answers(port), 90), log.read_text()
        assert eventually(lambda: "alice@example.com" in log.read_text(), 60)
        text = log.read_text()
        assert f"http://127.0.0.1:{port}/" in text
        assert "DATABASE_URL, " in text
        assert "secret-value" not in text
        assert database_kind(embedded_dsn(demo_dir, "postgres")) == "demo"

        second = manage("demo", env={**env, "PORT": str(free_port())})
        assert (second.returncode, second.stderr.count("\n")) == (1, 2), second.stderr  # what was cleared, and why not
        assert "A demo is running on" in second.stderr
        taken = manage("demo", env={**env, "DATA_DIR": str(tmp_path / "other")})
        assert f"Port {port} on 127.0.0.1 cannot be used" in taken.stderr
        assert not (tmp_path / "other" / "pgdata").exists()
        served = manage("serve", "--port", str(free_port()), env=environment(demo_dir))
        assert served.returncode == 1
        assert "made by the demo, whose passwords are public" in served.stderr
        assert answers(port), "all of that left the running demo alone"

        demo.send_signal(signal.SIGINT)
        assert demo.wait(timeout=60) == 0
        assert gone(port, demo_dir)
        assert "The demo has ended" in log.read_text()
    finally:
        demo.kill()

    again = start_demo(environment(demo_dir, PORT=str(port)), log)
    assert eventually(lambda: again.poll() is not None or answers(port), 90), log.read_text()
    again.kill()
    again.wait()
    assert eventually(lambda: gone(port, demo_dir)), "even kill -9 leaves nothing behind"

    orphan = start_demo(environment(demo_dir, PORT=str(port)), log, through_shell=True)
    assert eventually(lambda: orphan.poll() is not None or answers(port), 90), log.read_text()
    orphan.kill()
    orphan.wait()
    assert eventually(lambda: gone(port, demo_dir)), "the death of make ends it too"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signal_during_the_preparation_ends_everything(demo_dir: Path, tmp_path: Path, number: signal.Signals) -> None:
    demo = start_demo(environment(demo_dir, PORT=str(free_port())), tmp_path / "log")
    assert eventually(lambda: not nothing_runs(demo_dir))
    time.sleep(0.4)
    demo.send_signal(number)
    assert demo.wait(timeout=60) == 0, (tmp_path / "log").read_text()
    assert nothing_runs(demo_dir)
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_somebody_elses_database_is_refused_and_untouched(demo_dir: Path) -> None:
    with EmbeddedPostgres(demo_dir, durable=False) as server:
        with psycopg.connect(server.superuser_dsn("memoryportal"), autocommit=True) as connection:
            connection.execute("CREATE TABLE precious AS SELECT 42 AS n")
    refused = manage("demo", env=environment(demo_dir, PORT=str(free_port())))
    assert refused.returncode == 1
    assert "This database was not made by the demo" in refused.stderr
    with EmbeddedPostgres(demo_dir, durable=False) as server:
        with psycopg.connect(server.superuser_dsn("memoryportal")) as connection:
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            assert tables == [("precious",)]
            assert connection.execute("SELECT n FROM precious").fetchone() == (42,)


def test_unmarked_installation_is_somebody_elses(demo_dir: Path) -> None:
    with EmbeddedPostgres(demo_dir, durable=False) as server:
        dsn = server.superuser_dsn("memoryportal")
        assert database_kind(dsn) == "new"
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("CREATE TABLE base_installation AS SELECT 1 AS id, false AS demo")
            assert database_kind(dsn) == "other"
            connection.execute("UPDATE base_installation SET demo = true")
            assert database_kind(dsn) == "demo"


@pytest.mark.parametrize("port", ["0", "65536", "eighty", "-1", "8000x", "²"])
def test_bad_port_is_one_sentence(demo_dir: Path, port: str) -> None:
    with pytest.raises(web.CannotServe, match="PORT must be a number from 1 to 65535"):
        web.read_port(port)


def test_live_settings_are_removed_by_name() -> None:
    variables = {**LIVE, "PATH": "/bin", "PIP_INDEX_URL": "https://pip.example.com", "PGHOST": "db", "DATA_DIR": "x"}
    cleared = clear_live_settings(variables)
    assert cleared == ["DATABASE_URL", "MEM0_API_KEY", "MEM0_CONFIG", "OPENAI_API_KEY", "PGHOST"]
    assert variables == {"PATH": "/bin", "PIP_INDEX_URL": "https://pip.example.com", "DATA_DIR": "x"}
    assert "secret-value" not in cleared_line(cleared)
    assert cleared_line([]) == ""


def test_nothing_live_is_left_in_the_test_run() -> None:
    assert not [name for name in os.environ if name.startswith(("MEM0_API", "MEM0_CONFIG", "OPENAI_", "DATABASE_"))]
