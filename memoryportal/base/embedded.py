"""The PostgreSQL that comes with the portal, for trying it out, tests and small installations.

Every process that needs it enters `EmbeddedPostgres(data_dir)`. The first one starts the server, the last one out stops
it; both are decided under one file lock, and a guard process (guard.py) leaves for a process that was killed.
"""

import fcntl
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self

import psycopg

from . import guard
from .cluster import (
    CONFIG_FILE,
    EmbeddedFailed,
    folders_above,
    last_line,
    make_cluster,
    modes,
    refuse_foreign_owner,
    start_server,
)
from .databases import embedded_dsn, socket_dir
from .roles import prepare_database

__all__ = ["EmbeddedFailed", "EmbeddedPostgres", "is_running"]
START_SECONDS = 60.0
SUPERUSER = "postgres"
# Nothing of a row may reach the server's log: a failed INSERT is otherwise logged with "Failing row contains …".
SETTINGS = {
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length_on_error": "0",
    "log_statement": "none",
    "unix_socket_permissions": "0700",  # the server trusts whoever reaches the socket
    "max_connections": "100",
    "timezone": "'UTC'",
}
FAST_AND_LOOSE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def is_running(data_dir: Path) -> bool:
    """Whether a server of this folder answers a query right now."""
    if not (data_dir / "pgdata" / "postmaster.pid").exists():
        return False
    try:
        with psycopg.connect(embedded_dsn(data_dir, SUPERUSER, "postgres"), connect_timeout=2) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.Error:
        return False


class EmbeddedPostgres:
    """Use the server of `data_dir` for the length of a `with` block.

    `durable=False` trades safety against power cuts for speed (tests). `say` gets one line when folders had to be made
    readable. Raises EmbeddedFailed.
    """

    def __init__(self, data_dir: Path, *, durable: bool = True, say: Callable[[str], None] = _say) -> None:
        self.data_dir = data_dir.expanduser().resolve()
        self.pgdata = self.data_dir / "pgdata"
        self.house = secrets.token_hex(16)
        self._durable = durable
        self._say = say
        self._users: IO[str] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            with _start_lock(self.data_dir):
                self._join()
                if not is_running(self.data_dir):
                    self._start()
                prepare_database(self.superuser_dsn(), in_template=True)
        except OSError as error:
            self._leave()
            raise EmbeddedFailed(f"DATA_DIR {self.data_dir} cannot be used: {error.strerror or error}.") from None
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def superuser_dsn(self, dbname: str = "postgres") -> str:
        """The connection string of the cluster's superuser."""
        return embedded_dsn(self.data_dir, SUPERUSER, dbname)

    def child_environment(self) -> dict[str, str]:
        """An environment for child processes that shall end with this block, whatever happens to this process."""
        return {**os.environ, guard.HOUSE: self.house}

    def _join(self) -> None:
        """Take a share of the server, with a guard that gives it back even if this process cannot."""
        self._users = open(self.data_dir / "postgres.users.lock", "w")  # noqa: SIM115 - open for the whole block
        fcntl.flock(self._users, fcntl.LOCK_SH)
        number = self._users.fileno()
        self._guard = subprocess.Popen(
            [sys.executable, "-I", guard.__file__, str(self.data_dir), str(number), self.house],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(number,),
            start_new_session=True,  # Ctrl-C reaches everything in the terminal's group, but not the guard
            cwd="/",
        )

    def _leave(self) -> None:
        watcher, users = self._guard, self._users
        self._guard = self._users = None
        if watcher is not None and watcher.stdin is not None:
            watcher.stdin.close()
            if watcher.wait(timeout=90) != 0 and users is not None:  # somebody killed the guard: do its work here
                guard.leave(self.data_dir, users.fileno(), self.house)
        if users is not None:
            users.close()

    def _start(self) -> None:
        refuse_foreign_owner(self.pgdata)
        self._wait_for_leftovers()
        _remove_lock_files(self.pgdata)
        before = modes(folders_above(self.pgdata))
        if not (self.pgdata / "PG_VERSION").exists():
            make_cluster(self.pgdata)
        self._configure()
        start_server(self.pgdata)
        self._report_folders(before)
        self._wait_until_ready()

    def _wait_for_leftovers(self) -> None:
        """A killed server's processes need a moment to end; a server that still starts up needs one to answer."""
        until = time.monotonic() + 15
        while running := guard.server_processes(self.pgdata):
            if time.monotonic() > until:
                raise EmbeddedFailed(
                    f"A PostgreSQL process (pid {running[0].pid}) works in {self.pgdata} but does not answer: "
                    "end it, or choose another DATA_DIR."
                )
            time.sleep(0.1)

    def _configure(self) -> None:
        """Written at every start, so that an older cluster gets today's settings."""
        settings = SETTINGS if self._durable else {**SETTINGS, **FAST_AND_LOOSE}
        path = self.pgdata / CONFIG_FILE
        path.write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
        owner = self.pgdata.stat()
        os.chown(path, owner.st_uid, owner.st_gid)

    def _report_folders(self, before: dict[Path, int]) -> None:
        changed = [str(folder) for folder, mode in modes(list(before)).items() if mode != before[folder]]
        if changed:
            self._say(
                "Running as root: PostgreSQL runs as the account pgserver, so these folders were made readable for "
                f"everybody: {', '.join(changed)}"
            )

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + START_SECONDS
        while not is_running(self.data_dir):
            if time.monotonic() > until or not guard.server_processes(self.pgdata):
                raise EmbeddedFailed(
                    f"The embedded PostgreSQL did not start. {last_line(self.pgdata / 'log')} "
                    f"Its log is {self.pgdata / 'log'}."
                )
            time.sleep(0.05)


@contextmanager
def _start_lock(data_dir: Path) -> Iterator[None]:
    """One starter or stopper at a time. Raises EmbeddedFailed when another one takes longer than any start should."""
    until = time.monotonic() + START_SECONDS + 30
    with open(data_dir / "postgres.start.lock", "w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise EmbeddedFailed(f"Another process is busy starting PostgreSQL in {data_dir}.") from None
                time.sleep(0.05)
        yield


def _remove_lock_files(pgdata: Path) -> None:
    """Only called when no server process works in `pgdata`: what these files say is then about a dead one."""
    sockets = socket_dir(pgdata.parent)
    for stale in (pgdata / "postmaster.pid", sockets / ".s.PGSQL.5432", sockets / ".s.PGSQL.5432.lock"):
        stale.unlink(missing_ok=True)
