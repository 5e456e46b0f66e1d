"""The embedded server starts once, is shared, and never outlives its last user."""

import os
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from memoryportal.base import guard
from memoryportal.base.embedded import EmbeddedFailed, EmbeddedPostgres, is_running

from .houses import eventually, nothing_runs, script

USE_IT = """
import sys
from pathlib import Path
from memoryportal.base.embedded import EmbeddedPostgres
with EmbeddedPostgres(Path(sys.argv[1]), durable=False) as server:
    print((server.pgdata / "postmaster.pid").read_text().splitlines()[0], flush=True)
    sys.stdin.read() if len(sys.argv) == 2 else exec(sys.argv[2])
"""
WAIT = "import time; time.sleep(120)"
WITH_A_CHILD = """
import subprocess
child = subprocess.Popen(["sleep", "120"], env=server.child_environment(), start_new_session=True)
print(child.pid, flush=True)
import time; time.sleep(120)
"""


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"
    guard.stop_server(tmp_path.resolve() / "data" / "pgdata")


@pytest.fixture
def made(data_dir: Path) -> Path:
    """A data folder whose cluster exists, with nothing running."""
    with EmbeddedPostgres(data_dir, durable=False):
        pass
    return data_dir


def ask(server: EmbeddedPostgres, question: str, dbname: str = "memoryportal") -> object:
    with psycopg.connect(server.superuser_dsn(dbname)) as connection:
        row = connection.execute(question).fetchone()
    return row and row[0]


def test_start_and_restart_in_one_process_keep_the_data(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, durable=False) as server:
        assert is_running(data_dir)
        with psycopg.connect(server.superuser_dsn("memoryportal")) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    assert not is_running(data_dir)
    assert nothing_runs(data_dir)
    with EmbeddedPostgres(data_dir) as again:
        assert ask(again, "SELECT n FROM kept") == 7


def test_log_settings_keep_rows_out_of_the_log(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, durable=False) as server:
        with psycopg.connect(server.superuser_dsn("memoryportal"), autocommit=True) as connection:
            connection.execute("CREATE TABLE secret (text text NOT NULL, n int CHECK (n > 0))")
            with pytest.raises(psycopg.errors.CheckViolation) as refused:
                connection.execute("INSERT INTO secret VALUES (%s, -1)", ("canary-4711",))
            with pytest.raises(psycopg.errors.SyntaxError):
                connection.execute("SELEC 'canary-4712'")
        log = (server.pgdata / "log").read_text()
    assert "canary-4711" in str(refused.value)  # the server did have the row to tell
    assert "violates check constraint" in log
    assert "canary" not in log


def test_socket_admits_nobody_but_its_owner(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, durable=False) as server:
        socket = server.pgdata / ".s.PGSQL.5432"
        assert stat.S_IMODE(socket.stat().st_mode) == 0o700
        assert ask(server, "SELECT current_setting('listen_addresses')") == ""


def test_long_data_dir_gets_a_private_socket_folder(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    with EmbeddedPostgres(deep, durable=False) as server:
        assert ask(server, "SELECT 1") == 1
    assert nothing_runs(deep)


def test_two_starters_at_once_make_one_server(data_dir: Path) -> None:
    starters = [script(USE_IT, data_dir, WAIT) for _ in range(3)]
    try:
        pids = {starter.stdout.readline() for starter in starters if starter.stdout}
        assert len(pids) == 1
        assert pids != {""}
        first, *others = starters
        first.terminate()
        first.wait()
        time.sleep(0.3)
        assert is_running(data_dir), "the others still use it"
        for other in others:
            other.kill()
        assert eventually(lambda: nothing_runs(data_dir))
    finally:
        for starter in starters:
            starter.kill()
            starter.wait()


def test_kill_9_of_the_user_ends_server_and_children(data_dir: Path) -> None:
    user = script(USE_IT, data_dir, WITH_A_CHILD)
    assert user.stdout
    server_pid, child_pid = (int(user.stdout.readline()) for _ in range(2))
    assert Path(f"/proc/{child_pid}").exists()
    user.kill()
    user.wait()
    assert eventually(lambda: not Path(f"/proc/{child_pid}").exists())
    assert eventually(lambda: not Path(f"/proc/{server_pid}").exists())
    assert nothing_runs(data_dir)


def test_process_that_ends_meanwhile_does_not_stop_the_guard() -> None:
    child = subprocess.Popen(["sleep", "0"])
    process = psutil.Process(child.pid)
    child.wait()
    guard._signal([process], signal.SIGTERM)
    assert not guard.children_of("nobody's house")


def test_stale_pid_file_with_a_living_pid_is_not_believed(made: Path) -> None:
    pgdata = made.resolve() / "pgdata"
    now = int(time.time())
    (pgdata / "postmaster.pid").write_text(f"{os.getpid()}\n{pgdata}\n{now}\n5432\n{pgdata}\n\n  1 2\nready   \n")
    (pgdata / ".s.PGSQL.5432.lock").write_text(f"{os.getpid()}\n")
    with EmbeddedPostgres(made, durable=False) as server:
        assert ask(server, "SELECT 1") == 1


def test_truncated_pid_file_is_no_obstacle(made: Path) -> None:
    (made / "pgdata" / "postmaster.pid").write_text("12")
    with EmbeddedPostgres(made, durable=False) as server:
        assert ask(server, "SELECT 1") == 1


def test_server_killed_with_its_guard_starts_again(made: Path) -> None:
    pgdata = made.resolve() / "pgdata"
    with EmbeddedPostgres(made) as server:
        for process in guard.server_processes(pgdata):
            process.kill()
        assert eventually(lambda: not guard.server_processes(pgdata))
        with EmbeddedPostgres(made) as second:
            assert ask(second, "SELECT 1") == 1
        assert ask(server, "SELECT 1") == 1, "the first user still holds its share"
    assert nothing_runs(made)


def test_frozen_server_is_ended_all_the_same(made: Path) -> None:
    pgdata = made.resolve() / "pgdata"
    with EmbeddedPostgres(made, durable=False):
        for process in guard.server_processes(pgdata):
            process.suspend()
        guard.SERVER_SIGNALS, before = ((signal.SIGINT, 0.3), (signal.SIGKILL, 5.0)), guard.SERVER_SIGNALS
        try:
            guard.stop_server(pgdata)
        finally:
            guard.SERVER_SIGNALS = before
        assert nothing_runs(made)


def test_unfinished_initdb_is_not_taken_for_a_cluster(data_dir: Path) -> None:
    unfinished = data_dir / "pgdata.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(data_dir, durable=False) as server:
        assert ask(server, "SELECT 1") == 1
    assert not unfinished.exists()


def test_unusable_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(EmbeddedFailed, match=r"^DATA_DIR .*file cannot be used: .*\.$"),
        EmbeddedPostgres(tmp_path / "file"),
    ):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_cluster_of_another_account_is_refused(made: Path) -> None:
    os.chown(made / "pgdata", 12345, 12345)
    with pytest.raises(EmbeddedFailed, match=r"belongs to another account \(uid 12345\)"), EmbeddedPostgres(made):
        pass
    assert (made / "pgdata").stat().st_uid == 12345


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server as another account")
def test_folders_made_readable_are_named(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    lines: list[str] = []
    with EmbeddedPostgres(private / "data", durable=False, say=lines.append):
        pass
    assert len(lines) == 1
    assert str(private) in lines[0]
    assert "\n" not in lines[0]
