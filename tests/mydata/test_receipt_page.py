"""The receipt as a page and as a file, and the page on which anybody checks one."""

import copy
import json
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from memoryportal.base.keys import key_ring
from memoryportal.erasure import engine, receipts, services
from memoryportal.erasure.models import Erasure, OutsidePlace, Scope, State
from memoryportal.memory import ScopedMemory
from tests.erasure.making import an_erasure

from . import reading
from .remembered import remember

pytestmark = pytest.mark.django_db
CHECK = "/requests/verify/"


@pytest.fixture
def told(alice_memory) -> ScopedMemory:
    remember(alice_memory, "I am vegetarian.", "I live in Hamburg.", agent="support_bot")
    return alice_memory


@pytest.fixture
def done(alice, told, settings) -> Erasure:
    settings.OUTSIDE_PLACES = ["Newsletter", "Warehouse"]
    erasure = services.ask(alice, told.subject)
    OutsidePlace.objects.filter(name="Newsletter").update(reported_at=erasure.asked_at)
    return engine.run(erasure)


def checked(client, document: object) -> object:
    text = document if isinstance(document, str) else json.dumps(document)
    return client.post(CHECK, {"text": text})


def valid(response) -> bool | None:
    found = re.search(r'data-receipt-valid="(true|false)"', reading.body(response))
    return {"true": True, "false": False}[found[1]] if found else None


# --- to read and to print --------------------------------------------------------------------------------------------


def test_the_page_says_what_the_receipt_states(alice_client, alice, done):
    words = reading.words(alice_client.get(f"/erasure/{done.id}/receipt/"))
    assert done.reference in words
    assert "Example Ltd (demo)" in words
    assert "To be erased Everything that is remembered" in words
    assert re.search(r"Memories 2 2 0 ", words)
    assert re.search(r"Newsletter Reported, not verified by us, \d{4}-", words)
    assert "Warehouse Not reported when this was signed" in words
    assert "What is not promised" in words
    assert key_ring().published()[0]["kid"] in words
    for hidden in ("vegetarian", "Hamburg", alice.subject, alice.email):
        assert hidden not in words


def test_the_status_leads_to_it(alice_client, done):
    page = reading.body(alice_client.get(f"/erasure/{done.id}/"))
    assert f'href="/erasure/{done.id}/receipt/"' in page
    assert f'href="/erasure/{done.id}/receipt/file/"' in page
    assert 'href="/requests/verify/"' in reading.body(alice_client.get(f"/erasure/{done.id}/receipt/"))


def test_the_file_is_the_stored_receipt_and_verifies(alice_client, done):
    response = alice_client.get(f"/erasure/{done.id}/receipt/file/")
    assert response.headers["Content-Type"] == "application/json"
    name = f"memoryportal-receipt-{done.reference}.json"
    assert response.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert response.json() == Erasure.objects.get().receipt
    assert receipts.verify(response.content, key_ring().public).valid


def test_one_assistant_is_named(alice, alice_client, told):
    erasure = engine.run(services.ask(alice, told.subject, scope=Scope.ASSISTANT, agent="support_bot"))
    words = reading.words(alice_client.get(f"/erasure/{erasure.id}/receipt/"))
    assert "What one assistant remembers: support_bot" in words


@pytest.mark.parametrize("state", [State.WAITING, State.ERASING, State.CANCELLED])
def test_there_is_none_before_the_end(alice, alice_client, state):
    erasure = an_erasure(alice.subject, state=state, account=alice)
    path = f"/erasure/{erasure.id}/"
    for tail in ("", "file/"):
        assert alice_client.get(f"{path}receipt/{tail}").headers["Location"] == path
    assert "/receipt/" not in reading.body(alice_client.get(path))


# --- checking --------------------------------------------------------------------------------------------------------


def test_a_receipt_is_checked_by_anybody(client, done):
    response = checked(client, done.receipt)
    assert (response.status_code, valid(response)) == (200, True)
    words = reading.words(response)
    assert "The signature is valid" in words
    assert done.reference in words
    assert re.search(r"Memories 2 2 0 ", words)


def test_the_file_is_taken_as_it_was_downloaded(alice_client, client, done):
    content = alice_client.get(f"/erasure/{done.id}/receipt/file/").content
    response = client.post(CHECK, {"file": SimpleUploadedFile("receipt.json", content), "text": ""})
    assert valid(response) is True


def test_nothing_is_looked_up_or_kept(client, done):
    Erasure.objects.all().delete()
    with CaptureQueriesContext(connection) as captured:
        assert valid(checked(client, done.receipt)) is True
    assert len(captured) == 0


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("receipt", "reference"), "MP-0000-0000"),
        (("receipt", "places", 0, "left"), 1),
        (("receipt", "state"), "completed-with-exceptions"),
        (("signature", "value"), "00" * 64),
    ],
)
def test_whatever_was_changed_is_found(client, done, path, value):
    document = copy.deepcopy(done.receipt)
    part = document
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    response = checked(client, document)
    assert (response.status_code, valid(response)) == (200, False)
    assert "was changed after it was signed, or is forged" in reading.words(response)
    assert done.reference not in reading.words(response)


GARBAGE = (
    "{",
    "null",
    "[]",
    '"text"',
    "1e999",
    '{"a": 1, "a": 2}',
    "[" * 50_000,
    "\N{PARTY POPPER}",
    "<b>alert(1)</b>",
)


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_gets_a_clear_message(client, garbage):
    response = checked(client, garbage)
    assert (response.status_code, valid(response)) == (200, False)
    assert re.search("cannot be read as a receipt|not a receipt of a deletion", reading.words(response))
    assert "alert(1)" not in reading.body(response)


def test_a_file_that_is_no_text_gets_a_clear_message(client):
    response = client.post(CHECK, {"file": SimpleUploadedFile("receipt.json", b"\xff\xfe\x00binary")})
    assert valid(response) is False
    assert "not text" in reading.words(response)


def test_nothing_given_is_asked_for(client):
    missing = "Choose the file of a receipt, or paste its text."
    empty = {"file": SimpleUploadedFile("receipt.json", b"")}
    for data, says in (({}, missing), ({"text": "  "}, missing), (empty, "The submitted file is empty.")):
        response = client.post(CHECK, data)
        assert response.status_code == 422
        assert says in reading.words(response)


@pytest.mark.parametrize("size", [600 * 1024, 3 * 1024 * 1024])
def test_what_is_too_large_is_not_read(client, size, tmp_path, settings):
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    response = client.post(CHECK, {"file": SimpleUploadedFile("receipt.json", b" " * size)})
    assert (response.status_code, valid(response)) == (413, False)
    assert "too large to be a receipt" in reading.words(response)
    assert [*tmp_path.iterdir()] == []


def test_people_who_are_signed_in_can_check_too(alice_client, done):
    assert valid(checked(alice_client, done.receipt)) is True
