"""Which store, embedder and LLM are used: mem0's own configuration, or the embedded default.

`MEM0_CONFIG` is a path to, or the text of, the JSON that people hand to `Memory.from_config`. A store that isolation
and erasure have not been proven on is refused here, at start-up, in words.
"""

import json
import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.signals import setting_changed
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from .errors import StoreRefused

# valkey: the contract suite is ready and has been run against a stand-in only; run `make test-valkey`.
PROVEN = ("pgvector", "qdrant", "valkey")
PLATFORM = "platform"
PLATFORM_HOST = "https://api.mem0.ai"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
DEFAULT_COLLECTION = "memories"
OFFLINE_DIMENSIONS = 256


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the memory room runs on.

    `dsn` is the portal's (scoped) login to the PostgreSQL that holds the side tables, and with pgvector the memories
    too; `owner_dsn` may change the schema. `store` is the vector store's own block of mem0's configuration.
    """

    provider: str
    collection: str
    dimensions: int
    dsn: str
    owner_dsn: str
    embedder: dict[str, Any] | None
    llm: dict[str, Any] | None
    mem0: dict[str, Any] = field(default_factory=dict)
    store: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # PostgreSQL cuts names at 63 bytes, `_messages_owner_idx` included: a long name's tables would become one.
        if not re.fullmatch(r"[\w.-]{1,44}", self.collection, re.ASCII):
            raise StoreRefused("The collection_name is 1 to 44 letters, digits, dots, dashes and underscores.")

    @property
    def scoped_role(self) -> str:
        """The login that the portal's store connection uses."""
        return str(conninfo_to_dict(self.dsn).get("user") or "memoryportal_scoped")


def read_json(value: str) -> dict[str, Any]:
    """Parse MEM0_CONFIG, a path or the JSON itself. Raises StoreRefused with a sentence that names no content."""
    text = value.strip()
    try:
        if not text.startswith("{"):
            text = Path(text).expanduser().read_text(encoding="utf-8")
        parsed = json.loads(text)
    except OSError as error:
        raise StoreRefused(f"MEM0_CONFIG names a file that cannot be read ({error.strerror}).") from None
    except ValueError:
        raise StoreRefused("MEM0_CONFIG is neither a path nor valid JSON.") from None
    if not isinstance(parsed, dict):
        raise StoreRefused("MEM0_CONFIG must be a JSON object, as for mem0's Memory.from_config.")
    return parsed


def _connection(config: dict[str, Any]) -> str:
    """The libpq connection string of mem0's pgvector block."""
    if config.get("connection_string"):
        extra = {"sslmode": config["sslmode"]} if config.get("sslmode") else {}
        return make_conninfo(str(config["connection_string"]), **extra)
    names = {"dbname": "dbname", "user": "user", "password": "password", "host": "host", "port": "port"}
    parts = {libpq: config[key] for key, libpq in names.items() if config.get(key)}
    if not parts.get("host") and not parts.get("user"):
        raise StoreRefused("MEM0_CONFIG has no connection for pgvector: connection_string, or host, user and password.")
    if config.get("sslmode"):
        parts["sslmode"] = config["sslmode"]
    return make_conninfo(**{"dbname": "postgres", **parts})


def _check_qdrant(config: dict[str, Any]) -> None:
    """Refuse a block that mem0 would answer with a folder nobody asked for, and a folder in production."""
    if config.get("url") or (config.get("host") and config.get("port")):
        return
    if config.get("host") or not config.get("path"):
        raise StoreRefused("MEM0_CONFIG has no address for qdrant: host and port, or url, or (to try it out) path.")
    if settings.PRODUCTION:
        raise StoreRefused(
            "MEM0_CONFIG asks for an embedded Qdrant folder (path). It serves one process and is for trying out "
            "(DEBUG, or "
            "the demo). Run a Qdrant server and give its host and port, or url and api_key."
        )


