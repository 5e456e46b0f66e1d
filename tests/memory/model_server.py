"""A small server that speaks OpenAI's protocol on 127.0.0.1: embeddings and one chat model, both obedient."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .planted import EMBEDDER


class ModelServer(ThreadingHTTPServer):
    """Answers with `facts`, remembers every prompt, and refuses texts that contain one of `chokes_on`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.facts: list[Any] = []
        self.prompts: list[str] = []
        self.embedded: list[str] = []
        self.chokes_on: set[str] = set()
        self.before_answer: Any = None  # called while the caller waits for the chat model
        self.raw_answer: str | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def mem0_config(self, *, llm: bool = True) -> str:
        """MEM0_CONFIG for the prepared tables, with this server behind it."""
        reach = {"openai_base_url": self.url, "api_key": "dummy"}
        config: dict[str, Any] = {
            "vector_store": {
                "provider": "pgvector",
                "config": {"collection_name": "memories", "embedding_model_dims": 256, "host": "x", "user": "x"},
            },
            "embedder": {"provider": "openai", "config": {**reach, "model": "m", "embedding_dims": 256}},
        }
        if llm:
            config["llm"] = {"provider": "openai", "config": {**reach, "model": "m"}}
        return json.dumps(config)

    def answer(self, path: str, asked: dict[str, Any]) -> dict[str, Any] | None:
        """The body of the answer; None refuses."""
        text = json.dumps(asked, ensure_ascii=False)
        if any(word in text for word in self.chokes_on):
            return None
        if path.endswith("/embeddings"):
            self.embedded += asked["input"]
            vectors = EMBEDDER.embed_batch(asked["input"])
            data = [{"object": "embedding", "index": n, "embedding": vector} for n, vector in enumerate(vectors)]
            return {"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1}}
        self.prompts.append("\n".join(message["content"] for message in asked["messages"]))
        if self.before_answer is not None:
            self.before_answer()
        content = json.dumps({"memory": self.facts}) if self.raw_answer is None else self.raw_answer
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
        return {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


class _Handler(BaseHTTPRequestHandler):
    server: ModelServer

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = self.server.answer(self.path, asked)
        # A refusal that repeats the input, as providers do.
        body = json.dumps({"error": {"message": f"refused: {asked}"}} if answer is None else answer).encode()
        self.send_response(400 if answer is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def running() -> Iterator[ModelServer]:
    """The server for the length of a block."""
    with ModelServer() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.shutdown()
