"""Ends the embedded PostgreSQL when its last user is gone, however that user ended.

Started by embedded.py with one end of a pipe as its standard input. The pipe closes when the process that holds the
other end closes it, returns, crashes or is killed with SIGKILL: then this process ends the child processes of that
user, and the server if nobody else uses it. Runs by its path, outside Django, so that it is up in a few milliseconds.
"""

import fcntl
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import psutil

HOUSE = "MEMORYPORTAL_HOUSE"  # environment variable that marks the child processes of one user of the server
CHILD_SECONDS = 10.0
SERVER_SIGNALS = ((signal.SIGINT, 15.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))  # fast, immediate, by force


def _all(wanted: Callable[[psutil.Process], bool]) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and wanted(process):
                found.append(process)
        except (psutil.Error, OSError):  # ended meanwhile, or somebody else's
            continue
    return found


def server_processes(pgdata: Path) -> list[psutil.Process]:
    """The PostgreSQL processes that work in `pgdata`. A pid file is no proof: its number may be another process's."""
    return _all(lambda process: process.name().startswith("postgres") and Path(process.cwd()) == pgdata)


def children_of(house: str) -> list[psutil.Process]:
    """The live processes that carry this house's mark, their own children included."""
    return _all(lambda process: process.environ().get(HOUSE) == house)


def _signal(processes: list[psutil.Process], how: signal.Signals) -> None:
    """Signal the outermost of these processes, which end their own children; every one of them for SIGKILL."""
    pids = {process.pid for process in processes}
    for process in processes:
        try:
            if how == signal.SIGKILL or process.ppid() not in pids:
                process.send_signal(how)
        except psutil.Error:  # ended meanwhile
            continue


def _end(find: Callable[[], list[psutil.Process]], how: signal.Signals, seconds: float) -> bool:
    """Signal what `find` finds; True as soon as it finds nothing any more."""
    _signal(find(), how)
    until = time.monotonic() + seconds
    while find():
        if time.monotonic() > until:
            return False
        time.sleep(0.03)
    return True


def end_children(house: str) -> None:
    """End everything that was started with this house's mark: politely, then by force."""

    def find() -> list[psutil.Process]:
        return children_of(house)

    if not _end(find, signal.SIGTERM, CHILD_SECONDS):
        _end(find, signal.SIGKILL, 5)


def stop_server(pgdata: Path) -> None:
    """Stop the server in `pgdata`: a clean stop first, by force when it does not answer."""
    for how, seconds in SERVER_SIGNALS:
        if _end(lambda: server_processes(pgdata), how, seconds):
            return


def leave(data_dir: Path, users_fd: int, house: str) -> None:
    """One user leaves. `users_fd` holds its share of the lock; who can take the lock alone was the last one."""
    try:
        end_children(house)
    finally:
        _give_back(data_dir, users_fd)


def _give_back(data_dir: Path, users_fd: int) -> None:
    with open(data_dir / "postgres.start.lock", "w") as start:
        fcntl.flock(start, fcntl.LOCK_EX)
        try:
            fcntl.flock(users_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        stop_server(data_dir / "pgdata")


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(0, 1024):
        pass
    data_dir = Path(sys.argv[1])
    try:
        leave(data_dir, int(sys.argv[2]), sys.argv[3])
    except Exception:  # nobody reads this process's standard error, and its parent may be gone
        (data_dir / "guard.log").write_text(traceback.format_exc())
        raise


if __name__ == "__main__":
    main()
