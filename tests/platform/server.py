"""A small HTTP server that plays mem0's hosted Platform on 127.0.0.1. See README.md in this folder.

with Platform() as platform:
    settings = {"MEM0_API_KEY": platform.key, "MEM0_HOST": platform.url}
    ...
    platform.state.odd.lying = True      # and so on
    platform.fail("/v1/event/", 503)
assert not platform.violations
"""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from .description import Asked, answer_problems, understand
from .filters import BadFilter
from .operations import OPERATIONS
from .state import State

KEY = "m0-a-key-for-tests"


@dataclass
class Fault:
    """What is answered instead, `times` times, where the path contains `part`. `hang` answers nothing until the end.

    `after` carries the operation out first: the answer is lost, the change is not.
    """

    part: str
    status: int = 0
    times: int = 1
    method: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b'{"detail": "a text of the Platform that nobody should repeat"}'
    hang: bool = False
    after: bool = False
    skip: int = 0  # so many fitting requests are let through first


class Platform:
    """The server, its state and what it has seen."""

    def __init__(self, key: str = KEY) -> None:
        self.key, self.state = key, State()
        self.violations: list[str] = []
        self.requests: list[Asked] = []
        self._faults: list[Fault] = []
        self._lock, self._over = threading.Lock(), threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads, self._server.block_on_close = True, False
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def fail(self, part: str, status: int = 0, **more: Any) -> None:
        """Answer the next request whose path contains `part` with this; see Fault."""
        self._faults.append(Fault(part, status, **more))

    def count(self, name: str) -> int:
        """How many requests of this operation came."""
        return sum(1 for asked in self.requests if asked.name == name)

    def reset(self) -> None:
        """As new, at the same address."""
        with self._lock:
            self.state, self._faults = State(), []
            self.requests.clear()

    def answer(self, method: str, target: str, token: str | None, body: bytes) -> tuple[int, bytes, Mapping[str, str]]:
        """(status, body, headers) of one request."""
        fault = self._fault(method, target)
        if fault is not None and not fault.after:
            return self._stumble(fault)
        with self._lock:
            status, answer = self._operate(method, target, token, body)
        if fault is not None:
            return self._stumble(fault)
        return status, json.dumps(answer).encode(), {"Content-Type": "application/json"}

    def _fault(self, method: str, target: str) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if fault.part not in target or fault.method not in (None, method) or fault.times <= 0:
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault
        return None

    def _stumble(self, fault: Fault) -> tuple[int, bytes, Mapping[str, str]]:
        if fault.hang:
            self._over.wait(30)
        return fault.status or 200, fault.body, {"Content-Type": "application/json", **fault.headers}

    def _operate(self, method: str, target: str, token: str | None, body: bytes) -> tuple[int, Any]:
        if token != f"Token {self.key}":
            return 401, {"detail": "Invalid API key."}
        asked = understand(method, target, body)
        if asked is None:
            return self._violated(404, f"{method} {target}: no such operation in the published description")
        self.requests.append(asked)
        if asked.problems:
            return self._violated(400, f"{method} {target}: {'; '.join(asked.problems)}")
        try:
            status, answer = OPERATIONS[asked.name](self.state, asked)
        except BadFilter as error:
            return self._violated(400, f"{method} {target}: {error}")
        self.violations += [
            f"the stand-in itself: {asked.name}: {one}" for one in answer_problems(asked.name, status, answer)
        ]
        return status, answer

    def _violated(self, status: int, sentence: str) -> tuple[int, Any]:
        self.violations.append(sentence)
        return status, {"error": sentence}


def _handler(platform: Platform) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = platform.answer(self.command, self.path, self.headers.get("Authorization"), body)
            status, content, headers = answer
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = _serve

        def handle(self) -> None:
            """A client that has given up is part of the tests."""
            try:
                super().handle()
            except ConnectionError:
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            """Nothing: requests hold texts."""

    return Handler
