"""The stores that the contract is run against. A store's author adds one entry; the suite itself stays as it is.

An entry says with which settings the portal runs on the store. The rest (preparing it, people, cleaning up) is the
suite's. An entry that `needs` an environment variable is collected always and runs only where that variable is set.
"""

import json
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.test import override_settings

from memoryportal.memory.prepare import prepare_store
from tests.platform.server import Platform

from .qdrant_server import KEY, serving
from .valkey_server import Server as ValkeyStandIn
from .valkey_server import running, throw_away

Settings = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One store.

    `settings(folder)` starts what the store needs (a server of its own, say), yields the Django settings that differ,
    and stops it again; `folder` is empty and its own. `side` says that the store has the side tables in PostgreSQL:
    `prepare_store` is run, and messages and noted names can be planted through mem0's own pipeline. `histories`: how
    many random histories an ordinary run tries (test_histories.py); fewer where a stand-in plays the store.
    """

    name: str
    settings: Callable[[Path], AbstractContextManager[Settings]]
    needs: str | None = None
    side: bool = True
    histories: int = 30


def mem0_config(provider: str, **config: Any) -> Settings:
    """Settings of a store that mem0's own configuration describes, with the offline embedder."""
    block = {"collection_name": f"contract_{provider}", "embedding_model_dims": 256, **config}
    whole = {"vector_store": {"provider": provider, "config": block}, "embedder": {"provider": "wordllama"}}
    return {"MEM0_CONFIG": json.dumps(whole)}


@contextmanager
def pgvector(folder: Path) -> Iterator[Settings]:
    """The embedded default, as a clone runs it."""
    yield {"MEM0_CONFIG": "", "MEM0_API_KEY": ""}


@contextmanager
def qdrant(folder: Path) -> Iterator[Settings]:
    """The embedded folder."""
    yield mem0_config("qdrant", path=str(folder))


@contextmanager
def qdrant_server(folder: Path) -> Iterator[Settings]:
    """Over the network, from a stand-in (qdrant_server.py says what it proves and what not)."""
    with serving() as server:
        yield mem0_config("qdrant", url=server.url, api_key=KEY, collection_name="contract_qdrant_server")


@contextmanager
def platform(folder: Path) -> Iterator[Settings]:
    """mem0's hosted Platform, from the stand-in. Its gate lies in side tables, but nothing can be planted there."""
    with Platform() as server:
        changed = {"MEM0_CONFIG": "", "MEM0_API_KEY": server.key, "MEM0_HOST": server.url}
        with override_settings(**changed):
            prepare_store()
        yield changed
        assert server.violations == []


@contextmanager
def valkey_emulated(folder: Path) -> Iterator[Settings]:
    """A stand-in for valkey-search (valkey_server.py says what it proves and what not)."""
    with running(ValkeyStandIn()) as server:
        yield mem0_config("valkey", valkey_url=server.url)


@contextmanager
def valkey_that_trims(folder: Path) -> Iterator[Settings]:
    """The same with a fault of versions up to 1.2: SORTBY beside LIMIT puts only a part of the matches in order."""
    with running(ValkeyStandIn(trims=True)) as server:
        yield mem0_config("valkey", valkey_url=server.url, collection_name="contract_valkey_trims")


@contextmanager
def valkey(folder: Path) -> Iterator[Settings]:
    """The server that `make test-valkey` was given, on a collection of its own."""
    url, name = os.environ["TEST_VALKEY_URL"], f"contract_{uuid.uuid4().hex[:12]}"
    with throw_away(url, name):
        yield mem0_config("valkey", valkey_url=url, collection_name=name)


ENTRIES = (
    Entry("pgvector", pgvector),
    Entry("qdrant", qdrant),
    Entry("qdrant-server", qdrant_server, histories=10),
    Entry("platform", platform, side=False, histories=10),
    Entry("valkey-emulated", valkey_emulated, histories=10),
    Entry("valkey-emulated-trims", valkey_that_trims, histories=10),
    Entry("valkey", valkey, needs="TEST_VALKEY_URL"),
)
