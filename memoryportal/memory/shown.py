"""What a language model is shown of a person while it extracts facts, looked at again when it has answered.

An answer takes seconds, and what the person deletes or corrects meanwhile may come back in it in other words. So the
facts are forgotten again when anything that was shown is not what it was.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .history import BUFFER_SIZE, SubjectHistory
from .rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterable


class Showing:
    """A vector store for mem0's extraction: what it finds is shown to the model. That is a use, and is noted as one."""

    def __init__(self, inner: Any, note_ids: Callable[[list[str]], None]) -> None:
        self._inner, self._note_ids = inner, note_ids
        self.texts: dict[str, str] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def search(self, *args: Any, **kwargs: Any) -> Any:
        found = self._inner.search(*args, **kwargs)
        self._note_ids([str(row.id) for row in found])
        self.texts |= {str(row.id): row.payload.get("data") for row in found}
        return found

    def holds(self, now: "Iterable[Row]") -> bool:
        """Whether these rows are all that was shown, in the same words."""
        return {str(row[0]): row[1].get("data") for row in now} == self.texts


def still_said(talk: SubjectHistory) -> bool:
    """Whether the messages that were shown are there, but for those that newer ones have pushed out of the buffer."""
    now = talk.numbers()
    gone = set(talk.shown) - set(now)
    return not gone or (len(now) == BUFFER_SIZE and max(gone) < min(now))
