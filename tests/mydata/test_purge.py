"""Removing one earlier wording from a memory's history, and nothing else."""

import pytest

from . import reading
from .remembered import erasing, remember

pytestmark = pytest.mark.django_db


@pytest.fixture
def item(alice_memory, bob_memory):
    """A memory of Alice's that read Porto, then Lisbon, and reads Faro; Bob's took the same way."""
    for memory in (alice_memory, bob_memory):
        (told,) = remember(memory, "Lives in Porto")
        for wording in ("Lives in Lisbon", "Lives in Faro"):
            told = memory.update(told.id, wording)
        if memory is alice_memory:
            mine = told
    return mine


def address(memory, item, number: int) -> str:
    return f"/memories/{item.id}/versions/{memory.history(item.id)[number].seq}/delete/"


def wordings(memory, item) -> list[tuple[str | None, str | None]]:
    return [(version.old, version.new) for version in memory.history(item.id)]


def test_the_question_shows_the_wording(alice_client, alice_memory, item):
    response = alice_client.get(address(alice_memory, item, 1))
    assert reading.texts(response) == ["Lives in Lisbon", "Lives in Faro"]
    assert "It cannot be undone." in reading.words(response)


def test_a_wording_goes_wherever_it_stands(alice_client, alice_memory, bob_memory, item):
    response = alice_client.post(address(alice_memory, item, 1), follow=True)
    assert response.redirect_chain == [(f"/memories/{item.id}/", 302)]
    assert "Removed that earlier wording." in reading.words(response)
    assert wordings(alice_memory, item) == [(None, "Lives in Porto"), ("Lives in Porto", None), (None, "Lives in Faro")]
    assert alice_memory.get(item.id) == item
    bobs = next(bob_memory.walk())
    assert wordings(bob_memory, bobs)[1] == ("Lives in Porto", "Lives in Lisbon")


def test_a_removed_wording_stays_visible_as_removed(alice_client, alice_memory, item):
    link = address(alice_memory, item, 0)
    response = alice_client.post(link, follow=True)
    assert "Lives in Porto" not in reading.body(response)
    assert reading.words(response).count("This wording was removed.") == 1
    assert alice_client.get(link).status_code == 404
    assert alice_client.post(link).status_code in (404, 409)
    assert wordings(alice_memory, item)[1:] == [(None, "Lives in Lisbon"), ("Lives in Lisbon", "Lives in Faro")]


def test_the_current_wording_cannot_be_removed_by_itself(alice_client, alice_memory, item):
    before = wordings(alice_memory, item)
    link = address(alice_memory, item, 2)
    assert alice_client.get(link).status_code == 404
    response = alice_client.post(link)
    assert response.status_code == 409
    assert "Only earlier wordings can be removed by themselves. Nothing was removed." in reading.words(response)
    assert wordings(alice_memory, item) == before


def test_a_wording_that_it_has_again_is_not_offered(alice_client, alice_memory, item):
    alice_memory.update(item.id, "Lives in Porto")
    response = alice_client.get(f"/memories/{item.id}/")
    assert reading.body(response).count("Remove this wording…") == 2
    assert alice_client.post(address(alice_memory, item, 0)).status_code == 409
    assert alice_memory.get(item.id).text == "Lives in Porto"


@pytest.mark.parametrize("seq", [0, 999999999, 99999999999999999999])
def test_a_version_that_there_is_not_is_missing(alice_client, alice_memory, item, seq):
    before = wordings(alice_memory, item)
    for method in ("get", "post"):
        assert getattr(alice_client, method)(f"/memories/{item.id}/versions/{seq}/delete/").status_code == 404
    assert wordings(alice_memory, item) == before


def test_a_version_of_another_memory_is_missing(alice_client, alice_memory, bob_memory, item):
    (other,) = remember(alice_memory, "Likes tea")
    other = alice_memory.update(other.id, "Likes coffee")
    bobs = next(bob_memory.walk())
    for memory, stranger in ((alice_memory, other), (bob_memory, bobs)):
        seq = memory.history(stranger.id)[0].seq
        assert alice_client.post(f"/memories/{item.id}/versions/{seq}/delete/").status_code == 404
        assert wordings(memory, stranger)[0][1] in ("Likes tea", "Lives in Porto")


def test_the_wording_before_the_first_noted_change_can_go(alice_client, alice_memory, told_by_plain_mem0):
    item = alice_memory.update(told_by_plain_mem0, "Lives in Lisbon")
    link = f"/memories/{item.id}/versions/0/delete/"
    assert link in reading.body(alice_client.get(f"/memories/{item.id}/"))
    assert reading.texts(alice_client.get(link)) == ["Lives in Porto", "Lives in Lisbon"]
    response = alice_client.post(link, follow=True)
    assert "Lives in Porto" not in reading.body(response)
    assert wordings(alice_memory, item) == [(None, "Lives in Lisbon")]
    assert alice_memory.get(item.id) == item


def test_a_running_erasure_is_explained(alice_client, alice_memory, item):
    before, link = wordings(alice_memory, item), address(alice_memory, item, 0)
    with erasing(alice_memory):
        response = alice_client.post(link)
    assert response.status_code == 409
    assert "Your memories are being erased" in reading.words(response)
    assert wordings(alice_memory, item) == before
