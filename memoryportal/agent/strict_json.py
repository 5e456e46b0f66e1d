"""JSON as the gateway takes it: UTF-8, each name once, finite numbers, flat. Two readers never differ on a body."""

import json
from typing import Any, NoReturn

MAX_DEPTH = 8  # a body of ours is three deep


class BadJson(ValueError):
    """Not such JSON. Says nothing of what it was: the parser's own error repeats it."""


def loads(body: bytes) -> Any:
    """The value of a body. Raises BadJson."""
    try:
        found = json.loads(body.decode("utf-8"), parse_constant=_refuse, object_pairs_hook=_unique)
        if _depth(found) <= MAX_DEPTH:
            return found
    except (ValueError, RecursionError):
        pass
    raise BadJson("the body is not JSON that can be used")


def _refuse(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are no JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands there twice")
    return found


def _depth(value: Any) -> int:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inside is None else 1 + max(map(_depth, inside), default=0)
