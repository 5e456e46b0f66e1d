"""What every part of the Valkey store stands on: the server, its two collections, the look that makes them usable."""

import threading
import time
from collections import Counter
from collections.abc import Iterator

from ..configuration import Configuration
from ..errors import StoreUnavailable
from ..names import Tables
from ..rows import recheck
from ..scope import Scope, SubjectId
from . import links, valkey_index
from .bound import BoundStore
from .valkey_client import Server
from .valkey_collection import LIGHT, Collection
from .valkey_index import Definition
from .valkey_query import select

LOOK_AGAIN = 30.0  # seconds until the indexes are examined anew: an operator may drop one while we run


class ValkeyBase(BoundStore):
    """The collections of one configuration. Nothing is connected to before it is used."""

    beside = False

    def __init__(self, configured: Configuration) -> None:
        """`configured` has been checked (configuration.py)."""
        self.dsn, self.tables = configured.dsn, Tables(configured.collection)
        self.definitions = definitions(configured)
        self.server = Server(str(configured.store["valkey_url"]))
        self._memories, self._noted = (Collection(self.server, definition) for definition in self.definitions)
        self._looked, self._looking = float("-inf"), threading.Lock()

    def prepare(self) -> list[str]:
        """Create the indexes. StoreRefused in words for a server, or an index, that isolation cannot be promised on."""
        done = valkey_index.prepare(self.server, self.definitions)
        self._looked = float("-inf")
        return done

    def missing(self) -> list[str]:
        return valkey_index.missing(self.server, self.definitions)

    def owners(self) -> Iterator[tuple[str | None, int]]:
        for collection in (self._memories, self._noted):
            counted = Counter(values[0] for _, values in collection.everybody())
            for owner, rows in counted.items():
                yield None if owner is None else owner.decode("utf-8", "surrogateescape"), rows

    def rename(self, old: str, new: SubjectId) -> dict[str, int]:
        return {each.definition.name: each.move(old, str(new)) for each in (self._memories, self._noted)}

    def close(self) -> None:
        self.server.close()
        self._looked = float("-inf")

    @property
    def memories(self) -> Collection:
        """The memories, once their index has been seen to be fit and complete."""
        self.look()
        return self._memories

    @property
    def noted(self) -> Collection:
        """The noted names; see `memories`."""
        self.look()
        return self._noted

    def shared_names(self, scope: Scope) -> set[bytes]:
        """Keys of the scope's noted names that a memory outside of it links to."""
        names = recheck(scope, self.noted.rows(select(scope))) if scope.is_narrowed else []
        found = links.shared(scope, names, lambda whole, ids: recheck(whole, self.memories.fetch(ids, LIGHT)))
        return {self.noted.key(name).encode() for name in found}

    def look(self) -> None:
        """StoreUnavailable unless the server has a search module that can be used, and both indexes."""
        with self._looking:
            if time.monotonic() - self._looked < LOOK_AGAIN:
                return
            problem = valkey_index.check_module(self.server)
            if problem:
                raise StoreUnavailable(problem)
            for definition in self.definitions:
                valkey_index.require(self.server, definition)
            self._looked = time.monotonic()


def definitions(configured: Configuration) -> list[Definition]:
    """The indexes of the memories and of the noted names, from mem0's own settings for Valkey."""
    block = configured.store
    approximate = str(block.get("index_type") or "flat").lower() == "hnsw"
    names = (("M", "hnsw_m"), ("EF_CONSTRUCTION", "hnsw_ef_construction"), ("EF_RUNTIME", "hnsw_ef_runtime"))
    hnsw = tuple((word, int(block[name])) for word, name in names if block.get(name))
    tables = Tables(configured.collection)
    return [Definition(tables.name(suffix), configured.dimensions, approximate, hnsw) for suffix in ("", "entities")]
