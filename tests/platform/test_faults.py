"""When the Platform refuses, stumbles or is silent: an error with a name, never an empty list, never its words."""

import logging
import socket
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from django.test import override_settings

from memoryportal.memory import NotConfirmed, ScopedMemory, StoreUnavailable
from memoryportal.memory.stores import current_store

from .helpers import QUICK, be_patient
from .server import Platform

SECRET = "I am allergic to penicillin."
READS: dict[str, Callable[[ScopedMemory], object]] = {
    "page": lambda memory: memory.page(),
    "count": lambda memory: memory.count(),
    "summary": lambda memory: memory.summary(),
    "held": lambda memory: memory.held(),
    "by meaning": lambda memory: memory.search("penicillin"),
    "by word": lambda memory: memory.search("penicillin", by="word"),
    "get": lambda memory: memory.get("00000000-0000-4000-8000-000000000000"),
    "walk": lambda memory: list(memory.walk()),
}
FAULTS: dict[str, dict[str, object]] = {
    "key refused": {"status": 401},
    "forbidden": {"status": 403},
    "server error": {"status": 500},
    "gateway error": {"status": 502},
    "moved": {"status": 302, "headers": {"Location": "/v1/ping/"}},
    "silent": {"hang": True},
    "not JSON": {"body": b"<html>Please sign in to this network</html>"},
    "cut short": {"body": b'{"count": 1, "next": null, "results": [{"id": "x'},
    "of another form": {"body": b'{"results": null, "count": "many"}'},
    "a list": {"body": b"[]"},
    "not UTF-8": {"body": b'{"results": ["\xff\xfe"]}'},
}


def break_down(platform: Platform, fault: str, **where: object) -> None:
    """The next request (that fits `where`) meets this fault. Silence is waited for 0.3 seconds."""
    if FAULTS[fault].get("hang"):
        be_patient(replace(QUICK, answer=0.3))
    platform.fail(**{"part": "/", **where, **FAULTS[fault]})


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("fault", FAULTS)
def test_reading_never_looks_empty(platform: Platform, alice: ScopedMemory, fault: str, read: str) -> None:
    platform.state.store(memory=SECRET, user_id=str(alice.subject))
    break_down(platform, fault)
    with pytest.raises(StoreUnavailable) as said:
        READS[read](alice)
    assert "nobody should repeat" not in str(said.value)
    assert said.value.__context__ is None
    assert alice.count() == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_residue_says_that_it_could_not_be_read(platform: Platform, alice: ScopedMemory, fault: str) -> None:
    break_down(platform, fault)
    first, *rest = alice.residue()
    assert (first.place, first.count, bool(first.problem)) == ("memories", None, True)
    assert [found.count for found in rest] == [0] * 4


def test_wrong_key_is_named(platform: Platform, alice: ScopedMemory) -> None:
    with override_settings(MEM0_API_KEY="m0-another"), pytest.raises(StoreUnavailable, match="refused the key"):
        alice.page()


def test_nobody_listens(platform: Platform, alice: ScopedMemory) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with override_settings(MEM0_HOST=f"http://127.0.0.1:{port}"):
        for act in (*READS.values(), lambda memory: memory.add("x"), lambda memory: memory.erase()):
            with pytest.raises(StoreUnavailable) as said:
                act(alice)
            assert not isinstance(said.value, NotConfirmed)  # nothing was sent


# --- asked to wait ----------------------------------------------------------------------------------------------------


def test_short_wait_is_waited(platform: Platform, alice: ScopedMemory) -> None:
    platform.state.store(memory=SECRET, user_id=str(alice.subject))
    platform.fail("/v3/memories/", 429, times=2, headers={"Retry-After": "0"})
    assert alice.page().total == 1


def test_wait_is_bounded(platform: Platform, alice: ScopedMemory) -> None:
    platform.fail("/v3/memories/", 429, times=9, headers={"Retry-After": "0"})
    with pytest.raises(StoreUnavailable) as said:
        alice.page()
    assert said.value.retry_after == 0
    assert sum(fault.times for fault in platform._faults) == 6


