"""Assistants that wait for a slow language model keep nobody from their pages, as granian serves both."""

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.conf import settings
from psycopg.conninfo import conninfo_to_dict

from memoryportal.base.databases import PROJECT_DIR, embedded_dsn
from memoryportal.base.names import APP
from memoryportal.memory import ScopedMemory, SubjectId
from tests.base.houses import environment, eventually
from tests.base.test_demo import answers, free_port

from .calling import make_key, somebody
from .llm_server import LlmServer, running
from .test_over_the_wire import send, token

pytestmark = pytest.mark.django_db(transaction=True)
THINKS = 4.0  # seconds


@pytest.fixture
def slow() -> Iterator[LlmServer]:
    with running() as server:
        server.meanwhile["extraction"] = lambda: time.sleep(THINKS)
        yield server


@pytest.fixture
def port(slow: LlmServer, tmp_path: Path) -> Iterator[int]:
    """One process with four threads, and that language model."""
    name = str(conninfo_to_dict(settings.MEMORY_DATABASE_URL)["dbname"])
    addresses = {
        "DATABASE_URL": embedded_dsn(Path(os.environ["DATA_DIR"]), APP, name),
        "MEMORY_DATABASE_URL": settings.MEMORY_DATABASE_URL,
    }
    number, env = free_port(), environment(tmp_path, MEM0_CONFIG=slow.config(embedder=False), **addresses)
    command = [sys.executable, "manage.py", "serve", "--port", str(number), "--workers", "1", "--threads", "4"]
    web = subprocess.Popen(command, cwd=PROJECT_DIR, env=env)
    try:
        assert eventually(lambda: answers(number, "/healthz"), 60)
        yield number
    finally:
        web.terminate()
        web.wait(timeout=30)


def seconds_for_a_page(port: int) -> float:
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/accounts/login/")
    assert connection.getresponse().status == 200
    connection.close()
    return time.monotonic() - began


def test_people_s_pages_do_not_wait_for_the_language_model(port: int) -> None:
    key, alice = make_key()[1], somebody("alice")
    bearer = token(port, key, alice)
    seconds_for_a_page(port)  # the first one makes the templates
    with ThreadPoolExecutor(8) as pool:
        adds = [pool.submit(send, port, "POST", "/memories", bearer, {"text": f"Fact {n}."}) for n in range(8)]
        time.sleep(1)
        assert seconds_for_a_page(port) < THINKS - 2
    said = [add.result() for add in adds]
    assert sorted(status for status, _ in said) == [201] * 2 + [503] * 6
    assert {body["code"] for status, body in said if status == 503} == {"model-busy"}
    assert len(ScopedMemory(SubjectId(alice)).messages()) == 2
    ScopedMemory(SubjectId(alice)).erase()
