"""An erasure on a store outside of PostgreSQL whose worker is killed between two systems."""

from pathlib import Path

import pytest

from memoryportal.erasure import services
from memoryportal.erasure.models import Scope
from memoryportal.erasure.states import State
from memoryportal.memory import ScopedMemory, SubjectId
from memoryportal.memory.stores import current_store
from tests.accounts.helpers import person as an_account
from tests.erasure.house import again, counts, cut_off

from .qdrant_rows import raw

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
