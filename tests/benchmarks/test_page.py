"""What the whole list page costs: statements on the wire, and requests a second beside an answer that does nothing."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.test import Client, RequestFactory
from psycopg.conninfo import make_conninfo

from memoryportal.accounts.models import User
from memoryportal.memory.configuration import DEFAULT_COLLECTION, configuration
from tests.mydata import reading

from .conftest import SMALL
from .crowd import OWN, PERSON, Row, load
from .report import Report
from .timing import in_turn

pytestmark = pytest.mark.django_db(transaction=True)  # as a server's process has it: no transaction around requests
LIST, BARE = "/memories/", "/healthz"
PART = f"the list page, {OWN:,} memories of the person among {SMALL:,}"
REPETITIONS = 200


@pytest.fixture
def full_store(alice: User, rows: Callable[[int], list[Row]]) -> Iterator[None]:
    """The crowd, with Alice in the place of the person who is measured."""
    names = {PERSON: alice.subject}
    moved = [
        Row(row.id, row.vector, {**row.payload, "user_id": names.get(row.payload["user_id"], row.payload["user_id"])})
        for row in rows(SMALL)
    ]
    superuser = make_conninfo(configuration().owner_dsn, user="postgres")
    with psycopg.connect(superuser, autocommit=True) as connection:
        load(connection, DEFAULT_COLLECTION, moved)
        connection.execute("VACUUM ANALYZE memories")
        yield
        connection.execute("DELETE FROM memories")


def _fetcher(path: str, client: Client) -> Callable[[], bytes]:
    """A call of the portal's WSGI application, as a server makes it, with the client's cookies."""
    application = WSGIHandler()
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())

    def fetch() -> bytes:
        said: list[str] = []
        environ = RequestFactory().generic("GET", path, HTTP_COOKIE=cookies).environ
        response: Any = application(environ, lambda status, headers: said.append(status))
        body = b"".join(response)
        response.close()
        assert said == ["200 OK"]
        return body

    return fetch


def test_statements_of_the_page(alice_client: Client, full_store: None, report: Report) -> None:
    assert reading.total(alice_client.get(LIST)) == OWN  # the first visit notes that the account is connected
    with reading.wire() as statements:
        assert len(reading.ids(alice_client.get(LIST))) == 25
    assert len(statements) <= 4, statements
    report.note(PART, "statements over all connections", len(statements), numbers={"statements": statements})
    fetch = _fetcher(LIST, alice_client)
    with reading.wire() as served:
        fetch()
    checks = [statement for statement in served if statement == "SELECT 1"]
    assert len(served) - len(checks) == len(statements)
    report.note(PART, "of a server's process: health checks of its connection beside these", len(checks))


def test_requests_a_second(alice_client: Client, full_store: None, report: Report) -> None:
    page, bare = _fetcher(LIST, alice_client), _fetcher(BARE, alice_client)
    assert page().count(b"data-memory-id=") == 25
    assert bare() == b"ok\n"
    ours, nothing = in_turn(page, bare, REPETITIONS)
    report.times(PART, "one request", ours)
    report.times(PART, "a bare answer through the same middleware", nothing)
    numbers = {"page": 1000 / ours.p50, "bare": 1000 / nothing.p50, "ratio": ours.p50 / nothing.p50}
    words = f"{numbers['page']:.0f} (bare: {numbers['bare']:.0f}, {numbers['ratio']:.0f} times as many)"
    report.note(PART, "requests a second, one process, one thread", words, numbers=numbers)


def test_the_settings_are_a_servers() -> None:
    """A page measured with debugging on, or with a connection for each request, would say nothing."""
    assert settings.DEBUG is False
    assert settings.DATABASES["default"]["CONN_MAX_AGE"] == 60
