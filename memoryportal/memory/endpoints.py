"""Services that are asked over HTTP while somebody waits: a language model, an embedder.

The libraries that mem0 asks them with wait ten minutes, try three times, follow to other addresses and read whatever
is sent. Here a request has an end: in time, in bytes, and at the configured address.
"""

import importlib
import logging
import time
from typing import Any

CONNECT_SECONDS = 5.0
_HOP = {"content-encoding", "content-length", "transfer-encoding"}  # no longer true of a body that was read


class TooMuch(Exception):
    """The service sent more than it may, or for longer."""


def bounded(made: Any, seconds: float, most: int) -> Any:
    """mem0's object with a client that takes `seconds` and `most` bytes for each request.

    Works on clients of the family that OpenAI's belongs to; another one is left as it is.
    """
    client: Any = getattr(made, "client", None)
    if not hasattr(client, "with_options"):
        return made
    _hush()
    sdk = importlib.import_module(type(client).__module__.partition(".")[0])
    kept = _client_class(sdk.DefaultHttpxClient, seconds, most)(timeout=seconds, follow_redirects=False)
    made.client = client.with_options(http_client=kept, max_retries=0, timeout=kept.timeout)
    return made


def _hush() -> None:
    """These libraries log whole requests when they are told to log everything: prompts are memories."""
    for name in ("openai", "anthropic", "groq", "httpx", "httpx2", "httpcore", "httpcore2"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _client_class(base: Any, seconds: float, most: int) -> Any:
    class Bounded(base):
        def send(self, request: Any, *, stream: bool = False, **more: Any) -> Any:
            ends = time.monotonic() + seconds
            request.extensions["timeout"] = {**request.extensions.get("timeout", {}), "connect": CONNECT_SECONDS}
            response = super().send(request, stream=True, **more)
            return response if stream else _read(response, request, ends, most)

    return Bounded


def _read(response: Any, request: Any, ends: float, most: int) -> Any:
    """The same response with its body. Raises TooMuch."""
    body = bytearray()
    try:
        for part in response.iter_bytes():
            body += part
            if len(body) > most or time.monotonic() > ends:
                raise TooMuch(f"more than {most} bytes, or too slowly")
    finally:
        response.close()
    headers = [(name, value) for name, value in response.headers.multi_items() if name.lower() not in _HOP]
    return type(response)(
        response.status_code, headers=headers, content=bytes(body), request=request, extensions=response.extensions
    )
