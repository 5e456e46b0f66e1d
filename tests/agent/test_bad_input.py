"""What is no request of ours: a clear code, nothing stored, and nothing of what was sent in the answer or in a log."""

import json
import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest

from memoryportal.memory.checks import MAX_MESSAGES

from .calling import Assistant, call, code

pytestmark = pytest.mark.django_db
CANARY = "quillwort-4711"
TELL = {"text": f"I am {CANARY}.", "infer": False}


@pytest.fixture
def log() -> Iterator[StringIO]:
    """Everything that anybody logs, with the words and arguments as they were given: the portal's filter is not on."""
    written = StringIO()
    handler, root = logging.StreamHandler(written), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield written
    root.setLevel(before)
    root.removeHandler(handler)


def nested(depth: int) -> bytes:
    return b'{"text": "a", "metadata": ' + b"[" * depth + b"]" * depth + b"}"


BAD_JSON: dict[str, bytes] = {
    "broken UTF-8": b'{"text": "' + CANARY.encode() + b'\xff\xfe"}',
    "Latin-1": f'{{"text": "{CANARY} \u00e4"}}'.encode("latin-1"),
    "UTF-16": f'{{"text": "{CANARY}"}}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps(TELL).encode(),
    "cut": f'{{"text": "{CANARY}'.encode(),
    "words": CANARY.encode(),
    "a comma too many": f'{{"text": "{CANARY}",}}'.encode(),
    "two values": b"{}{}",
    "a field twice": f'{{"text": "a", "text": "{CANARY}"}}'.encode(),
    "a field twice, deeper": b'{"text": "a", "metadata": {"a": 1, "a": 2}}',
    "NaN": b'{"text": "a", "metadata": {"a": NaN}}',
    "Infinity": b'{"text": "a", "metadata": {"a": -Infinity}}',
    "a number of 5,000 digits": b'{"text": "a", "metadata": {"a": ' + b"9" * 5000 + b"}}",
    "nested 9 deep": nested(9),
    "nested 1,000 deep": nested(1000),
    "nested 100,000 deep": nested(100_000),
    "objects 50,000 deep": b'{"a":' * 50_000,
}


@pytest.mark.parametrize("how", BAD_JSON)
def test_not_our_json(alice: Assistant, log: StringIO, how: str) -> None:
    for verb, path in (("post", "/memories"), ("post", "/memories/search")):
        answer = call(verb, path, alice.token, raw=BAD_JSON[how])
        assert code(answer) == "bad-json"
        assert CANARY not in answer.content.decode()
    assert CANARY not in log.getvalue()
    assert alice.memory.count() == 0


INVALID: dict[str, Any] = {
    "nothing": {},
    "null": None,
    "a list": [],
    "a text": CANARY,
    "a number": 7,
    "both": {**TELL, "messages": [{"role": "user", "content": CANARY}]},
    "an unknown field": {**TELL, CANARY: 1},
    "a person": {**TELL, "user_id": CANARY},
    "a subject": {**TELL, "subject": CANARY},
    "an assistant": {**TELL, "agent": CANARY},
    "a conversation": {**TELL, "run_id": CANARY},
    "filters": {**TELL, "filters": {"user_id": CANARY}},
    "a text that is a number": {"text": 4711},
    "a text that is a list": {"text": [CANARY]},
    "an empty text": {"text": ""},
    "a long text": {"text": CANARY * 1000},
    "no messages": {"messages": []},
    "too many messages": {"messages": [{"role": "user", "content": CANARY}] * (MAX_MESSAGES + 1)},
    "messages as an object": {"messages": {"role": "user", "content": CANARY}},
    "a message as a text": {"messages": [CANARY]},
    "a message without a role": {"messages": [{"content": CANARY}]},
    "a message without a content": {"messages": [{"role": "user"}]},
    "a message with a person": {"messages": [{"role": "user", "content": CANARY, "user_id": "bob"}]},
    "a message with parts": {"messages": [{"role": "user", "content": [{"type": "text", "text": CANARY}]}]},
    "a message of a tool": {"messages": [{"role": "tool", "content": CANARY}]},
    "a role in capitals": {"messages": [{"role": "User", "content": CANARY}]},
    "a long name": {"messages": [{"role": "user", "content": "a", "name": CANARY * 20}]},
    "infer as a text": {**TELL, "infer": "yes"},
    "infer as a number": {**TELL, "infer": 1},
    "metadata as a list": {**TELL, "metadata": [CANARY]},
    "metadata that is deep": {**TELL, "metadata": {"a": {"b": CANARY}}},
    "metadata with a list": {**TELL, "metadata": {"a": [CANARY]}},
    "metadata that names a person": {**TELL, "metadata": {"user_id": CANARY}},
    "metadata that backdates": {**TELL, "metadata": {"created_at": "2020-01-01"}},
    "metadata that hides": {**TELL, "metadata": {"expiration_date": "2020-01-01"}},
    "metadata under no identifier": {**TELL, "metadata": {f"{CANARY} ": 1}},
    "metadata of long values": {**TELL, "metadata": {"a": CANARY * 100}},
    "metadata of many values": {**TELL, "metadata": {f"k{n}": CANARY for n in range(21)}},
    "metadata with a huge number": {**TELL, "metadata": {"a": 10**20}},
    "metadata beyond numbers": {**TELL, "metadata": {"a": 1e308 * 10}},
    "expires as words": {**TELL, "expires": CANARY},
    "expires as a time": {**TELL, "expires": "2026-12-31T00:00:00"},
    "expires as a number": {**TELL, "expires": 20261231},
    "NUL": {"text": f"{CANARY}\0", "infer": False},
    "half a surrogate": {"text": f"{CANARY}\ud800", "infer": False},
    "expires on no day": {**TELL, "expires": "2026-13-41"},
    "only spaces": {"text": "   ", "infer": False},
    "infer without a language model": {**TELL, "infer": True},
}


