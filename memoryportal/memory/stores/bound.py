"""What the stores have in common on which mem0's own pipeline runs."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from .. import controls, uses
from ..embedding import asks_a_server, embedder
from ..errors import (
    InferenceFailed,
    MemoryChanged,
    MemoryNotFound,
    MemoryRoomError,
    NotConfirmed,
    StoreUnavailable,
)
from ..history import SubjectHistory
from ..never_again import Screen
from ..pool import Cursor, fresh_transaction
from ..rows import Row, recheck
from ..scope import AnyScope, Filters, Scope
from ..shown import still_said
from .side import SideTables

_loading = threading.Lock()
NO_FLOOR = -1.0  # the least similarity there is: mem0 looks for what it knows already among all memories


class BoundStore(SideTables):
    """A store that hands mem0 vector stores tied to one scope.

    `beside`: its memories lie in the same database as the side tables.
    """

    beside: bool

    def bound(self, suffix: str, unit: Any, filters: Filters, floor: float) -> Any:
        """mem0's vector store for the collection (suffix "") or its noted names ("entities"), tied to `unit.scope`."""
        raise TypeError("a store binds its own collections")

    def kept(self, scope: Any, unit: Any) -> Any:
        """mem0's `db`: where history and recent messages of this scope are kept."""
        return SubjectHistory(self.tables, scope, unit.open, beside=self.beside)

    def pipeline(self, scope: AnyScope, filters: Filters | None = None, floor: float = NO_FLOOR) -> Any:
        """mem0's Memory for this scope. mem0 is imported here and not before: browsing and erasing never need it."""
        embedder()  # a broken embedder is named before mem0 is even imported
        with _loading:
            from ..pipeline import pipeline
        return pipeline().bind(self, scope, filters, floor)

    def add(
        self,
        scope: AnyScope,
        messages: list[dict[str, str]],
        infer: bool,
        metadata: dict[str, Any] | None,
        expires: Any,
        screen: Screen | None = None,
    ) -> list[str]:
        """mem0's add: the ids of the new memories. Raises InferenceFailed, or why the gate is shut.

        Whoever shuts the gate waits for it from before a model is asked until the last write (controls.drain). So what
        was said before an erasure is never stored after it, however long the answer took.
        """
        bound = self.pipeline(scope)
        values = {"metadata": metadata, "expiration_date": expires, **scope.mem0_ids()}
        if not infer:
            return self._as_said(scope, bound, messages, values)
        if not isinstance(scope, Scope) or screen is None:  # knowledge of an assistant is nobody's
            return self._inferred(scope, bound, messages, values)
        with self.under_way(scope) as holding:
            bound = bound.watched(screen, lambda ids: uses.note(self, scope, ids), holding)
            try:
                ids = self._inferred(scope, bound, messages, values)
                if failure := screen.failure or bound.vector_store.failure:  # mem0 went on without it
                    raise failure
                if ids:
                    self._refuse_outdated(scope, bound)
                return self._kept(scope, ids)
            except StoreUnavailable as error:
                if not bound.unit.wrote:
                    raise
                raise NotConfirmed(f"some of it may have been remembered: {error}") from None
            except MemoryRoomError:
                self._withdraw(scope, bound.vector_store.made)
                raise

    @contextlib.contextmanager
    def under_way(self, scope: Scope) -> Iterator[Cursor]:
        """Let an eraser wait while a model is asked, on a connection of its own: the pool is not used up by waiting.

        Raises WritesPaused, ErasureRunning; NotConfirmed when the connection is lost, so that nobody waits any more.
        """
        ended = False
        try:
            with fresh_transaction(self.dsn, str(scope.subject)) as cursor:
                shut = controls.behind_gate(cursor, self.tables, scope.subject, controls.UNDER_WAY)
                controls.refuse_write(shut, scope)
                yield cursor
                ended = True
        except StoreUnavailable as error:
            if not ended:
                raise
            raise NotConfirmed(f"it is not known whether an erasure went on meanwhile: {error}") from None

    def _as_said(
        self, scope: AnyScope, bound: Any, messages: list[dict[str, str]], values: dict[str, Any]
    ) -> list[str]:
        """All messages as they are, or none of them."""
        texts = [message["content"] for message in messages if message["role"] != "system"]
        if isinstance(scope, Scope) and asks_a_server():
            with self.under_way(scope) as holding:
                bound.prepared(texts, "add")
                with bound.unit.shared():
                    holding.execute("SELECT 1")  # lost, and an eraser may have passed
                    return _ids(bound.add(messages, infer=False, **values))
        with bound.unit.shared() as cursor:
            if isinstance(scope, Scope):
                controls.refuse_write(controls.behind_gate(cursor, self.tables, scope.subject), scope)
            bound.prepared(texts, "add")
            return _ids(bound.add(messages, infer=False, **values))

    def _inferred(
        self, scope: AnyScope, bound: Any, messages: list[dict[str, str]], values: dict[str, Any]
    ) -> list[str]:
        """mem0's add with a language model, its failures named."""
        try:
            return _ids(bound.add(messages, infer=True, **values))
        except MemoryRoomError:
            raise
        except Exception as error:  # noqa: BLE001 - every provider raises its own, and most repeat the conversation
            failed = type(error).__name__
        # Out here the error has no context: the provider's words stay behind.
        self.admit(scope)  # a gate that was shut while the model was thinking is why mem0 could write nothing
        raise InferenceFailed(f"nothing could be remembered with the language model ({failed})")

    def _refuse_outdated(self, scope: Scope, bound: Any) -> None:
        """Raise MemoryChanged where the person took away, meanwhile, something that the model had before it.

        What they take away later was there beside the new memories, which they could see.
        """
        shown = bound.vector_store
        same = not shown.texts or shown.holds(self.get_many(scope, list(shown.texts)))
        if not same or not still_said(bound.db):
            raise MemoryChanged("what the model was shown was deleted or corrected meanwhile; nothing was learned")

    def _withdraw(self, scope: Scope, ids: list[str]) -> None:
        """Forget new memories of an extraction that has failed."""
        try:
            for memory_id in ids:
                with contextlib.suppress(MemoryNotFound):  # the person was faster
                    self.delete(scope, [memory_id])
        except StoreUnavailable as error:
            raise NotConfirmed(f"some of it may have been remembered: {error}") from None

    def _kept(self, scope: Scope, ids: list[str]) -> list[str]:
        """The new memories that were not deleted before all about them was noted; of the others nothing stays."""
        alive = {str(row[0]) for row in self.get_many(scope, ids)} if ids else set()
        gone = [memory_id for memory_id in ids if memory_id not in alive]
        if gone:
            with self.open(scope) as cursor:
                self.delete_side(cursor, scope, [(memory_id, scope.agent, scope.run) for memory_id in gone])
            self.unlink(scope, gone)
        return [memory_id for memory_id in ids if memory_id in alive]

    def by_meaning(
        self, scope: AnyScope, words: str, filters: Filters, limit: int, floor: float
    ) -> list[tuple[Row, float]]:
        found = self.pipeline(scope, filters, floor).search(
            words, top_k=limit, filters=scope.mem0_ids(), threshold=0.0, show_expired=True
        )["results"]
        if not found:
            return []
        own = recheck(scope, self.get_many(scope, [entry["id"] for entry in found]))
        rows = {str(row[0]): row for row in own}
        return [(rows[entry["id"]], float(entry["score"])) for entry in found if entry["id"] in rows]


def _ids(result: dict[str, Any]) -> list[str]:
    return [entry["id"] for entry in result["results"]]
