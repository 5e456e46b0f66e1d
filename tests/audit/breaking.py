"""Ways in which the trail takes no events for a while, on the database that the tests of pages use."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.conf import settings

from memoryportal.base.names import APP

from .house import APPEND

_FULL = """
    CREATE FUNCTION audit_disk_is_full() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
    CREATE TRIGGER full_disk BEFORE INSERT ON audit_event FOR EACH ROW EXECUTE FUNCTION audit_disk_is_full();
"""
_EMPTY = "DROP TRIGGER full_disk ON audit_event; DROP FUNCTION audit_disk_is_full()"
HOW = {
    "not allowed": (f"REVOKE EXECUTE ON {APPEND} FROM {APP}", f"GRANT EXECUTE ON {APPEND} TO {APP}"),
    "disk full": (_FULL, _EMPTY),
    "head gone": ("ALTER TABLE audit_head RENAME TO gone", "ALTER TABLE gone RENAME TO audit_head"),
}
LOCKED = "locked"
WAYS = (*HOW, LOCKED)


@contextmanager
def broken_trail(how: str = "not allowed") -> Iterator[None]:
    with psycopg.connect(settings.MEMORY_OWNER_URL, autocommit=True) as owner:
        if how == LOCKED:
            yield from _locked(owner)
            return
        breaks, mends = HOW[how]
        owner.execute(breaks)
        try:
            yield
        finally:
            owner.execute(mends)


def _locked(owner: "psycopg.Connection[tuple[object, ...]]") -> Iterator[None]:
    """Somebody holds the head and does not let go."""
    owner.execute(f"ALTER {APPEND} SET lock_timeout = '200ms'")
    try:
        with owner.transaction():
            owner.execute("SELECT 1 FROM audit_head FOR UPDATE")
            owner.execute("LOCK TABLE audit_head IN EXCLUSIVE MODE")
            yield
    finally:
        owner.execute(f"ALTER {APPEND} SET lock_timeout = '3s'")
