"""mem0's MemoryClient made fit for a server: no telemetry, no log, no ping, deadlines, named errors.

Importing this module imports mem0 (0.8 s, 100 MB), so platform_client.py does it when the first request is made.
"""

import os

os.environ["MEM0_TELEMETRY"] = "False"  # before the import: mem0 reads it once, and the default is on

import json
import logging

import httpx
from mem0.client.main import MemoryClient
from mem0.exceptions import MemoryError as Mem0Error
from mem0.memory import telemetry

from ..errors import MemoryNotFound, MemoryRoomError, NotConfirmed, StoreUnavailable

if telemetry.MEM0_TELEMETRY:
    raise RuntimeError("mem0's telemetry is on: mem0 was imported before memoryportal.memory")
# mem0 and httpx log addresses of requests, which hold user ids and memory ids; a host process must not receive them.
logging.getLogger("mem0").setLevel(logging.CRITICAL)
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)

CONNECT_SECONDS = 3.0
FAILURES = (Mem0Error, httpx.HTTPError, json.JSONDecodeError, UnicodeDecodeError, RecursionError)
_BEFORE_SENDING = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class QuietClient(MemoryClient):
    """mem0's client without the ping of its constructor: what is down is noticed where something is asked."""

    def _validate_api_key(self) -> None:
        # The constructor builds a Project, which refuses to exist without these. Nothing here uses it.
        self.org_id = self.project_id = "unused"


def connect(key: str, host: str, read_seconds: float) -> QuietClient:
    """A client of its own connections. Asks nothing yet."""
    deadlines = httpx.Timeout(read_seconds, connect=CONNECT_SECONDS)
    return QuietClient(api_key=key, host=host, client=httpx.Client(timeout=deadlines, follow_redirects=False))


def refusal(error: Exception, writing: bool) -> MemoryRoomError:
    """Our error for what went wrong. Never keeps the Platform's words: they repeat what was sent.

    `writing`: the request was to change something, so an answer that did not come does not mean that nothing happened.
    """
    cause = error.__context__ if isinstance(error, Mem0Error) else error  # mem0 wraps httpx's error and loses its kind
    if isinstance(cause, httpx.HTTPStatusError):
        return _of_status(cause.response, writing)
    if isinstance(cause, _BEFORE_SENDING):
        return StoreUnavailable("the Platform cannot be reached")
    if writing:
        return NotConfirmed("the Platform did not answer in time; what was asked for may still happen")
    if isinstance(cause, httpx.TimeoutException):
        return StoreUnavailable("the Platform did not answer in time")
    return StoreUnavailable(f"the Platform's answer could not be read ({type(cause).__name__})")


def _of_status(response: httpx.Response, writing: bool) -> MemoryRoomError:
    status = response.status_code
    if status in (401, 403):
        return StoreUnavailable("the Platform refused the key")
    if status == 404:
        return MemoryNotFound("no such memory")
    if status == 429:
        busy = StoreUnavailable(f"the Platform asks to wait {(seconds := _seconds(response)):g} seconds")
        busy.retry_after = seconds
        return busy
    if status >= 500 and writing:
        return NotConfirmed(f"the Platform failed ({status}); what was asked for may still happen")
    return StoreUnavailable(f"the Platform answered with {status}")


def _seconds(response: httpx.Response) -> float:
    """Retry-After in seconds; 1 where it is missing or a date."""
    try:
        return max(0.0, float(response.headers.get("Retry-After", "1")))
    except ValueError:
        return 1.0
