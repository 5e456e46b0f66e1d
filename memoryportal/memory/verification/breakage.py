"""What happens without the wrapper: plain mem0 on a throw-away collection, as the first seed's "breakage" shows it."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from ..configuration import configuration
from ..embedding import embedder
from ..errors import StoreUnavailable
from .story import ALICE, BOB


@contextmanager
def _collection() -> Iterator[tuple[str, str]]:
    """A collection of its own, dropped at the end. Made by the owner: the portal's login may not create tables."""
    name, dsn = f"verify_breakage_{uuid.uuid4().hex[:12]}", configuration().owner_dsn
    try:
        yield name, dsn
    finally:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(name)))


def breakage() -> list[str]:
    """Sentences about what plain mem0 returned. Raises StoreUnavailable where there is no PostgreSQL to show it on."""
    if configuration().provider != "pgvector":
        raise StoreUnavailable("the breakage is shown on pgvector only; README.md has the measured table of all stores")
    from mem0.vector_stores.pgvector import PGVector

    with _collection() as (name, dsn):
        plain = PGVector("", name, 0, "", "", "", "", False, False, connection_string=dsn)
        plain.embedding_model_dims = configuration().dimensions
        for who, messages in (("u_alice", ALICE), ("u_bob", BOB)):
            texts = [message["content"] for message in messages]
            plain.insert(
                embedder().embed_batch(texts, "add"),
                [{"user_id": who, "data": text} for text in texts],
                [str(uuid.uuid4()) for _ in texts],
            )
        return list(_show(plain))


def _show(plain: object) -> Iterator[str]:
    vector = embedder().embed("food preferences", "search")
    for label, filters in (
        ("no user id", {}),
        ("user_id='*'", {"user_id": "*"}),
        ("user_id='u_bob'", {"user_id": "u_bob"}),
    ):
        rows = plain.search("food preferences", vector, 5, filters)  # type: ignore[attr-defined]
        leaked = sum(1 for row in rows if row.payload["user_id"] == "u_alice")
        yield f"Bob's assistant asks with {label}: {len(rows)} memories, {leaked} of them Alice's"