@pytest.mark.parametrize("what", INVALID)
def test_not_what_may_be_remembered(alice: Assistant, log: StringIO, what: str) -> None:
    raw = json.dumps(INVALID[what]).replace("Infinity", "1e999").encode()
    answer = call("post", "/memories", alice.token, raw=raw)
    assert answer.status_code == 422
    assert code(answer) in ("invalid", "refused")
    assert CANARY not in answer.content.decode()
    assert "4711" not in answer.content.decode()
    assert CANARY not in log.getvalue()
    assert alice.memory.count() == 0


@pytest.mark.parametrize("role", ["system"])
def test_system_roles(alice: Assistant, role: str) -> None:
    told = [{"role": "user", "content": "I am vegetarian."}, {"role": role, "content": CANARY}]
    answer = alice.call("post", "/memories", {"messages": told, "infer": False})
    assert code(answer) == "system-role"
    assert answer.json()["errors"] == [{"field": "messages.1.role", "problem": "names a role that is not remembered"}]
    assert alice.memory.count() == 0, "nor was the other message remembered"


def test_a_problem_names_the_field(alice: Assistant) -> None:
    told = {"messages": [{"role": "user"}, {"role": "x", "content": "a"}], "infer": "yes", CANARY: 1}
    errors = alice.call("post", "/memories", told).json()["errors"]
    assert {(error["field"], error["problem"]) for error in errors} == {
        ("messages.0.content", "is missing"),
        ("messages.1.role", "is not one of the words that may stand here"),
        ("infer", "must be true or false"),
        ("body", "holds a field that is not known here"),
    }


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"query": ""},
        {"query": "   "},
        {"query": 7},
        {"query": CANARY * 50},
        {"query": "\0"},
        {"query": "a", "by": "magic"},
        {"query": "a", "limit": 0},
        {"query": "a", "limit": 101},
        {"query": "a", "limit": "5"},
        {"query": "a", "limit": 1.5},
        {"query": "a", "limit": True},
        {"query": "a", "user_id": "bob"},
        {"query": "a", "filters": {"OR": [{"user_id": "bob"}]}},
        {"query": {"$or": []}},
    ],
)
def test_not_what_may_be_searched(alice: Assistant, bob: Assistant, body: Any) -> None:
    bob.add(f"Bob's {CANARY}.")
    answer = alice.call("post", "/memories/search", body)
    assert answer.status_code == 422
    assert code(answer) in ("invalid", "refused")
    assert CANARY not in answer.content.decode()


@pytest.mark.parametrize(
    "body", [{}, {"text": ""}, {"text": " "}, {"text": 1}, {"text": "a", "id": "b"}, {"expected": "a"}]
)
def test_not_what_a_memory_can_be_corrected_to(alice: Assistant, body: Any) -> None:
    memory_id = alice.add("I am vegetarian.")
    answer = alice.call("patch", f"/memories/{memory_id}", body)
    assert answer.status_code == 422
    assert alice.texts() == ["I am vegetarian."]


# --- parameters, sizes, types, methods -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        *("user_id=bob", "subject=bob", "agent=x", "agent_id=x", "run=x", "filters=x", "limit=0", "limit=101"),
        *(
            "limit=many",
            "limit=5.0",
            "limit=%2B5",
            "limit=%205",
            "limit=1_0",
            "limit=\u0665",
            "limit=",
            "limit=1&limit=2",
            "order=random",
            "q=x",
            f"{CANARY}=1",
            "after=" + "a" * 1001,
        ),
    ],
)
def test_parameters_that_are_none(alice: Assistant, bob: Assistant, query: str) -> None:
    bob.add("A window seat.")
    answer = alice.call("get", f"/memories?{query}")
    assert code(answer) == "invalid"
    assert CANARY not in answer.content.decode()


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("post", "/tokens"),
        ("post", "/erasures"),
        ("post", "/memories"),
        ("post", "/memories/search"),
        ("get", "/summary"),
        ("get", "/memories/x"),
        ("patch", "/memories/x"),
        ("delete", "/memories/x"),
    ],
)
def test_no_other_address_takes_parameters(alice: Assistant, verb: str, path: str) -> None:
    for query in ("user_id=bob", "subject=bob", "limit=5"):
        assert code(alice.call(verb, f"{path}?{query}", {} if verb in ("post", "patch") else None)) == "invalid"


