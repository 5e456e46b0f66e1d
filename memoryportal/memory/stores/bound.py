"""What the stores have in common on which mem0's own pipeline runs."""

import contextlib
import threading
from typing import Any

from .. import uses
from ..embedding import embedder
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

    def infer(
        self,
        scope: AnyScope,
        bound: Any,
        messages: list[dict[str, str]],
        values: dict[str, Any],
        screen: Screen | None = None,
    ) -> Any:
        """mem0's add with a language model, its failures named.

        Raises InferenceFailed, or why the gate is shut; MemoryChanged when what the model was shown has changed.
        """
        if isinstance(scope, Scope) and screen is not None:
            bound = bound.watched(screen, lambda ids: uses.note(self, scope, ids))
        try:
            result = bound.add(messages, infer=True, **values)
            if screen is not None and screen.failure is not None:  # mem0 went on without it
                raise screen.failure
            if isinstance(scope, Scope) and screen is not None:
                self._refuse_outdated(scope, bound, [entry["id"] for entry in result["results"]])
            return result
        except StoreUnavailable as error:
            if not bound.unit.wrote:
                raise
            raise NotConfirmed(f"some of it may have been remembered: {error}") from None
        except MemoryRoomError:
            raise
        except Exception as error:  # noqa: BLE001 - every provider raises its own, and most repeat the conversation
            failed = type(error).__name__
        # Out here the error has no context: the provider's words stay behind.
        self.admit(scope)  # a gate that was shut while the model was thinking is why mem0 could write nothing
        raise InferenceFailed(f"nothing could be remembered with the language model ({failed})")

    def _refuse_outdated(self, scope: Scope, bound: Any, ids: list[str]) -> None:
        """Forget these new memories where the person took away, meanwhile, something that the model had before it.

        What they take away later was there beside the new memories, which they could see.
        """
        shown = bound.vector_store
        same = not shown.texts or shown.holds(self.get_many(scope, list(shown.texts)))
        if not ids or (same and still_said(bound.db)):
            return
        for memory_id in ids:
            with contextlib.suppress(MemoryNotFound):  # the person was faster
                self.delete(scope, [memory_id])
        raise MemoryChanged("what the language model was shown was deleted or corrected meanwhile; nothing was learned")

    def by_meaning(
        self, scope: AnyScope, words: str, filters: Filters, limit: int, floor: float
    ) -> list[tuple[Row, float]]:
        found = self.pipeline(scope, filters, floor).search(
            words, top_k=limit, filters=scope.mem0_ids(), threshold=0.0, show_expired=True
        )["results"]
        own = recheck(scope, self.get_many(scope, [entry["id"] for entry in found]))
        rows = {str(row[0]): row for row in own}
        return [(rows[entry["id"]], float(entry["score"])) for entry in found if entry["id"] in rows]
