"""On every store: rows of other programs whose parts are of any type, or not there. They are the person's all the same:
counted, shown, found, corrected, deleted and erased, beside the ordinary ones and never anybody else's.

What mem0's Platform answers is in tests/platform/test_odd_rows.py: nothing can be planted there.
"""

import json
from typing import Any

import pytest

from memoryportal.memory import Filters, InvalidSubject, MemoryNotFound, ScopedMemory, bulk
from memoryportal.memory.scope import check_id
from memoryportal.memory.texts import as_text

from .conftest import Person, parameter
from .planting import MISSING, PORTO, Planter
from .registry import ENTRIES, Entry
from .test_contract import found, said, texts, walked
from .test_contract_changes import snapshot

pytestmark = pytest.mark.django_db

NAMES = ("agent_id", "run_id", "role", "actor_id")
TIMES = ("created_at", "updated_at", "expiration_date")
HUGE = "Wide " * 20_000
ODD = [None, 7, 1.5, True, [], ["x"], ["x", {"a": 1}], {"a": {"b": [1]}}, "", HUGE, "9" * 4000]
IDS = [json.dumps(odd)[:20] for odd in ODD]
TEA = "I like tea."


@pytest.fixture(scope="module", params=[parameter(entry) for entry in ENTRIES if entry.side])
def entry(request: pytest.FixtureRequest) -> Entry:
    """The stores in which rows can be planted."""
    return request.param


def valid(name: str | None) -> bool:
    try:
        return name is not None and bool(check_id(name, "a name"))
    except InvalidSubject:
        return False


def assert_listed(memory: ScopedMemory, *ids: str) -> None:
    """These memories are all that is held, on every page and in every count."""
    for order in ("newest", "oldest"):
        for limit in (1, 500):
            assert sorted(walked(memory, limit, order=order)) == sorted(ids)
    summary = memory.summary()
    assert memory.page().total == memory.count() == summary.total == memory.held()["memories"] == len(ids)
    assert sum(count for _, count in summary.agents) == sum(count for _, count in summary.runs) == len(ids)
    assert sorted(memory.known_ids()) == sorted(ids)
    assert len(memory.get_many(list(ids))) == len(ids)
    for item in memory.page(limit=500).items:
        repr(item).encode()  # no half characters, which no page can show


def assert_named(memory: ScopedMemory) -> None:
    """What the summary says of a name is what asking for it finds."""
    summary = memory.summary()
    for key, counts in (("agent", summary.agents), ("run", summary.runs)):
        for name, count in counts:
            if name is not None and valid(name):
                chosen = Filters(**{key: name})
                page = memory.page(chosen)
                assert (page.total, len(page.items), memory.count(chosen)) == (count, count, count), name
                narrow = ScopedMemory.for_person(memory.subject, **{key: name})
                assert narrow.page().total == len(narrow.page().items) == count


def assert_gone(memory: ScopedMemory) -> None:
    assert {place.place: place.count for place in memory.residue()} == dict.fromkeys(memory.held(), 0)
    assert not any(memory.held().values())


@pytest.mark.parametrize("odd", ODD, ids=IDS)
def test_row_whose_parts_are_all_odd(odd: Any, plant: Planter, alice: ScopedMemory, bob: ScopedMemory) -> None:
    others, tea = snapshot(bob), said(alice, TEA)[0]
    row_id = plant.row(alice, **dict.fromkeys((*NAMES, *TIMES, "data", "hash", "note"), odd))
    assert_listed(alice, row_id, tea.id)
    assert_named(alice)
    item = alice.get(row_id)
    assert (item.agent or None, item.run or None, item.role or None) == ((as_text(odd) or None),) * 3
    assert item.text == (as_text(odd) or "")
    assert TEA in found(alice, TEA)
    assert found(alice, TEA, by="word") == {TEA}
    assert alice.update(row_id, "I live in Lisbon.", expected=item.version).text == "I live in Lisbon."
    assert_listed(alice, row_id, tea.id)
    assert found(alice, "Lisbon", by="word") == {"I live in Lisbon."}
    assert found(alice, "I live in Lisbon.") >= {"I live in Lisbon."}
    assert alice.delete(row_id).memories == 1
    with pytest.raises(MemoryNotFound):
        alice.get(row_id)
    assert_listed(alice, tea.id)
    assert snapshot(bob) == others


