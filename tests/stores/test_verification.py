"""manage.py verify_isolation on every store: the same story, the same checks, nobody left behind."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from memoryportal.memory import ScopedMemory, SubjectId
from memoryportal.memory.stores.base import Store
from memoryportal.memory.verification.subjects import ThrowAway

from .conftest import Person
from .registry import Entry
from .test_contract import said


@pytest.fixture(autouse=True)
def data_dir(settings: Any, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


def test_isolation_is_proven_and_others_are_left_alone(store: Store, bob: ScopedMemory, data_dir: Path) -> None:
    mine = {item.id for item in bob.page().items}
    told = StringIO()
    call_command("verify_isolation", "--on-live-store", stdout=told)
    assert "Isolation is proven on this store." in told.getvalue()
    assert told.getvalue().count("  ok") > 35
    assert {item.id for item in bob.page().items} == mine
    assert not (data_dir / "verify_isolation.json").exists()


def test_only_a_store_of_the_portals_own_is_used_unasked(store: Store, entry: Entry) -> None:
    if entry.name == "pgvector":
        call_command("verify_isolation", stdout=StringIO())
        return
    with pytest.raises(CommandError, match="say --on-live-store"):
        call_command("verify_isolation", stdout=StringIO())


def test_people_of_a_run_that_did_not_end_are_erased(store: Store, person: Person, data_dir: Path) -> None:
    throw_away = ThrowAway(data_dir / "verify_isolation.json")
    left = [SubjectId(f"verify-isolation-{name}") for name in ("alice", "bob")]
    throw_away._note(left)
    for subject in left:
        said(ScopedMemory(subject), "I am vegetarian.")
    assert throw_away.clean() == 2
    assert [ScopedMemory(subject).count() for subject in left] == [0, 0]
    assert throw_away.leftovers() == []
