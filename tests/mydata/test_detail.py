"""One memory: what it says, where it came from, how it read before."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client

from memoryportal.memory import ScopedMemory
from memoryportal.memory.backdate import Timeline, backdate

from . import reading
from .reading import REGION
from .remembered import START, everything, expire, remember

pytestmark = pytest.mark.django_db
# Every way to one memory: (method, path behind its address, data).
VERBS = [
    ("get", "", {}),
    ("get", "edit/", {}),
    ("post", "edit/", {"text": "Now it is mine."}),
    ("get", "delete/", {}),
    ("post", "delete/", {}),
    ("get", "versions/{seq}/delete/", {}),
    ("post", "versions/{seq}/delete/", {}),
]


def test_the_page_says_where_a_memory_came_from(alice_client, alice_memory):
    told = ScopedMemory(alice_memory.subject, agent="travel_planner", run="lisbon-trip")
    (item,) = told.add(
        [{"role": "assistant", "content": "Flies to Lisbon", "name": "planner-7"}],
        infer=False,
        metadata={"flight_number": "LH1168", "booked": True},
    )
    backdate(alice_memory, [Timeline(item.id, [START])])
    response = alice_client.get(f"/memories/{item.id}/")
    assert reading.ids(response) == [item.id]
    words = reading.words(response)
    for said in (
        "Assistant travel_planner",
        "Conversation lisbon-trip",
        "Source the assistant said it",
        "Name given with it planner-7",
        "First remembered 10 March 2026, 12:00",
        "flight number LH1168",
        "booked yes",
    ):
        assert said in words
    assert "Last corrected" not in words
    assert "Expiry" not in words


def test_the_page_tells_how_it_read_over_time(alice_client, alice_memory):
    (item,) = remember(alice_memory, "Lives in Porto")
    alice_memory.update(item.id, "Lives in Lisbon")
    alice_memory.update(item.id, "Lives in Faro")
    backdate(alice_memory, [Timeline(item.id, [START, START + timedelta(days=1), START + timedelta(days=2)])])
    response = alice_client.get(f"/memories/{item.id}/")
    wordings = [text for text in reading.texts(response) if text.startswith("Lives in")]
    assert wordings == ["Lives in Faro", "Lives in Porto", "Lives in Lisbon", "Lives in Faro"]
    words = reading.words(response)
    assert "10 March 2026, 12:00, first remembered, you said Lives in Porto" in words
    assert "12 March 2026, 12:00, corrected (this is how it reads now)" in words
    assert "Last corrected 12 March 2026, 12:00" in words
    assert reading.body(response).count("Remove this wording…") == 2


def test_an_expired_memory_says_so(alice_client, alice_memory):
    (item,) = remember(alice_memory, "Flies on Friday")
    expire(alice_memory, item, (START + timedelta(days=2)).date())
    words = reading.words(alice_client.get(f"/memories/{item.id}/"))
    assert "expired on 12 March 2026: assistants no longer receive it" in words


def test_a_memory_older_than_its_history_shows_its_first_wording(alice_client, alice_memory, told_by_plain_mem0):
    alice_memory.update(told_by_plain_mem0, "Lives in Lisbon")
    words = reading.words(alice_client.get(f"/memories/{told_by_plain_mem0}/"))
    assert "the wording before the first correction Lives in Porto" in words


def test_a_memory_without_any_history_says_so(alice_client, told_by_plain_mem0):
    words = reading.words(alice_client.get(f"/memories/{told_by_plain_mem0}/"))
    assert "No earlier wording is stored." in words


def test_every_kind_of_metadata_is_shown_as_text(alice_client, alice_memory, told_by_plain_mem0):
    words = reading.words(alice_client.get(f"/memories/{told_by_plain_mem0}/"))
    assert 'tags ["a", "<b>"]' in words
    assert "<b>" not in reading.body(alice_client.get(f"/memories/{told_by_plain_mem0}/"))


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "</bdi><h1>Hacked</h1>", "{{ user.password }}"])
def test_a_hostile_text_stays_text_on_every_page(alice_client, alice_memory, text):
    (item,) = remember(alice_memory, f"{text} before")
    alice_memory.update(item.id, text)
    first = alice_memory.history(item.id)[0].seq
    for path in ("", "edit/", "delete/", f"versions/{first}/delete/"):
        response = alice_client.get(f"/memories/{item.id}/{path}")
        assert response.status_code == 200
        assert text in reading.texts(response)
        assert not [raw for raw in ("<script>alert", "<h1>Hacked") if raw in reading.body(response)]


# --- somebody else's ------------------------------------------------------------------------------------------------


@pytest.fixture
def corrected(bob_memory):
    """A memory of Bob's with an earlier wording."""
    (item,) = remember(bob_memory, "Bob's seat is by the aisle.")
    return bob_memory.update(item.id, "Bob's seat is by the window.")


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true", "HX-Target": "main"}, REGION])
@pytest.mark.parametrize(("method", "path", "data"), VERBS)
def test_somebody_elses_memory_does_not_exist(alice_client, bob_memory, corrected, method, path, data, headers):
    before = everything(bob_memory), bob_memory.history(corrected.id)
    path = path.format(seq=before[1][0].seq)
    answers = [
        getattr(alice_client, method)(f"/memories/{memory_id}/{path}", data, headers=headers)
        for memory_id in (corrected.id, uuid4())
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    foreign, missing = map(reading.without_tokens, answers)
    assert foreign == missing
    assert "Bob" not in foreign
    assert (everything(bob_memory), bob_memory.history(corrected.id)) == before


@pytest.mark.parametrize(("method", "path", "data"), VERBS)
def test_the_anonymous_are_asked_to_sign_in(client, bob_memory, corrected, method, path, data):
    before = everything(bob_memory)
    path = path.format(seq=bob_memory.history(corrected.id)[0].seq)
    response = getattr(client, method)(f"/memories/{corrected.id}/{path}", data)
    if "text" in data:  # a correction is given back, with the way to the login
        assert response.status_code == 403
        assert 'href="/accounts/login/' in reading.body(response)
        assert "Bob" not in reading.body(response)
    else:
        assert response.status_code == 302
        assert response.headers["Location"].startswith("/accounts/login/")
    assert everything(bob_memory) == before


@pytest.mark.parametrize(("method", "path", "data"), [verb for verb in VERBS if verb[0] == "post"])
def test_nothing_is_changed_without_the_form_token(bob, bob_memory, corrected, method, path, data):
    before = everything(bob_memory), bob_memory.history(corrected.id)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(bob)
    response = strict.post(f"/memories/{corrected.id}/{path.format(seq=before[1][0].seq)}", data)
    assert response.status_code == 403
    assert (everything(bob_memory), bob_memory.history(corrected.id)) == before


@pytest.mark.parametrize("memory_id", ["1", "not-a-uuid", "%00", "..%2f..", "*"])
def test_a_malformed_id_is_a_missing_one(alice_client, memory_id):
    assert alice_client.get(f"/memories/{memory_id}/").status_code == 404


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
@pytest.mark.parametrize("path", ["", "edit/", "delete/"])
def test_other_methods_are_refused(alice_client, alice_memory, method, path):
    (item,) = remember(alice_memory, "Lives in Porto")
    assert getattr(alice_client, method)(f"/memories/{item.id}/{path}").status_code == 405
    assert everything(alice_memory) == [(item.id, "Lives in Porto")]


def test_reading_changes_nothing(alice_client, alice_memory):
    (item,) = remember(alice_memory, "Lives in Porto")
    item = alice_memory.update(item.id, "Lives in Lisbon")
    before = alice_memory.history(item.id)
    for path in ("", "edit/", "delete/", f"versions/{before[0].seq}/delete/"):
        assert alice_client.get(f"/memories/{item.id}/{path}").status_code == 200
    assert alice_memory.get(item.id) == item
    assert alice_memory.history(item.id) == before
