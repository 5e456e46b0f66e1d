"""The export as one page to read. It needs nothing else: no scripts, no pictures, no addresses."""

from collections.abc import Iterable, Iterator
from datetime import tzinfo
from itertools import islice
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import timezone

from memoryportal.memory import Entity, Handed, Item, Message, ScopedMemory, Version, bulk

from . import present
from .assistants_words import HandedTo, handed_to
from .export_formats import BATCH, Export, outlived, with_histories
from .held import in_words

REMOVED = "(this wording was removed)"


def write_page(export: Export) -> Iterator[str]:
    """The page, piece by piece. Every text goes through autoescape, every time is in the person's zone."""
    return _in_zone(export.zone, _pieces(export))


def _in_zone(zone: tzinfo, pieces: Iterator[str]) -> Iterator[str]:
    """The zone is the thread's: it may hold while a piece is made, never while the next one is waited for."""
    while True:
        with timezone.override(zone):
            piece = next(pieces, None)
        if piece is None:
            return
        yield piece


def _pieces(export: Export) -> Iterator[str]:
    memory, known = export.memory, set[str]()
    made = present.moment(export.made_at)
    yield _render("head", export=export, made=made, places=in_words(export.held), controller=settings.CONTROLLER_NAME)
    for item, versions, handed in _with_uses(memory):
        known.add(item.id)
        facts = [*present.origin(item), *(("Handed to", _use(to)) for to in handed_to(handed))]
        yield _render("memory", item=item, facts=facts, wordings=_earlier(item, versions))
    yield from _part("Noted names", ((entity.text, _about_name(entity)) for entity in bulk.entities(memory)))
    yield from _part("Recent messages", ((message.text, _about_message(message)) for message in bulk.messages(memory)))
    gone = ((_wording(version), present.moment(version.at)) for version in outlived(memory, known))
    yield from _part("Wordings of memories that another program deleted", gone)
    yield _render("tail", count=len(known))


def _with_uses(memory: ScopedMemory) -> Iterator[tuple[Item, list[Version], list[Handed]]]:
    told = with_histories(memory)
    while batch := list(islice(told, BATCH)):
        handed = bulk.handed(memory, [item.id for item, _ in batch])
        yield from ((item, versions, handed.get(item.id, [])) for item, versions in batch)


def _use(to: HandedTo) -> str:
    return f"{to.name or 'an assistant that gave no name'} {to.how_often}"


def _part(title: str, texts: Iterable[tuple[str, str]]) -> Iterator[str]:
    """A heading and the (text, quiet line) pairs below it; nothing at all when there are none."""
    for number, (text, line) in enumerate(texts):
        yield _render("text", title="" if number else title, text=text, line=line)


def _earlier(item: Item, versions: list[Version]) -> list[tuple[str, str]]:
    """(text, what happened then) of every wording but the current one."""
    earlier = [wording for wording in present.wordings(item, versions) if not wording.current]
    return [(wording.text or REMOVED, f"{wording.what} {wording.when}") for wording in earlier]


def _wording(version: Version) -> str:
    return version.new or version.old or REMOVED


def _about_name(entity: Entity) -> str:
    memories = present.counted(len(entity.memory_ids), "memory", "memories")
    return ", ".join(filter(None, [(entity.kind or "").lower(), f"from {memories}", entity.agent, entity.run]))


def _about_message(message: Message) -> str:
    known = [present.said_by(message.role), message.name, present.moment(message.at), message.agent, message.run]
    return ", ".join(filter(None, known))


def _render(name: str, **context: Any) -> str:
    return render_to_string(f"mydata/export/_{name}.html", context)
