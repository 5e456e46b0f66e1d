"""The web process: granian's command line, its port, and ending it when we are told to end."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

from .databases import PROJECT_DIR

THREADS = "MEMORYPORTAL_THREADS"  # set by `manage.py serve` for the processes that it starts


class CannotServe(Exception):
    """The web process cannot be started; the message is one sentence for the person at the terminal."""


class Ended(BaseException):
    """A signal told this process to end. Not an Exception: nobody may take it for trouble and go on."""


def sensible_threads() -> int:
    """Requests at a time for one process: a few wait for the database while one computes."""
    return min(8, 2 * (os.cpu_count() or 1) + 1)


def threads_here() -> int:
    """Requests at a time in this process, as `serve` was told."""
    return int(os.environ.get(THREADS) or sensible_threads())


def granian(host: str, port: int, workers: int, threads: int) -> list[str]:
    """The command line of the web process. No access log: paths and queries are about people."""
    options = {
        "--interface": "wsgi",
        "--http": "1",
        "--host": host,
        "--port": str(port),
        "--workers": str(workers),
        "--blocking-threads": str(threads),
        "--workers-kill-timeout": "20",
        "--log-level": "warning",
        "--working-dir": str(PROJECT_DIR),
    }
    flags = ["--no-ws", "--no-access-log", "--respawn-failed-workers"]
    pairs = [part for pair in options.items() for part in pair]
    return [sys.executable, "-m", "granian", *pairs, *flags, "memoryportal.wsgi:application"]


def read_port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise CannotServe(f"PORT must be a number from 1 to 65535, not {text!r}.")
    return int(text)


def refuse_used_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CannotServe(
                f"Port {port} on {host} cannot be used ({error.strerror}): choose another PORT."
            ) from None


@contextmanager
def ending_on_signals() -> Iterator[None]:
    """Raise Ended on SIGINT, SIGTERM and SIGHUP. Set explicitly: a background job inherits an ignored SIGINT."""

    def end(number: int, _: FrameType | None) -> None:
        for again in before:
            signal.signal(again, signal.SIG_IGN)  # the first one is being obeyed; tidying up takes a moment
        raise Ended(signal.Signals(number).name)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def start(
    command: list[str], environment: Mapping[str, str] | None = None, quiet: bool = False
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, so that Ctrl-C reaches only us and the order of ending is ours.

    `quiet` drops its standard output; what it says about trouble still comes through.
    """
    return subprocess.Popen(
        command,
        env=dict(environment or os.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL if quiet else None,
        cwd=PROJECT_DIR,
        start_new_session=True,
    )


def wait(child: subprocess.Popen[bytes], go_on: Callable[[], bool] = lambda: True) -> int | None:
    """The child's exit status, or None when `go_on` (asked once a second) said no first."""
    while go_on():
        try:
            return child.wait(timeout=1)
        except subprocess.TimeoutExpired:
            continue
    return None


def end(child: subprocess.Popen[bytes], seconds: float = 25) -> None:
    """End a child politely, then by force; returns when it is gone."""
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
