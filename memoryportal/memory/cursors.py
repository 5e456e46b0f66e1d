"""Opaque cursors of keyset pages. A cursor holds a position (time, id), never text, and is tied to its filters."""

import base64
import binascii
import json
from uuid import UUID

from .errors import BadCursor
from .rows import TIME_KEY_LENGTH
from .scope import Filters, Order

MAX_LENGTH = 1000  # far more than ours have; a long one could nest deeper than the JSON parser goes


def encode(key: tuple[str, str], filters: Filters, order: Order) -> str:
    """A URL-safe cursor that continues behind the row with this (created_at text, id)."""
    body = json.dumps([key[0], key[1], filters.fingerprint(), order], separators=(",", ":"))
    return base64.urlsafe_b64encode(body.encode()).decode().rstrip("=")


def decode(cursor: object, filters: Filters, order: Order) -> tuple[str, str]:
    """The (created_at text, id) inside; raises BadCursor for anything that was not issued for these filters."""
    if not isinstance(cursor, str) or len(cursor) > MAX_LENGTH:
        raise BadCursor("this page link is not one of ours")
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        created, memory_id, fingerprint, asked_order = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        memory_id = str(UUID(memory_id))
        str(created).encode()  # a lone surrogate is valid JSON, but no text that a store can be asked for
    except (ValueError, TypeError, binascii.Error, AttributeError):
        raise BadCursor("this page link is not one of ours") from None
    if not isinstance(created, str) or len(created) > TIME_KEY_LENGTH or "\0" in created:
        raise BadCursor("this page link is not one of ours")
    if (fingerprint, asked_order) != (filters.fingerprint(), order):
        raise BadCursor("this page link belongs to another selection")
    return created, memory_id
