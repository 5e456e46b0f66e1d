"""From a validation error to a problem that names fields of ours and nothing that was sent."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from pydantic import BaseModel

from . import schemas
from .problems import Problem

# pydantic's types of errors, in words. Its own messages repeat patterns and, some of them, the input.
_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "holds a field that is not known here",
    "string_type": "must be a text",
    "string_too_short": "is too short",
    "string_too_long": "is too long",
    "string_pattern_mismatch": "does not have the right form",
    "literal_error": "is not one of the words that may stand here",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "too_short": "has too few entries",
    "too_long": "has too many entries",
    "metadata": "holds a key or a value that cannot be stored: short plain values under identifiers of your own",
    "one_of": "needs either messages or text",
    "system_role": "names a role that is not remembered",
}
_OTHER = "holds what it may not hold"
_SOURCES = {"body", "query", "path", "header"}


def problem_of(errors: Iterable[dict[str, Any]]) -> Problem:
    """`system-role` where that is what was refused, else `invalid`; one entry per field."""
    found = list(errors)
    listed = {(_field(error), _WORDS.get(str(error["type"]), _OTHER)): None for error in found}
    code = "system-role" if any(error["type"] == "system_role" for error in found) else "invalid"
    return Problem(code, errors=[{"field": field, "problem": problem} for field, problem in listed])


def _field(error: dict[str, Any]) -> str:
    """Where it is, as far as the names are ours: an unknown field's name, or a metadata key, is the caller's text."""
    path: list[str] = []
    for part in error["loc"]:
        if not isinstance(part, int) and part not in _names():
            break
        path.append(str(part))
    inside = [part for part in path if part not in _SOURCES]
    return ".".join(inside) or (path[0] if path else "body")


@cache
def _names() -> frozenset[str]:
    models = [value for value in vars(schemas).values() if isinstance(value, type) and issubclass(value, BaseModel)]
    fields = {name for model in models for name in model.model_fields}
    return frozenset(fields | _SOURCES | {"after", "limit", "order", "memory_id", "idempotency_key"})
