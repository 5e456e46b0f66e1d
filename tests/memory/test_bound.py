"""mem0's objects, bound to one scope: no filter, no id and no call of them leads to anybody else."""

import gc
from collections.abc import Callable
from typing import Any

import pytest

from memoryportal.memory import ScopedMemory, ScopeViolation
from memoryportal.memory.pipeline import pipeline
from memoryportal.memory.stores import current_store

from .planted import SOMEWHERE, Superuser, payload, plant, stored


def _bound(memory: ScopedMemory) -> Any:
    return pipeline().bind(current_store(), memory.scope)


def _hostile_filters(own: str, other: str) -> list[Any]:
    return [
        None,
        {},
        {"user_id": other},
        {"user_id": "*"},
        {"user_id": [own, other]},
        {"user_id": {"in": [own, other]}},
        {"user_id": {"ne": own}},
        {"user_id": None},
        {"agent_id": "cook"},
        {"run_id": "*"},
        {"user_id": own, "agent_id": "*"},
        {"user_id": own, "AND": [{"user_id": other}]},
        {"user_id": own, "$or": [{"user_id": other}]},
        {"user_id": own, "$not": [{"user_id": own}]},
        {"user_id": own, "colour": "red"},
        {"user_id": f" {own} "},
    ]


@pytest.mark.parametrize("number", range(16))
@pytest.mark.parametrize("suffix", ["vector_store", "entity_store"])
def test_a_bound_table_refuses_every_filter_but_its_own(
    superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory, number: int, suffix: str
) -> None:
    plant(superuser, [payload(owner.subject, "I drink tea", agent_id="cook") for owner in (alice, bob)])
    table = getattr(_bound(alice), suffix)
    filters = _hostile_filters(alice.subject, bob.subject)[number]
    calls: list[Callable[[], Any]] = [
        lambda: table.search("tea", SOMEWHERE, 10, filters),
        lambda: table.keyword_search("tea", 10, filters),
        lambda: table.list(filters, 10),
        lambda: table.search_batch(["tea"], [SOMEWHERE], 10, filters),
    ]
    for call in calls:
        with pytest.raises(ScopeViolation):
            call()


def test_a_bound_table_reads_its_own_rows(superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory) -> None:
    own, foreign = plant(superuser, [payload(owner.subject, "I drink tea") for owner in (alice, bob)])
    table, mine = _bound(alice).vector_store, {"user_id": str(alice.subject)}
    assert [row.id for row in table.search("tea", SOMEWHERE, 10, mine)] == [own]
    assert [row.id for row in table.keyword_search("tea", 10, mine)] == [own]
    assert [row.id for row in table.list(mine, 10)[0]] == [own]
    assert table.get(own).id == own
    assert table.get(foreign) is None


def test_a_foreign_row_can_be_neither_written_nor_changed_nor_deleted(
    superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory
) -> None:
    own, foreign = plant(superuser, [payload(owner.subject, "I drink tea") for owner in (alice, bob)])
    before = stored(superuser)
    narrowed = _bound(ScopedMemory(alice.subject, agent="cook")).vector_store
    table = _bound(alice).vector_store
    theirs, mine = payload(bob.subject, "taken over"), payload(alice.subject, "taken over")
    for rows in (
        [theirs],
        [mine, theirs],
        [{"data": "of nobody"}],
        [{**mine, "user_id": "*"}],
        [{**mine, "user_id": None}],
    ):
        with pytest.raises(ScopeViolation):
            table.insert([SOMEWHERE] * len(rows), rows, [foreign] * len(rows))
    with pytest.raises(ScopeViolation):
        narrowed.insert([SOMEWHERE], [mine], [own])
    with pytest.raises(ScopeViolation):
        table.update(own, SOMEWHERE, theirs)
    with pytest.raises(Exception, match="deleted meanwhile"):
        table.update(foreign, SOMEWHERE, mine)
    table.delete(foreign)
    assert stored(superuser) == before


def test_nothing_of_the_store_itself_can_be_touched(superuser: Superuser, alice: ScopedMemory) -> None:
    alice.add("I drink tea")
    before, bound = stored(superuser), _bound(alice)
    for table in (bound.vector_store, bound.entity_store):
        for name in ("create_col", "delete_col", "reset", "col_info", "list_cols"):
            with pytest.raises(ScopeViolation):
                getattr(table, name)()
    for call in (bound.reset, bound.delete_all, bound.db.reset):
        with pytest.raises(ScopeViolation):
            call()
    with pytest.raises(ScopeViolation):
        bound.delete_all(user_id="*")
    bound = table = None
    gc.collect()
    assert stored(superuser) == before
    assert alice.page().total == 1  # the pool was not closed with the copy


def test_mem0s_own_calls_stay_inside(superuser: Superuser, alice: ScopedMemory, bob: ScopedMemory) -> None:
    alice.add("I drink tea")
    foreign = bob.add("I drink tea too")[0]
    before, bound = stored(superuser), _bound(alice)
    for filters in ({"user_id": str(alice.subject), "AND": [{"user_id": str(bob.subject)}]}, {"user_id": "*"}):
        for call in (bound.get_all, lambda filters: bound.search("tea", filters=filters)):
            with pytest.raises(ScopeViolation):
                call(filters=filters)
    for user_id in (str(bob.subject), "*"):
        with pytest.raises(ScopeViolation):
            bound.add("taken over", user_id=user_id, infer=False)
    assert bound.get(foreign.id) is None
    assert bound.history(foreign.id) == []
    for change in (bound.delete, lambda memory_id: bound.update(memory_id, "taken over")):
        with pytest.raises(ValueError, match="not found"):
            change(foreign.id)
    assert stored(superuser) == before
