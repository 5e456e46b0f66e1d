"""Answers of the Platform with parts of another type than its description says, or without them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from memoryportal.memory import Filters, ScopedMemory
from memoryportal.memory.texts import as_text

from .server import Platform

pytestmark = pytest.mark.django_db
ODD = [7, 1.5, True, [], ["x", {"a": 1}], {"a": {"b": 1}}, "half \ud800"]
TEA = "I like tea."


@pytest.fixture
def odd_answers(platform: Platform) -> Iterator[None]:
    """The stand-in notes that such answers are not of the description. That is what these tests are about."""
    yield
    assert all(problem.startswith("the stand-in itself") for problem in platform.violations)
    platform.violations.clear()


def odd_row(platform: Platform, whose: ScopedMemory, **parts: Any) -> str:
    row = platform.state.store(memory="I live in Porto.", user_id=str(whose.subject), metadata={})
    for name, value in parts.items():
        setattr(row, name, value)
    return row.id


@pytest.mark.parametrize("odd", ODD, ids=json.dumps)
def test_row_whose_parts_are_all_odd(
    odd: Any, platform: Platform, odd_answers: None, alice: ScopedMemory, bob: ScopedMemory
) -> None:
    others, tea = list(bob.walk()), alice.add(TEA)[0]
    notes = dict.fromkeys(("memoryportal_agent", "memoryportal_role", "memoryportal_name", "note"), odd)
    row_id = odd_row(platform, alice, agent_id=odd, run_id=odd, app_id=odd, memory=odd, metadata=notes)
    assert {item.id for item in alice.walk(batch=1)} == {row_id, tea.id}
    item, name, summary = alice.get(row_id), as_text(odd), alice.summary()
    assert (item.agent, item.run, item.text) == (name,) * 3
    assert item.role == item.actor == (name if isinstance(odd, str) else None), "the portal notes texts"
    assert summary.total == alice.count() == alice.held()["memories"] == 2
    assert dict(summary.agents) == {name: 1, None: 1}
    assert {hit.item.text for hit in alice.search(TEA).hits} >= {TEA}
    assert {hit.item.text for hit in alice.search(TEA, by="word").hits} == {TEA}
    repr(alice.page()).encode()
    assert alice.update(row_id, "I live in Lisbon.").text == "I live in Lisbon."
    assert [version.new for version in alice.history(row_id)][-1] == "I live in Lisbon."
    assert alice.delete_matching(Filters(), expected=2).memories == 2
    assert {place.place: place.count for place in alice.residue()}["memories"] == 0
    assert list(bob.walk()) == others


@pytest.mark.parametrize("odd", [None, 7, [], {"a": 1}, "x"], ids=json.dumps)
def test_search_whose_scores_are_odd_still_answers(
    odd: Any, platform: Platform, alice: ScopedMemory, bob: ScopedMemory
) -> None:
    tea = alice.add(TEA)[0]
    answer = {"results": [{"id": tea.id, "memory": TEA, "score": odd}]}
    platform.fail("/v3/memories/search/", 200, body=json.dumps(answer).encode())
    assert {hit.item.id for hit in alice.search(TEA).hits} <= {tea.id}


@pytest.mark.parametrize("metadata", [None, 7, "x", ["x"], {"user_id": "bob", "data": "x", "created_at": 1}])
def test_metadata_of_any_type_hides_nothing(
    metadata: Any, platform: Platform, odd_answers: None, alice: ScopedMemory
) -> None:
    row_id = odd_row(platform, alice, metadata=metadata)
    assert [(item.id, item.text) for item in alice.walk()] == [(row_id, "I live in Porto.")]
    assert alice.erase().memories == 1
    assert alice.count() == 0


@pytest.mark.parametrize("day", [7, ["x"], {"a": 1}, "soon"], ids=json.dumps)
def test_days_of_any_type_hide_nothing(day: Any, platform: Platform, alice: ScopedMemory) -> None:
    row = {"id": "6f0d2c1e-96f5-4a43-9c5a-5d9c1f7b1e11", "memory": TEA, "user_id": str(alice.subject)}
    row |= {"created_at": day, "updated_at": day, "expiration_date": day, "categories": day}
    answer = json.dumps({"count": 1, "next": None, "previous": None, "results": [row]}).encode()
    for read in (alice.count, lambda: alice.summary().total, lambda: len(alice.page().items)):
        platform.fail("/v3/memories/", 200, body=answer)
        assert read() == 1
