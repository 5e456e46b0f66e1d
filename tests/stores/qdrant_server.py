"""A stand-in for a Qdrant server: its REST interface in front of qdrant-client's own engine.

No Qdrant server comes as a Python package. This one lets the way over the network be tested: what is sent, in batches
and with time limits, and what happens when answers fail. Two habits of the real one are kept: strict mode (a filter by
a field without an index is refused, as on Qdrant Cloud) and 404 for rows that are not there. It is no proof about the
server's own search and storage.
"""

import contextlib
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from qdrant_client import models
from qdrant_client.local.qdrant_local import QdrantLocal

KEY = "a-key-for-tests"
KEPT = 200  # rows, deleted ones too, with which the engine is still quick


class Refused(Exception):
    """An answer that is an error: (status, what the server says)."""


class Engine:
    """The rows, and which fields have an index. `asked` holds (operation, body) of every request."""

    def __init__(self) -> None:
        self.local = QdrantLocal(":memory:")
        self.indexes: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.lock = threading.RLock()

    def info(self, name: str, body: dict[str, Any]) -> Any:
        answer = json.loads(self.local.get_collection(name).model_dump_json())
        schema = {field: {"data_type": _type(params), "params": _params(params), "points": 0} for field, params in
                  self.indexes.get(name, {}).items()}  # fmt: skip
        return {**answer, "payload_schema": schema}

    def create(self, name: str, body: dict[str, Any]) -> Any:
        request = models.CreateCollection(**body)
        return self.local.create_collection(name, request.vectors, sparse_vectors_config=request.sparse_vectors)

    def index(self, name: str, body: dict[str, Any]) -> Any:
        self.indexes.setdefault(name, {})[body["field_name"]] = body["field_schema"]
        return _done()

    def upsert(self, name: str, body: dict[str, Any]) -> Any:
        self.local.upsert(name, models.PointsList(**body).points)
        return _done()

    def retrieve(self, name: str, body: dict[str, Any]) -> Any:
        request = models.PointRequest(**body)
        return self.local.retrieve(name, request.ids, with_payload=request.with_payload)

    def scroll(self, name: str, body: dict[str, Any]) -> Any:
        request = models.ScrollRequest(**body)
        self._strict(name, body.get("filter") or {"must": []})
        points, offset = self.local.scroll(
            name, request.filter, request.limit, offset=request.offset, with_payload=request.with_payload
        )
        return {"points": [point.model_dump() for point in points], "next_page_offset": offset}

    def query(self, name: str, body: dict[str, Any]) -> Any:
        request = models.QueryRequest(**body)
        self._strict(name, body["filter"])
        return self.local.query_points(
            name,
            query=request.query,
            query_filter=request.filter,
            limit=request.limit,
            score_threshold=request.score_threshold,
            with_payload=request.with_payload,
        )

    def count(self, name: str, body: dict[str, Any]) -> Any:
        self._strict(name, body["filter"])
        return self.local.count(name, models.CountRequest(**body).filter)

    def delete(self, name: str, body: dict[str, Any]) -> Any:
        selector = models.FilterSelector(**body) if "filter" in body else models.PointIdsList(**body)
        self.local.delete(name, selector)
        self._forget_deleted(name)
        return _done()

    def batch(self, name: str, body: dict[str, Any]) -> Any:
        self.local.batch_update_points(name, models.UpdateOperations(**body).operations)
        return [_done() for _ in body["operations"]]

    def _forget_deleted(self, name: str) -> None:
        """The engine in memory keeps what is deleted and reads past it each time: an emptied collection begins anew."""
        collection = self.local.collections[name]
        if len(collection.ids_inv) > KEPT and not self.local.count(name).count:
            self.local.delete_collection(name)
            self.local.create_collection(
                name, collection.config.vectors, sparse_vectors_config=collection.config.sparse_vectors
            )

    def _strict(self, name: str, where: dict[str, Any]) -> None:
        self.local.get_collection(name)  # one that is not there is missing before it lacks an index
        for condition in where["must"]:
            if "key" in condition and condition["key"] not in self.indexes.get(name, {}):
                raise Refused(400, f'Index required but not found for "{condition["key"]}"')


ROUTES: list[tuple[str, str, Callable[[Engine, str, dict[str, Any]], Any]]] = [
    ("GET", r"/collections/([^/]+)", Engine.info),
    ("PUT", r"/collections/([^/]+)", Engine.create),
    ("PUT", r"/collections/([^/]+)/index", Engine.index),
    ("PUT", r"/collections/([^/]+)/points", Engine.upsert),
    ("POST", r"/collections/([^/]+)/points", Engine.retrieve),
    ("POST", r"/collections/([^/]+)/points/scroll", Engine.scroll),
    ("POST", r"/collections/([^/]+)/points/query", Engine.query),
    ("POST", r"/collections/([^/]+)/points/count", Engine.count),
    ("POST", r"/collections/([^/]+)/points/delete", Engine.delete),
    ("POST", r"/collections/([^/]+)/points/batch", Engine.batch),
]


def _type(schema: Any) -> str:
    return str(schema if isinstance(schema, str) else schema["type"])


def _params(schema: Any) -> Any:
    return None if isinstance(schema, str) else schema


def _done() -> dict[str, Any]:
    return {"operation_id": 1, "status": "completed"}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return value.model_dump() if hasattr(value, "model_dump") else value


class Server(ThreadingHTTPServer):
    """Listens on a free port of 127.0.0.1.

    `failing(operation, body)` may return a (status, text) that is answered instead; it may also take its time.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        super().__init__(address, Handler)
        self.engine = Engine()
        self._connections: list[socket.socket] = []
        self.failing: Callable[[str, dict[str, Any]], tuple[int, str] | None] = lambda operation, body: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.append(request)
        super().process_request(request, client_address)

    def vanish(self) -> None:
        """Stop as a killed process does: connections that are kept open end too."""
        self.shutdown()
        self.server_close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        try:
            status, answer = 200, self._answer(body)
        except Refused as refused:
            status, answer = refused.args
        self._send(status, answer)

    do_GET = do_PUT = do_POST = handle_any

    def _answer(self, body: dict[str, Any]) -> Any:
        if self.headers.get("api-key") != KEY:
            raise Refused(401, "Must provide an API key")
        path = urlsplit(self.path).path
        for method, pattern, operation in ROUTES:
            match = re.fullmatch(pattern, path)
            if match and method == self.command:
                return self._run(operation, match[1], body)
        raise Refused(404, "no such route")

    def _run(self, operation: Callable[[Engine, str, dict[str, Any]], Any], name: str, body: dict[str, Any]) -> Any:
        if failure := self.server.failing(operation.__name__, body):
            raise Refused(*failure)
        with self.server.engine.lock:
            self.server.engine.asked.append((operation.__name__, body))
            try:
                return _plain(operation(self.server.engine, name, body))
            except KeyError as missing:
                raise Refused(404, f"Not found: No point with id {missing} found") from None
            except ValueError as error:
                known = "not found" in str(error)
                raise Refused(
                    404 if known else 400, f"Not found: Collection `{name}` doesn't exist!" if known else str(error)
                )

    def _send(self, status: int, answer: Any) -> None:
        whole = {"result": answer, "status": "ok"} if status == 200 else {"status": {"error": answer}}
        content = json.dumps({**whole, "time": 0.0}, default=str).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Tests read their own output."""


@contextmanager
def serving() -> Iterator[Server]:
    """A running stand-in."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
