"""Between mem0's payload and the hash that it becomes on Valkey.

mem0 keeps times as whole seconds and forgets `updated_at` at the first writing. Two fields of our own beside its own
hold the exact times; mem0 does not look at them. They count only while they agree with mem0's: an agent that corrects
a memory with plain mem0 writes its own field and leaves ours alone.
"""

import json
import math
import operator
import struct
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ..rows import Row, parse_time

IDS = ("user_id", "agent_id", "run_id")
FIELDS = (*IDS, "memory", "hash", "metadata", "created_at", "updated_at", "created_text", "updated_text")
_OWN_FIELDS = {*IDS, "hash", "data", "created_at", "updated_at"}  # of a payload; the rest is metadata
_TEXTS = {"created_at": "created_text", "updated_at": "updated_text"}


def to_row(prefix: str, key: bytes, values: Mapping[str, bytes | None]) -> Row:
    """(id, payload) of a stored hash. Fields that it has not are missing in the payload."""
    fields = {name: value for name, value in values.items() if value is not None}
    payload = _metadata(fields.get("metadata"))
    # Undecodable bytes stay apart from every id that a scope can have.
    payload.update({name: fields[name].decode("utf-8", "surrogateescape") for name in IDS if name in fields})
    if "hash" in fields:
        payload["hash"] = fields["hash"].decode("utf-8", "replace")
    payload["data"] = fields.get("memory", b"").decode("utf-8", "replace")
    for name, text in _TEXTS.items():
        at = _time(fields.get(name), fields.get(text))
        if at is not None:
            payload[name] = at
    return key.decode("utf-8", "surrogateescape").removeprefix(prefix), payload


def _metadata(stored: bytes | None) -> dict[str, Any]:
    """What mem0 keeps as JSON, without the names that have fields of their own: those cannot be overruled."""
    try:
        parsed = json.loads(stored or b"{}")
    except (ValueError, RecursionError):
        return {}
    return {name: parsed[name] for name in parsed if name not in _OWN_FIELDS} if isinstance(parsed, dict) else {}


def _time(stored: bytes | None, exact: bytes | None) -> str | None:
    """The UTC text of a time, to the microsecond where our own field knows it."""
    second = to_seconds(stored)
    if second is None:
        return None
    precise = parse_time((exact or b"").decode("utf-8", "replace"))
    try:
        if precise is None or math.floor(precise.timestamp()) != second:
            precise = datetime.fromtimestamp(second, tz=UTC)
        return precise.isoformat(timespec="microseconds")
    except (OverflowError, ValueError, OSError):  # a number that no clock has shown
        return None


def to_seconds(stored: bytes | None) -> int | None:
    """The whole second of an indexed number, or None where the index has none either."""
    try:
        return math.floor(float(stored or b""))
    except (ValueError, OverflowError):
        return None


def to_hash(memory_id: str, payload: dict[str, Any], vector: Sequence[float] | None) -> dict[str, Any]:
    """The fields to write: mem0's own, as mem0 writes them, and the exact times."""
    fields: dict[str, Any] = {
        "memory_id": memory_id,
        "hash": payload.get("hash") or f"hash_{memory_id}",
        "memory": payload.get("data") or "",
        "metadata": json.dumps({name: value for name, value in payload.items() if name not in _OWN_FIELDS}),
    }
    ids = {name: payload[name] for name in IDS if payload.get(name) is not None}
    fields.update({name: str(value).encode("utf-8", "surrogateescape") for name, value in ids.items()})
    for name, text in _TEXTS.items():
        at = parse_time(payload.get(name)) or (datetime.now(UTC) if name == "created_at" else None)
        if at is not None:
            fields[name] = math.floor(at.timestamp())
            fields[text] = at.isoformat(timespec="microseconds")
    if vector is not None:
        fields["embedding"] = to_bytes(vector)
    return fields


def to_bytes(vector: Sequence[float]) -> bytes:
    """FLOAT32 numbers, little end first, as valkey-search reads them."""
    return struct.pack(f"<{len(vector)}f", *map(float, vector))


def to_vector(stored: bytes) -> tuple[float, ...]:
    """The numbers of `to_bytes`; none where the bytes are no such vector."""
    return struct.unpack(f"<{len(stored) // 4}f", stored) if len(stored) % 4 == 0 else ()


def similarity(one: Sequence[float], other: Sequence[float]) -> float:
    """Cosine similarity; -1 where the two cannot be compared."""
    lengths = math.hypot(*one) * math.hypot(*other)
    return sum(map(operator.mul, one, other)) / lengths if len(one) == len(other) and lengths else -1.0
