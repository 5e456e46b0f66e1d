"""The OpenAPI document, and the page that shows it: made on the server, so that it needs no script of anybody's."""

import json
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from . import idempotency
from .api import api
from .problems import KINDS, MEDIA_TYPE

PREFIX = "/api/v1/"
_METHODS = ("get", "post", "patch", "delete")
_OBJECTS = ("Message", "Memory", "Stored", "Found", "Count")  # what stands inside of bodies and answers
# What the code itself checks: another id is a 404 like any other, and a bad key has a code of its own.
_SCHEMAS: dict[str, dict[str, Any]] = {
    idempotency.HEADER: idempotency.SCHEMA,
    "memory_id": {"type": "string", "format": "uuid"},
}


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document. ninja knows one media type; problems have another."""
    described: dict[str, Any] = json.loads(json.dumps(api.get_openapi_schema(path_prefix=PREFIX)))
    for operation in _operations(described):
        for parameter in operation["parameters"]:
            parameter["schema"] = _SCHEMAS.get(parameter["name"], parameter["schema"])
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                answer["content"] = {MEDIA_TYPE: answer["content"]["application/json"]}
                answer["description"] = " · ".join(kind.code for kind in KINDS.values() if kind.status == int(status))
    return described


def methods_at(route: str) -> frozenset[str]:
    """Which methods there are at a route of Django's, such as memories/<memory_id>."""
    of_path = document()["paths"][PREFIX + route.replace("<", "{").replace(">", "}")]
    return frozenset(method.upper() for method in of_path)


def _operations(described: dict[str, Any]) -> list[dict[str, Any]]:
    return [of_path[method] for of_path in described["paths"].values() for method in _METHODS if method in of_path]


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    return JsonResponse(document())


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    described = document()
    context = {
        "about": described["info"],
        "operations": [
            _shown(method, path, of_path[method], described["components"]["schemas"])
            for path, of_path in described["paths"].items()
            for method in _METHODS
            if method in of_path
        ],
        "objects": [(name, _fields({"$ref": name}, described["components"]["schemas"])) for name in _OBJECTS],
        "problems": KINDS.values(),
    }
    return render(request, "agent/docs.html", context)


def _shown(method: str, path: str, operation: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    good = next((status, answer) for status, answer in operation["responses"].items() if int(status) < 400)
    given = good[1]["content"]["application/json"]["schema"]
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "about": operation["description"],
        "door": next(iter(operation["security"][0])),
        "parameters": [{**parameter, "kind": _kind(parameter["schema"])} for parameter in operation["parameters"]],
        "body": _fields(body, schemas) if body else [],
        "status": good[0],
        "answer": _fields(given, schemas),
    }


def _fields(schema: dict[str, Any], schemas: dict[str, Any]) -> list[dict[str, Any]]:
    """Of one kind of object, or of several of which it is one: each name once."""
    choices = [_fields_of(choice, schemas) for choice in schema.get("anyOf", [schema])]
    everything = {field["name"]: field for fields in choices for field in fields}
    return list(everything.values())


def _fields_of(schema: dict[str, Any], schemas: dict[str, Any]) -> list[dict[str, Any]]:
    model = schemas[_name(schema)]
    required = model.get("required", [])
    return [
        {"name": name, "kind": _kind(field), "required": name in required}
        for name, field in model["properties"].items()
    ]


def _kind(schema: dict[str, Any]) -> str:
    """The type of a field in a few words, such as "text or null" or "list of Message"."""
    if "anyOf" in schema:
        return " or ".join(_kind(choice) for choice in schema["anyOf"])
    if "$ref" in schema:
        return _name(schema)
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    kind = _WORDS.get(str(schema.get("type")), "anything")
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    limits = [f"{word} {schema[name]}" for name, word in _LIMITS.items() if name in schema]
    return f"{kind} ({', '.join(limits)})" if limits else kind


def _name(schema: dict[str, Any]) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "array": "list",
    "object": "object",
    "null": "null",
}
_LIMITS = {
    "format": "a",
    "minimum": "from",
    "maximum": "to",
    "minLength": "at least",
    "maxLength": "at most",
}
