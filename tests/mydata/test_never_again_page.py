"""“And never learn this again”: the box on the pages of a deletion, what is said of it, and how to take it back."""

import json
import re
from typing import Any

import pytest
from django.test import Client

from memoryportal.audit.models import Event
from memoryportal.memory import ScopedMemory, controls

from ..accounts.helpers import prove
from . import reading
from .remembered import erasing, everything, remember

pytestmark = pytest.mark.django_db
TEXT = "I was diagnosed with diabetes."
BOX = '<input type="checkbox" name="never_again" value="yes"'


def _cook(of: ScopedMemory) -> ScopedMemory:
    """The assistant's side."""
    return ScopedMemory(of.subject, agent="cook")


@pytest.fixture
def item(alice_memory: ScopedMemory, bob_memory: ScopedMemory) -> Any:
    remember(bob_memory, TEXT, agent="cook")
    return remember(alice_memory, TEXT, "I drink tea", "I eat rice", agent="cook")[0]


def test_one_memory(alice_client: Client, alice_memory: ScopedMemory, bob_memory: ScopedMemory, item: Any) -> None:
    page = alice_client.get(f"/memories/{item.id}/delete/")
    assert BOX in reading.body(page)
    assert "checked" not in reading.body(page)
    assert "The same wording is stopped" in reading.words(page)
    assert "a paraphrase is not" in reading.words(page)
    response = alice_client.post(f"/memories/{item.id}/delete/", {"never_again": "yes"}, follow=True)
    assert "1 wording is stopped from now on and not learned again." in reading.words(response)
    assert _cook(alice_memory).add("i was diagnosed with DIABETES").stopped == 1
    assert [text for _, text in everything(alice_memory)] == ["I drink tea", "I eat rice"]
    assert _cook(bob_memory).add(TEXT).stopped == 0


@pytest.mark.parametrize("given", [{}, {"never_again": ""}, {"never_again": "no"}])
def test_only_a_ticked_box_counts(
    alice_client: Client, alice_memory: ScopedMemory, item: Any, given: dict[str, str]
) -> None:
    response = alice_client.post(f"/memories/{item.id}/delete/", given, follow=True)
    assert "not learned again" not in reading.words(response)
    assert alice_memory.stopped().count == 0
    assert _cook(alice_memory).add(TEXT)


def test_several_ticked(alice_client: Client, alice_memory: ScopedMemory, item: Any) -> None:
    ids = [memory_id for memory_id, _ in everything(alice_memory)][:2]
    assert BOX in reading.body(alice_client.post("/memories/delete/", {"id": ids}))
    assert alice_memory.stopped().count == 0, "nothing is stopped before it was confirmed"
    response = alice_client.post("/memories/delete/", {"id": ids, "confirm": "yes", "never_again": "yes"}, follow=True)
    assert "2 wordings are stopped from now on and not learned again." in reading.words(response)
    assert [text for _, text in everything(alice_memory)] == ["I eat rice"]


def test_all_that_match(alice_client: Client, alice_memory: ScopedMemory, item: Any) -> None:
    remember(alice_memory, "I like trains", agent="planner")
    given = {"matching": "1", "agent": "cook", "confirm": "yes", "never_again": "yes"}
    assert BOX in reading.body(alice_client.post("/memories/delete/", {"matching": "1", "agent": "cook"}))
    moved = alice_client.post("/memories/delete/", {**given, "expected": "2"})
    assert (moved.status_code, alice_memory.stopped().count) == (409, 0)
    alice_client.post("/memories/delete/", {**given, "expected": "3"})
    assert alice_memory.stopped().count == 3
    assert [text for _, text in everything(alice_memory)] == ["I like trains"]


def test_somebody_elses_memory(
    bob_client: Client, bob_memory: ScopedMemory, alice_memory: ScopedMemory, item: Any
) -> None:
    before = everything(alice_memory)
    assert bob_client.post(f"/memories/{item.id}/delete/", {"never_again": "yes"}).status_code == 404
    assert (bob_memory.stopped().count, alice_memory.stopped().count) == (0, 0)
    assert everything(alice_memory) == before


def test_the_list_is_a_place_and_can_be_emptied(
    alice_client: Client, bob_client: Client, alice_memory: ScopedMemory, item: Any
) -> None:
    alice_client.post(f"/memories/{item.id}/delete/", {"never_again": "yes"})
    response = alice_client.get("/held/")
    assert re.search(r'data-held="never">1<', reading.body(response))
    assert re.search(r"1 wording that you never want .* since \d+ \w+ \d{4}, \d\d:\d\d", reading.words(response))
    assert "diabetes" not in reading.body(response)
    assert alice_client.get("/held/stopped/").headers["Location"] == "/held/"
    bob_client.post("/held/stopped/")
    assert alice_memory.stopped().count == 1
    response = alice_client.post("/held/stopped/", follow=True)
    assert "1 wording may be learned again from now on." in reading.words(response)
    assert "never" not in re.findall(r'id="(never)"', reading.body(response))
    assert _cook(alice_memory).add(TEXT)


def test_the_trail_and_the_page_of_activity(alice_client: Client, alice_memory: ScopedMemory, item: Any) -> None:
    before = Event.objects.order_by("-seq").first().seq
    alice_client.post(f"/memories/{item.id}/delete/", {"never_again": "yes"})
    _cook(alice_memory).add(TEXT)
    alice_client.post("/held/stopped/")
    events = Event.objects.filter(seq__gt=before).order_by("seq")
    assert [event.action for event in events] == [
        *("memory.delete-asked", "memory.deleted", "wording.refused", "setting.change-asked", "wording.allowed")
    ]
    assert [event.details.get("stopped") or event.details.get("count") for event in events] == [None, 1, 1, None, 1]
    assert "diabetes" not in repr([event.__dict__ for event in events]).lower()
    words = reading.words(alice_client.get("/activity/"))
    assert "You deleted 1 memory, 1 entry in its history, never to learn 1 wording again." in words
    assert "1 wording that you never want learned again came up and was not stored." in words
    assert "You let stopped wordings be learned again." in words


def test_the_files_hold_a_count(alice_client: Client, alice_memory: ScopedMemory, item: Any) -> None:
    alice_client.post(f"/memories/{item.id}/delete/", {"never_again": "yes"})
    prove(alice_client)
    taken: Any = alice_client.post("/export/json/")
    file = json.loads(b"".join(taken.streaming_content))
    assert file["stopped_wordings"]["count"] == file["counts"]["never"] == 1
    assert file["stopped_wordings"]["since"]


def test_while_everything_is_erased_nothing_is_stopped(
    alice_client: Client, alice_memory: ScopedMemory, item: Any
) -> None:
    before = everything(alice_memory)
    with erasing(alice_memory):
        response = alice_client.post(f"/memories/{item.id}/delete/", {"never_again": "yes"})
        assert response.status_code == 409
    assert (everything(alice_memory), alice_memory.stopped().count) == (before, 0)


def test_a_pause_does_not_keep_one_from_forbidding(alice_client: Client, alice_memory: ScopedMemory, item: Any) -> None:
    controls.pause(alice_memory.subject)
    alice_client.post(f"/memories/{item.id}/delete/", {"never_again": "yes"})
    assert alice_memory.stopped().count == 1
