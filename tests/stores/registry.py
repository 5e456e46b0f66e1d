"""The stores that the contract is run against. A store's author adds one entry; the suite itself stays as it is.

An entry says with which settings the portal runs on the store. The rest (preparing it, people, cleaning up) is the
suite's. An entry that `needs` an environment variable is collected always and runs only where that variable is set.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Settings = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One store.

    `settings(folder)` starts what the store needs (a server of its own, say), yields the Django settings that differ,
    and stops it again; `folder` is empty and its own. `side` says that the store has the side tables in PostgreSQL:
    `prepare_store` is run, and messages and noted names can be planted through mem0's own pipeline.
    """

    name: str
    settings: Callable[[Path], AbstractContextManager[Settings]]
    needs: str | None = None
    side: bool = True


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


ENTRIES = (
    Entry("pgvector", pgvector),
    Entry("qdrant", qdrant),
)
