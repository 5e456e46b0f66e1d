"""Correcting a memory: what is typed is never lost, and nobody else's change is overwritten unseen."""

import pytest

from memoryportal.memory import controls
from memoryportal.memory.stores import current_store

from . import reading
from .remembered import erasing, everything, remember

pytestmark = pytest.mark.django_db


@pytest.fixture
def item(alice_memory, bob_memory):
    remember(bob_memory, "Lives in Porto")
    return remember(alice_memory, "Lives in Porto", agent="travel_planner", run="lisbon-trip")[0]


@pytest.fixture
def address(item):
    return f"/memories/{item.id}/edit/"


def test_the_form_holds_the_text_and_its_version(alice_client, item, address):
    html = reading.body(alice_client.get(address))
    assert '<textarea name="text"' in html
    assert ">\nLives in Porto</textarea>" in html
    assert f'<input type="hidden" name="version" value="{item.version}"' in html


def test_a_correction_is_stored_searchable_and_noted(alice_client, alice_memory, bob_memory, item, address):
    response = alice_client.post(address, {"text": "Lives in Lisbon", "version": item.version}, follow=True)
    assert response.redirect_chain == [(f"/memories/{item.id}/", 302)]
    assert "Corrected." in reading.words(response)
    assert everything(alice_memory) == [(item.id, "Lives in Lisbon")]
    assert [version.new for version in alice_memory.history(item.id)] == ["Lives in Porto", "Lives in Lisbon"]
    assert [hit.item.id for hit in alice_memory.search("which city is her home, Lisbon?").hits] == [item.id]
    assert [text for _, text in everything(bob_memory)] == ["Lives in Porto"]


def test_a_correction_keeps_where_it_came_from(alice_client, alice_memory, item, address):
    alice_client.post(address, {"text": "Lives in Lisbon"})
    after = alice_memory.get(item.id)
    assert (after.agent, after.run, after.role, after.created) == (item.agent, item.run, item.role, item.created)


def test_other_fields_are_not_read(alice_client, alice_memory, bob, item, address):
    alice_client.post(address, {"text": "Lives in Lisbon", "user_id": bob.subject, "agent": "x", "role": "assistant"})
    after = alice_memory.get(item.id)
    assert (after.text, after.agent, after.role) == ("Lives in Lisbon", "travel_planner", "user")


@pytest.mark.parametrize("text", ["Lives in Porto", "  Lives in Porto \r\n"])
def test_the_same_text_changes_nothing(alice_client, alice_memory, item, address, text):
    response = alice_client.post(address, {"text": text, "version": item.version}, follow=True)
    assert "Nothing changed" in reading.words(response)
    assert "Corrected." not in reading.words(response)
    assert alice_memory.get(item.id) == item
    assert len(alice_memory.history(item.id)) == 1


def test_line_ends_of_a_browser_are_no_change(alice_client, alice_memory):
    (item,) = remember(alice_memory, "First line\nSecond line")
    response = alice_client.post(f"/memories/{item.id}/edit/", {"text": "First line\r\nSecond line"}, follow=True)
    assert "Nothing changed" in reading.words(response)
    alice_client.post(f"/memories/{item.id}/edit/", {"text": "First line\r\nLast line"})
    assert alice_memory.get(item.id).text == "First line\nLast line"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "A memory cannot be empty. To remove it, delete it."),
        (" \r\n ", "A memory cannot be empty. To remove it, delete it."),
        ("x" * 8001, "The memory is too long: at most 8000 characters, and this has 8001."),
        ("a\0b", "Null characters are not allowed."),
    ],
)
def test_a_text_that_cannot_be_stored_is_refused_and_kept(alice_client, alice_memory, item, address, text, said):
    response = alice_client.post(address, {"text": text, "version": item.version})
    assert response.status_code == 422
    assert said in reading.words(response)
    assert "<title>Error: " in reading.body(response)
    assert f">\n{text}</textarea>" in reading.body(response)
    assert everything(alice_memory) == [(item.id, "Lives in Porto")]


def test_a_memory_that_was_changed_meanwhile_is_not_overwritten(alice_client, alice_memory, item, address):
    alice_memory.update(item.id, "Lives in Faro")
    response = alice_client.post(address, {"text": "Lives in Lisbon", "version": item.version})
    assert response.status_code == 409
    words = reading.words(response)
    assert "The memory was changed while you wrote. Nothing was saved yet, and nothing you typed is lost." in words
    assert reading.texts(response) == ["Lives in Faro"]
    assert ">\nLives in Lisbon</textarea>" in reading.body(response)
    assert alice_memory.get(item.id).text == "Lives in Faro"


def test_saving_over_a_change_that_was_shown_works(alice_client, alice_memory, item, address):
    current = alice_memory.update(item.id, "Lives in Faro")
    refused = alice_client.post(address, {"text": "Lives in Lisbon", "version": item.version})
    assert f'name="version" value="{current.version}"' in reading.body(refused)
    alice_client.post(address, {"text": "Lives in Lisbon", "version": current.version})
    assert alice_memory.get(item.id).text == "Lives in Lisbon"


def test_a_deleted_memory_cannot_be_corrected_back(alice_client, alice_memory, item, address):
    alice_memory.delete(item.id)
    assert alice_client.post(address, {"text": "Lives in Lisbon", "version": item.version}).status_code == 404
    assert everything(alice_memory) == []


def test_a_pause_does_not_stop_ones_own_correction(alice_client, alice_memory, item, address):
    controls.shut(current_store(), alice_memory.subject, "paused")
    try:
        alice_client.post(address, {"text": "Lives in Lisbon"})
    finally:
        controls.reopen(current_store(), alice_memory.subject, "paused")
    assert alice_memory.get(item.id).text == "Lives in Lisbon"


def test_a_running_erasure_is_explained(alice_client, alice_memory, item, address):
    with erasing(alice_memory):
        response = alice_client.post(address, {"text": "Lives in Lisbon", "version": item.version})
    assert response.status_code == 409
    words = reading.words(response)
    assert "Your memories are being erased" in words
    assert "This change was not made." in words
    assert alice_memory.get(item.id) == item


def test_without_an_embedder_nothing_typed_is_lost(alice_client, alice_memory, item, address, broken_embedder):
    response = alice_client.post(address, {"text": "Lives in Lisbon", "version": item.version})
    assert response.status_code == 503
    assert "The correction could not be saved." in reading.words(response)
    assert ">\nLives in Lisbon</textarea>" in reading.body(response)
    assert alice_memory.get(item.id) == item


def test_a_hostile_correction_stays_text(alice_client, item, address):
    hostile = "</textarea><script>alert(1)</script>"
    alice_client.post(address, {"text": hostile})
    response = alice_client.get(address)
    assert reading.texts(response) == [hostile]
    assert "<script>alert" not in reading.body(response)
