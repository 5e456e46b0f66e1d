"""What an assistant knows by itself: nobody's personal data, and no part of anybody's memories.

For the library and the agents' gateway. The portal's pages, staff and erasures never list, change or erase it.
"""

from datetime import date
from typing import Any, Literal

from . import arguments, cursors
from .checks import check_expires, check_messages, check_metadata, check_query
from .embedding import relevance_floor
from .errors import MemoryNotFound
from .rows import recheck, time_key, to_item
from .scope import Filters, KnowledgeScope, Order
from .scoped import changed
from .stores import current_store
from .stores.confirming import confirming
from .stores.knowledge import Knowledge, knowledge_of
from .types import Hit, Hits, Item, Page, Removed


class AgentKnowledge:
    """The knowledge of one assistant, perhaps of one of its conversations. It sees no person's memory, and no person
    sees it.

    Errors as those of ScopedMemory. No history and no recent messages are kept of it, and no names are noted.
    """

    def __init__(self, agent: str, *, run: str | None = None) -> None:
        self.scope = KnowledgeScope(agent, run)

    def __repr__(self) -> str:
        return "<AgentKnowledge>"

    def page(
        self, filters: Filters | None = None, after: str | None = None, limit: int = 25, order: Order = "newest"
    ) -> Page:
        """One page with the true total. BadCursor for an `after` that was issued for other filters."""
        filters, order = arguments.filters_given(filters), arguments.order_given(order)
        position = None if after in (None, "") else cursors.decode(after, filters, order)
        found, more, total = _store().page(self.scope, filters, position, arguments.limit_given(limit), order)
        key = (time_key(found[-1][1] or {}), str(found[-1][0])) if found else None
        following = cursors.encode(key, filters, order) if more and key else None
        return Page([to_item(row) for row in recheck(self.scope, found)], following, total)

    def search(
        self,
        words: str,
        by: Literal["meaning", "word"] = "meaning",
        filters: Filters | None = None,
        limit: int = 25,
    ) -> Hits:
        """Results, best first. BadQuery for words that cannot be searched."""
        words, limit, filters = check_query(words), arguments.limit_given(limit), arguments.filters_given(filters)
        if arguments.is_by_word(by):
            rows = _store().by_word(self.scope, words.split(), filters, limit + 1)
            hits = [Hit(to_item(row), None) for row in recheck(self.scope, rows)]
        else:
            near = _store().by_meaning(self.scope, words, filters, limit + 1, relevance_floor())
            hits = [Hit(to_item(row), score) for row, score in near]
        return Hits(hits[:limit], len(hits) > limit)

    def get(self, memory_id: str) -> Item:
        """One piece of knowledge. MemoryNotFound for another assistant's, and for a person's memory."""
        rows = recheck(self.scope, _store().get_many(self.scope, [arguments.id_given(memory_id)]))
        if not rows:
            raise MemoryNotFound("no such memory")
        return to_item(rows[0])

    def add(
        self,
        messages: str | list[dict[str, str]],
        *,
        infer: bool | None = None,
        metadata: dict[str, Any] | None = None,
        expires: date | str | None = None,
    ) -> list[Item]:
        """Remember, for this assistant alone. `infer` defaults to whether a language model is configured."""
        checked, extra, last = check_messages(messages), check_metadata(metadata), check_expires(expires)
        infer = arguments.infer_given(infer)
        with confirming():
            added = _store().add(self.scope, checked, infer, extra, last)
        with changed():
            rows = {str(row[0]): row for row in recheck(self.scope, _store().get_many(self.scope, added))}
        return [to_item(rows[memory_id]) for memory_id in added if memory_id in rows]

    def delete(self, memory_id: str) -> Removed:
        """Delete one piece of knowledge."""
        with confirming():
            _store().forget(self.scope, arguments.id_given(memory_id))
        return Removed({"memories": 1})


def _store() -> Knowledge:
    return knowledge_of(current_store())
