"""Who was handed what, as the person reads it: at each memory, under everything held, and in the files."""

import json
import re
from typing import Any

import pytest
from django.test import Client

from memoryportal.memory import ScopedMemory

from ..accounts.helpers import prove
from . import reading
from .remembered import remember

pytestmark = pytest.mark.django_db
WHEN = r"\d+ \w+ \d{4}, \d\d:\d\d"


@pytest.fixture
def tea(alice_memory: ScopedMemory, bob_memory: ScopedMemory) -> str:
    """A memory that a bot was handed three times and somebody without a name once; Bob's was handed out, too."""
    item, other = remember(alice_memory, "I drink tea", "I eat rice", agent="support_bot")
    bot = ScopedMemory(alice_memory.subject, agent="support_bot")
    for _ in range(3):
        bot.get(item.id)
    bot.get(other.id)
    ScopedMemory(alice_memory.subject).get(item.id)
    remember(bob_memory, "Bob drinks tea", agent="bobs_bot")
    ScopedMemory(bob_memory.subject, agent="bobs_bot").page()
    return item.id


def test_the_page_of_a_memory(alice_client: Client, alice_memory: ScopedMemory, tea: str) -> None:
    words = reading.words(alice_client.get(f"/memories/{tea}/"))
    assert re.search(f"Handed to support_bot 3 times, last on {WHEN}", words)
    assert re.search(f"Handed to an assistant that gave no name 1 time, last on {WHEN}", words)
    assert "bobs_bot" not in words
    assert sum(handed.times for handed in alice_memory.handed(tea)) == 4, "looking at it is no use"


def test_a_memory_that_nobody_was_handed(alice_client: Client, alice_memory: ScopedMemory) -> None:
    (item,) = remember(alice_memory, "I drink tea")
    words = reading.words(alice_client.get(f"/memories/{item.id}/"))
    assert "No assistant was handed this memory through this portal lately." in words
    assert "Noted for 90 days." in words


def test_everything_held(alice_client: Client, tea: str) -> None:
    response = alice_client.get("/held/")
    assert re.search(r'data-held="uses">5<', reading.body(response))
    assert re.search(f"Handed to support_bot 4 times, last on {WHEN}", reading.words(response))
    assert "bobs_bot" not in reading.words(response)


def test_the_name_of_an_assistant_is_text(alice_client: Client, alice_memory: ScopedMemory) -> None:
    (item,) = remember(alice_memory, "I drink tea", agent="<i>bot</i>")
    ScopedMemory(alice_memory.subject, agent="<i>bot</i>").get(item.id)
    for page in (f"/memories/{item.id}/", "/held/"):
        assert "Handed to <bdi>&lt;i&gt;bot&lt;/i&gt;</bdi> 1 time" in reading.body(alice_client.get(page))


def test_the_question_before_deleting_names_them(alice_client: Client, alice_memory: ScopedMemory, tea: str) -> None:
    words = reading.words(alice_client.get(f"/memories/{tea}/delete/"))
    assert "Deleted with it: 4 notes of when it was handed to an assistant." in words
    said = reading.words(alice_client.post(f"/memories/{tea}/delete/", follow=True))
    assert "4 entries of the use log" in said
    assert alice_memory.held()["uses"] == 1


def test_the_files(alice_client: Client, alice_memory: ScopedMemory, tea: str) -> None:
    prove(alice_client)
    file = json.loads(_taken(alice_client, "json"))
    assert (file["counts"]["uses"], file["written"]["uses"]) == (5, 5)
    assert sorted((use["memory_id"] == tea, use["agent_id"]) for use in file["uses"] if use["agent_id"]) == sorted(
        [(True, "support_bot")] * 3 + [(False, "support_bot")]
    )
    assert set(file["uses"][0]) == {"memory_id", "agent_id", "run_id", "at"}
    assert "bobs_bot" not in repr(file)
    page = _taken(alice_client, "html")
    assert re.search(f"support_bot 3 times, last on {WHEN}", page)
    assert re.search(f"an assistant that gave no name 1 time, last on {WHEN}", page)
    assert "bobs_bot" not in page
    assert alice_memory.held()["uses"] == 5


def _taken(client: Client, form: str) -> str:
    response: Any = client.post(f"/export/{form}/")
    return b"".join(response.streaming_content).decode()
