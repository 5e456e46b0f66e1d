"""mem0's published API description (openapi.json): which requests exist, and what they may hold."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from . import schema

PUBLISHED = json.loads((Path(__file__).parent / "openapi.json").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, understood: `name` is the description's operationId."""

    name: str
    path: dict[str, str]
    query: dict[str, Any]
    body: dict[str, Any]
    problems: tuple[str, ...]


def understand(method: str, target: str, body: bytes) -> Asked | None:
    """The request as the description sees it; None when there is no such path or method."""
    parts = urlsplit(target)
    for template, operations in PUBLISHED["paths"].items():
        names = re.findall(r"{(\w+)}", template)
        found = re.fullmatch(re.sub(r"{\w+}", "([^/]+)", template), parts.path)
        if found and method.lower() in operations:
            values = dict(zip(names, map(unquote, found.groups()), strict=True))
            return _asked(operations[method.lower()], values, parse_qsl(parts.query, keep_blank_values=True), body)
    return None


def _asked(operation: dict[str, Any], path: dict[str, str], pairs: list[tuple[str, str]], body: bytes) -> Asked:
    known = {(one["in"], one["name"]): one for one in operation.get("parameters", [])}
    found, query = [], {}
    for name, text in pairs:
        if ("query", name) in known:
            query[name] = schema.from_query(known["query", name]["schema"], text)
        else:
            found.append(f"the query parameter {name} is not in the published description")
    for (place, name), one in known.items():
        given = path if place == "path" else query
        if name in given:
            found += schema.problems(one["schema"], given[name], name)
        elif one.get("required"):
            found.append(f"the parameter {name} is missing")
    parsed, wrong = _body(operation, body)
    return Asked(operation["operationId"], path, query, parsed, (*found, *wrong))


def _body(operation: dict[str, Any], body: bytes) -> tuple[dict[str, Any], list[str]]:
    described = operation.get("requestBody")
    if described is None:
        return {}, ["a body that is not in the published description"] if body else []
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}, ["the body is not JSON"]
    return parsed, schema.problems(described["content"]["application/json"]["schema"], parsed)


def answer_problems(name: str, status: int, answer: Any) -> list[str]:
    """What is wrong with an answer to the operation `name`, by the same description."""
    operation = next(
        operation
        for path in PUBLISHED["paths"].values()
        for operation in path.values()
        if operation["operationId"] == name
    )
    content = operation["responses"].get(str(status), {}).get("content")
    return schema.problems(content["application/json"]["schema"], answer, "answer") if content else []
