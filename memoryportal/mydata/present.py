"""Memories as people read them: dates once, in the person's time zone; counts with the right noun; labels in words."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils import dateformat, timezone

from memoryportal.memory import Entity, Handed, Hits, Item, Message, Removed, Summary, Version
from memoryportal.memory.places import PLACES

LONG_TEXT = 600  # characters of a memory that a list shows
NOUNS = {
    "memories": ("memory", "memories"),
    "entities": ("noted name", "noted names"),
    "messages": ("recent message", "recent messages"),
    "uses": ("entry of the use log", "entries of the use log"),
    "never": ("stopped wording", "stopped wordings"),
}
_ROLES = {"user": "you said", "assistant": "the assistant said"}
_LEARN = "from which an assistant could learn it again"
_EVENTS = {"ADD": "first remembered", "UPDATE": "corrected"}


def counted(number: int, one: str, many: str) -> str:
    return f"{intcomma(number)} {one if number == 1 else many}"


def day(value: date) -> str:
    return dateformat.format(value, "j F Y")


def moment(value: datetime | None) -> str:
    """Such as "3 May 2026, 14:02", in the person's zone."""
    return dateformat.format(timezone.localtime(value), "j F Y, H:i") if value else "date unknown"


def month(value: datetime) -> str:
    return dateformat.format(timezone.localtime(value), "F Y")


