"""Whole lists and their order: all of it, or an error."""

from datetime import UTC, datetime, timedelta

import pytest

from memoryportal.memory import (
    Filters,
    ScopedMemory,
    StoreUnavailable,
)
from memoryportal.memory.embedding import OTHER_FLOOR, relevance_floor
from memoryportal.memory.stores import platform_client

from .helpers import narrowed, plant, texts
from .server import Platform
from .state import State


def test_list_is_read_to_its_end(platform: Platform, alice: ScopedMemory, bob: ScopedMemory) -> None:
    plant(platform, alice, 450)
    page = alice.page(limit=25)
    assert (len(page.items), page.total, page.items[0].text) == (25, 450, "Note 449.")
    assert platform.count("memories_list_v3") == 3
    assert [item.text for item in alice.walk(batch=200)] == [f"Note {number}." for number in range(450)]


@pytest.mark.parametrize("nulls", ["branch", "whole", "off"])
def test_list_holds_rows_of_every_assistant_app_and_conversation(
    platform: Platform, alice: ScopedMemory, bob: ScopedMemory, nulls: str
) -> None:
    """The documentation says that a field which is not named must be null, and leaves open: not named by what."""
    platform.state.odd.nulls = nulls  # type: ignore[assignment]
    for number in range(8):
        names = [name for bit, name in enumerate(("agent_id", "app_id", "run_id")) if number & 1 << bit]
        platform.state.store(memory=f"{number}", user_id=str(alice.subject), **dict.fromkeys(names, "x"))
    assert sorted(texts(alice)) == [str(number) for number in range(8)]
    assert alice.count(Filters(run="x")) == 4


@pytest.mark.parametrize("change", ["added", "deleted"])
def test_list_that_changes_while_it_is_read_is_read_again(platform: Platform, alice: ScopedMemory, change: str) -> None:
    plant(platform, alice, 410)
    newest = list(platform.state.rows.values())[-1]

    def move(state: State) -> None:
        if change == "added":
            state.store(memory="In between.", user_id=str(alice.subject))
        else:
            state.drop([newest])  # it was read; one that was not read moves up into the page that was

    platform.state.odd.between_pages.append(move)
    assert alice.count() == (411 if change == "added" else 409)
    assert platform.count("memories_list_v3") == 6


@pytest.mark.parametrize("oddity", ["cut", "endless"])
def test_list_that_is_not_whole_is_an_error_and_not_a_part(
    platform: Platform, alice: ScopedMemory, oddity: str
) -> None:
    plant(platform, alice, 210)
    setattr(platform.state.odd, oddity, True)
    for read in (alice.page, alice.count, alice.summary, alice.held, lambda: list(alice.walk())):
        with pytest.raises(StoreUnavailable):
            read()
    assert alice.residue()[0].count is None


def test_list_that_is_too_long_is_an_error(
    platform: Platform, alice: ScopedMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(platform, alice, 450)
    monkeypatch.setattr(platform_client, "MAX_PAGES", 2)
    with pytest.raises(StoreUnavailable, match="more than 400"):
        alice.page()


def test_expired_memories_are_shown_and_found(platform: Platform, alice: ScopedMemory) -> None:
    platform.state.store(memory="I have a season ticket.", user_id=str(alice.subject), expiration_date="2020-01-31")
    assert [(item.text, item.expired) for item in alice.page().items] == [("I have a season ticket.", True)]
    assert (alice.summary().expired, len(alice.search("season ticket").hits)) == (1, 1)


def test_times_of_any_offset_sort_as_they_are(platform: Platform, alice: ScopedMemory) -> None:
    """The stand-in answers in Pacific time; the order and the days are those of UTC."""
    late = datetime(2026, 3, 1, 1, 0, tzinfo=UTC)
    for text, at in (("second", late), ("first", late - timedelta(hours=2)), ("third", late + timedelta(hours=8))):
        platform.state.store(memory=text, user_id=str(alice.subject), created_at=at)
    assert texts(alice, order="oldest") == ["first", "second", "third"]
    assert texts(alice, filters=Filters(since=late.date(), until=late.date())) == ["third", "second"]
    assert alice.summary().since == late - timedelta(hours=2)


def test_search_by_meaning_has_a_floor_and_keeps_to_the_filters(
    platform: Platform, alice: ScopedMemory, bob: ScopedMemory
) -> None:
    assert relevance_floor() == OTHER_FLOOR
    narrowed(alice, "planner").add("I am allergic to peanuts.")
    for number in range(30):
        alice.add(f"A nut allergy was noted on day {number}.")
    found = narrowed(alice, "planner").search("nut allergy", limit=1).hits
    assert [hit.item.text for hit in found] == ["I am allergic to peanuts."]  # not eaten by thirty better ones
    assert alice.search("quarterly financial statements of the bank").hits == []
    assert all(asked.body["threshold"] == OTHER_FLOOR for asked in platform.requests if "threshold" in asked.body)
