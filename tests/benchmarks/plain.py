"""mem0's own Memory on pgvector, unmodified, for this process and for others."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ["MEM0_TELEMETRY"] = "False"  # a spawned process comes here first, and the default is on

DIMENSIONS = 256


@contextmanager
def mem0_at(address: str, folder: Path, embedder: Any) -> Iterator[Any]:
    """A Memory with mem0's defaults; only the embedder is another one, which needs no key."""
    from mem0 import Memory

    nobody = {"api_key": "none", "openai_base_url": "http://127.0.0.1:9/v1"}
    store = {"connection_string": address, "collection_name": "memories", "embedding_model_dims": DIMENSIONS}
    memory = Memory.from_config(
        {
            "vector_store": {"provider": "pgvector", "config": store},
            "llm": {"provider": "openai", "config": nobody},
            "embedder": {"provider": "openai", "config": nobody},
            "history_db_path": str(folder / "history.db"),
        }
    )
    memory.embedding_model = embedder
    try:
        yield memory
    finally:
        memory.close()
        memory.vector_store.connection_pool.close()
