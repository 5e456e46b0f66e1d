"""The stores that isolation and erasure are proven on. Which one is used, the configuration says."""

from functools import lru_cache

from ..configuration import Configuration, configuration
from .base import Store
from .pgvector import PgvectorStore


@lru_cache(maxsize=4)
def _build(provider: str, dsn: str, collection: str) -> Store:
    return PgvectorStore(dsn, collection)


def build(configured: Configuration) -> Store:
    """The store of one configuration."""
    return _build(configured.provider, configured.dsn, configured.collection)


def current_store() -> Store:
    """The store of the configuration in force."""
    return build(configuration())
