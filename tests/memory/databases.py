"""A database of its own for a test, and tables in it as a plain mem0 makes them."""

import uuid
from dataclasses import dataclass

from mem0.vector_stores.pgvector import PGVector

from .planted import SOMEWHERE, Superuser, payload

CANARY = "zimtstern"
OLD_TIME = "2026-03-14T05:00:00.123456-07:00"


@dataclass
class Database:
    """A database of its own; `superuser` is a connection that no policy binds."""

    superuser: Superuser
    owner_dsn: str

    def names(self, question: str) -> set[str]:
        return {row[0] for row in self.superuser.execute(question)}  # type: ignore[arg-type]


def plain_mem0(database: Database, rows: int = 2000, times: str = OLD_TIME) -> None:
    """Tables as a plain mem0 makes them, with its approximate index, as the owner; 40 people's rows in them."""
    for collection in ("memories", "memories_entities"):
        store = PGVector(
            "", collection, 256, "", "", "", "", diskann=False, hnsw=True, connection_string=database.owner_dsn
        )
        store.create_col()
        people = [f"person{n % 40}" for n in range(rows)]
        texts = [payload(who, f"{CANARY} {n} of {who}", created_at=times) for n, who in enumerate(people)]
        store.insert([SOMEWHERE] * rows, texts, [str(uuid.uuid4()) for _ in range(rows)])
        store.connection_pool.close()
