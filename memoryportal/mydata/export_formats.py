"""The files of an export for programs, written piece by piece. Each ends by saying that it is complete, and only then.

JSON holds everything, with mem0's own names for the parts of a memory. CSV holds the memories, a line each, for
spreadsheet programs. The page to be read is in export_page.py.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from itertools import islice
from typing import Any

from django.conf import settings

from memoryportal.base.spreadsheets import BYTE_ORDER_MARK, guard, line_writer
from memoryportal.memory import Entity, Item, Message, ScopedMemory, Stopped, Use, Version, bulk

VERSION = 1
BATCH = 200  # memories whose histories are read together


@dataclass(frozen=True, slots=True)
class Export:
    """What one export is about. `made_at` is UTC; `zone` is the person's, for the page and the name of the file."""

    memory: ScopedMemory
    held: dict[str, int]
    made_at: datetime
    email: str
    zone: tzinfo

    @property
    def day(self) -> date:
        return self.made_at.astimezone(self.zone).date()


def with_histories(memory: ScopedMemory) -> Iterator[tuple[Item, list[Version]]]:
    """Every memory, oldest first, with its history."""
    walk = memory.walk()
    while batch := list(islice(walk, BATCH)):
        histories = bulk.histories(memory, [item.id for item in batch])
        yield from ((item, histories.get(item.id, [])) for item in batch)


def outlived(memory: ScopedMemory, known: set[str]) -> Iterator[Version]:
    """History of memories that are not there any more."""
    return (version for version in bulk.history(memory) if version.memory_id not in known)


# --- JSON -----------------------------------------------------------------------------------------------------------


def write_json(export: Export) -> Iterator[str]:
    """One object. `counts` is what was held at the beginning, `written` what is in the file."""
    known: set[str] = set()
    parts: dict[str, Callable[[], Iterable[dict[str, Any]]]] = {
        "memories": lambda: (_memory(item, versions, known) for item, versions in with_histories(export.memory)),
        "entities": lambda: map(_entity, bulk.entities(export.memory)),
        "messages": lambda: map(_message, bulk.messages(export.memory)),
        "uses": lambda: map(_use, bulk.uses(export.memory)),
        "history_of_gone_memories": lambda: map(_gone, outlived(export.memory, known)),
    }
    written: dict[str, int] = {}
    yield "{\n"
    for key, value in _head(export).items():
        yield f"  {_dump(key)}: {_dump(value)},\n"
    for name, rows in parts.items():
        yield from _array(name, rows(), written)
    yield f'  "written": {_dump(written)},\n  "complete": true\n}}\n'


def _head(export: Export) -> dict[str, Any]:
    return {
        "format": "memoryportal-export",
        "version": VERSION,
        "made_at": export.made_at,
        "controller": settings.CONTROLLER_NAME,
        "account": export.email,
        "subject": export.memory.subject,
        "counts": export.held,
        "stopped_wordings": _stopped(export.memory.stopped()),
    }


def _stopped(stopped: Stopped) -> dict[str, Any]:
    """Which texts they are is not known: the portal keeps digests that only its own key makes."""
    return {"count": stopped.count, "since": stopped.since, "latest": stopped.latest}


def _array(name: str, rows: Iterable[dict[str, Any]], written: dict[str, int]) -> Iterator[str]:
    written[name] = 0
    yield f"  {_dump(name)}: ["
    for row in rows:
        yield f"{',' if written[name] else ''}\n    {_dump(row)}"
        written[name] += 1
    yield "\n  ],\n"


def _memory(item: Item, versions: list[Version], known: set[str]) -> dict[str, Any]:
    known.add(item.id)
    return {
        "id": item.id,
        "memory": item.text,
        "agent_id": item.agent,
        "run_id": item.run,
        "role": item.role,
        "actor_id": item.actor,
        "created_at": item.created,
        "updated_at": item.updated,
        "expiration_date": item.expires,
        "expired": item.expired,
        "metadata": item.metadata,
        "history": [_version(version) for version in versions],
    }


def _version(version: Version) -> dict[str, Any]:
    return {
        "event": version.event,
        "at": version.at,
        "old_memory": version.old,
        "new_memory": version.new,
        "actor_id": version.actor,
        "role": version.role,
        "removed": version.purged,
    }


def _gone(version: Version) -> dict[str, Any]:
    return {"memory_id": version.memory_id, **_version(version)}


def _entity(entity: Entity) -> dict[str, Any]:
    return {
        "entity": entity.text,
        "entity_type": entity.kind,
        "agent_id": entity.agent,
        "run_id": entity.run,
        "linked_memory_ids": entity.memory_ids,
    }


def _message(message: Message) -> dict[str, Any]:
    return {
        "role": message.role,
        "name": message.name,
        "content": message.text,
        "agent_id": message.agent,
        "run_id": message.run,
        "created_at": message.at,
    }


def _use(use: Use) -> dict[str, Any]:
    return {"memory_id": use.memory_id, "agent_id": use.agent, "run_id": use.run, "at": use.at}


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_iso)


def _iso(value: date | datetime) -> str:
    """Times in UTC, days as they are. Anything else in a payload came out of JSON and goes back as it is."""
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value.isoformat()


# --- CSV ------------------------------------------------------------------------------------------------------------

_STORED = ("id", "memory", "agent_id", "run_id", "role", "actor_id", "created_at", "updated_at", "expiration_date")
COLUMNS = (*_STORED, "expired", "earlier_wordings", "metadata")


def write_csv(export: Export) -> Iterator[str]:
    """RFC 4180, every cell quoted, with the mark by which spreadsheet programs know UTF-8."""
    line, count = line_writer(), 0
    yield BYTE_ORDER_MARK + line(COLUMNS)
    for item, versions in with_histories(export.memory):
        yield line(map(guard, _cells(item, versions)))
        count += 1
    yield f"# complete, {count} memories\r\n"


def _cells(item: Item, versions: list[Version]) -> list[str]:
    wordings = (text for version in versions for text in (version.old, version.new))
    earlier = list(dict.fromkeys(text for text in wordings if text not in (None, item.text)))
    times = (item.created, item.updated, item.expires)
    return [
        item.id,
        item.text,
        *(name or "" for name in (item.agent, item.run, item.role, item.actor)),
        *(_iso(time) if time else "" for time in times),
        "yes" if item.expired else "no",
        _dump(earlier) if earlier else "",
        _dump(item.metadata) if item.metadata else "",
    ]