def test_a_thousand_parameters(alice: Assistant) -> None:
    query = "&".join(f"p{number}=1" for number in range(1001))
    assert code(alice.call("get", f"/memories?{query}")) == "bad-request"


@pytest.mark.parametrize("size", [256 * 1024 + 1, 10_000_000])
def test_bodies_that_are_too_large(alice: Assistant, log: StringIO, size: int) -> None:
    answer = call("post", "/memories", alice.token, raw=b'{"text": "' + b"a" * (size - 12) + b'"}')
    assert code(answer) == "too-large"
    assert alice.memory.count() == 0


def test_a_body_as_large_as_can_be(alice: Assistant) -> None:
    told = {"messages": [{"role": "user", "content": f"{n} " + "a" * 4900} for n in range(50)], "infer": False}
    assert len(json.dumps(told)) < 256 * 1024
    assert alice.call("post", "/memories", told).status_code == 201


def test_a_body_of_a_length_that_is_not_said(alice: Assistant) -> None:
    answer = call("post", "/memories", alice.token, TELL, Transfer_Encoding="chunked")
    assert code(answer) == "bad-request"
    assert alice.memory.count() == 0


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
    ],
)
def test_bodies_of_another_type(alice: Assistant, kind: str) -> None:
    answer = call("post", "/memories", alice.token, TELL, Content_Type=kind)
    assert code(answer) == "not-json"
    assert alice.memory.count() == 0


def test_bodies_that_are_compressed(alice: Assistant) -> None:
    assert code(call("post", "/memories", alice.token, TELL, Content_Encoding="gzip")) == "not-json"


def test_a_charset_that_is_ours(alice: Assistant) -> None:
    for kind in ("application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON"):
        assert call("post", "/memories", alice.token, TELL, Content_Type=kind).status_code == 201


@pytest.mark.parametrize(("verb", "path"), [("get", "/memories"), ("delete", "/memories/x"), ("get", "/summary")])
def test_bodies_where_none_belongs(alice: Assistant, verb: str, path: str) -> None:
    assert code(alice.call(verb, path, {"user_id": "bob"})) == "bad-request"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/tokens", "POST"),
        ("/erasures", "POST"),
        ("/memories", "GET, POST"),
        ("/memories/search", "POST"),
        ("/memories/x", "DELETE, GET, PATCH"),
        ("/summary", "GET"),
    ],
)
def test_methods_that_are_none(alice: Assistant, path: str, allowed: str) -> None:
    for verb in ("get", "head", "post", "put", "patch", "delete", "options", "trace", "purge"):
        if verb.upper() not in allowed:
            answer = call(verb, path, alice.token, {} if verb in ("post", "put", "patch") else None)
            assert answer.status_code == 405, verb
            assert answer.headers["Allow"] == allowed
            if verb != "head":
                assert code(answer) == "method-not-allowed"


@pytest.mark.parametrize("path", ["/", "/nothing", "/memories/", "/memories/a/b", "/users", f"/{CANARY}", "/tokens/"])
def test_addresses_that_are_none(alice: Assistant, log: StringIO, path: str) -> None:
    for verb in ("get", "post", "delete"):
        answer = alice.call(verb, path, {} if verb == "post" else None)
        assert code(answer) == "no-such-endpoint"
        assert CANARY not in answer.content.decode()
    assert CANARY not in log.getvalue()


def test_a_path_that_somebody_filled_with_words_is_not_logged(alice: Assistant, log: StringIO) -> None:
    for verb in ("get", "patch", "delete"):
        alice.call(verb, f"/memories/{CANARY}", {"text": CANARY} if verb == "patch" else None)
    assert "memory: 404" in log.getvalue()
    assert CANARY not in log.getvalue()


def test_nothing_of_a_good_request_is_logged_either(alice: Assistant, log: StringIO) -> None:
    memory_id = alice.add(f"I am {CANARY}.")
    alice.call("post", "/memories/search", {"query": CANARY})
    alice.call("patch", f"/memories/{memory_id}", {"text": f"I was {CANARY}."})
    alice.call("get", "/memories")
    alice.call("delete", f"/memories/{memory_id}")
    assert CANARY not in log.getvalue()
    assert alice.subject not in log.getvalue()
    assert alice.token not in log.getvalue()
