"""One assistant is erased, and another program is faster. The history says whose memory it was of only as long as the
memory is there.
"""

import pytest

from memoryportal.erasure.models import Scope
from memoryportal.erasure.states import State
from memoryportal.memory import GateOpen, ScopedMemory

from .house import House, again, counts, cut_off

pytestmark = pytest.mark.django_db(transaction=True)


def test_history_of_memories_that_are_gone_before_it_goes_all_the_same(house: House) -> None:
    erasure = house.ask(scope=Scope.ASSISTANT, agent="cook")
    cooks = "DELETE FROM memories WHERE payload->>'user_id' = %s AND payload->>'agent_id' = 'cook'"
    cut_off(erasure, lambda: house.superuser.execute(cooks, (house.subject,)))
    assert again(erasure).state == State.COMPLETED
    assert counts(erasure)["history"] == (4, 4, 0)
    assert counts(erasure)["memories"] == (2, 2, 0)
    left = house.rows(house.alice)
    assert {table: len(left[table]) for table in ("memories", "memories_history")} == {
        "memories": 2,
        "memories_history": 5,
    }
    assert house.rows(house.bob) == house.others


def test_what_tells_of_memories_is_forgotten_only_behind_the_gate(house: House) -> None:
    """A worker that was frozen and wakes up after the end removes nothing of what came later."""
    before = house.rows(house.alice)
    cook = ScopedMemory.for_person(house.subject, agent="cook")
    with pytest.raises(GateOpen):
        cook.forget_traces(cook.known_ids(), behind="cook")
    assert house.rows(house.alice) == before
