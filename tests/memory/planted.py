"""Look at, and write to, the memory tables behind the portal's back: as a superuser, whom no policy binds."""

import hashlib
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from memoryportal.memory import ScopedMemory, controls
from memoryportal.memory.configuration import OFFLINE_DIMENSIONS, configuration
from memoryportal.memory.embedding import OfflineEmbedder
from memoryportal.memory.stores import current_store

Superuser = psycopg.Connection[Any]
TABLES = (
    *("memories", "memories_entities", "memories_history", "memories_messages"),
    *("memories_gate", "memories_uses", "memories_never"),
)
EMBEDDER = OfflineEmbedder()
SOMEWHERE = [1.0] + [0.0] * (OFFLINE_DIMENSIONS - 1)  # a vector for rows whose meaning is not the point


def payload(subject: str | None, text: str, **more: Any) -> dict[str, Any]:
    """What mem0 stores for a memory. `created_at=None` leaves the time out."""
    now = datetime.now(UTC).isoformat()
    whole = {
        "user_id": subject,
        "data": text,
        "hash": hashlib.md5(text.encode()).hexdigest(),
        "text_lemmatized": text,
        "created_at": now,
        "updated_at": now,
        **more,
    }
    return {key: value for key, value in whole.items() if value is not None}


def plant(superuser: Superuser, payloads: Iterable[dict[str, Any]], vectors: Sequence[Any] | None = None) -> list[str]:
    """Insert memories; their ids in the order given."""
    rows = list(payloads)
    ids = [str(uuid.uuid4()) for _ in rows]
    placed = [SOMEWHERE] * len(rows) if vectors is None else vectors
    with superuser.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO memories (id, vector, payload) VALUES (%s, %s, %s)",
            [
                (memory_id, as_text(vector), json.dumps(row))
                for memory_id, row, vector in zip(ids, rows, placed, strict=True)
            ],
        )
    return ids


def plant_entity(superuser: Superuser, subject: str, text: str, memory_ids: list[str], **more: Any) -> str:
    """A name that mem0 noted from these memories."""
    entity_id = str(uuid.uuid4())
    row = {"user_id": subject, "data": text, "entity_type": "PROPER", "linked_memory_ids": memory_ids, **more}
    vector = EMBEDDER.embed(text)
    superuser.execute(
        "INSERT INTO memories_entities (id, vector, payload) VALUES (%s, %s, %s)",
        (entity_id, as_text(vector), json.dumps(row)),
    )
    return entity_id


def plant_message(
    superuser: Superuser, subject: str, text: str, agent: str | None = None, run: str | None = None
) -> None:
    """One message of a conversation's buffer."""
    superuser.execute(
        "INSERT INTO memories_messages (subject, agent, run, role, content) VALUES (%s, %s, %s, 'user', %s)",
        (subject, agent, run, text),
    )


def plant_history(superuser: Superuser, subject: str, memory_id: str, old: str | None, new: str | None) -> int:
    """One entry of a memory's history; its number."""
    row = superuser.execute(
        "INSERT INTO memories_history (subject, memory_id, old_memory, new_memory, event) "
        "VALUES (%s, %s, %s, %s, %s) RETURNING seq",
        (subject, memory_id, old, new, "UPDATE" if old else "ADD"),
    ).fetchone()
    return int(row[0])  # type: ignore[index]


def as_text(vector: Iterable[float]) -> str:
    """pgvector's notation."""
    return "[" + ",".join(str(float(number)) for number in vector) + "]"


def stored(superuser: Superuser, subject: str | None = None) -> dict[str, list[Any]]:
    """Every row of every memory table (of one subject), whole and in a fixed order: to compare before and after."""
    found = {}
    for table in TABLES:
        row = sql.SQL("to_jsonb({})").format(sql.Identifier(table))
        owner = sql.SQL("COALESCE({row}->'payload'->>'user_id', {row}->>'subject')").format(row=row)
        statement = sql.SQL("SELECT {}::text FROM {} WHERE %s::text IS NULL OR {} = %s ORDER BY 1").format(
            row, sql.Identifier(table), owner
        )
        found[table] = [line[0] for line in superuser.execute(statement, (subject, subject)).fetchall()]
    return found


def holds(superuser: Superuser, text: str) -> list[str]:
    """The memory tables in which `text` stands anywhere."""
    return [table for table, lines in stored(superuser).items() if any(text in line for line in lines)]


def fill_places(superuser: Superuser, *owners: ScopedMemory) -> list[str]:
    """One row in every table for each of these people; the ids of their memories."""
    ids = plant(
        superuser, [payload(owner.subject, f"I drink tea, {owner.subject}", agent_id="cook") for owner in owners]
    )
    for owner, memory_id in zip(owners, ids, strict=True):
        plant_entity(superuser, owner.subject, "Miriam", [memory_id])
        plant_message(superuser, owner.subject, "said")
        superuser.execute(
            "INSERT INTO memories_history (subject, memory_id, new_memory, event) VALUES (%s, %s, 'was', 'ADD')",
            (owner.subject, memory_id),
        )
        superuser.execute(
            "INSERT INTO memories_gate (subject, agent, state) VALUES (%s, 'x', 'paused')", (owner.subject,)
        )
        superuser.execute("INSERT INTO memories_uses (subject, memory_id) VALUES (%s, %s)", (owner.subject, memory_id))
        superuser.execute(
            "INSERT INTO memories_never (subject, digest, salt, key_name) VALUES (%s, 'd', 's', 'k')", (owner.subject,)
        )
    return ids


def address(subject: str | None, role: str = "memoryportal_scoped") -> str:
    """The address of a role whose every transaction speaks for `subject`."""
    options = f"-c memoryportal.subject={subject}" if subject is not None else ""
    return make_conninfo(configuration().dsn, user=role, options=options)


@contextmanager
def shut(memory: ScopedMemory, state: controls.State, agent: str = "") -> Iterator[None]:
    """The gate shut for the length of a block."""
    controls.shut(current_store(), memory.subject, state, agent)
    try:
        yield
    finally:
        controls.reopen(current_store(), memory.subject, state, agent)


def shut_beside(memory: ScopedMemory, state: controls.State, then: Callable[[], object] = lambda: None) -> None:
    """Somebody else shuts the gate, and does `then` once everything under way has ended; back when it is seen shut."""
    store = current_store()

    def act() -> None:
        controls.shut(store, memory.subject, state)
        then()

    threading.Thread(target=act, daemon=True).start()
    while state not in {control.state for control in controls.states(memory.subject)}:
        time.sleep(0.002)
