"""The demo: a portal with made-up people, on a database of its own, that leaves nothing running behind."""

import fcntl
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import psycopg

from . import web
from .databases import PROJECT_DIR
from .embedded import EmbeddedPostgres
from .installation import IS_NO_DEMO
from .names import DATABASE

HOST = "127.0.0.1"
READY_SECONDS = 60.0
# Printed when the portal answers. The accounts are made by the rooms' command load_demo.
WELCOME = """
  MemoryPortal is ready:  http://{host}:{port}/

  Sign in as   alice@example.com or bob@example.com   (two people with memories)
  Staff        support@, privacy@, privacy2@, auditor@ and admin@example.com
  Password     demo-portal-1   (for all of them)

  Everything is in {data_dir}. Press Ctrl-C to end it.
"""
Say = Callable[[str], None]


class DemoRefused(Exception):
    """The demo does not start; the message is one sentence for the person at the terminal."""


def run(data_dir: Path, port: int, say: Say, end_with_parent: bool = False) -> int:
    """Run the demo until it is told to end; returns the exit status.

    `end_with_parent`: end when the process that started this one is gone (make, when it is killed).
    Raises DemoRefused, web.CannotServe or embedded.EmbeddedFailed before anything was changed.
    """
    parent = os.getppid()
    with web.ending_on_signals(), _only_demo_here(data_dir):
        web.refuse_used_port(HOST, port)
        try:
            with EmbeddedPostgres(data_dir, say=say) as server:
                _refuse_other_database(server)
                say("Preparing the demo …")
                _prepare(server)
                child = web.start(web.granian(HOST, port, 1, web.sensible_threads()), server.child_environment())
                worker = web.start(_command("worker"), server.child_environment())
                try:
                    _wait_until_ready(child, port)
                    say(WELCOME.format(host=HOST, port=port, data_dir=data_dir))
                    status = web.wait(child, go_on=lambda: not end_with_parent or os.getppid() == parent)
                finally:
                    web.end(worker)
                    web.end(child)
        except web.Ended:
            status = None
    if status is not None:
        say(f"The web process ended by itself (status {status}).")
        return 1
    say("The demo has ended. Its data stays for the next time.")
    return 0


@contextmanager
def _only_demo_here(data_dir: Path) -> Iterator[None]:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = open(data_dir / "demo.lock", "w")  # noqa: SIM115 - closed below
    except OSError as error:
        raise DemoRefused(f"DATA_DIR {data_dir} cannot be used: {error.strerror}.") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoRefused(f"A demo is running on {data_dir} already: end it, or set DATA_DIR and PORT.") from None
        yield


def database_kind(dsn: str) -> Literal["new", "demo", "other"]:
    """What the database at `dsn` (a superuser's address) is: without tables, marked as a demo, or somebody's."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        if _exists(connection, "SELECT to_regclass('public.base_installation') IS NOT NULL"):
            marked = _exists(connection, "SELECT EXISTS (SELECT FROM base_installation WHERE demo)")
            return "demo" if marked else "other"
        tables = _exists(connection, "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = 'public')")
    return "other" if tables else "new"


def _exists(connection: psycopg.Connection[tuple[bool]], question: str) -> bool:
    row = connection.execute(question).fetchone()
    return bool(row and row[0])


def _refuse_other_database(server: EmbeddedPostgres) -> None:
    """Only a database that the demo made. `demo.begun` is for a demo that was killed within its first migrate."""
    begun = server.data_dir / "demo.begun"
    kind = database_kind(server.superuser_dsn(DATABASE))
    if kind == "other" and not begun.exists():
        raise DemoRefused(IS_NO_DEMO)
    if kind == "new":
        begun.touch()
    if kind == "demo":
        begun.unlink(missing_ok=True)


def _prepare(server: EmbeddedPostgres) -> None:
    """Static files beside the rest: they need no database, and the first start should not take long."""
    environment = {**server.child_environment(), "DATA_DIR": str(server.data_dir)}
    static = web.start(_command("collectstatic", "--noinput"), environment, quiet=True)
    try:
        for step in ("migrate", "prepare_store", "load_demo"):
            _finish(web.start(_command(step), environment, quiet=True), step)
        _finish(static, "collectstatic")
    finally:
        web.end(static)


def _command(*arguments: str) -> list[str]:
    return [sys.executable, str(PROJECT_DIR / "manage.py"), *arguments]


def _finish(child: subprocess.Popen[bytes], name: str) -> None:
    if child.wait() != 0:
        raise DemoRefused(f"The demo could not be prepared: `manage.py {name}` failed (its message is above).")


def _wait_until_ready(child: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + READY_SECONDS
    while child.poll() is None and time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/readyz", timeout=5):
                return
        except (OSError, urllib.error.URLError):
            time.sleep(0.1)
    raise DemoRefused("The web process did not come up (its message is above).")
