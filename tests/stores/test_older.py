"""On every store: what was written before a moment goes, what came after it stays."""

import time
from datetime import UTC, datetime

import pytest

from memoryportal.memory import ScopedMemory
from memoryportal.memory.older import erase_older, older

pytestmark = pytest.mark.django_db


def now() -> datetime:
    """A moment that no memory shares."""
    time.sleep(0.02)
    moment = datetime.now(UTC)
    time.sleep(0.02)
    return moment


def test_older_memories_go_and_newer_ones_stay(alice: ScopedMemory, bob: ScopedMemory) -> None:
    alice.add("I drink tea")
    bobs = {item.text for item in bob.walk()}
    moment = now()
    alice.add("I drink water")
    assert older(alice, moment) >= 1
    assert erase_older(alice, moment)["memories"] == 1
    assert [item.text for item in alice.walk()] == ["I drink water"]
    assert older(alice, moment) == 0
    assert sum(erase_older(alice, moment).values()) == 0
    assert {item.text for item in bob.walk()} == bobs != set()


def test_where_nothing_is_newer_everything_goes(alice: ScopedMemory, bob: ScopedMemory) -> None:
    alice.add("I drink tea")
    bobs = bob.count()
    moment = now()
    assert erase_older(alice, moment)["memories"] == 1
    assert set(alice.held().values()) == {0}
    assert older(alice, moment) == 0
    assert bob.count() == bobs > 0
