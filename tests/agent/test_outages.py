"""When something does not answer, the gateway says what was not done, or that nobody knows; never an empty list."""

from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

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


@pytest.mark.django_db(transaction=True)
def test_a_kept_connection_that_died_meanwhile_is_noticed(alice: Assistant) -> None:
    """One statement finds out and is asked again: a restart of the database costs no request."""
    alice.add("I am vegetarian.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    with psycopg.connect(make_conninfo(settings.MEMORY_OWNER_URL, user="postgres"), autocommit=True) as superuser:
        superuser.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
    assert alice.texts() == ["I am vegetarian."]
    assert alice.add("I live in Porto.")
