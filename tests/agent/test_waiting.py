"""Assistants that wait for a slow language model keep nobody from their pages, as granian serves both."""

import http.client
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from memoryportal.memory import ScopedMemory, SubjectId
from tests.base.houses import eventually

from .calling import make_key, somebody
from .llm_server import LlmServer, running
from .served import serving
from .test_over_the_wire import send, token

pytestmark = pytest.mark.django_db(transaction=True)
LONGEST = 60  # seconds


@pytest.fixture
def thought() -> threading.Event:
    """The language model answers when this is set."""
    return threading.Event()


@pytest.fixture
def slow(thought: threading.Event) -> Iterator[LlmServer]:
    with running() as server:
        server.meanwhile["extraction"] = lambda: thought.wait(LONGEST)
        yield server


@pytest.fixture
def port(slow: LlmServer, tmp_path: Path) -> Iterator[int]:
    """One process with four threads, and that language model."""
    options = ("--workers", "1", "--threads", "4")
    with serving(tmp_path, *options, MEM0_CONFIG=slow.config(embedder=False)) as number:
        yield number


def opens_a_page(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONGEST)
    connection.request("GET", "/accounts/login/")
    status = connection.getresponse().status
    connection.close()
    return status == 200


def test_people_s_pages_do_not_wait_for_the_language_model(port: int, thought: threading.Event) -> None:
    key, alice = make_key()[1], somebody("alice")
    bearer = token(port, key, alice)
    with ThreadPoolExecutor(8) as pool:
        adds = [pool.submit(send, port, "POST", "/memories", bearer, {"text": f"Fact {n}."}) for n in range(8)]
        try:
            assert eventually(lambda: sum(add.done() for add in adds) == 6, LONGEST)
            assert opens_a_page(port)
            assert sum(add.done() for add in adds) == 6, "two still wait for the model"
        finally:
            thought.set()
    said = [add.result() for add in adds]
    assert sorted(status for status, _ in said) == [201] * 2 + [503] * 6
    assert {body["code"] for status, body in said if status == 503} == {"model-busy"}
    assert len(ScopedMemory(SubjectId(alice)).messages()) == 2
    ScopedMemory(SubjectId(alice)).erase()
