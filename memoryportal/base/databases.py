"""Where the database is and which login a command uses.

Three logins share it (roles.py): the owner changes the schema, the app runs the portal, `scoped` is the memory store's.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict

from .deadline import CONNECT_SECONDS, STATEMENT_SECONDS
from .names import APP, DATABASE, OWNER, SCOPED

PROJECT_DIR = Path(__file__).resolve().parent.parent.parent
OWNER_COMMANDS = frozenset({"migrate", "prepare_store", "scrub", "prepare_database", "createcachetable", "prune_audit"})
# What a connection string may say beyond this goes to libpq as it is (sslmode, target_session_attrs, …).
_DJANGO_KEYS = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}


@dataclass(frozen=True, slots=True)
class Addresses:
    """Connection strings of the three logins. `embedded`: the PostgreSQL that the portal runs itself in `data_dir`."""

    app: str
    owner: str
    scoped: str
    embedded: bool
    data_dir: Path


def data_dir_of(environ: Mapping[str, str]) -> Path:
    """The folder of everything that the portal writes: DATA_DIR, or data/ in the project."""
    return Path(environ.get("DATA_DIR") or PROJECT_DIR / "data").expanduser().resolve()


def socket_dir(data_dir: Path) -> Path:
    """The folder of the embedded server's socket: line five of its pid file, or pgdata while nothing runs."""
    pgdata = data_dir / "pgdata"
    try:
        lines = (pgdata / "postmaster.pid").read_text().splitlines()
    except OSError:
        lines = []
    return Path(lines[4]) if len(lines) > 4 and lines[4] else pgdata


def embedded_dsn(data_dir: Path, user: str, dbname: str = DATABASE) -> str:
    """The connection string of one login on the embedded server."""
    return f"postgresql://{user}@/{dbname}?host={quote(str(socket_dir(data_dir)), safe='/')}"


def read_addresses(env: Any, data_dir: Path) -> Addresses:
    """Read DATABASE_URL, DATABASE_OWNER_URL and MEMORY_DATABASE_URL through `env.str`; unset means embedded.

    The owner's and the memory store's addresses default to the app's: one login for everything works, and
    `check --deploy` warns about it. Raises ImproperlyConfigured for a string that is no PostgreSQL address.
    """
    app = env.str("DATABASE_URL", default="")
    if not app:
        logins = {"app": APP, "owner": OWNER, "scoped": SCOPED}
        dsns = {name: embedded_dsn(data_dir, role) for name, role in logins.items()}
        return Addresses(**dsns, embedded=True, data_dir=data_dir)
    owner = env.str("DATABASE_OWNER_URL", default="") or app
    scoped = env.str("MEMORY_DATABASE_URL", default="") or app
    for name, dsn in (("DATABASE_URL", app), ("DATABASE_OWNER_URL", owner), ("MEMORY_DATABASE_URL", scoped)):
        parse(dsn, name)
    return Addresses(app, owner, scoped, embedded=False, data_dir=data_dir)


def parse(dsn: str, name: str = "DATABASE_URL") -> dict[str, Any]:
    """The parts of a connection string, libpq's names. The error never repeats the string: it holds a password."""
    if not dsn.startswith(("postgresql://", "postgres://")):
        raise ImproperlyConfigured(f"{name} must begin with postgresql:// (PostgreSQL is the only database supported).")
    try:
        parts = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        raise ImproperlyConfigured(f"{name} is not a valid PostgreSQL address.") from None
    if not parts.get("dbname"):
        raise ImproperlyConfigured(f"{name} names no database: it should end in /{DATABASE} or the like.")
    return dict(parts)


def runs_as_owner(argv: Sequence[str]) -> bool:
    """Whether this command line is one that may change the schema."""
    return len(argv) > 1 and argv[1] in OWNER_COMMANDS and Path(argv[0]).name in ("manage.py", "django-admin")


def app_database(addresses: Addresses, argv: Sequence[str]) -> dict[str, Any]:
    """Django's DATABASES entry for this command line."""
    owner = runs_as_owner(argv)
    return database(addresses.owner if owner else addresses.app, patient=owner)


def database(dsn: str, patient: bool = False) -> dict[str, Any]:
    """Django's DATABASES entry for `dsn`. `patient`: no time limit, for work on the schema."""
    parts = parse(dsn)
    entry = {django: str(parts.pop(libpq, "") or "") for libpq, django in _DJANGO_KEYS.items()}
    options = {"connect_timeout": CONNECT_SECONDS, **parts, "patient": patient}
    if not patient:
        options["options"] = f"{parts.get('options', '')} -c statement_timeout={STATEMENT_SECONDS * 1000}".strip()
    return {
        "ENGINE": "memoryportal.base.backend",
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
        **entry,
    }


def embedded_wanted(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this start has no database of its own and so runs the embedded one."""
    return not environ.get("DATABASE_URL")
