"""The portal as an installation has it: its own database, production settings, granian, and a service key."""

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from memoryportal.base.names import APP, OWNER, SCOPED
from tests.base.houses import eventually, manage
from tests.base.test_checks import production
from tests.base.test_demo import answers, free_port
from tests.base.test_serve import prepared, serve

from .houses import House, house

# As the proxy that ends TLS says it.
BEHIND_PROXY = {"Host": "127.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.1"}
UNLIMITED = str(10**9)


@dataclass(frozen=True, slots=True)
class Served:
    """A gateway that answers on 127.0.0.1. `key` is the text of a service key for everything."""

    port: int
    key: str
    made: House


@contextmanager
def served(server: Callable[[str], str], folder: Path, workers: int) -> Iterator[Served]:
    """Installed by the documented steps, and started by `manage.py serve`."""
    with house(server) as made:
        env = prepared(production(folder, ALLOWED_HOSTS="127.0.0.1", **_addresses(made)))
        key = manage("create_service_key", "bench", "--rights", "read", "write", "delete", env=env).stdout.strip()
        assert key.startswith("mpk_")
        port = free_port()
        web = serve(env, port, workers)
        threading.Thread(target=_drain, args=(web,), daemon=True).start()
        try:
            assert eventually(lambda: web.poll() is not None or answers(port), 60), "the gateway does not come up"
            made.settle()
            yield Served(port, key, made)
        finally:
            _end(web)


def _addresses(made: House) -> dict[str, str]:
    logins = {"DATABASE_URL": APP, "DATABASE_OWNER_URL": OWNER, "MEMORY_DATABASE_URL": SCOPED}
    addresses = {variable: _url(made, role) for variable, role in logins.items()}
    return {**addresses, "GATEWAY_KEY_PER_MINUTE": UNLIMITED, "GATEWAY_SUBJECT_PER_MINUTE": UNLIMITED}


def _url(made: House, role: str) -> str:
    parts = conninfo_to_dict(made.superuser)
    return f"postgresql://{role}@/{parts['dbname']}?host={parts['host']}"


def _drain(web: "subprocess.Popen[str]") -> None:
    """Read what it logs: a full pipe would stop it."""
    for _ in web.stderr or ():
        pass


def _end(web: "subprocess.Popen[str]") -> None:
    web.terminate()
    try:
        web.wait(timeout=30)
    finally:
        web.kill()
