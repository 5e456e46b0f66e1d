"""What is asked of the Platform, and with which settings."""

import uuid
from collections.abc import Iterator

import httpx
import pytest
from django.test import override_settings

from memoryportal.memory import (
    ScopedMemory,
    StoreRefused,
)
from memoryportal.memory.configuration import configuration
from memoryportal.memory.stores import current_store

from .helpers import narrowed
from .server import Platform


def test_every_verb_asks_what_the_description_has(platform: Platform, alice: ScopedMemory) -> None:
    planner = narrowed(alice, "planner", "monday")
    item = planner.add("I am vegetarian.", metadata={"colour": "green"}, expires="2999-12-31")[0]
    others = [alice.add(f"Note {number}.", infer=False)[0] for number in range(3)]
    planner.update(item.id, "I am vegan.")
    assert (len(planner.history(item.id)), alice.summary().total, alice.held()["memories"]) == (2, 4, 4)
    assert alice.search("vegan food").hits
    assert alice.search("vegan", by="word").hits
    alice.delete(others[0].id)
    alice.delete_many([others[1].id, others[2].id])
    alice.erase()
    assert {found.count for found in alice.residue()} == {0}
    assert {asked.name for asked in platform.requests} == {
        "memories_add_v3", "event_read", "memories_list_v3", "memories_search_v3", "memories_read", "memories_update",
        "memories_history_list", "memories_delete", "memories_batch_delete", "memories_delete_all", "entities_delete",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("/v3/memories/?page_size=201", {"filters": {"user_id": "a"}}, "above 200"),
        ("/v3/memories/?limit=5", {"filters": {"user_id": "a"}}, "limit is not in the published"),
        ("/v3/memories/", {"filters": {"user_id": "a"}, "user_id": "a"}, "user_id is not in the published"),
        ("/v3/memories/search/", {"filters": {"user_id": "a"}}, "query is missing"),
        ("/v3/memories/search/", {"query": "", "filters": {"user_id": "a"}}, "too short"),
        ("/v3/memories/add/", {"messages": [{"role": "robot", "content": "x"}], "user_id": "a"}, "none of"),
        ("/v3/memories/add/", {"messages": "x", "user_id": "a"}, "not of type array"),
        ("/v3/memories/", {"filters": {"user_id": {"like": "a"}}}, "not understood"),
        ("/v4/memories/", {}, "no such operation"),
    ],
)
def test_stand_in_notices_what_the_description_has_not(path: str, body: object, sentence: str) -> None:
    """Else "no violations" would mean nothing."""
    with Platform() as strict:
        answer = httpx.post(strict.url + path, json=body, headers={"Authorization": f"Token {strict.key}"})
        assert answer.status_code in (400, 404)
        assert [sentence in violation for violation in strict.violations] == [True]


def test_nothing_is_asked_before_it_is_needed(platform: Platform, alice: ScopedMemory) -> None:
    """mem0's own constructor asks for a ping, with a deadline of five minutes."""
    fresh = current_store().client.fresh()  # type: ignore[attr-defined]
    assert platform.requests == []
    assert fresh.get(str(uuid.uuid4())) is None
    assert [asked.name for asked in platform.requests] == ["memories_read"]
    assert platform.key not in repr(fresh)
    fresh.close()


def test_telemetry_is_off() -> None:
    from mem0.memory import telemetry

    assert telemetry.MEM0_TELEMETRY is False
    assert telemetry.client_telemetry.posthog is None


@pytest.fixture
def unset() -> Iterator[None]:
    with override_settings(MEM0_CONFIG="", MEM0_API_KEY="m0-key", MEM0_HOST=""):
        yield


def test_key_chooses_the_platform(unset: None) -> None:
    configured = configuration()
    assert (configured.provider, configured.store["host"]) == ("platform", "https://api.mem0.ai")
    assert configured.collection != "memories"  # side tables of its own


def test_key_and_own_store_refuse_each_other(unset: None) -> None:
    with override_settings(MEM0_CONFIG='{"vector_store": {"provider": "pgvector"}}'), pytest.raises(StoreRefused):
        configuration()


@pytest.mark.parametrize(
    "host", ["http://api.mem0.ai", "api.mem0.ai", "ftp://api.mem0.ai", "http://127.0.0.1.evil.org"]
)
def test_key_travels_encrypted_only(unset: None, host: str) -> None:
    with override_settings(MEM0_HOST=host), pytest.raises(StoreRefused):
        configuration()
