"""The gateway, over HTTP and through granian, beside the library call that it wraps: in turn, on one database."""

import http.client
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from memoryportal.memory import ScopedMemory, SubjectId
from memoryportal.memory.configuration import DEFAULT_COLLECTION

from .conftest import SMALL, Server, portal_on
from .crowd import OWN, PERSON, Row, load
from .report import Report
from .served import BEHIND_PROXY, Served, served
from .timing import Times, in_turn

PART = f"the gateway beside the library, {OWN:,} memories of the person among {SMALL:,}"
AGENT = "kitchen_helper"
SEARCHES, ADDS = 200, 300
WORDS = "what should I cook for dinner"


@pytest.fixture(scope="module")
def gateway(
    server: Server, rows: Callable[[int], list[Row]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """One worker. All memories of the person who is measured are of one assistant, whose token sees them all."""
    with served(server, tmp_path_factory.mktemp("gateway"), workers=1) as running, portal_on(running.made):
        with running.made.connect() as superuser:
            load(superuser, DEFAULT_COLLECTION, [_of_one_assistant(row) for row in rows(SMALL)])
        running.made.settle()
        yield running


def _of_one_assistant(row: Row) -> Row:
    own = row.payload["user_id"] == PERSON
    return Row(row.id, row.vector, {**row.payload, "agent_id": AGENT}) if own else row


class Caller:
    """One assistant on one connection that stays open."""

    def __init__(self, running: Served) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", running.port)
        self._bearer = running.key
        self._bearer = self.post("/tokens", {"subject": PERSON, "agent": AGENT})["token"]

    def post(self, path: str, body: Any, **more: str) -> Any:
        headers = {
            **BEHIND_PROXY,
            "Authorization": f"Bearer {self._bearer}",
            "Content-Type": "application/json",
            **more,
        }
        self._connection.request("POST", f"/api/v1{path}", json.dumps(body), headers)
        answer = self._connection.getresponse()
        said = json.loads(answer.read())
        assert answer.status in (200, 201), said
        return said


@pytest.fixture
def caller(gateway: Served) -> Caller:
    return Caller(gateway)


@pytest.fixture
def memory() -> ScopedMemory:
    return ScopedMemory(SubjectId(PERSON), agent=AGENT)


def test_search(gateway: Served, caller: Caller, memory: ScopedMemory, report: Report) -> None:
    def through_gateway() -> list[str]:
        found = caller.post("/memories/search", {"query": WORDS})["memories"]
        return [entry["id"] for entry in found]

    def library() -> list[str]:
        return [hit.item.id for hit in memory.search(WORDS, limit=10).hits]

    assert through_gateway() == library()
    assert len(library()) == 10
    _compare(report, "search by meaning", *in_turn(through_gateway, library, SEARCHES))


def test_add(gateway: Served, caller: Caller, memory: ScopedMemory, report: Report) -> None:
    numbers = iter(range(10**6))

    def through_gateway() -> None:
        assert caller.post("/memories", {"text": f"Fact {next(numbers)}.", "infer": False})["memories"]

    def library() -> None:
        assert memory.add(f"Fact {next(numbers)}.", infer=False)

    before = memory.count()
    _compare(report, "add, infer=False", *in_turn(through_gateway, library, ADDS))
    assert memory.count() == before + 2 * (ADDS + 1)


def test_add_once(gateway: Served, caller: Caller, memory: ScopedMemory, report: Report) -> None:
    """The same with what makes a repeated request safe: a row before, and its end after."""
    numbers, names = iter(range(10**6)), iter(range(10**6))

    def through_gateway() -> None:
        body = {"text": f"Fact once {next(numbers)}.", "infer": False}
        assert caller.post("/memories", body, **{"Idempotency-Key": f"key-{next(names)}"})["memories"]

    def library() -> None:
        assert memory.add(f"Fact once {next(numbers)}.", infer=False)

    _compare(report, "add with an Idempotency-Key", *in_turn(through_gateway, library, ADDS))


def _compare(report: Report, what: str, ours: Times, library: Times) -> None:
    report.times(PART, f"{what}: the gateway", ours)
    report.times(PART, f"{what}: the library call", library)
    numbers = {
        "ratio": ours.p50 / library.p50,
        "more_ms": ours.p50 - library.p50,
        "best_more_ms": ours.best - library.best,  # when nobody else wants the machine
    }
    words = "{ratio:.2f} times as long, {more_ms:+.2f} ms (best {best_more_ms:+.2f} ms)".format(**numbers)
    report.note(PART, f"{what}: the gateway takes", words, numbers=numbers)
