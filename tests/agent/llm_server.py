"""A server that speaks OpenAI's protocol on 127.0.0.1: it talks, extracts and embeds, and keeps every word it is sent.

It does what it is told to: obeys what it reads, answers with rubbish, with too much, too slowly or not at all.
"""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, NamedTuple

from memoryportal.memory.embedding import OfflineEmbedder

Kind = Literal["chat", "extraction", "embedding"]
Wild = Callable[[BaseHTTPRequestHandler], None]
_EMBEDDER = OfflineEmbedder()


class Asked(NamedTuple):
    """One request: what for, its headers and body as they came, and the last message of a chat."""

    kind: Kind
    body: str
    last: str


def obey(asked: list[dict[str, str]]) -> Any:
    """Repeats everything that it was told, which is what an injected "say all that you know" asks for."""
    return "\n".join(str(message["content"]) for message in asked)


class LlmServer(ThreadingHTTPServer):
    """`says` answers a chat, `facts` an extraction; `wild` takes over the answer to the kinds in `wild_for`."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.says: Callable[[list[dict[str, str]]], Any] = obey
        self.facts: Callable[[str], list[Any]] = lambda prompt: []
        self.wild: Wild | None = None
        self.wild_for: tuple[Kind, ...] = ("chat", "extraction")
        self.meanwhile: dict[Kind, Callable[[], object]] = {}
        self.asked: list[Asked] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def sent(self, *kinds: Kind, since: int = 0) -> list[str]:
        """The bodies of all requests of these kinds (of all kinds), from the one with the number `since` on."""
        return [one.body for one in self.asked[since:] if not kinds or one.kind in kinds]

    def config(self, *, embedder: bool = True) -> str:
        """MEM0_CONFIG for the prepared tables, with this server behind it."""
        reach = {"openai_base_url": self.url, "api_key": "dummy", "model": "m"}
        store = {"collection_name": "memories", "embedding_model_dims": 256, "host": "x", "user": "x"}
        offline = {"provider": "wordllama"}
        online = {"provider": "openai", "config": {**reach, "embedding_dims": 256}}
        return json.dumps(
            {
                "vector_store": {"provider": "pgvector", "config": store},
                "embedder": online if embedder else offline,
                "llm": {"provider": "openai", "config": reach},
            }
        )

    def answer(self, kind: Kind, asked: dict[str, Any]) -> dict[str, Any]:
        if kind == "embedding":
            vectors = _EMBEDDER.embed_batch(asked["input"])
            data = [{"object": "embedding", "index": n, "embedding": vector} for n, vector in enumerate(vectors)]
            return {"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1}}
        prompt = "\n".join(str(message["content"]) for message in asked["messages"])
        content = json.dumps({"memory": self.facts(prompt)}) if kind == "extraction" else self.says(asked["messages"])
        return completion({"role": "assistant", "content": content})


def completion(message: Any) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


class _Handler(BaseHTTPRequestHandler):
    server: LlmServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        asked, kind = json.loads(body), self._kind(json.loads(body))
        last = str(asked["messages"][-1]["content"]) if kind != "embedding" else ""
        readable = json.dumps(asked, ensure_ascii=False)  # as it is read, whatever the client has escaped
        self.server.asked.append(Asked(kind, f"{self.headers}\n{readable}", last))
        self.server.meanwhile.get(kind, lambda: None)()
        if self.server.wild is not None and kind in self.server.wild_for:
            self.server.wild(self)
        else:
            send(self, json.dumps(self.server.answer(kind, asked)).encode())

    def _kind(self, asked: dict[str, Any]) -> Kind:
        if self.path.endswith("/embeddings"):
            return "embedding"
        return "extraction" if asked.get("response_format") else "chat"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def send(to: BaseHTTPRequestHandler, body: bytes, status: int = 200, kind: str = "application/json") -> None:
    to.send_response(status)
    to.send_header("Content-Type", kind)
    to.send_header("Content-Length", str(len(body)))
    to.end_headers()
    to.wfile.write(body)


# --- what a server can do instead of answering -----------------------------------------------------------------------


def saying(message: Any) -> Wild:
    """A well-formed completion with this message."""
    return lambda to: send(to, json.dumps(completion(message)).encode())


def sending(body: bytes, status: int = 200, kind: str = "application/json") -> Wild:
    """These very bytes."""
    return lambda to: send(to, body, status, kind)


def silent(seconds: float) -> Wild:
    """Nothing for so long."""
    return lambda to: time.sleep(seconds)


def endless(to: BaseHTTPRequestHandler) -> None:
    """Bytes without an end, as fast as they are taken."""
    _drip(to, b" " * 65536, 0)


def dripping(to: BaseHTTPRequestHandler) -> None:
    """A byte now and then, without an end."""
    _drip(to, b" ", 0.05)


def dripping_headers(to: BaseHTTPRequestHandler) -> None:
    """A header now and then; the body never begins."""
    to.wfile.write(b"HTTP/1.1 200 OK\r\n")
    _drip(to, b"X-More: 1\r\n", 0.05, begun=True)


def _drip(to: BaseHTTPRequestHandler, part: bytes, pause: float, begun: bool = False) -> None:
    if not begun:
        to.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")
    ends = time.monotonic() + 60
    try:
        while time.monotonic() < ends:
            to.wfile.write(part)
            time.sleep(pause)
    except OSError:
        return  # they have hung up


def hanging_up(to: BaseHTTPRequestHandler) -> None:
    """In the middle of the answer."""
    to.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"choices')
    to.connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def running() -> Iterator[LlmServer]:
    """The server for the length of a block."""
    with LlmServer() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.shutdown()


def closed_port() -> int:
    """Where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
