"""People with memories in every place, rows that other programs wrote, and an embedder that does not answer."""

import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from psycopg.types.json import Jsonb

from memoryportal.memory import ScopedMemory
from memoryportal.memory.backdate import Name, add_messages, add_names
from memoryportal.memory.configuration import configuration
from memoryportal.memory.stores import current_store
from tests.accounts.helpers import prove

from .remembered import START, remember


@pytest.fixture
def told_by_plain_mem0(alice_memory: ScopedMemory) -> str:
    """The id of a memory of Alice's that a mem0 without this portal stored: no history, and metadata of any shape."""
    memory_id, store = str(uuid4()), current_store()
    payload = {
        "user_id": str(alice_memory.subject),
        "data": "Lives in Porto",
        "hash": "0",
        "created_at": START.isoformat(timespec="microseconds"),
        "tags": ["a", "<b>"],
    }
    with store.open(alice_memory.scope) as cursor:
        cursor.execute(
            f"INSERT INTO {store.tables.name()} (id, vector, payload) VALUES (%s, %s, %s)",
            (memory_id, str([0.5] * 256), Jsonb(payload)),
        )
    return memory_id


@pytest.fixture
def broken_embedder(settings):
    """An embedder that mem0 knows, at an address where nobody listens."""
    configured = configuration()
    settings.MEM0_CONFIG = json.dumps(
        {
            "vector_store": {
                "provider": "pgvector",
                "config": {
                    "collection_name": configured.collection,
                    "embedding_model_dims": configured.dimensions,
                    "connection_string": configured.dsn,
                },
            },
            "embedder": {
                "provider": "openai",
                "config": {"api_key": "none", "openai_base_url": "http://127.0.0.1:9", "model": "none"},
            },
        }
    )


@pytest.fixture
def told(alice_memory) -> ScopedMemory:
    """Alice's memory with something in every place."""
    items = remember(alice_memory, "I am vegetarian.", "I live in Hamburg.", agent="support_bot")
    add_names(alice_memory, [Name("Hamburg", "PLACE", [items[1].id])])
    add_messages(ScopedMemory(alice_memory.subject, agent="support_bot"), [("user", "Hello")], datetime.now(UTC))
    return alice_memory


@pytest.fixture
def proven(alice_client):
    prove(alice_client)
    return alice_client
