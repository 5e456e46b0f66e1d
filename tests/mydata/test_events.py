"""What a person's changes leave in the trail: asked before, done or failed after, with counts and never a word."""

from typing import Any

import pytest
from django.test import Client

from memoryportal.accounts.models import User
from memoryportal.audit.models import Event
from memoryportal.audit.pseudonyms import known_pseudonym
from memoryportal.memory import ScopedMemory, StoreUnavailable, SubjectId
from tests.accounts.helpers import prove

from .remembered import remember

pytestmark = pytest.mark.django_db
WORDS = ("quillwort", "marmalade", "zeppelin")


@pytest.fixture
def items(alice_memory: ScopedMemory) -> list[Any]:
    return remember(alice_memory, "Alice grows quillwort.", "Alice eats marmalade.", "Alice flew a zeppelin.")


def events(since: int) -> list[tuple[str, str, dict[str, Any]]]:
    found = Event.objects.filter(seq__gt=since).order_by("seq")
    return [(event.action, event.object, event.details) for event in found]


def newest() -> int:
    return Event.objects.latest("seq").seq


def test_a_correction(alice: User, alice_client: Client, items: list[Any]) -> None:
    before = newest()
    item = items[0]
    alice_client.post(f"/memories/{item.id}/edit/", {"text": "Alice grows zeppelins.", "version": item.version})
    assert events(before) == [("memory.correct-asked", item.id, {}), ("memory.corrected", item.id, {})]
    pair = Event.objects.filter(seq__gt=before)
    assert len(set(pair.values_list("request_id", flat=True))) == 1
    assert set(pair.values_list("actor", "role", "subject")) == {
        (str(alice.pk), "person", known_pseudonym(SubjectId(alice.subject)))
    }


def test_a_correction_that_came_too_late(alice_client: Client, alice_memory: ScopedMemory, items: list[Any]) -> None:
    item = items[0]
    alice_memory.update(item.id, "Alice grows roses.")
    before = newest()
    answer = alice_client.post(f"/memories/{item.id}/edit/", {"text": "new", "version": item.version})
    assert answer.status_code == 409
    assert events(before) == [
        ("memory.correct-asked", item.id, {}),
        ("memory.correct-failed", item.id, {"state": "MemoryChanged"}),
    ]


@pytest.mark.parametrize("text", ["", "   ", "x" * 8001])
def test_what_a_form_refuses_was_not_asked_for(text: str, alice_client: Client, items: list[Any]) -> None:
    before = newest()
    item = items[0]
    assert alice_client.post(f"/memories/{item.id}/edit/", {"text": text}).status_code == 422
    alice_client.post(f"/memories/{item.id}/edit/", {"text": item.text, "version": item.version})  # the same text
    assert events(before) == []


def test_one_deletion(alice_client: Client, items: list[Any]) -> None:
    before = newest()
    alice_client.post(f"/memories/{items[0].id}/delete/")
    (asked, done) = events(before)
    assert asked == ("memory.delete-asked", items[0].id, {})
    assert done[:2] == ("memory.deleted", items[0].id)
    assert done[2]["memories"] == 1
    assert done[2]["history"] >= 1


def test_several_deletions(alice_client: Client, items: list[Any]) -> None:
    before = newest()
    ids = [item.id for item in items[:2]]
    alice_client.post("/memories/delete/", {"id": ids})
    assert events(before) == [], "the page asks first"
    alice_client.post("/memories/delete/", {"id": ids, "confirm": "yes"})
    (asked, done) = events(before)
    assert asked == ("memory.delete-asked", "ticked", {"ids": ids})
    assert (done[0], done[2]["memories"]) == ("memory.deleted", 2)


@pytest.mark.parametrize(
    "wrong", ["not an id", "alice@example.com", "a b", "'", "00000000-0000-4000-8000-000000000000"]
)
def test_ids_that_are_not_hers_leave_nothing(wrong: str, alice_client: Client, items: list[Any]) -> None:
    before = newest()
    assert alice_client.post("/memories/delete/", {"id": [items[0].id, wrong], "confirm": "yes"}).status_code == 404
    assert events(before) == []


def test_somebody_elses_memory_leaves_nothing(bob_client: Client, bob_memory: ScopedMemory, items: list[Any]) -> None:
    before = newest()
    for path in ("delete/", "edit/", "versions/1/delete/"):
        assert bob_client.post(f"/memories/{items[0].id}/{path}", {"text": "new"}).status_code == 404
    assert events(before) == []


