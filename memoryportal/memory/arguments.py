"""The types of what callers hand in. What is no such thing is refused by name and never passed on to a store.

mem0 takes dictionaries with operators (`AND`, `OR`, `NOT`, `$or`) nearly everywhere and lets them widen a question.
"""

import contextlib
from collections.abc import Iterable
from typing import get_args
from uuid import UUID

from .configuration import configuration
from .errors import BadQuery, MemoryNotFound
from .scope import Filters, Order

MAX_LIMIT = 500
WAYS = ("meaning", "word")
KEEPABLE = frozenset({"never"})  # places that a person may keep when everything else is erased


def filters_given(filters: object) -> Filters:
    """The filters; None means none."""
    if filters is None:
        return Filters()
    if type(filters) is not Filters:
        raise BadQuery("Filters are given as Filters(…). A dictionary of conditions is not understood here.")
    return filters


def limit_given(limit: object) -> int:
    """How many, cut to 1..MAX_LIMIT."""
    return max(1, min(number_given(limit, "A limit"), MAX_LIMIT))


def number_given(number: object, what: str) -> int:
    if not isinstance(number, int) or isinstance(number, bool):
        raise BadQuery(f"{what} is a whole number.")
    return number


def order_given(order: object) -> Order:
    for known in get_args(Order):
        if order == known:
            return known  # type: ignore[no-any-return]
    raise BadQuery("Pages are ordered by newest or oldest.")


def is_by_word(by: object) -> bool:
    """Whether to search by word; else it is by meaning."""
    if by not in WAYS:
        raise BadQuery("A search is by meaning or by word.")
    return by == "word"


def infer_given(infer: object) -> bool:
    """Whether a language model extracts facts; None means where one is configured."""
    able = configuration().llm is not None
    if infer is not None and not isinstance(infer, bool):
        raise BadQuery("Whether to infer is true or false.")
    if infer and not able:
        raise BadQuery("no language model is configured, so nothing can be inferred")
    return able if infer is None else infer


def id_given(memory_id: object) -> str:
    """The id of a memory as its UUID's text. What is none belongs to no memory."""
    if isinstance(memory_id, str | UUID):
        with contextlib.suppress(ValueError):
            return str(UUID(str(memory_id)))
    raise MemoryNotFound("no such memory")


def ids_given(memory_ids: object) -> list[str]:
    """The ids of several memories."""
    if not isinstance(memory_ids, list | tuple):
        raise BadQuery("Memories are named by a list of their ids.")
    return [id_given(memory_id) for memory_id in memory_ids]


def flag_given(flag: object, what: str) -> bool:
    if not isinstance(flag, bool):
        raise BadQuery(f"{what} is true or false.")
    return flag


def gate_given(behind: str | None) -> str | None:
    """Whose gate has to be shut: an assistant's name, '' for all of them, None where no gate is asked for."""
    if behind is not None and type(behind) is not str:
        raise BadQuery("A gate is named by an assistant, or by an empty text.")
    return behind


def keep_given(places: object) -> frozenset[str]:
    """The places that an erasure leaves."""
    if not isinstance(places, tuple | list | set | frozenset) or any(place not in KEEPABLE for place in _texts(places)):
        raise BadQuery("What can be kept is a list of places, and only stopped wordings can be.")
    return frozenset(places)


def _texts(given: Iterable[object]) -> list[str]:
    return [each if isinstance(each, str) else "" for each in given]


def version_given(version: object) -> str | None:
    """The token of the wording that somebody was shown."""
    if version is not None and not isinstance(version, str):
        raise BadQuery("The expected version is the text that came with the memory.")
    return version
