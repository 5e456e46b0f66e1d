"""The one way to a person's memories: an object that cannot exist without a subject."""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from typing import Any, Literal, Self

from . import arguments, controls, cursors, uses
from . import never_again as stops
from .arguments import MAX_LIMIT
from .checks import check_expires, check_messages, check_metadata, check_query, check_text
from .embedding import relevance_floor
from .errors import (
    BadQuery,
    MemoryChanged,
    MemoryNotFound,
    MemoryRoomError,
    NotConfirmed,
    ScopeViolation,
    StoreUnavailable,
    WordingStopped,
)
from .never_again import Screen
from .rows import Row, recheck, time_key, to_item
from .scope import Filters, Order, Scope, SubjectId
from .stores import current_store
from .stores.base import Store
from .stores.confirming import confirming
from .types import (
    Added,
    Entity,
    Handed,
    Hit,
    Hits,
    Item,
    Message,
    Page,
    Removed,
    Residue,
    Stopped,
    Summary,
    Version,
)


class ScopedMemory:
    """One subject's memories, optionally narrowed to one assistant and one conversation.

    `ScopedMemory(subject, …)` acts for an assistant: the library's and the gateway's side, and the default. What the
    person has switched binds it. Their restriction raises UseRestricted in everything that reads, their pause
    WritesPaused in `add` and `update`, a running erasure ErasureRunning in both; and each memory that it is handed is
    noted in the use log (uses.py), or not handed out. What has expired is counted, and not handed out.

    `ScopedMemory.for_person(subject)` acts for the person: the portal's pages, its staff on the person's behalf, and
    erasures. It reads on whatever is switched, corrects during a pause, and is not noted. Nobody but the portal, which
    knows who is signed in, may use it.

    Every method raises StoreUnavailable when the store cannot be used, and never returns an empty result instead.
    Ids of memories are UUID texts; anything else, and somebody else's, is MemoryNotFound.
    """

    def __init__(self, subject: SubjectId, *, agent: str | None = None, run: str | None = None) -> None:
        self.scope = Scope(subject, agent, run)

    @classmethod
    def for_person(cls, subject: SubjectId, *, agent: str | None = None, run: str | None = None) -> Self:
        """The person's own side of the same memories."""
        memory = cls(subject, agent=agent, run=run)
        memory.scope = Scope(subject, agent, run, by_person=True)
        return memory

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
        found, more, total = self._readable().page(self.scope, filters, position, arguments.limit_given(limit), order)
        last = found[-1] if found else None
        following = cursors.encode(_key(last), filters, order) if more and last else None
        items = self._handed([to_item(row) for row in recheck(self.scope, found)])
        return Page(items, following, total)

    def summary(self, filters: Filters | None = None) -> Summary:
        """How many, since when, from which assistants and conversations."""
        return self._readable().summary(self.scope, arguments.filters_given(filters))

    def count(self, filters: Filters | None = None) -> int:
        """How many memories match."""
        return self._readable().count(self.scope, arguments.filters_given(filters))

    def search(
        self,
        words: str,
        by: Literal["meaning", "word"] = "meaning",
        filters: Filters | None = None,
        limit: int = 25,
    ) -> Hits:
        """Results, best first; the person finds expired memories too. BadQuery for words that cannot be searched."""
        words, limit, filters = check_query(words), arguments.limit_given(limit), arguments.filters_given(filters)
        if arguments.is_by_word(by):
            rows = self._readable().by_word(self.scope, words.split(), filters, limit + 1)
            hits = [Hit(to_item(row), None) for row in recheck(self.scope, rows)]
        else:
            near = self._readable().by_meaning(self.scope, words, filters, limit + 1, relevance_floor())
            hits = [Hit(to_item(row), score) for row, score in near]
        kept = {item.id for item in self._handed([hit.item for hit in hits[:limit]])}
        return Hits([hit for hit in hits[:limit] if hit.item.id in kept], len(hits) > limit)

    def get(self, memory_id: str) -> Item:
        """One memory of this scope."""
        self._readable()
        handed = self._handed([to_item(self._row(memory_id))])
        if not handed:
            raise MemoryNotFound("not handed to assistants any more")
        return handed[0]

    def get_many(self, memory_ids: list[str]) -> list[Item]:
        """These memories in the order asked for; MemoryNotFound when one of them is not in this scope."""
        self._readable()
        items = self._items(arguments.ids_given(memory_ids))
        if len(handed := self._handed(items)) < len(items):
            raise MemoryNotFound("not handed to assistants any more")
        return handed

    def history(self, memory_id: str) -> list[Version]:
        """All changes of one memory, oldest first."""
        return current_store().history(self.scope, self.get(memory_id).id)

    def entities(self, limit: int = 200) -> list[Entity]:
        """Names of people, places and things that were noted, in alphabetical order."""
        return self._readable().entities(self.scope, arguments.limit_given(limit))

    def messages(self, limit: int = 200) -> list[Message]:
        """Raw messages kept as context for the next extraction, oldest first."""
        return self._readable().messages(self.scope, arguments.limit_given(limit))

    def past(self, limit: int = 200) -> list[Version]:
        """History that outlived its memory (written by a plain mem0), newest first."""
        return self._readable().past(self.scope, arguments.limit_given(limit))

    def held(self) -> dict[str, int]:
        """How many rows each place of the store holds; the keys are those of places.store_places."""
        return self._readable().held(self.scope)

    def known_ids(self) -> list[str]:
        """Ids of every memory of this scope and, for a whole subject, of those that only the history knows."""
        return current_store().known_ids(self.scope)

    def history_of(self, memory_ids: list[str]) -> int:
        """How many changes the history has of these memories, read on a fresh connection."""
        return current_store().history_of(self.scope, arguments.ids_given(memory_ids))

    def walk(self, batch: int = MAX_LIMIT, filters: Filters | None = None) -> Iterator[Item]:
        """Every memory that fits, oldest first, in pages of `batch`: what an export streams."""
        after: str | None = None
        while True:
            page = self.page(filters, after=after, limit=batch, order="oldest")
            yield from page.items
            if page.next is None:
                return
            after = page.next

    def handed(self, memory_id: str | None = None) -> list[Handed]:
        """How often which assistant was handed memories, or this one, the latest first. For the person only."""
        self._persons_own()
        only = None if memory_id is None else arguments.id_given(memory_id)
        return uses.counted(current_store(), self.scope, only)

    def stopped(self) -> Stopped:
        """How many wordings are never to be learned again. For the person only."""
        self._persons_own()
        return stops.held(current_store(), self.scope)

    def _readable(self) -> Store:
        """The store, where this side may read it. Raises UseRestricted, ErasureRunning."""
        store = current_store()
        controls.require_usable(store, self.scope)
        return store

    def _handed(self, items: list[Item]) -> list[Item]:
        """What of this is handed out, in the use log before it is. What has expired is for the person alone.

        Raises UseRestricted, ErasureRunning.
        """
        handed = items if self.scope.by_person else [item for item in items if not item.expired]
        uses.note(current_store(), self.scope, [item.id for item in handed])
        return handed

    def _persons_own(self) -> None:
        if not self.scope.by_person:
            raise ScopeViolation("this is for the person, and not for an assistant")

    def _row(self, memory_id: str) -> Row:
        row = current_store().get(self.scope, arguments.id_given(memory_id))
        if row is None or not self.scope.owns(row[1] or {}):
            raise MemoryNotFound("no such memory")
        return row

    def _items(self, ids: list[str]) -> list[Item]:
        rows = recheck(self.scope, current_store().get_many(self.scope, ids))
        found = {str(row[0]): to_item(row) for row in rows}
        if not found.keys() >= set(ids):
            raise MemoryNotFound("no such memory")
        return [found[memory_id] for memory_id in ids]

    # --- changing ------------------------------------------------------------------------------------------------

    def add(
        self,
        messages: str | list[dict[str, str]],
        *,
        infer: bool | None = None,
        metadata: dict[str, Any] | None = None,
        expires: date | str | None = None,
    ) -> Added:
        """Remember. `infer` (facts extracted by the LLM) defaults to whether an LLM is configured.

        What the person never wants to be learned again is left out; the answer's `stopped` says how many wordings that
        were. Without `infer` all other messages or none. Raises BadQuery, EmbedderUnavailable, WritesPaused,
        ErasureRunning; with `infer`, which shows the LLM what is remembered already, UseRestricted, and MemoryChanged
        when some of that was deleted or corrected before the LLM had answered: then nothing was remembered.
        """
        checked, extra, expires = check_messages(messages), check_metadata(metadata), check_expires(expires)
        infer, store = arguments.infer_given(infer), current_store()
        store.admit(self.scope)
        if infer:
            self._readable()
        screen = stops.Screen(store, self.scope)
        forbidden = screen.stops({message["content"] for message in checked})
        kept = [message for message in checked if message["content"] not in forbidden]
        with confirming():
            ids = store.add(self.scope, kept, infer, extra, expires, screen) if kept else []
            added = self._learned(ids, screen if infer else None)
        added.stopped = screen.stopped
        if added.stopped:
            stops.tell(self.subject, added.stopped)
        return added

    def _learned(self, ids: list[str], screen: Screen | None) -> Added:
        """These new memories. Facts that were extracted out of the portal's sight are looked at now, and forgotten."""
        with changed():
            items = self._still_there(ids) if ids else []
            forbidden = screen.stops({item.text for item in items}) if screen and items else set()
            late = [item.id for item in items if item.text in forbidden]
            if late:
                current_store().delete(self.scope, late)
        return Added(item for item in items if item.id not in late)

    def _still_there(self, ids: list[str]) -> list[Item]:
        """These memories, stored a moment ago. Whoever waited to delete them has not made it "nothing was changed"."""
        try:
            return self._items(ids)
        except MemoryNotFound:
            raise NotConfirmed("it was stored, and some of it was gone when it was read again") from None

    def update(self, memory_id: str, text: str, expected: str | None = None) -> Item:
        """Correct a memory; it is embedded again. `expected` is the `version` that the person was shown.

        Raises BadQuery for an empty or too long text, MemoryChanged when the memory is not what was shown any more. To
        an assistant also UseRestricted, WritesPaused, and WordingStopped for what is never to be learned again.
        """
        text, expected = check_text(text), arguments.version_given(expected)
        row = self._row_to_change(memory_id)
        before = to_item(row)
        if expected is not None and before.version != expected:
            raise MemoryChanged("the memory was changed meanwhile; nothing was written")
        if text == before.text:
            return before
        self._refuse_stopped(text)
        with confirming():
            current_store().correct(self.scope, before.id, text, before.version)
        with changed():
            return to_item(self._row(before.id))

    def _row_to_change(self, memory_id: str) -> Row:
        """What stands there now, when it may be changed. Asked before anything is embedded."""
        store, row = self._readable(), self._row(memory_id)
        controls.require_open(store, self.scope.down_to(row[1]), correcting=True)
        return row

    def _refuse_stopped(self, text: str) -> None:
        """The person may write again what assistants may not."""
        if self.scope.by_person or not stops.Screen(current_store(), self.scope).stops({text}):
            return
        stops.tell(self.subject, 1)
        raise WordingStopped("the subject has said that this wording is never to be learned again; nothing was written")

    def purge_version(self, memory_id: str, seq: int) -> None:
        """Remove one earlier wording from a memory's history, wherever it stands there.

        `seq` 0 is the wording before the first change that was noted: a memory that was stored before its history was
        kept has no entry of its own for it.
        """
        current, seq = to_item(self._row(memory_id)), arguments.number_given(seq, "The number of a wording")
        versions = {version.seq: version for version in current_store().history(self.scope, current.id)}
        first = min(versions, default=0)
        if (seq or first) not in versions or (seq == 0 and versions[first].old is None):
            raise MemoryNotFound("no such version")
        if not current_store().purge_version(self.scope, current.id, seq or first, current.text, before=seq == 0):
            raise BadQuery("this is the current wording: correct or delete the memory instead")

    def delete(self, memory_id: str, *, never_again: bool = False) -> Removed:
        """Delete one memory in every place. `never_again`: the person forbids to learn its wording once more."""
        return self.delete_many([memory_id], never_again=never_again)

    def delete_many(self, memory_ids: list[str], *, never_again: bool = False) -> Removed:
        """Delete these memories in every place, all or nothing."""
        ids = arguments.ids_given(memory_ids)
        with self._stopping(lambda: self._items(ids), never_again) as stopped, confirming():
            return replace(current_store().delete(self.scope, ids), stopped=len(stopped))

    def delete_matching(self, filters: Filters, expected: int, *, never_again: bool = False) -> Removed:
        """Delete all that match in every place; CountMoved when they are not exactly `expected` any more."""
        if filters is None:
            raise BadQuery("Say which memories: Filters() means all of them.")
        expected, chosen = arguments.number_given(expected, "The number of memories"), arguments.filters_given(filters)
        with self._stopping(lambda: self.walk(filters=chosen), never_again) as stopped, confirming():
            return replace(current_store().delete_matching(self.scope, chosen, expected), stopped=len(stopped))

    @contextmanager
    def _stopping(self, items: Callable[[], Iterable[Item]], wanted: bool) -> Iterator[list[bytes]]:
        """Around a deletion: the wordings are stopped before it, so that there is no moment between the two, and are
        allowed again when nothing was deleted. Raises ScopeViolation: no assistant decides what may be learned.
        """
        if not arguments.flag_given(wanted, "Whether it may be learned again"):
            yield []
            return
        self._persons_own()
        stopped = stops.stop(current_store(), self.scope, [item.text for item in items()])
        try:
            yield stopped
        except NotConfirmed:  # it may have happened
            raise
        except MemoryRoomError:
            with changed():
                stops.allow(current_store(), self.scope, stopped)
            raise

    def allow_again(self) -> int:
        """Let everything that was stopped be learned again; how many wordings that were. For the person only."""
        self._persons_own()
        return stops.allow(current_store(), self.scope)

    def erase(self, *, keep: Collection[str] = (), behind: str | None = None) -> Removed:
        """Delete everything of this scope in every place but those in `keep` (arguments.KEEPABLE).

        `behind`: only while the gate of this assistant ('' for all) is shut for erasing. Raises GateOpen otherwise.
        """
        kept = arguments.keep_given(keep)
        with confirming():
            return current_store().erase(self.scope, kept, arguments.gate_given(behind))

    def forget_traces(self, memory_ids: list[str], *, behind: str | None = None) -> Removed:
        """Delete what tells of these memories of this scope, which are gone: their history and uses, and what was
        lately said where they were handed out. `behind` is that of `erase`.
        """
        with confirming():
            return current_store().forget_traces(
                self.scope, arguments.ids_given(memory_ids), arguments.gate_given(behind)
            )

    def residue(self, *, keep: Collection[str] = ()) -> list[Residue]:
        """Count every place but those in `keep` again, on new connections."""
        kept = arguments.keep_given(keep)
        return [found for found in current_store().residue(self.scope) if found.place not in kept]


@contextmanager
def changed() -> Iterator[None]:
    """For what comes after a change: a store that is lost now has made it, so nobody may be told that it has not."""
    try:
        yield
    except StoreUnavailable as error:
        raise NotConfirmed(f"the change was made, and could not be read again: {error}") from None


def _key(row: Row) -> tuple[str, str]:
    return time_key(row[1] or {}), str(row[0])
