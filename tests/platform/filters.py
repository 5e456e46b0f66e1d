"""mem0's filter language, as its documentation describes it.

A filter becomes a list of conjunctions, each a list of (field, condition). `*` means every value that is not null.
"""

from itertools import product
from typing import Any, Literal

ENTITIES = ("user_id", "agent_id", "app_id", "run_id")
Conjunction = list[tuple[str, Any]]
# "Unspecified fields default to NULL": those that a conjunction leaves out, that the whole filter does, or none.
Nulls = Literal["branch", "whole", "off"]


class BadFilter(ValueError):
    """The Platform would answer 400."""


def conjunctions(node: Any) -> list[Conjunction]:
    """The filter as alternatives. Raises BadFilter."""
    if not isinstance(node, dict) or not node:
        raise BadFilter("a filter is an object that is not empty")
    if set(node) & {"AND", "OR"}:
        if len(node) != 1:
            raise BadFilter("AND or OR stands alone")
        ((operator, parts),) = node.items()
        if not isinstance(parts, list) or not parts:
            raise BadFilter(f"{operator} takes an array")
        alternatives = [conjunctions(part) for part in parts]
        if operator == "OR":
            return [one for part in alternatives for one in part]
        return [[leaf for part in choice for leaf in part] for choice in product(*alternatives)]
    for field, condition in node.items():
        if field not in ENTITIES or not isinstance(condition, str):
            raise BadFilter(f"{field} with such a condition is not understood here")
    return [list(node.items())]


def matches(alternatives: list[Conjunction], row: Any, nulls: Nulls) -> bool:
    """Whether a row (with the attributes ENTITIES) is asked for."""
    everywhere = {field for one in alternatives for field, _ in one}
    return any(_all(one, row, everywhere, nulls) for one in alternatives)


def _all(one: Conjunction, row: Any, everywhere: set[str], nulls: Nulls) -> bool:
    named = {"branch": {field for field, _ in one}, "whole": everywhere, "off": set(ENTITIES)}[nulls]
    unnamed = [getattr(row, field) for field in ENTITIES if field not in named]
    return all(value is None for value in unnamed) and all(_one(row, *leaf) for leaf in one)


def _one(row: Any, field: str, wanted: str) -> bool:
    value = getattr(row, field)
    return value is not None if wanted == "*" else value == wanted
