"""What may be searched, stored and attached. Each refusal is a sentence for a person; none repeats the text."""

import contextlib
from datetime import date, datetime
from typing import Any

from .errors import BadQuery
from .rows import CORE_KEYS

MAX_QUERY = 500
MAX_TEXT = 8000
MAX_MESSAGES = 50
MAX_METADATA_KEYS = 20
MAX_NAME = 128
MAX_NUMBER = 2**53  # what JSON can hold exactly
RESERVED = CORE_KEYS | {"id", "attributed_to", "memory_type", "linked_memory_ids"}
ROLES = {"user", "assistant", "system"}


def _clean(text: object, what: str) -> str:
    if not isinstance(text, str):
        raise BadQuery(f"{what} must be text.")
    if "\0" in text or any(0xD800 <= ord(c) <= 0xDFFF for c in text):
        raise BadQuery(f"{what} contains characters that cannot be stored.")
    return text


def check_query(words: object) -> str:
    """The search words without outer white space."""
    text = _clean(words, "The search").strip()
    if not text:
        raise BadQuery("Write what to search for.")
    if len(text) > MAX_QUERY:
        raise BadQuery(f"The search is too long: at most {MAX_QUERY} characters, and this has {len(text)}.")
    return text


def check_text(text: object) -> str:
    """The text of a memory, without outer white space."""
    kept = _clean(text, "The memory").strip()
    if not kept:
        raise BadQuery("A memory cannot be empty. To remove it, delete it.")
    if len(kept) > MAX_TEXT:
        raise BadQuery(f"The memory is too long: at most {MAX_TEXT} characters, and this has {len(kept)}.")
    return kept


def check_messages(messages: object) -> list[dict[str, str]]:
    """A list of {role, content[, name]}. mem0 would skip a malformed one and write it into the log."""
    listed = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
    if not isinstance(listed, list) or not listed or len(listed) > MAX_MESSAGES:
        raise BadQuery(f"Messages must be a text or a list of 1 to {MAX_MESSAGES} messages.")
    return [_check_message(message) for message in listed]


def _check_message(message: object) -> dict[str, str]:
    if not isinstance(message, dict) or not set(message) <= {"role", "content", "name"}:
        raise BadQuery("A message has a role, a content and perhaps a name, nothing else.")
    if not isinstance(message.get("role"), str) or message["role"] not in ROLES:
        raise BadQuery("A message's role is user, assistant or system.")
    checked = {"role": message["role"], "content": check_text(message.get("content"))}
    if message.get("name") is not None:
        checked["name"] = _clean(message["name"], "A message's name")
        if len(checked["name"]) > MAX_NAME:
            raise BadQuery(f"A message's name has at most {MAX_NAME} characters.")
    return checked


def check_metadata(metadata: object) -> dict[str, Any] | None:
    """Metadata of plain values under keys that mem0 does not use for itself (it would let them backdate or hide)."""
    if metadata is None:
        return None
    if not isinstance(metadata, dict) or len(metadata) > MAX_METADATA_KEYS:
        raise BadQuery(f"Metadata is a dictionary of at most {MAX_METADATA_KEYS} entries.")
    for key, value in metadata.items():
        if not isinstance(key, str) or not key.isidentifier() or len(key) > 64:
            raise BadQuery("A metadata key is a short identifier.")
        if key in RESERVED:
            raise BadQuery(f"The metadata key {key!r} is kept by the store and cannot be set.")
        _check_value(key, value)
    return dict(metadata)


def _check_value(key: str, value: object) -> None:
    if isinstance(value, str):
        if len(_clean(value, f"The metadata value of {key!r}")) > 1000:
            raise BadQuery(f"The metadata value of {key!r} is too long.")
    elif isinstance(value, int | float):
        if not abs(value) < MAX_NUMBER:  # NaN compares false with everything; JSON knows neither it nor infinity
            raise BadQuery(f"The metadata value of {key!r} is no number that can be stored.")
    elif value is not None:
        raise BadQuery(f"The metadata value of {key!r} must be a text, a number or a truth value.")


def check_expires(expires: object) -> date | None:
    """The last day on which assistants are handed a memory, from a date or a text such as 2026-12-31."""
    if expires is None:
        return None
    if isinstance(expires, date) and not isinstance(expires, datetime):
        return expires
    with contextlib.suppress(TypeError, ValueError):  # Python's error would repeat what was given
        return date.fromisoformat(expires)  # type: ignore[arg-type]
    raise BadQuery("The day on which a memory expires is a date, such as 2026-12-31.")
