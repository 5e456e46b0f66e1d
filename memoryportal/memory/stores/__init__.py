"""The stores that isolation and erasure are proven on. Which one is used, the configuration says."""

import threading
from collections.abc import Callable

from ..configuration import PLATFORM, Configuration, configuration
from .base import Store
from .pgvector import PgvectorStore


def _pgvector(configured: Configuration) -> Store:
    return PgvectorStore(configured.dsn, configured.collection)


def _qdrant(configured: Configuration) -> Store:
    from .qdrant import QdrantStore  # the client costs half a second: only where it is used

    return QdrantStore(configured)


def _valkey(configured: Configuration) -> Store:
    from .valkey import ValkeyStore

    return ValkeyStore(configured)


def _platform(configured: Configuration) -> Store:
    from .platform import PlatformStore

    return PlatformStore(configured)


_BUILDERS: dict[str, Callable[[Configuration], Store]] = {
    "pgvector": _pgvector,
    "qdrant": _qdrant,
    "valkey": _valkey,
    PLATFORM: _platform,
}
_built: dict[str, Store] = {}
_lock = threading.Lock()


def build(configured: Configuration) -> Store:
    """The store of one configuration, one object for the whole process."""
    key = repr((configured.provider, configured.dsn, configured.collection, configured.dimensions, configured.store))
    with _lock:
        if key not in _built:
            _built[key] = _BUILDERS[configured.provider](configured)
        return _built[key]


def current_store() -> Store:
    """The store of the configuration in force."""
    return build(configuration())


def close_all() -> None:
    """Let go of every store's own connections and files; the next call opens them again."""
    with _lock:
        for store in _built.values():
            store.close()
        _built.clear()
