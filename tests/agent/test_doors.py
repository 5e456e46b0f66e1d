"""Every address of the gateway, walked: as nobody, with a browser's cookie, and what every answer carries."""

import uuid
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.http import HttpRequest
from django.middleware.csrf import CsrfViewMiddleware
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from memoryportal.agent import door
from memoryportal.agent.description import document
from memoryportal.agent.models import ServiceKey
from tests.accounts.helpers import person
from tests.test_access import GATEWAY, VERBS

from .calling import ROOT, Assistant, call, code

pytestmark = pytest.mark.django_db
DESCRIBED = {"api/v1/docs", "api/v1/openapi.json"}
OPERATIONS = [
    (method, path.removeprefix(ROOT), about)
    for path, methods in document()["paths"].items()
    for method, about in methods.items()
]


def path_of(route: str) -> str:
    named = route.replace("^(?P<rest>.*)$", "nothing").replace("<memory_id>", str(uuid.uuid4()))
    assert "<" not in named
    return "/" + named


def test_there_is_nothing_else() -> None:
    assert {path.removeprefix("/") for path in document()["paths"]} == {
        route.replace("<memory_id>", "{memory_id}")
        for route in GATEWAY
        if route not in DESCRIBED and "rest" not in route
    }


@pytest.mark.parametrize("signed_in", [False, True], ids=["nobody", "somebody with a session"])
def test_without_a_token_there_is_nothing(alice: Assistant, signed_in: bool) -> None:
    """A cookie opens nothing, so that no other site can use a browser's."""
    alice.add("Only Alice knows quillwort.")
    client = Client()
    if signed_in:
        client.force_login(person("alice@example.com", is_superuser=True))
    for route in GATEWAY:
        for verb in VERBS:
            body = b"{}" if verb in ("post", "put", "patch") else b""
            answer = client.generic(verb.upper(), path_of(route), body, content_type="application/json")
            if route in DESCRIBED:
                assert answer.status_code == (200 if verb == "get" else 405)
            else:
                assert answer.status_code in (401, 404, 405), f"{verb} {route}"
                assert code(answer) in ("key-required", "token-required", "no-such-endpoint", "method-not-allowed")
            assert "quillwort" not in answer.content.decode()


def test_a_cookie_beside_a_token_changes_nothing(alice: Assistant, bob: Assistant) -> None:
    bob.add("A window seat.")
    client = Client()
    client.force_login(person("bob@example.com", subject=bob.subject))
    answer = client.get(f"{ROOT}/memories", headers={"Authorization": f"Bearer {alice.token}"})
    assert answer.json()["total"] == 0


def test_no_session_is_read(alice: Assistant) -> None:
    client = Client()
    client.force_login(person("alice@example.com"))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        client.get(f"{ROOT}/memories", headers={"Authorization": f"Bearer {alice.token}"})
    assert not [query for query in queries if "session" in query["sql"].lower()]


def test_a_token_is_looked_up_with_one_statement(alice: Assistant) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert alice.call("get", "/memories").status_code == 200
    assert len(queries) == 1, [query["sql"][:80] for query in queries]


@pytest.mark.parametrize(("method", "path", "about"), OPERATIONS)
def test_headers_of_every_answer(key: str, alice: Assistant, method: str, path: str, about: dict[str, Any]) -> None:
    bearer = key if "HostKey" in about["security"][0] else alice.token
    bodies: dict[str, Any] = {"/tokens": {"subject": "a", "agent": "b"}, "/erasures": {"subject": "a"}}
    body = bodies.get(path, {"text": "I am vegetarian."} if method in ("post", "patch") else None)
    for answer in (
        call(method, path.format(memory_id=uuid.uuid4()), bearer, body),
        call(method, path.format(memory_id=uuid.uuid4()), "", body),
        call(method, path.format(memory_id=uuid.uuid4()), alice.token, body, Origin="https://other.example.com"),
    ):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Type"] in ("application/json; charset=utf-8", "application/problem+json")
        assert len(answer.headers["X-Request-ID"]) == 32
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]
        assert not answer.cookies


def test_preflights_get_nothing() -> None:
    answer = call("options", "/memories", Origin="https://other.example.com", Access_Control_Request_Method="POST")
    assert code(answer) == "method-not-allowed"
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_each_operation_names_its_door() -> None:
    hosts = {path for _, path, about in OPERATIONS if about["security"] == [{"HostKey": []}]}
    assert hosts == {"/tokens", "/erasures"}
    assert all(about["security"] in ([{"HostKey": []}], [{"SubjectToken": []}]) for _, _, about in OPERATIONS)


def test_no_parameter_names_a_person() -> None:
    """But `subject` under a service key: the host vouches for that."""
    schemas = document()["components"]["schemas"]
    for method, path, about in OPERATIONS:
        names = {parameter["name"].lower() for parameter in about["parameters"]}
        if "requestBody" in about:
            schema = schemas[about["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]]
            assert schema["additionalProperties"] is False
            names |= set(schema["properties"])
        persons = {name for name in names if any(word in name for word in ("user", "subject", "person", "account"))}
        assert persons == ({"subject"} if path in ("/tokens", "/erasures") else set()), f"{method} {path}"


def test_forms_of_other_sites_are_refused_by_their_type(alice: Assistant) -> None:
    """Without CSRF's token: there is no cookie to misuse, and a form's content type is refused before anything."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(person("alice@example.com"))
    for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"):
        answer = client.generic("POST", f"{ROOT}/memories", b'{"text": "x"}', content_type=kind)
        assert code(answer) == "not-json"


def test_the_rest_of_the_portal_still_asks_for_its_token() -> None:
    request: HttpRequest = RequestFactory().post("/memories/search/")
    assert "CsrfViewMiddleware" in " ".join(django_settings.MIDDLEWARE)
    assert CsrfViewMiddleware(lambda _: None).process_view(request, lambda _: None, (), {}) is not None  # type: ignore


def test_nobody_is_named_in_what_is_printed(alice: Assistant, service_key: ServiceKey) -> None:
    visit = door.SubjectToken("read").authenticate(RequestFactory().get("/"), alice.token)
    assert alice.subject not in repr(visit)
    assert alice.subject not in repr(visit.memory)
