"""The id that ties an answer, its log lines and its events together."""

import logging
import re

import pytest
from django.test import Client

from memoryportal.base.logs import LineFormatter
from memoryportal.base.request_id import numbered, request_id

HEX = re.compile(r"[0-9a-f]{32}")


@pytest.mark.django_db
def test_every_answer_names_an_id_of_its_own(client: Client) -> None:
    given = "f" * 32
    first, second = (client.get("/healthz", headers={"X-Request-ID": given}).headers["X-Request-ID"] for _ in range(2))
    assert HEX.fullmatch(first)
    assert len({first, second, given}) == 3, "an id that a client sends is not taken over"


@pytest.mark.urls("tests.base.urls")
def test_outage_shows_its_id_as_the_reference(client: Client) -> None:
    response = client.get("/store-gone")
    assert f'<span class="reference">{response.headers["X-Request-ID"]}</span>' in response.content.decode()


@pytest.mark.django_db
def test_not_found_pages_do_not_differ_by_an_id(client: Client) -> None:
    response = client.get("/nowhere/at/all")
    assert response.headers["X-Request-ID"] not in response.content.decode()


def test_log_lines_carry_the_id_only_inside_of_a_request() -> None:
    record = logging.LogRecord("portal", logging.WARNING, __file__, 1, "it happened", None, None)
    assert request_id() == ""
    assert LineFormatter().format(record).endswith("WARNING portal: it happened")
    with numbered() as number:
        assert LineFormatter().format(record).endswith(f"WARNING portal {number}: it happened")
    assert request_id() == ""
