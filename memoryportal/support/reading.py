"""What the staff may do with a person's memories under a grant. Each call commits its event before any text exists."""

import logging
from dataclasses import dataclass
from typing import Any, Literal

from memoryportal.audit.actions import Action
from memoryportal.audit.record import AuditUnavailable
from memoryportal.memory import BadCursor, Hits, Item, MemoryRoomError, Page, Removed, ScopedMemory

from . import grants
from .masking import Masked, mask
from .models import AccessGrant

logger = logging.getLogger(__name__)
PAGE = 25


@dataclass(frozen=True, slots=True)
class Listing:
    """One page, masked. `next` is a cursor; `stale` says that the page asked for does not exist any more."""

    memories: list[Masked]
    total: int
    next: str | None
    stale: bool


def listed(grant: AccessGrant, after: str | None) -> Listing:
    """One page of the person's memories without a letter of them."""
    memory = grants.use(grant, Action.MEMORY_LISTED, details={"page": "later" if after else "first"})
    page, stale = _page(memory, after)
    return Listing([mask(item) for item in page.items], page.total, page.next, stale)


def _page(memory: ScopedMemory, after: str | None) -> tuple[Page, bool]:
    try:
        page = memory.page(after=after, limit=PAGE)
    except BadCursor:
        return memory.page(limit=PAGE), True
    if after and not page.items:  # what stood there was deleted
        return memory.page(limit=PAGE), True
    return page, False


def masked(grant: AccessGrant, memory_id: str) -> Masked:
    """One memory without a letter of it. Raises MemoryNotFound."""
    return mask(grants.use(grant, Action.MEMORY_LISTED, object=memory_id).get(memory_id))


def revealed(grant: AccessGrant, ids: list[str]) -> list[Item]:
    """These memories with their texts, all or none. Raises MemoryNotFound."""
    items = grants.use(grant, Action.MEMORY_REVEALED, details={"ids": ids, "count": len(ids)}).get_many(ids)
    grants.count_revealed(grant)
    return items


def found(grant: AccessGrant, words: str, by: Literal["meaning", "word"]) -> Hits:
    """What fits the words, all of it revealed. Raises NoSearchesLeft, BadQuery, EmbedderUnavailable.

    A search tells something even when it finds nothing, so it is counted before it runs. Its words are kept nowhere.
    """
    left = grants.count_search(grants.check_open(grant))
    memory = grants.use(grant, Action.MEMORY_SEARCH_ASKED, details={"method": by, "left": left})
    hits = memory.search(words, by=by, limit=PAGE)
    ids = [hit.item.id for hit in hits.hits]
    grants.note(grant, Action.MEMORY_SEARCHED, details={"method": by, "ids": ids, "hits": len(ids), "left": left})
    grants.count_revealed(grant)
    return hits


def delete(grant: AccessGrant, memory_id: str, reason: str) -> Removed:
    """Delete one memory for the person. Raises MemoryNotFound, ErasureRunning, NotConfirmed."""
    memory = grants.use(grant, Action.MEMORY_DELETE_ASKED, object=memory_id, reason=reason, details={"count": 1})
    try:
        removed = memory.delete(memory_id)
    except MemoryRoomError as error:
        _note_end(grant, Action.MEMORY_DELETE_FAILED, memory_id, {"state": type(error).__name__})
        raise
    _note_end(grant, Action.MEMORY_DELETED, memory_id, dict(removed.counts))
    return removed


def _note_end(grant: AccessGrant, action: Action, memory_id: str, details: dict[str, Any]) -> None:
    """Never in the way: the trail has what was asked for, and nobody may be told that nothing was done when it was."""
    try:
        grants.note(grant, action, object=memory_id, details=details)
    except AuditUnavailable:
        logger.exception("the trail has no %s for an act that was asked for", action)
