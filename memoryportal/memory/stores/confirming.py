"""Stores outside PostgreSQL change one thing after the other. When one is lost in between, something has happened.

So every write that such a store has answered is noted, and a failure behind one is NotConfirmed: nobody may be told
that nothing was changed.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import NotConfirmed, StoreUnavailable


class _Written(threading.local):
    """How many writes this thread has seen answered. mem0 writes in the thread that calls it (it reads in others)."""

    count = 0


_written = _Written()


def note_write() -> None:
    """A store outside PostgreSQL has made a change. Called by the connections."""
    _written.count += 1


def take_back_write() -> None:
    """The store has said later that the last noted change was not made: what it had queued, it failed to do."""
    _written.count -= 1


@contextmanager
def confirming() -> Iterator[None]:
    """One change that somebody asked for, in all its parts."""
    before = _written.count
    try:
        yield
    except NotConfirmed:
        raise
    except StoreUnavailable as error:
        if _written.count == before:
            raise
        raise NotConfirmed(f"the store was lost before all of it was done: {error}") from None