@pytest.mark.parametrize("part", [*NAMES, *TIMES, "data", "hash"])
@pytest.mark.parametrize("odd", [["x", {"a": 1}], 7], ids=["list", "number"])
def test_row_with_one_odd_part(part: str, odd: Any, plant: Planter, alice: ScopedMemory, bob: ScopedMemory) -> None:
    others, tea = snapshot(bob), said(alice, TEA)[0]
    row_id = plant.row(alice, **{part: odd})
    assert_listed(alice, row_id, tea.id)
    assert_named(alice)
    assert found(alice, PORTO) >= {alice.get(row_id).text}
    alice.update(row_id, "I live in Lisbon.")
    assert [version.new for version in alice.history(row_id)] == ["I live in Lisbon."]
    alice.purge_version(row_id, 0)
    assert alice.delete_matching(Filters(), expected=2).memories == 2
    assert_gone(alice)
    assert snapshot(bob) == others


def test_row_of_which_only_the_owner_is_there(plant: Planter, alice: ScopedMemory) -> None:
    tea = said(alice, TEA)[0]
    row_id = plant.row(alice, data=MISSING, hash=MISSING, created_at=MISSING)
    assert_listed(alice, row_id, tea.id)
    item = alice.get(row_id)
    assert (item.text, item.agent, item.created) == ("", None, None)
    assert TEA in found(alice, TEA)
    assert alice.erase().memories == 2
    assert_gone(alice)


@pytest.mark.parametrize("odd", ODD, ids=IDS)
def test_everything_is_erased(odd: Any, plant: Planter, alice: ScopedMemory, bob: ScopedMemory) -> None:
    others = snapshot(bob)
    row_id = plant.row(alice, **dict.fromkeys((*NAMES, *TIMES, "data", "hash"), odd))
    plant.row(alice, "entities", entity_type=odd, agent_id=odd, data=odd, linked_memory_ids=odd)
    plant.row(alice, "entities", linked_memory_ids=[row_id, odd])
    assert len(alice.entities()) == alice.held()["entities"] == 2
    links = {link for entity in alice.entities() for link in entity.memory_ids}
    assert set(bulk.items(alice, links)) == {row_id}
    assert alice.erase().memories == 1
    assert_gone(alice)
    assert snapshot(bob) == others


@pytest.mark.parametrize("odd", [7, True, 1.5, ["x"], "7"], ids=json.dumps)
def test_what_one_assistant_remembers_is_erased_under_its_name(
    odd: Any, plant: Planter, alice: ScopedMemory, person: Person
) -> None:
    tea, row_id, name = said(alice, TEA)[0], plant.row(alice, agent_id=odd), as_text(odd)
    for other in ("x", ["x", "y"]):
        plant.row(alice, agent_id=other)
    plant.messages(person("alice", agent=name), "I live in Porto")
    narrow = person("alice", agent=name)
    assert walked(narrow, 10) == [row_id]
    assert {hit.item.id for hit in narrow.search(PORTO, by="word").hits} == {row_id}
    assert narrow.erase().memories == 1
    assert {place.place: place.count for place in narrow.residue()}["memories"] == 0
    assert alice.messages() == []
    assert alice.count() == 3
    assert tea.id in walked(alice, 10)


def test_names_with_odd_links_are_read_and_unlinked(plant: Planter, alice: ScopedMemory) -> None:
    tea = said(alice, TEA)[0]
    plant.row(alice, "entities", data="Porto", linked_memory_ids=["no id", 7, None, {"a": 1}, tea.id])
    plant.row(alice, "entities", data=["Lisbon"], linked_memory_ids=tea.id)
    named = {entity.text: entity.memory_ids for entity in alice.entities()}
    assert named == {"Porto": ["no id", "7", "", '{"a": 1}', tea.id], '["Lisbon"]': []}
    assert set(bulk.items(alice, named["Porto"])) == {tea.id}
    assert alice.delete(tea.id).memories == 1
    assert [tea.id in entity.memory_ids for entity in alice.entities()] == [False, False]


def test_ordinary_rows_are_sorted_whatever_is_beside_them(plant: Planter, alice: ScopedMemory) -> None:
    for odd in (None, 7, ["2999-01-01T00:00:00+00:00"], {"a": 1}):
        plant.row(alice, created_at=odd)
    items = said(alice, "One.", "Two.")
    assert texts(alice.page(limit=2).items) == ["Two.", "One."]
    assert alice.page(Filters(since=items[0].created)).total == 2
    assert alice.summary(Filters(since=items[0].created)).agents == [(None, 2)]
