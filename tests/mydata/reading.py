"""What tests read out of a page, and off the wire."""

import html
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg.pq
from django.db import connection
from django.http import HttpResponse

from memoryportal.memory import pool
from memoryportal.memory.configuration import configuration

REGION = {"HX-Request": "true", "HX-Target": "memories"}


def body(response: HttpResponse) -> str:
    return response.content.decode()


def ids(response: HttpResponse) -> list[str]:
    """The memories of a page, in their order."""
    return re.findall(r'data-memory-id="([^"]*)"', body(response))


def total(response: HttpResponse) -> int:
    found = re.findall(r'data-memory-total="(\d+)"', body(response))
    assert len(found) == 1, found
    return int(found[0])


def texts(response: HttpResponse) -> list[str]:
    return [html.unescape(text) for text in re.findall(r"<bdi [^>]*hx-disable>(.*?)</bdi>", body(response), re.S)]


def words(response: HttpResponse) -> str:
    """The words of a page as one line, without tags."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body(response))).split())


def fields(response: HttpResponse, action: str) -> dict[str, str]:
    """The hidden fields of the form that is sent there."""
    (form,) = re.findall(rf'<form method="post" action="{re.escape(action)}".*?</form>', body(response), re.S)
    found = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form))
    return {name: html.unescape(value) for name, value in found.items()}


def older(response: HttpResponse) -> str | None:
    """The link to the next page."""
    found = re.search(r'href="([^"]*)" rel="next"', body(response))
    return html.unescape(found.group(1)) if found else None


def without_tokens(response: HttpResponse) -> str:
    """The body without what differs at every answer: the form token and the nonce."""
    return re.sub(r'(nonce="|csrfmiddlewaretoken" value="|X-CSRFToken": ")[^"]*', r"\1", body(response))


@contextmanager
def wire() -> Iterator[list[str]]:
    """Every statement that libpq sends on Django's connection and on the memory store's, in order of the connections.

    BEGIN and COMMIT, the naming of the subject and the pool's empty ping are not counted.
    """
    pool.close_all()
    connections = pool.get_pool(configuration().dsn)
    store = connections.getconn()
    connection.ensure_connection()
    traced = [connection.connection.pgconn, store.pgconn]
    seen: list[str] = []
    with tempfile.TemporaryFile() as log:
        for conn in traced:
            conn.trace(log.fileno())
            conn.set_trace_flags(psycopg.pq.Trace.SUPPRESS_TIMESTAMPS)
        connections.putconn(store)  # the pool has this one connection, and gives it again and again
        yield seen
        for conn in traced:
            conn.untrace()
        assert connections.get_stats()["pool_size"] == 1, "another connection went untraced"
        log.seek(0, os.SEEK_SET)
        seen += _statements(log.read().decode())


def _statements(trace: str) -> list[str]:
    """Traced lines read: F, length, Query "…", or F, length, Parse "name" "…" and the parameters' types."""
    sent = re.findall(r'^F\t\d+\t(?:Query|Parse)\t(?: "")? "(.*?)"(?: \d.*)?$', trace, re.M)
    return [one for one in sent if re.match("SELECT|WITH|INSERT|UPDATE|DELETE", one) and "set_config" not in one]
