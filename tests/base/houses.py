"""Helpers for tests that start servers and commands of their own: scripts in other processes, and waiting."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from memoryportal.base import guard
from memoryportal.base.databases import PROJECT_DIR

SECONDS = 30.0


def environment(data_dir: Path, **more: str) -> dict[str, str]:
    """The environment of a fresh terminal whose DATA_DIR is `data_dir`: no settings of the test run."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MEMORYPORTAL_", "DJANGO_", "PYTEST_", "SECRET_KEY"))
    }
    return {
        **kept,
        "DATA_DIR": str(data_dir),
        "DEBUG": "true",
        "DJANGO_SETTINGS_MODULE": "memoryportal.settings",
        **more,
    }


def script(source: str, data_dir: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Run Python source in a process of its own; its lines can be read from `stdout`."""
    return subprocess.Popen(
        [sys.executable, "-c", source, str(data_dir), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=PROJECT_DIR,
        env=environment(data_dir),
    )


def manage(*arguments: str, env: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run manage.py to its end."""
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=PROJECT_DIR, env=dict(env), timeout=120)


def eventually(condition: Callable[[], bool], seconds: float = SECONDS) -> bool:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def nothing_runs(data_dir: Path) -> bool:
    """Whether no PostgreSQL process works in the folder."""
    return not guard.server_processes(data_dir.resolve() / "pgdata")
