"""Many assistants at once, each on a connection of its own: what a busy gateway meets.

Speaks HTTP/1.1 by itself, because a client library would take as long as the gateway.
"""

import asyncio
import json
import random
import time
from dataclasses import dataclass, field
from typing import Any

from .served import BEHIND_PROXY, Served

_HEADERS = "".join(f"{name}: {value}\r\n" for name, value in BEHIND_PROXY.items())
FOOD, PLACES = ("tea", "rice", "figs", "bread", "mint"), ("Porto", "Oslo", "Lima", "Turin", "Graz")


@dataclass
class Seen:
    """What all assistants together met. Times are milliseconds, from sending to the end of the answer."""

    times: dict[str, list[float]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    foreign: int = 0
    seconds: float = 0.0

    @property
    def requests(self) -> int:
        return sum(map(len, self.times.values()))

    def every(self, *kinds: str) -> list[float]:
        return sorted(value for kind in kinds or self.times for value in self.times.get(kind, ()))


class Connection:
    """One connection that stays open."""

    def __init__(self, port: int, bearer: str) -> None:
        self.port, self.bearer = port, bearer
        self._pipes: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """(status, the answer's JSON)."""
        if self._pipes is None:
            self._pipes = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self._pipes
        content = b"" if body is None else json.dumps(body).encode()
        kind = "Content-Type: application/json\r\n" if content else ""
        head = f"{method} /api/v1{path} HTTP/1.1\r\n{_HEADERS}Authorization: Bearer {self.bearer}\r\n{kind}"
        writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        answer = await reader.readexactly(int(headers["content-length"]))
        return int(lines[0].split(" ")[1]), json.loads(answer)

    def close(self) -> None:
        if self._pipes is not None:
            self._pipes[1].close()


class Assistant:
    """One assistant for one person. Every text it stores says whose it is, so that a stranger's is seen at once."""

    def __init__(self, subject: str, agent: str, seen: Seen, seed: int) -> None:
        self.subject, self.agent, self.seen = subject, agent, seen
        self.mark = f"{subject}/{agent}"
        self.stored: set[str] = set()
        self._chosen = random.Random(seed)
        self._connection: Connection

    async def sign_in(self, running: Served) -> None:
        """Its host gets it a token."""
        host = Connection(running.port, running.key)
        status, said = await host.send("POST", "/tokens", {"subject": self.subject, "agent": self.agent})
        host.close()
        assert status == 201, said
        self._connection = Connection(running.port, said["token"])

    async def work(self, rounds: int) -> None:
        for _ in range(rounds):
            await self._add()
            for act in self._chosen.sample((self._search, self._list, self._get), 3):
                await act()
        self._connection.close()

    async def _add(self) -> None:
        text = f"{self.mark} likes {self._chosen.choice(FOOD)} in {self._chosen.choice(PLACES)}, {len(self.stored)}."
        said = await self._take("add", "POST", "/memories", {"text": text, "infer": False})
        self.stored |= {memory["id"] for memory in self._own(said.get("memories", ()))}

    async def _search(self) -> None:
        said = await self._take("search", "POST", "/memories/search", {"query": self._chosen.choice(FOOD)})
        self._own(said.get("memories", ()))

    async def _list(self) -> None:
        said = await self._take("list", "GET", "/memories")
        if said and {memory["id"] for memory in self._own(said["memories"])} != self.stored:
            self.seen.errors.append("a list is not what was stored")

    async def _get(self) -> None:
        said = await self._take("get", "GET", f"/memories/{self._chosen.choice(sorted(self.stored))}")
        self._own([said] if said else [])

    async def _take(self, kind: str, method: str, path: str, body: Any = None) -> dict[str, Any]:
        began = time.perf_counter()
        status, said = await self._connection.send(method, path, body)
        self.seen.times.setdefault(kind, []).append((time.perf_counter() - began) * 1000)
        if status not in (200, 201):
            self.seen.errors.append(f"{kind}: {status} {said.get('code')}")
            return {}
        return dict(said)

    def _own(self, memories: Any) -> list[dict[str, Any]]:
        own = [memory for memory in memories if memory["text"].startswith(f"{self.mark} ")]
        self.seen.foreign += len(memories) - len(own)
        return own


async def run(running: Served, subjects: int, agents: int, rounds: int) -> Seen:
    """`subjects` people with `agents` assistants each, all at once; tokens are asked for before the clock starts."""
    seen, waiting = Seen(), asyncio.Semaphore(20)
    crowd = [
        Assistant(f"person-{number}", f"assistant-{letter}", seen, number * agents + letter)
        for number in range(subjects)
        for letter in range(agents)
    ]

    async def sign_in(assistant: Assistant) -> None:
        async with waiting:
            await assistant.sign_in(running)

    await asyncio.gather(*map(sign_in, crowd))
    began = time.perf_counter()
    await asyncio.gather(*(assistant.work(rounds) for assistant in crowd))
    seen.seconds = time.perf_counter() - began
    return seen
