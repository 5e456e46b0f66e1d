"""What a language model is shown of a person while it extracts facts, looked at again when it has answered.

An answer takes seconds, and what the person deletes or corrects meanwhile may come back in it in other words. So the
facts are forgotten again when anything that was shown is not what it was.
"""

from collections.abc import Callable, Iterable
from typing import Any

from .errors import StoreUnavailable
from .history import BUFFER_SIZE, SubjectHistory
from .pool import Cursor, store_errors
from .rows import Row, to_item
from .texts import as_text


class Showing:
    """A vector store for mem0's extraction: what it finds is shown to the model. That is a use, and is noted as one.

    `holding` is the transaction that an eraser waits for: once it is lost, nothing may be written any more. `failure`
    says so, since mem0 swallows it. `made` are the ids of the new memories, which go again when the rest fails.
    """

    def __init__(self, inner: Any, note_ids: Callable[[list[str]], None], holding: Cursor) -> None:
        self._inner, self._note_ids, self._holding = inner, note_ids, holding
        self.failure: StoreUnavailable | None = None
        self.texts: dict[str, str | None] = {}
        self.made: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def search(self, *args: Any, top_k: int = 5, **kwargs: Any) -> Any:
        found = self._living(top_k, *args, **kwargs)
        self._note_ids([str(row.id) for row in found])
        self.texts |= {str(row.id): as_text(row.payload.get("data")) for row in found}
        return found

    def _living(self, most: int, *args: Any, **kwargs: Any) -> list[Any]:
        """What has expired is shown to nobody but the person, and must not eat the places of what has not."""
        asked = most
        while True:
            found = self._inner.search(*args, top_k=asked, **kwargs)
            living = [row for row in found if not to_item((row.id, row.payload)).expired][:most]
            if len(living) == most or len(found) < asked:
                return living
            asked *= 4

    def insert(self, vectors: Any, payloads: Any = None, ids: Any = None) -> Any:
        try:
            with store_errors():
                self._holding.execute("SELECT 1")
        except StoreUnavailable as error:
            self.failure = error
            raise
        self.made += [str(each) for each in ids or ()]
        return self._inner.insert(vectors=vectors, payloads=payloads, ids=ids)

    def holds(self, now: Iterable[Row]) -> bool:
        """Whether these rows are all that was shown, in the same words."""
        return {str(row[0]): as_text(row[1].get("data")) for row in now} == self.texts


def still_said(talk: SubjectHistory) -> bool:
    """Whether the messages that were shown are there, but for those that newer ones have pushed out of the buffer."""
    now = talk.numbers()
    gone = set(talk.shown) - set(now)
    return not gone or (len(now) == BUFFER_SIZE and max(gone) < min(now))
