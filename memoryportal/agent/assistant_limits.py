"""How much one person may ask the assistant for. A language model costs money, and time that others wait for."""

import hashlib
import hmac
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection

from memoryportal.base.secrets_file import derived_key
from memoryportal.base.web import threads_here
from memoryportal.memory import SubjectId

# Requests that wait for a language model; the others of this process are for everybody else's pages.
_waiting = threading.BoundedSemaphore(max(1, threads_here() - 2))
_COUNT = """
INSERT INTO agent_window AS w (holder, minute, requests) VALUES (%s, %s, 1)
ON CONFLICT (holder, minute) DO UPDATE SET requests = w.requests + 1 RETURNING requests
"""


class TooOften(Exception):
    """This person has sent ASSISTANT_PER_MINUTE messages in this minute. `wait`: seconds until the next one."""

    def __init__(self, wait: int) -> None:
        super().__init__("too many messages in one minute")
        self.wait = wait


class TooBusy(Exception):
    """Everybody who may wait for the language model at a time does."""


def admit(subject: SubjectId) -> None:
    """Count one message. Raises TooOften."""
    minute, into = divmod(int(time.time()), 60)
    digest = hmac.new(derived_key("limits"), f"assistant:{subject}".encode(), hashlib.sha256).hexdigest()
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, (f"a:{digest}", minute))
        row = cursor.fetchone()
    if row[0] > settings.ASSISTANT_PER_MINUTE:
        raise TooOften(60 - into)


@contextmanager
def place(wanted: bool) -> Iterator[None]:
    """A place among those who wait for the language model, where one is wanted. Raises TooBusy."""
    if not wanted:
        yield
        return
    if not _waiting.acquire(blocking=False):
        raise TooBusy
    try:
        yield
    finally:
        _waiting.release()