def test_long_wait_is_told_and_not_waited(platform: Platform, alice: ScopedMemory) -> None:
    platform.fail("/v3/memories/", 429, times=9, headers={"Retry-After": "37"})
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="37 seconds") as said:
        alice.page()
    assert said.value.retry_after == 37
    assert time.monotonic() - began < 1
    assert sum(fault.times for fault in platform._faults) == 8


def test_addition_that_was_turned_away_is_made_once(platform: Platform, alice: ScopedMemory) -> None:
    platform.fail("/add/", 429, headers={"Retry-After": "0"})
    alice.add(SECRET)
    assert len(platform.state.rows) == 1


# --- changing ---------------------------------------------------------------------------------------------------------

WRITES: dict[str, Callable[[ScopedMemory, str], object]] = {
    "/add/": lambda memory, memory_id: memory.add("x"),
    "PUT": lambda memory, memory_id: memory.update(memory_id, "x"),
    "DELETE": lambda memory, memory_id: memory.delete(memory_id),
    "user_id": lambda memory, memory_id: memory.erase(),
    "/entities/": lambda memory, memory_id: memory.erase(),
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("fault", ["server error", "silent", "cut short"])
def test_change_without_an_answer_may_have_happened(
    platform: Platform, alice: ScopedMemory, fault: str, write: str
) -> None:
    item = alice.add(SECRET)[0]
    where = {"part": "/memories/", "method": write} if write.isupper() else {"part": write}
    break_down(platform, fault, after=True, **where)
    with pytest.raises(NotConfirmed):
        WRITES[write](alice, item.id)


@pytest.mark.parametrize("status", [400, 401, 413, 429])
@pytest.mark.parametrize("write", WRITES)
def test_change_that_was_refused_did_not_happen(
    platform: Platform, alice: ScopedMemory, status: int, write: str
) -> None:
    item = alice.add(SECRET)[0]
    where = {"part": "/memories/", "method": write} if write.isupper() else {"part": write}
    platform.fail(**where, status=status, headers={"Retry-After": "9"})
    with pytest.raises(StoreUnavailable) as said:
        WRITES[write](alice, item.id)
    if write == "/entities/":  # the second step of an erasure, whose first has been made
        assert isinstance(said.value, NotConfirmed)
        return
    assert not isinstance(said.value, NotConfirmed)
    assert [item.text for item in alice.page().items] == [SECRET]


def test_event_that_cannot_be_read_for_a_moment(platform: Platform, alice: ScopedMemory) -> None:
    platform.fail("/v1/event/", 404, times=2)  # not listed yet
    assert alice.add(SECRET)[0].text == SECRET


# --- silence ----------------------------------------------------------------------------------------------------------


def test_nothing_is_logged(
    platform: Platform, alice: ScopedMemory, bob: ScopedMemory, caplog: pytest.LogCaptureFixture
) -> None:
    """mem0 logs errors with their addresses, and httpx every request: user ids and memory ids are in them."""
    with caplog.at_level(logging.DEBUG):
        item = alice.add(SECRET)[0]
        alice.update(item.id, f"{SECRET} Really.")
        alice.search("penicillin")
        for status in (400, 404, 429, 500):
            platform.fail("/v3/memories/", status, headers={"Retry-After": "9"})
            with pytest.raises((StoreUnavailable, LookupError)):
                alice.page()
        break_down(platform, "silent")
        with pytest.raises(StoreUnavailable):
            alice.page()
        alice.erase()
    for hidden in (SECRET, "penicillin", str(alice.subject), item.id, platform.key, platform.url):
        assert hidden not in caplog.text


def test_silence_ends_in_time(platform: Platform, alice: ScopedMemory) -> None:
    break_down(platform, "silent")
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="in time"):
        alice.page()
    assert 0.3 <= time.monotonic() - began < 2


def test_default_deadlines(platform: Platform) -> None:
    """mem0's own is five minutes."""
    from memoryportal.memory.stores.platform_http import connect

    timeout = connect(platform.key, platform.url, 10.0).client.timeout
    assert (timeout.connect, timeout.read) == (3.0, 10.0)
    assert current_store().client.fresh()._client is None  # type: ignore[attr-defined]
