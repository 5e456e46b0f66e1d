"""The one way to a person's memories: an object that cannot exist without a subject."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any, Literal

from . import arguments, cursors
from .arguments import MAX_LIMIT
from .checks import check_expires, check_messages, check_metadata, check_query, check_text
from .embedding import relevance_floor
from .errors import BadQuery, MemoryChanged, MemoryNotFound, NotConfirmed, StoreUnavailable
from .rows import Row, recheck, time_key, to_item
from .scope import Filters, Order, Scope, SubjectId
from .stores import current_store
from .stores.confirming import confirming
from .types import (
    Entity,
    Hit,
    Hits,
    Item,
    Message,
    Page,
    Removed,
    Residue,
    Summary,
    Version,
)


class ScopedMemory:
    """One subject's memories, optionally narrowed to one assistant and one conversation.

    Every method raises StoreUnavailable when the store cannot be used, and never returns an empty result instead.
    Ids of memories are UUID texts; anything else, and somebody else's, is MemoryNotFound.
    """

    def __init__(self, subject: SubjectId, *, agent: str | None = None, run: str | None = None) -> None:
        self.scope = Scope(subject, agent, run)

    @property
    def subject(self) -> SubjectId:
        return self.scope.subject

    def __repr__(self) -> str:
        return "<ScopedMemory>"  # a subject id is personal data: keep it out of logs and tracebacks

    # --- reading -------------------------------------------------------------------------------------------------

    def page(
        self, filters: Filters | None = None, after: str | None = None, limit: int = 25, order: Order = "newest"
    ) -> Page:
        """One page with the true total. BadCursor for an `after` that was issued for other filters."""
        filters, order = arguments.filters_given(filters), arguments.order_given(order)
        position = None if after in (None, "") else cursors.decode(after, filters, order)
        found, more, total = current_store().page(self.scope, filters, position, arguments.limit_given(limit), order)
        last = found[-1] if found else None
        following = cursors.encode(_key(last), filters, order) if more and last else None
        return Page([to_item(row) for row in recheck(self.scope, found)], following, total)

    def summary(self, filters: Filters | None = None) -> Summary:
        """How many, since when, from which assistants and conversations."""
        return current_store().summary(self.scope, arguments.filters_given(filters))

    def count(self, filters: Filters | None = None) -> int:
        """How many memories match."""
        return current_store().count(self.scope, arguments.filters_given(filters))

    def search(
        self,
        words: str,
        by: Literal["meaning", "word"] = "meaning",
        filters: Filters | None = None,
        limit: int = 25,
    ) -> Hits:
        """Results, best first; expired memories are found too. BadQuery for words that cannot be searched."""
        words, limit, filters = check_query(words), arguments.limit_given(limit), arguments.filters_given(filters)
        if arguments.is_by_word(by):
            rows = current_store().by_word(self.scope, words.split(), filters, limit + 1)
            hits = [Hit(to_item(row), None) for row in recheck(self.scope, rows)]
        else:
            near = current_store().by_meaning(self.scope, words, filters, limit + 1, relevance_floor())
            hits = [Hit(to_item(row), score) for row, score in near]
        return Hits(hits[:limit], len(hits) > limit)

    def get(self, memory_id: str) -> Item:
        """One memory of this scope."""
        row = current_store().get(self.scope, arguments.id_given(memory_id))
        if row is None or not self.scope.owns(row[1] or {}):
            raise MemoryNotFound("no such memory")
        return to_item(row)

    def get_many(self, memory_ids: list[str]) -> list[Item]:
        """These memories in the order asked for; MemoryNotFound when one of them is not in this scope."""
        ids = arguments.ids_given(memory_ids)
        rows = recheck(self.scope, current_store().get_many(self.scope, ids))
        found = {str(row[0]): to_item(row) for row in rows}
        if not found.keys() >= set(ids):
            raise MemoryNotFound("no such memory")
        return [found[memory_id] for memory_id in ids]

    def history(self, memory_id: str) -> list[Version]:
        """All changes of one memory, oldest first."""
        return current_store().history(self.scope, self.get(memory_id).id)

    def entities(self, limit: int = 200) -> list[Entity]:
        """Names of people, places and things that were noted, in alphabetical order."""
        return current_store().entities(self.scope, arguments.limit_given(limit))

    def messages(self, limit: int = 200) -> list[Message]:
        """Raw messages kept as context for the next extraction, oldest first."""
        return current_store().messages(self.scope, arguments.limit_given(limit))

    def past(self, limit: int = 200) -> list[Version]:
        """History that outlived its memory (written by a plain mem0), newest first."""
        return current_store().past(self.scope, arguments.limit_given(limit))

    def held(self) -> dict[str, int]:
        """How many rows each place holds: memories, entities, history, messages."""
        return current_store().held(self.scope)

    def walk(self, batch: int = MAX_LIMIT) -> Iterator[Item]:
        """Every memory, oldest first, in pages of `batch`: what an export streams."""
        after: str | None = None
        while True:
            page = self.page(after=after, limit=batch, order="oldest")
            yield from page.items
            if page.next is None:
                return
            after = page.next

    # --- changing ------------------------------------------------------------------------------------------------

    def add(
        self,
        messages: str | list[dict[str, str]],
        *,
        infer: bool | None = None,
        metadata: dict[str, Any] | None = None,
        expires: date | str | None = None,
    ) -> list[Item]:
        """Remember. `infer` (facts extracted by the LLM) defaults to whether an LLM is configured.

        Raises BadQuery, EmbedderUnavailable, WritesPaused, ErasureRunning. Without `infer` all messages or none.
        """
        checked, extra, expires = check_messages(messages), check_metadata(metadata), check_expires(expires)
        infer = arguments.infer_given(infer)
        current_store().admit(self.scope)
        with confirming():
            added = current_store().add(self.scope, checked, infer, extra, expires)
        with changed():
            return self.get_many(added) if added else []

    def update(self, memory_id: str, text: str, expected: str | None = None) -> Item:
        """Correct a memory; it is embedded again. `expected` is the `version` that the person was shown.

        Raises BadQuery for an empty or too long text, MemoryChanged when the memory is not what was shown any more.
        """
        text, expected, before = check_text(text), arguments.version_given(expected), self.get(memory_id)
        if expected is not None and before.version != expected:
            raise MemoryChanged("the memory was changed meanwhile; nothing was written")
        if text == before.text:
            return before
        with confirming():
            current_store().correct(self.scope, before.id, text, before.version)
        with changed():
            return self.get(before.id)

    def purge_version(self, memory_id: str, seq: int) -> None:
        """Remove one earlier wording from a memory's history, wherever it stands there.

        `seq` 0 is the wording before the first change that was noted: a memory that was stored before its history was
        kept has no entry of its own for it.
        """
        current, seq = self.get(memory_id), arguments.number_given(seq, "The number of a wording")
        versions = {version.seq: version for version in self.history(current.id)}
        first = min(versions, default=0)
        if (seq or first) not in versions or (seq == 0 and versions[first].old is None):
            raise MemoryNotFound("no such version")
        if not current_store().purge_version(self.scope, current.id, seq or first, current.text, before=seq == 0):
            raise BadQuery("this is the current wording: correct or delete the memory instead")

    def delete(self, memory_id: str) -> Removed:
        """Delete one memory in every place."""
        return self.delete_many([memory_id])

    def delete_many(self, memory_ids: list[str]) -> Removed:
        """Delete these memories in every place, all or nothing."""
        with confirming():
            return current_store().delete(self.scope, arguments.ids_given(memory_ids))

    def delete_matching(self, filters: Filters, expected: int) -> Removed:
        """Delete all that match in every place; CountMoved when they are not exactly `expected` any more."""
        if filters is None:
            raise BadQuery("Say which memories: Filters() means all of them.")
        expected = arguments.number_given(expected, "The number of memories")
        with confirming():
            return current_store().delete_matching(self.scope, arguments.filters_given(filters), expected)

    def erase(self) -> Removed:
        """Delete everything of this scope in every place."""
        with confirming():
            return current_store().erase(self.scope)

    def residue(self) -> list[Residue]:
        """Count every place again, each on a connection of its own."""
        return current_store().residue(self.scope)


@contextmanager
def changed() -> Iterator[None]:
    """For what comes after a change: a store that is lost now has made it, so nobody may be told that it has not."""
    try:
        yield
    except StoreUnavailable as error:
        raise NotConfirmed(f"the change was made, and could not be read again: {error}") from None


def _key(row: Row) -> tuple[str, str]:
    return time_key(row[1] or {}), str(row[0])
