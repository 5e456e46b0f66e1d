"""When something does not answer, the gateway says what was not done, or that nobody knows; never an empty list."""

from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict

from memoryportal.memory import pool
from memoryportal.memory.configuration import configuration
from tests.mydata.conftest import broken_embedder as broken_embedder
from tests.proxy import Proxy

from .calling import Assistant, code

pytestmark = pytest.mark.django_db


def test_without_the_embedder_only_what_needs_it_fails(alice: Assistant, request: pytest.FixtureRequest) -> None:
    memory_id = alice.add("I am vegetarian.")
    request.getfixturevalue("broken_embedder")
    assert code(alice.call("post", "/memories/search", {"query": "food"})) == "embedder-unavailable"
    assert code(alice.call("post", "/memories", {"text": "I eat meat.", "infer": False})) == "embedder-unavailable"
    assert code(alice.call("patch", f"/memories/{memory_id}", {"text": "I eat meat."})) == "embedder-unavailable"
    assert alice.texts() == ["I am vegetarian."]
    assert alice.call("delete", f"/memories/{memory_id}").status_code == 200


def test_without_the_store_nothing_looks_empty(alice: Assistant, settings: Any) -> None:
    alice.add("I am vegetarian.")
    direct = settings.MEMORY_DATABASE_URL
    with Proxy(Path(conninfo_to_dict(configuration().dsn)["host"]) / ".s.PGSQL.5432") as between:
        settings.MEMORY_DATABASE_URL = between.dsn(direct)
        between.refuse()
        for verb, path, body in (
            ("get", "/memories", None),
            ("get", "/summary", None),
            ("post", "/memories/search", {"query": "food"}),
            ("post", "/memories", {"text": "I eat meat.", "infer": False}),
        ):
            answer = alice.call(verb, path, body)
            assert code(answer) == "unavailable", path
            assert int(answer.headers["Retry-After"]) > 0
        settings.MEMORY_DATABASE_URL = direct
        pool.close_all()
    assert alice.texts() == ["I am vegetarian."]
