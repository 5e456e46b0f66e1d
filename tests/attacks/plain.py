"""Plain mem0, as an application uses it: `Memory` on one's own store, `MemoryClient` on the hosted Platform."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from mem0 import Memory, MemoryClient

Row = dict[str, Any]
Down = Callable[[], AbstractContextManager[None]]
ALICES = ("I am vegetarian.", "My doctor is in Leipzig.")
BOBS = ("I always want a window seat.", "I fear dogs.", "I live in Porto.")


@dataclass(frozen=True, slots=True)
class People:
    """Two people whom no other attack knows, and the ids of their memories."""

    alice: str
    bob: str
    alices: list[str]
    bobs: list[str]


class Plain:
    """What the attacks call. `mem0` is the object itself; `down` makes its store fail for a while."""

    hosted = False

    def __init__(self, mem0: Any, down: Down = nullcontext) -> None:
        self.mem0, self.down = mem0, down

    def people(self) -> People:
        tag = uuid.uuid4().hex[:8]
        alice, bob = f"alice-{tag}", f"bob-{tag}"
        return People(
            alice,
            bob,
            [self.add(text, user_id=alice) for text in ALICES],
            [self.add(text, user_id=bob) for text in BOBS],
        )

    def add(self, text: str, **more: Any) -> str:
        """The id of the new memory."""
        return str(self.mem0.add([{"role": "user", "content": text}], infer=False, **more)["results"][0]["id"])

    def search(self, words: str, filters: Any) -> list[Row]:
        return list(self.mem0.search(words, filters=filters, top_k=100, threshold=0.0)["results"])

    def listed(self, filters: Any) -> list[Row]:
        return list(self.mem0.get_all(filters=filters, top_k=100)["results"])

    def update(self, memory_id: str, text: str) -> None:
        self.mem0.update(memory_id, text)

    def delete_all(self, **ids: str) -> None:
        self.mem0.delete_all(**ids)

    def texts_of_history(self, ids: list[str]) -> int:
        """How many wordings the history of these memories still shows."""
        entries = [entry for memory_id in ids for entry in self.mem0.history(memory_id)]
        return sum(bool(entry.get(key)) for entry in entries for key in ("old_memory", "new_memory"))

    def left(self, user: str) -> int:
        """How many memories are stored for somebody."""
        return len([row for row in self.listed({"user_id": user}) if row.get("user_id") == user])


class Hosted(Plain):
    """mem0's MemoryClient. Deletions are queued there and done when their event is read."""

    hosted = True

    def listed(self, filters: Any) -> list[Row]:
        return list(self.mem0.get_all(filters=filters, page_size=100)["results"])

    def update(self, memory_id: str, text: str) -> None:
        self.mem0.update(memory_id, text=text)

    def delete_all(self, **ids: str) -> None:
        answer = self.mem0.delete_all(**ids)
        self.mem0.client.get(f"/v1/event/{answer['event_id']}/")


@contextmanager
def library(config: dict[str, Any], down: Callable[[Memory], Down] | None = None) -> Iterator[Plain]:
    """A Memory of mem0's own making."""
    memory = Memory.from_config(config)
    try:
        yield Plain(memory, down(memory) if down else nullcontext)
    finally:
        memory.close()


@contextmanager
def hosted(key: str, host: str, down: Down) -> Iterator[Plain]:
    client = MemoryClient(api_key=key, host=host)
    try:
        yield Hosted(client, down)
    finally:
        client.client.close()
