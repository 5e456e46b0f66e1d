"""The way to a Qdrant: bounded in time, one caller at a time in an embedded folder, every failure named.

The embedded folder is qdrant-client's own re-implementation. It keeps all rows in the memory of one process, and
threads that use it at once break that state until it is opened again, so one lock goes around everything.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from qdrant_client import QdrantClient
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from memoryportal.base.deadline import CONNECT_SECONDS, STATEMENT_SECONDS

from ..errors import MemoryNotFound, MemoryRoomError, NotConfirmed, StoreNotPrepared, StoreUnavailable
from .confirming import note_write

# httpx.InvalidURL and the like are no HTTPError; the embedded client raises plain Python errors for everything.
_FAILURES = (
    ApiException,
    QdrantException,
    httpx.HTTPError,
    httpx.InvalidURL,
    sqlite3.Error,
    OSError,
    ValueError,
    KeyError,
    RuntimeError,
    TypeError,
)
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_NOT_PREPARED = "the store has no collections yet: run manage.py prepare_store"


class _BoundedConnect(httpx.HTTPTransport):
    """qdrant-client knows one time limit for everything; connecting gets a shorter one of its own."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions["timeout"] = {**request.extensions.get("timeout", {}), "connect": float(CONNECT_SECONDS)}
        return super().handle_request(request)


def _of_status(error: UnexpectedResponse) -> MemoryRoomError:
    """The answer's text is left out: it may repeat what was sent."""
    if error.status_code == 404:
        missing = b"doesn't exist" in error.content or b"Collection" in error.content
        return StoreNotPrepared(_NOT_PREPARED) if missing else MemoryNotFound("no such memory")
    if error.status_code in (401, 403):
        return StoreUnavailable(f"the store refused the portal's key ({error.status_code})")
    return StoreUnavailable(f"the store could not be used ({error.status_code})")


def translate(error: Exception, writing: bool) -> MemoryRoomError:
    """Our error for the client's. A write whose answer never came may have happened, or may yet."""
    if isinstance(error, UnexpectedResponse):
        return _of_status(error)
    if isinstance(error, KeyError):
        return MemoryNotFound("no such memory")  # the embedded client's word for a missing point
    if isinstance(error, ValueError) and str(error).startswith("Collection ") and str(error).endswith(" not found"):
        return StoreNotPrepared(_NOT_PREPARED)
    if isinstance(error, RuntimeError) and "already accessed" in str(error):
        return StoreUnavailable(
            "the embedded Qdrant folder is already open in another process: it serves one process at a time; "
            "end the other one, or run a Qdrant server and give its host and port"
        )
    source = error.source if isinstance(error, ResponseHandlingException) else error
    late = isinstance(source, httpx.TimeoutException)
    words = "the store did not answer in time" if late else f"the store could not be used ({type(source).__name__})"
    sent = isinstance(source, httpx.TransportError) and not isinstance(source, _NOT_SENT)
    return NotConfirmed(words) if writing and sent else StoreUnavailable(words)


WRITING = frozenset({"upsert", "delete", "batch_update_points", "set_payload"})


class Connection:
    """One Qdrant. `call` is the only way to it."""

    embedded = False

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        self._client: QdrantClient | None = None
        self._opening = threading.Lock()

    def call(self, operation: str, **arguments: Any) -> Any:
        """Run one operation of the client. Raises the memory room's errors only, without what was sent or answered."""
        return self._run(self._opened(), operation, arguments)

    def _run(self, client: QdrantClient, operation: str, arguments: dict[str, Any]) -> Any:
        try:
            answer = getattr(client, operation)(**arguments)
        except _FAILURES as error:
            raise translate(error, operation in WRITING) from None
        if operation in WRITING:
            note_write()
        return answer

    def _opened(self) -> QdrantClient:
        with self._opening:
            if self._client is None:
                self._client = self._open()
            return self._client

    def _open(self) -> QdrantClient:
        try:
            return QdrantClient(
                **self._options,
                timeout=STATEMENT_SECONDS,
                check_compatibility=False,  # a thread that asks the server before anybody wants anything
                transport=_BoundedConnect(),
            )
        except _FAILURES as error:
            raise translate(error, writing=False) from None

    @contextmanager
    def fresh(self) -> Iterator["Connection"]:
        """A connection made for this one use: what verification reads with."""
        connection = Connection(self._options)
        try:
            yield connection
        finally:
            connection.close()

    def close(self) -> None:
        """Let go of it; the next call opens it again."""
        with self._opening:
            if self._client is not None:
                self._client.close()
                self._client = None


class EmbeddedConnection(Connection):
    """A folder of qdrant-client's own. For trying out: one process, all rows in its memory, every search reads all."""

    embedded = True

    def __init__(self, path: Path) -> None:
        super().__init__({"path": str(path)})
        self.path = path
        self._alone = threading.RLock()
        self._lock_file: tuple[int, int] | None = None
        self._process = 0

    def call(self, operation: str, **arguments: Any) -> Any:
        with self._alone:
            client = self._opened()
            self._require_folder()
            answer = self._run(client, operation, arguments)
            if operation == "create_collection":
                _tune(client)
            return answer

    def _open(self) -> QdrantClient:
        try:
            client = QdrantClient(path=str(self.path), force_disable_check_same_thread=True)
            self._lock_file, self._process = self._identity(), os.getpid()
        except _FAILURES as error:
            raise translate(error, writing=False) from None
        _tune(client)
        return client

    def _identity(self) -> tuple[int, int]:
        status = (self.path / ".lock").stat()
        return status.st_dev, status.st_ino

    def _require_folder(self) -> None:
        """The client would answer from its memory, and lose every write, long after the folder is gone."""
        try:
            same = self._identity() == self._lock_file
        except OSError:
            same = False
        if not same:
            raise StoreUnavailable("the embedded Qdrant folder has been removed or replaced while it was in use")
        if self._process != os.getpid():
            raise StoreUnavailable("the embedded Qdrant folder is already open in another process: this one's parent")

    @contextmanager
    def fresh(self) -> Iterator[Connection]:
        """Nobody else may open the folder, so it is closed and read from disk again."""
        with self._alone:
            self._require_folder_if_open()
            self.close()
            yield self

    def _require_folder_if_open(self) -> None:
        if self._client is not None:
            self._require_folder()

    def close(self) -> None:
        with self._alone:
            super().close()


def _tune(client: QdrantClient) -> None:
    """Its SQLite files commit each row by itself: erasing 10,000 took a minute. And deleted bytes are overwritten."""
    for collection in getattr(client._client, "collections", {}).values():
        if collection.storage is not None:
            collection.storage.storage.executescript("PRAGMA synchronous = OFF; PRAGMA secure_delete = ON;")


_embedded: dict[Path, EmbeddedConnection] = {}
_registering = threading.Lock()


def connect(block: dict[str, Any]) -> Connection:
    """The connection that a `qdrant` block of mem0's configuration describes (configuration.py has checked it).

    Like mem0: an address wins over a path. A folder has one connection in the whole process.
    """
    names = ("url", "host", "port", "api_key", "https")
    options = {name: block[name] for name in names if block.get(name) is not None}
    if options.get("url") or options.get("host"):
        return Connection(options)
    path = Path(str(block["path"])).expanduser().resolve()
    with _registering:
        return _embedded.setdefault(path, EmbeddedConnection(path))
