"""Deleting one memory: what is asked, what goes, what is said about it."""

import pytest

from memoryportal.memory import ScopedMemory
from memoryportal.memory.backdate import Name, add_messages, add_names

from . import reading
from .remembered import START, erasing, everything, remember

pytestmark = pytest.mark.django_db


@pytest.fixture
def item(alice_memory, bob_memory):
    """A memory of Alice's with everything that can hang on one, beside others of hers and of Bob's."""
    first, other = remember(alice_memory, "Lives in Porto", "Likes tea", agent="travel_planner", run="lisbon-trip")
    for wording in ("Lives in Lisbon", "Lives in Faro"):
        first = alice_memory.update(first.id, wording)
    add_names(alice_memory, [Name("Faro", "place", [first.id]), Name("Miriam", "person", [first.id, other.id])])
    for memory in (alice_memory, bob_memory):
        talk = ScopedMemory(memory.subject, agent="travel_planner", run="lisbon-trip")
        add_messages(talk, [("user", "I moved"), ("assistant", "Where to?"), ("user", "Faro")], START)
    add_messages(ScopedMemory(alice_memory.subject, agent="support_bot"), [("user", "Hello")], START)
    remember(bob_memory, "Lives in Porto", agent="travel_planner", run="lisbon-trip")
    return first


def test_the_question_says_exactly_what_goes(alice_client, item):
    response = alice_client.get(f"/memories/{item.id}/delete/")
    assert reading.texts(response) == ["Lives in Faro"]
    words = reading.words(response)
    assert "Deleted with it: 2 earlier wordings." in words
    assert "1 name that was noted only from it" in words
    assert "3 recent messages of the same conversation, from which an assistant could learn it again" in words
    assert "It cannot be undone." in words


def test_the_question_names_nothing_that_there_is_not(alice_client, alice_memory):
    (item,) = remember(alice_memory, "Lives in Porto")
    words = reading.words(alice_client.get(f"/memories/{item.id}/delete/"))
    assert "Deleted with it" not in words


def test_deleting_removes_it_everywhere_and_says_what_went(alice_client, alice_memory, bob_memory, item):
    bobs = everything(bob_memory), bob_memory.held()
    assert alice_memory.held() == {"memories": 2, "entities": 2, "history": 4, "messages": 4, "uses": 0, "never": 0}
    response = alice_client.post(f"/memories/{item.id}/delete/", follow=True)
    assert response.redirect_chain == [("/memories/", 302)]
    said = "Deleted: 1 memory, 1 noted name, 3 entries in its history, 3 recent messages."
    assert said in reading.words(response)
    assert alice_memory.held() == {"memories": 1, "entities": 1, "history": 1, "messages": 1, "uses": 0, "never": 0}
    assert [text for _, text in everything(alice_memory)] == ["Likes tea"]
    assert (everything(bob_memory), bob_memory.held()) == bobs


def test_a_deleted_memory_is_like_one_that_never_was(alice_client, alice_memory, item):
    alice_client.post(f"/memories/{item.id}/delete/")
    for method, path in (("get", ""), ("get", "edit/"), ("get", "delete/"), ("post", "delete/")):
        assert getattr(alice_client, method)(f"/memories/{item.id}/{path}").status_code == 404
    assert len(everything(alice_memory)) == 1


def test_the_list_no_longer_counts_it(alice_client, item):
    assert reading.total(alice_client.get("/memories/")) == 2
    response = alice_client.post(f"/memories/{item.id}/delete/", follow=True)
    assert reading.total(response) == 1
    assert item.id not in reading.ids(response)


def test_deleting_during_an_erasure_is_done_or_explained(alice_client, alice_memory, item):
    with erasing(alice_memory):
        response = alice_client.post(f"/memories/{item.id}/delete/")
    left = {memory_id for memory_id, _ in everything(alice_memory)}
    if response.status_code == 302:
        assert item.id not in left
    else:
        assert response.status_code == 409
        assert "This change was not made." in reading.words(response)
        assert item.id in left


def test_a_store_that_is_gone_deletes_nothing_and_says_so(alice_client, alice_memory, item, settings):
    before, dsn = everything(alice_memory), settings.MEMORY_DATABASE_URL
    settings.MEMORY_DATABASE_URL = "postgresql://memoryportal_scoped@/nowhere?host=/nonexistent"
    response = alice_client.post(f"/memories/{item.id}/delete/")
    settings.MEMORY_DATABASE_URL = dsn
    assert response.status_code == 503
    assert "Nothing was changed." in reading.words(response)
    assert "Deleted" not in reading.words(response)
    assert everything(alice_memory) == before
