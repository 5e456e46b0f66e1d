"""A store full of people: one who is measured, with 1,000 memories, among others with 10 to 1,000 each."""

import hashlib
import json
import random
import struct
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg
from psycopg import sql

from memoryportal.memory.configuration import OFFLINE_DIMENSIONS
from memoryportal.memory.embedding import OfflineEmbedder

from .sentences import SEED, sentences

PERSON = "measured-person"
OWN = 1_000
AGENTS = ("support_bot", "travel_planner", "kitchen_helper", None)
NEWEST = datetime(2026, 6, 1, tzinfo=UTC)
OLD_ZONE = timedelta(hours=-7)  # in which mem0 wrote its times before 2.x
BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Row:
    """A memory as mem0 stores it; `vector` has unit length."""

    id: uuid.UUID
    vector: np.ndarray
    payload: dict[str, Any]


def crowd(total: int) -> list[Row]:
    """`total` memories in the order in which they were written: everybody's rows lie among everybody else's."""
    chosen = random.Random(SEED)
    owners = _owners(total, chosen)
    chosen.shuffle(owners)
    texts = list(sentences(total))
    return [
        Row(uuid.UUID(int=chosen.getrandbits(128), version=4), vector, _payload(owner, text, number / total, chosen))
        for number, (owner, text, vector) in enumerate(zip(owners, texts, _vectors(texts), strict=True))
    ]


def of_person(rows: list[Row]) -> list[Row]:
    """The rows of the person who is measured."""
    return [row for row in rows if row.payload["user_id"] == PERSON]


def nearest(rows: list[Row], vector: list[float], count: int) -> list[str]:
    """The ids of the rows nearest to `vector`, best first, by looking at every one: the truth to compare with."""
    scores = np.stack([row.vector for row in rows]) @ np.asarray(vector)
    return [str(rows[place].id) for place in np.argsort(-scores)[:count]]


def with_old_times(rows: list[Row], every: int) -> list[Row]:
    """The same rows, each `every`th with its time in another zone than UTC, as an old mem0 left it."""
    return [_aged(row) if number % every == 0 else row for number, row in enumerate(rows)]


def _aged(row: Row) -> Row:
    at = datetime.fromisoformat(row.payload["created_at"])
    local = (at + OLD_ZONE).replace(tzinfo=None).isoformat(timespec="microseconds") + "-07:00"
    return Row(row.id, row.vector, {**row.payload, "created_at": local})


def _owners(total: int, chosen: random.Random) -> list[str]:
    owners = [PERSON] * OWN
    while len(owners) < total:
        owners += [f"person-{len(owners)}"] * int(10 ** chosen.uniform(1, 3))
    return owners[:total]


def _vectors(texts: list[str]) -> Iterator[np.ndarray]:
    model = OfflineEmbedder()._loaded()  # embed_batch makes a Python float of each number: three times as long
    for start in range(0, len(texts), BATCH):
        yield from model.embed(texts[start : start + BATCH], norm=True)


def _payload(owner: str, text: str, place: float, chosen: random.Random) -> dict[str, Any]:
    """mem0's own shape. `place` 0..1 spreads the times over two years."""
    at = (NEWEST - timedelta(days=730) * (1 - place)).isoformat(timespec="microseconds")
    whole = {
        "user_id": owner,
        "agent_id": chosen.choice(AGENTS),
        "run_id": f"run-{chosen.randrange(12)}" if chosen.random() < 0.8 else None,
        "role": "user",
        "data": text,
        "hash": hashlib.md5(text.encode()).hexdigest(),
        "text_lemmatized": text,
        "created_at": at,
        "updated_at": at,
    }
    return {key: value for key, value in whole.items() if value is not None}


# --- into a table ---------------------------------------------------------------------------------------------------


def load(connection: psycopg.Connection[Any], table: str, rows: list[Row]) -> None:
    """COPY the rows in, past triggers and policies: `connection` is a superuser's."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        statement = sql.SQL("COPY {} (id, vector, payload) FROM STDIN (FORMAT binary)").format(sql.Identifier(table))
        with cursor.copy(statement) as copy:
            copy.write(b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0))
            for row in rows:
                copy.write(_tuple(row))
            copy.write(struct.pack("!h", -1))


def _tuple(row: Row) -> bytes:
    """One row in PostgreSQL's binary form: uuid, vector (two 16 bit numbers, then floats), jsonb (version 1)."""
    vector = struct.pack("!HH", OFFLINE_DIMENSIONS, 0) + row.vector.astype(">f4").tobytes()
    fields = (row.id.bytes, vector, b"\x01" + json.dumps(row.payload).encode())
    return struct.pack("!h", 3) + b"".join(struct.pack("!i", len(field)) + field for field in fields)
