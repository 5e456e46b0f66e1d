"""Rows in Qdrant whose owner is no text. Qdrant finds a list of people under each of them: such a row is nobody's."""

from collections.abc import Iterator
from typing import Any

import pytest

from memoryportal.memory import MemoryNotFound, ScopedMemory
from memoryportal.memory.rows import FOREIGN_ROWS

from .planting import PORTO
from .qdrant_rows import payload, plant, qdrant_store, raw, somebody

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["qdrant_folder", "qdrant_server"])
def alice(request: pytest.FixtureRequest) -> ScopedMemory:
    request.getfixturevalue(request.param)
    return somebody("alice")


@pytest.fixture
def noticed() -> Iterator[None]:
    """What these rows make the second look report is looked at here, and is no fault."""
    before = FOREIGN_ROWS.count
    yield
    assert FOREIGN_ROWS.count > before
    FOREIGN_ROWS.count = before


@pytest.mark.parametrize("more", [[], ["bob"]], ids=["alone", "with another"])
def test_row_of_a_list_of_people_is_nobodys(alice: ScopedMemory, noticed: None, more: list[str]) -> None:
    (listed,) = plant(payload(alice, PORTO, user_id=[str(alice.subject), *more]))
    tea = alice.add("I like tea.")[0]
    assert [item.id for item in alice.page().items] == [tea.id]
    assert alice.page().total == alice.count() == alice.summary().total == alice.held()["memories"] == 1
    assert {hit.item.id for by in ("word", "meaning") for hit in alice.search("tea", by=by).hits} == {tea.id}  # type: ignore[arg-type]
    assert not alice.search("Porto", by="word").hits
    for act in (alice.get, alice.delete, lambda asked: alice.update(asked, "y")):
        with pytest.raises(MemoryNotFound):
            act(listed)
    assert alice.erase().memories == 1
    assert [record.id for record in raw("retrieve", ids=[listed])] == [listed]
    assert {place.place: place.count for place in alice.residue()}["memories"] == 1, "no erasure calls this empty"


@pytest.mark.parametrize("owner", [7, True, 1.5, {"a": 1}])
def test_row_whose_owner_is_no_text_is_nobodys(alice: ScopedMemory, owner: Any) -> None:
    (other,) = plant(payload(alice, PORTO, user_id=owner))
    tea = alice.add("I like tea.")[0]
    assert [item.id for item in alice.page().items] == [tea.id]
    with pytest.raises(MemoryNotFound):
        alice.delete(other)
    assert alice.erase().memories == 1
    assert not any(alice.held().values())
    assert [record.id for record in raw("retrieve", ids=[other])] == [other]


def test_every_owner_is_counted(alice: ScopedMemory) -> None:
    plant(*(payload(alice, PORTO, user_id=owner) for owner in (["a", "b"], 7, {"a": 1}, "7")))
    found = dict(qdrant_store().owners())
    assert (found['["a", "b"]'], found["7"], found['{"a": 1}']) == (1, 2, 1)
