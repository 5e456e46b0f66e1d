"""What must work before this process should be sent visitors. Rooms add their own probes at start-up."""

from collections.abc import Callable

from django.db import ProgrammingError, connection

from .errors import is_unavailability
from .installation import schema_is_current

Probe = Callable[[], None]


class NotReady(Exception):
    """A part answers, but is not fit to serve yet."""


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _migrations() -> None:
    if not schema_is_current():
        raise NotReady


_probes: dict[str, Probe] = {"database": _database, "migrations": _migrations}


def register(name: str, probe: Probe) -> None:
    """Add a probe: it raises what errors.is_unavailability knows. `name` is shown to whoever asks, so no secrets."""
    _probes[name] = probe


def failing() -> list[str]:
    """The names of the parts that cannot serve right now."""
    return [name for name, probe in _probes.items() if not _works(probe)]


def _works(probe: Probe) -> bool:
    try:
        probe()
    except Exception as error:
        if not isinstance(error, (NotReady, ProgrammingError)) and not is_unavailability(error):
            raise
        return False
    return True