def clamp(text: str, most: int = LONG_TEXT) -> tuple[str, bool]:
    """The beginning of a text, and whether anything was left out."""
    if len(text) <= most:
        return text, False
    head, space, _ = text[:most].rpartition(" ")
    return (head if space and len(head) > most // 2 else text[:most]) + "…", True


@dataclass(frozen=True, slots=True)
class Shown:
    """A memory in a list; `cut` says that the text goes on. `label` is its beginning in one line."""

    id: str
    text: str
    cut: bool
    label: str
    when: str
    iso: str
    agent: str | None
    run: str | None
    expired: str


def shown(item: Item) -> Shown:
    text, cut = clamp(item.text)
    return Shown(
        id=item.id,
        text=text,
        cut=cut,
        label=clamp(" ".join(item.text.split()), 60)[0],
        when=moment(item.created),
        iso=item.created.isoformat() if item.created else "",
        agent=item.agent,
        run=item.run,
        expired=expired_on(item),
    )


def listed(items: Iterable[Item]) -> list[Shown]:
    return [shown(item) for item in items]


def expired_on(item: Item) -> str:
    """What an expiry in the past means, in words; empty while there is none."""
    if not item.expired or item.expires is None:
        return ""
    return f"expired on {day(item.expires)}: assistants no longer receive it"


def where_from(summary: Summary) -> str:
    """The end of the first sentence, such as ", from 3 assistants, since March 2026". Of an unfiltered summary."""
    agents = sum(1 for name, _ in summary.agents if name)
    parts = [f", from {_unbroken(counted(agents, 'assistant', 'assistants'))}"] if agents else []
    return "".join([*parts, f", since {_unbroken(month(summary.since))}"] if summary.since else parts)


def _unbroken(words: str) -> str:
    """Words that stay on one line, such as a number and its noun."""
    return words.replace(" ", "\N{NO-BREAK SPACE}")


def results_sentence(hits: Hits) -> str:
    number = len(hits.hits)
    if hits.more:
        return f"The first {number} results; there are more"
    return counted(number, "result", "results")


# --- one memory ------------------------------------------------------------------------------------------------------


def said_by(role: str | None) -> str:
    return _ROLES.get(role or "", role or "")


def origin(item: Item) -> list[tuple[str, str]]:
    """(label, value) of what is known about where a memory came from."""
    changed = item.updated and item.updated != item.created
    rows = [
        ("Assistant", item.agent or ""),
        ("Conversation", item.run or ""),
        ("Source", f"{said_by(item.role)} it" if item.role in _ROLES else item.role or ""),
        ("Name given with it", item.actor or ""),
        ("First remembered", moment(item.created)),
        ("Last corrected", moment(item.updated) if changed else ""),
        ("Expiry", _expiry(item)),
    ]
    return [row for row in rows if row[1]] + extras(item)


def _expiry(item: Item) -> str:
    if item.expires is None:
        return ""
    return expired_on(item) or f"assistants receive it until {day(item.expires)}"


def extras(item: Item) -> list[tuple[str, str]]:
    """Whatever else an assistant stored with the memory."""
    known = {key: value for key, value in sorted(item.metadata.items()) if value not in (None, "")}
    return [(key.replace("_", " "), _plain(value)) for key, value in known.items()]


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Wording:
    """How a memory read at one time; `text` is None when it was removed. `seq` is set when it can be removed."""

    text: str | None
    what: str
    when: str
    seq: int | None
    current: bool


def wordings(item: Item, versions: list[Version], *, removable: bool = True) -> list[Wording]:
    """Every wording that is known, oldest first. A memory that is older than its history begins with an unnoted one.

    Not `removable`: the store keeps them itself and takes none out.
    """
    shown_here = [_wording(item, version) for version in versions if version.event in _EVENTS]
    if versions and versions[0].event == "UPDATE":
        shown_here.insert(0, _unnoted(versions[0]))
    return shown_here if removable else [replace(wording, seq=None) for wording in shown_here]


def _wording(item: Item, version: Version) -> Wording:
    text, current = version.new, version.new == item.text
    who = f", {said_by(version.role)}" if version.role and version.event == "ADD" else ""
    removable = text is not None and not current
    return Wording(text, _EVENTS[version.event] + who, moment(version.at), version.seq if removable else None, current)


def _unnoted(first: Version) -> Wording:
    removable = 0 if first.old is not None else None
    return Wording(first.old, "the wording before the first correction", "", removable, current=False)


def earlier(item: Item, versions: list[Version]) -> int:
    """How many earlier wordings are still stored."""
    return len({wording.text for wording in wordings(item, versions)} - {None, item.text})


# --- deleting ---------------------------------------------------------------------------------------------------------


def goes_too(
    item: Item, versions: list[Version], entities: list[Entity], messages: list[Message], handed: list[Handed]
) -> list[str]:
    """What a deletion takes away beside the text, one line each."""
    uses = sum(each.times for each in handed)
    before = earlier(item, versions)
    names = sum(1 for entity in entities if entity.memory_ids and set(entity.memory_ids) == {item.id})
    told = sum(1 for message in messages if _talk(message) == _talk(item))
    lines = [
        (before, f"{counted(before, 'earlier wording', 'earlier wordings')}"),
        (names, f"{counted(names, 'name', 'names')} that {'was' if names == 1 else 'were'} noted only from it"),
        (told, f"{counted(told, 'recent message', 'recent messages')} of the same conversation, {_LEARN}"),
        (uses, f"{counted(uses, 'note', 'notes')} of when it was handed to an assistant"),
        (uses, f"the recent messages of the conversations in which that was, {_LEARN}"),
    ]
    return [line for number, line in lines if number]


def _talk(of: Item | Message) -> tuple[str, str]:
    return of.agent or "", of.run or ""


def removed_sentence(removed: Removed) -> str:
    """Such as "Deleted: 1 memory, 2 entries in its history.", from the counts of what really went."""
    words = counts_in_words(removed.counts)
    if not words:
        return "Nothing was deleted: there was nothing left."
    return f"Deleted: {words}.{_stopped(removed.stopped)}"


def _stopped(number: int) -> str:
    if not number:
        return ""
    return f" {counted(number, 'wording is', 'wordings are')} stopped from now on and not learned again."


def noted(removed: Removed) -> dict[str, int]:
    """What the trail keeps of a deletion: counts."""
    return {**removed.counts, **({"stopped": removed.stopped} if removed.stopped else {})}


def counts_in_words(counts: dict[str, int]) -> str:
    """Such as "1 memory, 2 entries in its history", from the counts of places; empty when nothing went."""
    memories = counts.get("memories", 0)
    return ", ".join(_part(key, number, memories) for key, number in counts.items() if number)


def _part(key: str, number: int, memories: int) -> str:
    if key == "history":
        return counted(number, "entry", "entries") + f" in {'its' if memories == 1 else 'their'} history"
    one, many = NOUNS.get(key, (PLACES[key].label.lower(),) * 2)
    return counted(number, one, many)
