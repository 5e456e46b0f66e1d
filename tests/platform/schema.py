"""As much of JSON Schema (OpenAPI 3.0) as mem0's description uses. Fields that an object does not name are refused."""

import re
from datetime import date, datetime
from typing import Any
from uuid import UUID

Schema = dict[str, Any]
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}
_FORMATS = {
    "uuid": UUID,
    "date": date.fromisoformat,
    "date-time": datetime.fromisoformat,
}


def problems(schema: Schema, value: Any, where: str = "body") -> list[str]:
    """What is wrong with `value`, in words; empty when it fits."""
    if value is None:
        return [] if schema.get("nullable") else [f"{where} is null"]
    if "oneOf" in schema:
        fitting = [one for one in schema["oneOf"] if not problems(one, value, where)]
        return [] if fitting else [f"{where} fits none of the possible forms"]
    kind = schema.get("type", "object")
    if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        return [f"{where} is not of type {kind}"]
    found = _value(schema, value, where)
    if kind == "array" and "items" in schema:
        found += [p for n, item in enumerate(value) for p in problems(schema["items"], item, f"{where}[{n}]")]
    if kind == "object":
        found += _object(schema, value, where)
    return found


def _value(schema: Schema, value: Any, where: str) -> list[str]:
    found = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{where} is none of {schema['enum']}")
    if "minimum" in schema and value < schema["minimum"]:
        found.append(f"{where} is below {schema['minimum']}")
    if "maximum" in schema and value > schema["maximum"]:
        found.append(f"{where} is above {schema['maximum']}")
    if isinstance(value, str) and len(value) < schema.get("minLength", 0):
        found.append(f"{where} is too short")
    if isinstance(value, list) and len(value) > schema.get("maxItems", len(value)):
        found.append(f"{where} has too many entries")
    if schema.get("format") in _FORMATS and not _parses(schema["format"], value):
        found.append(f"{where} is no {schema['format']}")
    return found


def _parses(form: str, value: str) -> bool:
    try:
        _FORMATS[form](value)
    except ValueError:
        return False
    return True


def _object(schema: Schema, value: dict[str, Any], where: str) -> list[str]:
    named, others = schema.get("properties", {}), schema.get("additionalProperties")
    found = [f"{where}.{name} is missing" for name in schema.get("required", []) if name not in value]
    for name, item in value.items():
        if name in named:
            found += problems(named[name], item, f"{where}.{name}")
        elif isinstance(others, dict):
            found += problems(others, item, f"{where}.{name}")
        elif named and not others:
            found.append(f"{where}.{name} is not in the published description")
    return found


def from_query(schema: Schema, text: str) -> Any:
    """The value of a query parameter; a text that does not fit stays a text, so that the check says so."""
    if schema.get("type") == "integer" and re.fullmatch(r"-?\d+", text):
        return int(text)
    if schema.get("type") == "boolean" and text in ("true", "false"):
        return text == "true"
    return text
