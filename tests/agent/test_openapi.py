"""The description of the gateway, and the gateway as described: schemathesis makes requests of it, good and bad."""

import copy
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.test import Client
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from memoryportal.agent.description import document
from memoryportal.agent.problems import KINDS, STATUSES

from .calling import ROOT, Assistant, make_key

DOCS = Path(__file__).resolve().parents[2] / "docs" / "gateway.md"
ALWAYS = {400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 503}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
    allow_header_conformance,
]
EXAMPLES = 50  # twenty seconds for all operations
SEEN: dict[str, set[int]] = defaultdict(set)
# What may refuse data that the document does not allow; of itself schemathesis does not count a body that is too large.
REFUSALS = {"negative_data_rejection": {"expected-statuses": sorted(ALWAYS)}}
described = schemathesis.openapi.from_dict(
    copy.deepcopy(document()), config=SchemathesisConfig.from_dict({"checks": REFUSALS})
)
described.app = WSGIHandler()


@pytest.fixture
def bearers(db: None, person: Any, settings: Any) -> dict[str, str]:
    """A good key and a good token, for as many requests as it takes."""
    settings.GATEWAY_KEY_PER_MINUTE = settings.GATEWAY_SUBJECT_PER_MINUTE = 1_000_000
    _, key = make_key(subjects_per_hour=1_000_000)
    assistant = Assistant(key, person("alice"))
    assistant.add("I am vegetarian.")
    return {"HostKey": key, "SubjectToken": assistant.token}


@described.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@pytest.mark.django_db(transaction=True)
def test_as_described(case: Any, bearers: dict[str, str]) -> None:
    door = next(iter(case.operation.definition.raw["security"][0]))
    response = case.call(headers={"Authorization": f"Bearer {bearers[door]}"})
    SEEN[case.operation.label].add(response.status_code)
    case.validate_response(response, checks=CHECKS)


def test_good_and_bad_requests_were_made() -> None:
    """Without this the test above would pass on a gateway that refuses everything alike."""
    if not SEEN:
        pytest.skip("test_as_described was not run in this process")
    for label, statuses in SEEN.items():
        good = {200, 201, 202} if "{memory_id}" not in label else {404}  # ids that schemathesis makes up
        assert statuses & good, label
        assert statuses - good, label


@described.parametrize()
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.django_db(transaction=True)
def test_as_described_for_nobody(case: Any) -> None:
    response = case.call(headers={"Authorization": "Bearer nothing"})
    assert response.status_code in (400, 401, 404, 405, 413, 415, 422)
    case.validate_response(response, checks=CHECKS[:4])


# --- the document and the page ---------------------------------------------------------------------------------------


def operations() -> list[tuple[str, dict[str, Any]]]:
    return [(path, about) for path, methods in document()["paths"].items() for about in methods.values()]


def test_every_operation_says_how_it_can_be_refused() -> None:
    for path, about in operations():
        statuses = {int(status) for status in about["responses"]}
        assert statuses > ALWAYS, path
        for status, answer in about["responses"].items():
            kind = "application/json" if int(status) < 400 else "application/problem+json"
            assert list(answer["content"]) == [kind]
        assert about["description"], path


def test_the_document_names_every_code() -> None:
    for _, about in operations():
        said = " ".join(about["responses"][str(status)]["description"] for status in STATUSES)
        assert set(re.findall(r"[a-z-]{5,}", said)) >= set(KINDS)


def test_the_document_is_served_to_anybody() -> None:
    answer = Client().get(f"{ROOT}/openapi.json")
    assert answer.json() == document()
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.django_db
def test_the_page_shows_every_operation_and_code_and_needs_no_script_of_anybody() -> None:
    answer = Client().get(f"{ROOT}/docs")
    text = answer.content.decode()
    for path, _ in operations():
        assert path in text
    for kind in KINDS:
        assert f"<code>{kind}</code>" in text
    assert "messages" in text
    assert not re.findall(r'(?:src=|<link[^>]+href=)"(?:https?:)?//', text)
    assert not re.findall(r"<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=|<style", text)
    assert "`" not in answer.content.decode()


def test_the_guide_lists_every_code() -> None:
    """docs/gateway.md, with the words of problems.py."""
    rows = dict(re.findall(r"^\| \d+ \| `([a-z-]+)` \| (.+) \|$", DOCS.read_text(), re.M))
    assert rows == {kind.code: kind.title for kind in KINDS.values()}


def test_codes_are_words_and_titles_are_sentences() -> None:
    for kind in KINDS.values():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.code)
        assert kind.title.endswith(".")
