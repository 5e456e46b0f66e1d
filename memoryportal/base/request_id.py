"""One id for each request: in its answer, in its log lines and events, and on error pages as the reference."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

HEADER = "X-Request-ID"
_current: ContextVar[str] = ContextVar("request_id", default="")


def request_id() -> str:
    """The id of the request that is being answered (32 hexadecimal digits); empty outside of requests."""
    return _current.get()


@contextmanager
def numbered() -> Iterator[str]:
    """A fresh id for what happens inside. Never one that a client sent: it could repeat somebody else's."""
    token = _current.set(uuid.uuid4().hex)
    try:
        yield _current.get()
    finally:
        _current.reset(token)
