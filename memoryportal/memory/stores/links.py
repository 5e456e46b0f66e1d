"""Noted names that several assistants' memories link to, for stores that cannot ask their server about it."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from ..rows import Row
from ..scope import Scope


def shared(scope: Scope, names: list[Row], memories: Callable[[Scope, list[str]], list[Row]]) -> set[str]:
    """Ids of those of a scope's names that a memory outside of the scope links to: they outlive its erasure.

    `memories` gives the rows with these ids of a scope. Empty where the scope is a whole person's.
    """
    if not scope.is_narrowed:
        return set()
    links = {str(row[0]): set(ids_in(row[1].get("linked_memory_ids"))) for row in names}
    wanted = sorted(set().union(*links.values()))
    found = memories(Scope(scope.subject), wanted) if wanted else []
    others = {str(row[0]) for row in found if not scope.owns(row[1] or {})}
    return {name for name, ids in links.items() if ids & others}


def ids_in(links: Any) -> list[str]:
    """The ids of memories that a name links to. What is no id belongs to no memory."""
    return [each for each in map(_id, links) if each] if isinstance(links, list) else []


def _id(link: Any) -> str:
    try:
        return str(UUID(str(link)))
    except ValueError:
        return ""
