"""The portal as `manage.py serve` starts it, on this run's database."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from psycopg.conninfo import conninfo_to_dict

from memoryportal.base.databases import PROJECT_DIR, embedded_dsn
from memoryportal.base.names import APP
from tests.base.houses import environment, eventually
from tests.base.test_demo import answers, free_port


@contextmanager
def serving(folder: Path, *options: str, **more: str) -> Iterator[int]:
    """The port of a server with these options and environment, and with keys of its own in `folder`."""
    name = str(conninfo_to_dict(settings.MEMORY_DATABASE_URL)["dbname"])
    addresses = {
        "DATABASE_URL": embedded_dsn(Path(os.environ["DATA_DIR"]), APP, name),
        "MEMORY_DATABASE_URL": settings.MEMORY_DATABASE_URL,
    }
    number = free_port()
    command = [sys.executable, "manage.py", "serve", "--port", str(number), *options]
    web = subprocess.Popen(command, cwd=PROJECT_DIR, env=environment(folder, **addresses, **more))
    try:
        assert eventually(lambda: answers(number, "/healthz"), 60)
        yield number
    finally:
        web.terminate()
        web.wait(timeout=30)
