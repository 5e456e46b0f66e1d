"""An erasure on a store outside of PostgreSQL whose worker is killed between two systems."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from memoryportal.erasure import services
from memoryportal.erasure.models import Scope
from memoryportal.erasure.states import State
from memoryportal.memory import ScopedMemory, StoreUnavailable, SubjectId
from memoryportal.memory.older import erase_older
from memoryportal.memory.stores import current_store
from tests.accounts.helpers import person as an_account
from tests.erasure.house import again, counts, cut_off

from .qdrant_rows import raw, somebody
from .qdrant_server import Server

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_tells_of_one_assistants_memories_goes_all_the_same(qdrant_folder: Path) -> None:
    alice = an_account("alice@example.com")
    whole = ScopedMemory.for_person(SubjectId(alice.subject))
    item = ScopedMemory(whole.subject, agent="cook").add("I like tea.", infer=False)[0]
    other = ScopedMemory(whole.subject, agent="planner").add("I like rain.", infer=False)[0]
    erasure = services.ask(alice, whole.subject, scope=Scope.ASSISTANT, agent="cook")
    cut_off(erasure, lambda: raw("delete", points_selector=[item.id], wait=True))
    assert again(erasure).state == State.WATCHING
    assert (counts(erasure)["memories"], counts(erasure)["history"]) == ((1, 1, 0), (1, 1, 0))
    assert current_store().history(whole.scope, item.id) == []
    assert [version.new for version in whole.history(other.id)] == ["I like rain."]
    assert [again(erasure).state, again(erasure).state] == [State.WATCHING, State.COMPLETED]
    whole.erase()


def test_a_replay_of_one_assistant_leaves_no_history_either(qdrant_server: Server) -> None:
    """The answer of Qdrant is lost, so PostgreSQL takes back what it had deleted."""
    alice = somebody()
    cook = ScopedMemory.for_person(alice.subject, agent="cook")
    item = cook.add("I like tea.", infer=False)[0]
    moment = datetime.now(UTC)

    def lose_the_answer(operation: str, body: dict[str, Any]) -> tuple[int, str] | None:
        if operation != "delete":
            return None
        qdrant_server.engine.delete(current_store().tables.name(), body)
        return 500, "no"

    qdrant_server.failing = lose_the_answer
    with pytest.raises(StoreUnavailable):
        erase_older(cook, moment)
    qdrant_server.failing = lambda operation, body: None
    assert cook.count() == 0
    erase_older(cook, moment)
    assert current_store().history(alice.scope, item.id) == []
