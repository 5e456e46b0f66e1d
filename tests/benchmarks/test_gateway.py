"""The gateway beside the library call that it wraps, in turn, on one database: as an application, and over HTTP."""

import http.client
import json
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.test import RequestFactory

from memoryportal.agent import keys
from memoryportal.memory import ScopedMemory, SubjectId
from memoryportal.memory.configuration import DEFAULT_COLLECTION

from .conftest import SMALL, Server, portal_on
from .crowd import OWN, PERSON, Row, load
from .report import Report
from .served import BEHIND_PROXY, Served, served
from .timing import Times, in_turn

pytestmark = pytest.mark.django_db(transaction=True)  # as a server's process has it: no transaction around requests
PART = f"the gateway beside the library, {OWN:,} memories of the person among {SMALL:,}"
AGENT = "kitchen_helper"
REPETITIONS = 200
WORDS = "what should I cook for dinner"
Post = Callable[..., Any]


@pytest.fixture(scope="module")
def running(
    django_db_setup: None, server: Server, rows: Callable[[int], list[Row]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """One worker. All memories of the person who is measured are of one assistant, whose token sees them all."""
    with served(server, tmp_path_factory.mktemp("gateway"), workers=1) as made, portal_on(made.made):
        with made.made.connect() as superuser:
            load(superuser, DEFAULT_COLLECTION, [_of_one_assistant(row) for row in rows(SMALL)])
        made.made.settle()
        yield made


def _of_one_assistant(row: Row) -> Row:
    own = row.payload["user_id"] == PERSON
    return Row(row.id, row.vector, {**row.payload, "agent_id": AGENT}) if own else row


def _with_token(send: Callable[[str, str, Any, dict[str, str]], Any], key: str) -> Post:
    """Posts as an assistant that the host got a token for."""
    token = send(key, "/tokens", {"subject": PERSON, "agent": AGENT}, {})["token"]
    return lambda path, body, **headers: send(token, path, body, headers)


@pytest.fixture
def as_application(running: Served, settings: Any) -> Post:
    """A call of the WSGI application in this process, as a server makes it: what the gateway itself costs."""
    settings.GATEWAY_KEY_PER_MINUTE = settings.GATEWAY_SUBJECT_PER_MINUTE = 10**9
    application, factory = WSGIHandler(), RequestFactory()

    def send(bearer: str, path: str, body: Any, headers: dict[str, str]) -> Any:
        about = {"Authorization": f"Bearer {bearer}", **headers}
        content = json.dumps(body).encode()
        environ = factory.generic(
            "POST", f"/api/v1{path}", content, content_type="application/json", headers=about
        ).environ
        said: list[str] = []
        response: Any = application(environ, lambda status, _: said.append(status))
        answer = json.loads(b"".join(response))
        response.close()
        assert said[0][:3] in ("200", "201"), answer
        return answer

    return _with_token(send, keys.make("bench", keys.May())[1])


@pytest.fixture
def over_http(running: Served) -> Post:
    """One connection that stays open to granian, in a process of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", running.port)

    def send(bearer: str, path: str, body: Any, headers: dict[str, str]) -> Any:
        about = {**BEHIND_PROXY, "Authorization": f"Bearer {bearer}", "Content-Type": "application/json", **headers}
        connection.request("POST", f"/api/v1{path}", json.dumps(body), about)
        answer = connection.getresponse()
        said = json.loads(answer.read())
        assert answer.status in (200, 201), said
        return said

    return _with_token(send, running.key)


@pytest.fixture(params=["as_application", "over_http"])
def post(request: pytest.FixtureRequest) -> Post:
    made: Post = request.getfixturevalue(request.param)
    return made


@pytest.fixture
def way(request: pytest.FixtureRequest) -> str:
    return str(request.node.callspec.params["post"]).replace("_", " ")


@pytest.fixture
def memory(running: Served) -> ScopedMemory:
    return ScopedMemory(SubjectId(PERSON), agent=AGENT)


def test_search(post: Post, way: str, memory: ScopedMemory, report: Report) -> None:
    def gateway() -> list[str]:
        return [entry["id"] for entry in post("/memories/search", {"query": WORDS})["memories"]]

    def library() -> list[str]:
        return [hit.item.id for hit in memory.search(WORDS, limit=10).hits]

    assert gateway() == library()
    assert len(library()) == 10
    _compare(report, f"search, {way}", *in_turn(gateway, library, REPETITIONS))


@pytest.mark.parametrize("once", [False, True], ids=["plain", "with an Idempotency-Key"])
def test_add(post: Post, way: str, once: bool, memory: ScopedMemory, report: Report) -> None:
    numbers = count()

    def gateway() -> None:
        number = next(numbers)
        headers = {"Idempotency-Key": f"{way}-{number}".replace(" ", "-")} if once else {}
        assert post("/memories", {"text": f"Fact {number}.", "infer": False}, **headers)["memories"]

    def library() -> None:
        assert memory.add(f"Fact {next(numbers)}.", infer=False)

    before = memory.count()
    what = f"add{' with an Idempotency-Key' if once else ''}, {way}"
    _compare(report, what, *in_turn(gateway, library, REPETITIONS))
    assert memory.count() == before + 2 * (REPETITIONS + 1)


def _compare(report: Report, what: str, ours: Times, library: Times) -> None:
    numbers = {
        "gateway_p50": ours.p50,
        "library_p50": library.p50,
        "ratio": ours.p50 / library.p50,
        "more_ms": ours.p50 - library.p50,
        "best_more_ms": ours.best - library.best,  # when nobody else wants the machine
    }
    times = "{gateway_p50:.2f} ms, library {library_p50:.2f} ms".format(**numbers)
    words = "{ratio:.2f} x, {more_ms:+.2f} ms (best {best_more_ms:+.2f} ms)".format(**numbers)
    report.note(PART, what, f"{times}: {words}", numbers=numbers)