def test_deleting_what_a_filter_shows(alice_client: Client, alice_memory: ScopedMemory, items: list[Any]) -> None:
    remember(alice_memory, "A later one.", agent="shop")
    before = newest()
    alice_client.post("/memories/delete/", {"matching": "1", "agent": "shop", "expected": "1", "confirm": "yes"})
    (asked, done) = events(before)
    assert asked == ("memory.delete-asked", "matching", {"expected": 1})
    assert done[2]["memories"] == 1
    before = newest()
    alice_client.post("/memories/delete/", {"matching": "1", "agent": "shop", "expected": "5", "confirm": "yes"})
    assert [action for action, *_ in events(before)] == ["memory.delete-asked", "memory.delete-failed"]
    assert "shop" not in repr(events(0))


def test_a_store_that_fails_half_way(alice_client: Client, items: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(memory: ScopedMemory, memory_id: str, **_: Any) -> None:
        raise StoreUnavailable("gone")

    monkeypatch.setattr(ScopedMemory, "delete", fail)
    before = newest()
    assert alice_client.post(f"/memories/{items[0].id}/delete/").status_code == 503
    assert events(before)[1] == ("memory.delete-failed", items[0].id, {"state": "StoreUnavailable"})


def test_a_wording_that_is_removed(alice_client: Client, alice_memory: ScopedMemory, items: list[Any]) -> None:
    item = items[0]
    alice_memory.update(item.id, "Alice grows roses.")
    seq = alice_memory.history(item.id)[0].seq
    before = newest()
    alice_client.post(f"/memories/{item.id}/versions/{seq}/delete/")
    name = f"{item.id}:{seq}"
    assert events(before) == [("memory.purge-asked", name, {}), ("memory.purged", name, {})]


@pytest.mark.parametrize("form", ["html", "json", "csv"])
def test_an_export(form: str, alice_client: Client, items: list[Any]) -> None:
    before = newest()
    alice_client.post(f"/export/{form}/")
    assert events(before) == [], "who has not confirmed who they are gets nothing"
    prove(alice_client)
    before = newest()
    answer = alice_client.post(f"/export/{form}/")
    (asked,) = events(before)
    assert asked[0] == "export.asked"
    assert (asked[2]["form"], asked[2]["memories"]) == (form, 3)
    assert answer.status_code == 200


def test_an_erasure(alice: User, alice_client: Client, items: list[Any]) -> None:
    prove(alice_client)
    before = newest()
    alice_client.post("/erasure/", {"word": "erase"})
    (asked, begun, done) = events(before)
    assert asked[0] == "erasure.asked"
    assert asked[1].startswith("MP-")
    assert begun == ("erasure.begun", asked[1], {})
    assert done[:2] == ("erasure.done", asked[1])
    assert (done[2]["memories"], done[2]["left"], done[2]["state"]) == (3, 0, "completed")
    actors = Event.objects.filter(seq__gt=before).order_by("seq").values_list("actor", "role")
    assert list(actors) == [(str(alice.pk), "person"), ("system", "system"), ("system", "system")]
    shown = alice_client.get("/activity/").content.decode()
    assert "You asked to erase everything" in shown
    assert "Everything was erased: 3 memories" in shown


def test_an_erasure_of_what_one_assistant_remembers(alice_client: Client, items: list[Any]) -> None:
    prove(alice_client)
    alice_client.post("/erasure/", {"word": "erase", "scope": "assistant", "agent": "support_bot"})
    shown = alice_client.get("/activity/").content.decode()
    assert "You asked to erase what one assistant remembered" in shown
    assert "What one assistant remembered was erased" in shown
    assert "Everything was erased" not in shown


def test_an_erasure_that_has_to_wait(alice_client: Client, items: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(memory: ScopedMemory, **_: Any) -> None:
        raise StoreUnavailable("gone")

    prove(alice_client)
    before = newest()
    with monkeypatch.context() as patched:
        patched.setattr(ScopedMemory, "erase", fail)
        alice_client.post("/erasure/", {"word": "erase"})
    assert [action for action, *_ in events(before)] == ["erasure.asked", "erasure.begun", "erasure.failed"]
    assert events(before)[2][2] == {"state": "StoreUnavailable", "count": 1}


def test_no_word_of_a_memory_and_no_search_word_is_ever_in_the_trail(
    alice: User, alice_client: Client, alice_memory: ScopedMemory, items: list[Any]
) -> None:
    prove(alice_client)
    alice_client.post("/memories/search/", {"q": "quillwort", "by": "word"})
    item = items[1]
    alice_client.post(f"/memories/{item.id}/edit/", {"text": "More marmalade", "version": item.version})
    alice_client.post(f"/memories/{item.id}/delete/")
    alice_client.post("/export/json/")
    alice_client.post("/erasure/", {"word": "erase"})
    trail = repr(list(Event.objects.values())).lower()
    for word in (*WORDS, "alice", "example.com", alice.subject):
        assert word not in trail