def _check_valkey(config: dict[str, Any]) -> None:
    """Refuse a cluster, and a name that the keys of other collections could begin with."""
    if not config.get("valkey_url"):
        raise StoreRefused("MEM0_CONFIG has no address for valkey: valkey_url.")
    if config.get("cluster_mode"):
        raise StoreRefused("MEM0_CONFIG asks for a Valkey cluster: isolation and erasure are not proven on one.")
    if str(config.get("index_type") or "flat").lower() not in ("flat", "hnsw"):
        raise StoreRefused('The index_type for valkey is "flat" (exact) or "hnsw" (approximate).')
    if not re.fullmatch(r"[\w.-]+", str(config.get("collection_name") or "mem0"), re.ASCII):
        raise StoreRefused("The collection_name for valkey may hold letters, digits, dots, dashes and underscores.")


def _from_mem0(raw: dict[str, Any]) -> Configuration:
    block = raw.get("vector_store") or {}
    provider = str(block.get("provider") or "")
    if not provider:
        raise StoreRefused(
            "MEM0_CONFIG names no vector_store. mem0 would use a Qdrant folder under /tmp, where nothing is safe: "
            "name the "
            f"store that your assistants use ({', '.join(PROVEN)}) and its address."
        )
    if provider not in PROVEN:
        raise StoreRefused(
            f"MEM0_CONFIG asks for the store {provider!r}. Isolation and erasure are proven on: {', '.join(PROVEN)}. "
            "On another store mem0 leaks or keeps rows in ways that nobody has measured, so the portal does not start."
        )
    config = block.get("config") or {}
    if provider == "qdrant":
        _check_qdrant(config)
    if provider == "valkey":
        _check_valkey(config)
    addresses = settings.ADDRESSES
    own = _connection(config) if provider == "pgvector" else None
    return Configuration(
        provider=provider,
        collection=str(config.get("collection_name") or "mem0"),
        dimensions=int(config.get("embedding_model_dims") or 1536),
        dsn=settings.MEMORY_DATABASE_URL or own or addresses.scoped,
        owner_dsn=settings.MEMORY_OWNER_URL or own or addresses.owner,
        embedder=raw.get("embedder") or {"provider": "openai", "config": {}},
        llm=raw.get("llm"),
        mem0=raw,
        store=config,
    )


def _embedded_default() -> Configuration:
    addresses = settings.ADDRESSES
    return Configuration(
        provider="pgvector",
        collection=DEFAULT_COLLECTION,
        dimensions=OFFLINE_DIMENSIONS,
        dsn=settings.MEMORY_DATABASE_URL or addresses.scoped,
        owner_dsn=settings.MEMORY_OWNER_URL or addresses.owner,
        embedder=None,
        llm=None,
    )


def _platform() -> Configuration:
    """mem0's hosted Platform. Embedder and LLM are its own; the side tables have names of their own."""
    host = settings.MEM0_HOST or PLATFORM_HOST
    parts = urlsplit(host)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise StoreRefused("MEM0_HOST must be an https:// address: the key and people's memories travel to it.")
    addresses = settings.ADDRESSES
    return Configuration(
        provider=PLATFORM,
        collection=PLATFORM,
        dimensions=0,
        dsn=settings.MEMORY_DATABASE_URL or addresses.scoped,
        owner_dsn=settings.MEMORY_OWNER_URL or addresses.owner,
        embedder={"provider": PLATFORM},
        llm={"provider": PLATFORM},
        store={"key": settings.MEM0_API_KEY, "host": host},
    )


@lru_cache(maxsize=1)
def configuration() -> Configuration:
    """The configuration in force. Raises StoreRefused with a sentence for the operator."""
    if settings.MEM0_CONFIG and settings.MEM0_API_KEY:
        raise StoreRefused("MEM0_CONFIG and MEM0_API_KEY are both set: choose your own store or the hosted Platform.")
    if settings.MEM0_API_KEY:
        return _platform()
    return _from_mem0(read_json(settings.MEM0_CONFIG)) if settings.MEM0_CONFIG else _embedded_default()


def _forget(**_: Any) -> None:
    configuration.cache_clear()


setting_changed.connect(_forget)
