"""What must work before this process should be sent visitors. Rooms add their own probes at start-up."""

from collections.abc import Callable

from django.db import connection

from .installation import schema_is_current

Probe = Callable[[], None]


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _migrations() -> None:
    schema_is_current()


_probes: dict[str, Probe] = {"database": _database, "migrations": _migrations}


def register(name: str, probe: Probe) -> None:
    """Add a probe: a function that raises when its part cannot serve. `name` is shown to whoever asks, so no secrets."""
    _probes[name] = probe


def failing() -> list[str]:
    """The names of the parts that cannot serve right now."""
    return [name for name, probe in _probes.items() if not _works(probe)]


def _works(probe: Probe) -> bool:
    try:
        probe()
    except Exception:  # whatever it is, the answer to "are you ready?" is no
        return False
    return True
