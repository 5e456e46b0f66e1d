"""Call the gateway as a host's back end and as an assistant do, with Django's test client."""

import json
import uuid
from typing import Any

from django.test import Client

from memoryportal.agent import keys
from memoryportal.agent.models import ServiceKey
from memoryportal.memory import ScopedMemory, SubjectId

ROOT = "/api/v1"
COOK = "kitchen_helper"
ALL = ("read", "write", "delete")


def make_key(*agents: str, rights: tuple[str, ...] = ALL, **may: Any) -> tuple[ServiceKey, str]:
    """A service key and its text."""
    return keys.make("a back end", keys.May(agents, rights, **may))


def call(verb: str, path: str, bearer: str = "", body: Any = None, *, raw: bytes | None = None, **headers: str) -> Any:
    """One request. `body` is sent as JSON, `raw` as it is; header names have `_` for `-`."""
    content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if bearer:
        named["Authorization"] = f"Bearer {bearer}"
    kind = named.pop("Content-Type", "application/json")
    return Client(raise_request_exception=False).generic(
        verb.upper(), ROOT + path, content, content_type=kind, headers=named
    )


def code(answer: Any) -> str:
    """The code of a problem; checks that it is one, whole."""
    assert answer.headers["Content-Type"] == "application/problem+json", (answer.status_code, answer.content[:300])
    said = answer.json()
    assert said["status"] == answer.status_code
    assert said["type"] == f"urn:memoryportal:problem:{said['code']}"
    assert said["title"]
    return str(said["code"])


class Assistant:
    """One assistant with a token of its own for one person."""

    def __init__(self, key: str, subject: str, agent: str = COOK, run: str | None = None, rights: Any = ALL) -> None:
        self.subject, self.agent = subject, agent
        asked = {"subject": subject, "agent": agent, "run": run, "rights": list(rights) if rights else None}
        answer = call("post", "/tokens", key, {name: value for name, value in asked.items() if value is not None})
        assert answer.status_code == 201, answer.content
        self.token = answer.json()["token"]

    def call(self, verb: str, path: str, body: Any = None, **more: Any) -> Any:
        return call(verb, path, self.token, body, **more)

    def add(self, text: str, **more: Any) -> str:
        """Remember a text; its id."""
        answer = self.call("post", "/memories", {"text": text, "infer": False}, **more)
        assert answer.status_code == 201, answer.content
        return str(answer.json()["memories"][0]["id"])

    def texts(self) -> list[str]:
        return [memory["text"] for memory in self.call("get", "/memories").json()["memories"]]

    @property
    def memory(self) -> ScopedMemory:
        """What the library says of the same person."""
        return ScopedMemory(SubjectId(self.subject))


def somebody(name: str) -> str:
    """An id that nobody else has."""
    return f"{name}-{uuid.uuid4().hex[:8]}"
