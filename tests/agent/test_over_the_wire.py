"""The gateway as granian serves it, in two processes: what Django's test client cannot show."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from memoryportal.agent.models import ServiceKey
from memoryportal.memory import ScopedMemory, SubjectId

from .calling import make_key, somebody
from .served import serving

pytestmark = pytest.mark.django_db(transaction=True)
TELL = {"text": "I am vegetarian.", "infer": False}


@pytest.fixture(scope="module")
def port(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Two processes on this run's database, with keys of their own that neither of them has seen."""
    with serving(tmp_path_factory.mktemp("wire"), "--workers", "2") as number:
        yield number


@pytest.fixture
def key(db: None) -> str:
    return make_key()[1]


@pytest.fixture
def alice() -> Iterator[str]:
    subject = somebody("alice")
    yield subject
    ScopedMemory(SubjectId(subject)).erase()


def send(port: int, verb: str, path: str, bearer: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    """On a connection of its own, which any of the processes may take."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    about = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json", **headers}
    connection.request(verb, f"/api/v1{path}", content, about)
    answer = connection.getresponse()
    said = json.loads(answer.read())
    connection.close()
    return answer.status, said


def token(port: int, key: str, subject: str) -> str:
    status, said = send(port, "POST", "/tokens", key, {"subject": subject, "agent": "kitchen_helper"})
    assert status == 201, said
    return str(said["token"])


def test_each_process_knows_the_others_tokens(port: int, key: str, alice: str) -> None:
    tokens = [token(port, key, alice) for _ in range(4)]
    assert {send(port, "GET", "/memories", bearer)[0] for bearer in tokens for _ in range(6)} == {200}


def test_a_revoked_key_is_refused_by_all_of_them(port: int, key: str, alice: str) -> None:
    bearer = token(port, key, alice)
    ServiceKey.objects.update(revoked_at="2026-01-01T00:00:00Z")
    assert {send(port, "GET", "/memories", bearer)[1]["code"] for _ in range(6)} == {"token-revoked"}


def test_ten_megabytes(port: int, key: str, alice: str) -> None:
    bearer, began = token(port, key, alice), time.monotonic()
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    head = f"POST /api/v1/memories HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {bearer}\r\n"
    connection.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 10000000\r\n\r\n".encode())
    answer = b""  # it comes before one byte of the body was sent
    while b"too-large" not in answer and (more := connection.recv(65536)):
        answer += more
    connection.close()
    assert b" 413 " in answer.partition(b"\r\n")[0]
    assert b"too-large" in answer
    assert time.monotonic() - began < 10
    assert ScopedMemory(SubjectId(alice)).count() == 0


def test_a_body_in_pieces_of_no_stated_length(port: int, key: str, alice: str) -> None:
    bearer = token(port, key, alice)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    about = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}
    connection.request(
        "POST", "/api/v1/memories", iter([b'{"text": "a",', b'"infer": false}']), about, encode_chunked=True
    )
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["code"]) == (400, "bad-request")
    assert ScopedMemory(SubjectId(alice)).count() == 0


def test_a_caller_who_leaves_in_the_middle_of_the_body(port: int, key: str, alice: str) -> None:
    bearer = token(port, key, alice)
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    head = f"POST /api/v1/memories HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {bearer}\r\n"
    connection.sendall(f'{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"text": "a'.encode())
    connection.close()
    time.sleep(0.3)
    assert ScopedMemory(SubjectId(alice)).count() == 0
    assert send(port, "POST", "/memories", bearer, TELL)[0] == 201


def test_the_same_request_at_once_in_both_processes(port: int, key: str, alice: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    bearer = token(port, key, alice)
    with ThreadPoolExecutor(8) as pool:
        sent = [
            pool.submit(send, port, "POST", "/memories", bearer, TELL, **{"Idempotency-Key": "k"}) for _ in range(8)
        ]
        statuses = {future.result()[0] for future in sent}
    assert statuses <= {201, 409}
    assert 201 in statuses
    assert ScopedMemory(SubjectId(alice)).count() == 1
