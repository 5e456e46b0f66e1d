"""An agent that adds, corrects and deletes all the while, by plain mem0 on the same tables, leaves nothing behind."""

import time
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from memoryportal.base.databases import embedded_dsn
from memoryportal.erasure import engine
from memoryportal.erasure.models import Scope
from memoryportal.erasure.states import State
from memoryportal.memory import ScopedMemory, SubjectId
from tests.chaos.writers import Task, writing

from .children import server
from .house import House, counts

pytestmark = pytest.mark.django_db(transaction=True)


def task(house: House, seed: int) -> Task:
    address = embedded_dsn(Path(settings.DATA_DIR), "postgres", str(connection.settings_dict["NAME"]))
    return Task(address, [house.alice.subject], [f"bystander-{seed}"], 0.0, seed)


def test_nothing_is_left_of_what_is_written_meanwhile(house: House, tmp_path: Path) -> None:
    with writing(server, [task(house, seed) for seed in range(3)], tmp_path) as reports:
        time.sleep(0.5)
        erasure = engine.run(house.ask())
        assert erasure.state == State.COMPLETED
        for _ in range(10):
            assert not any(house.rows(house.alice).values())
            time.sleep(0.02)
    found = counts(erasure)
    assert found["memories"][0] > 4
    assert all(found == removed and left == 0 for found, removed, left in found.values())
    assert house.rows(house.bob) == house.others
    assert len(reports) == 3
    for seed, report in enumerate(reports):
        assert report["troubles"] == []
        assert report["refused"] > 0
        stored = {item.id: item.text for item in ScopedMemory.for_person(SubjectId(f"bystander-{seed}")).walk()}
        assert stored == report["has"]


def test_one_assistant_is_erased_while_all_write(house: House, tmp_path: Path) -> None:
    """The others of the same person are held back for that moment; afterwards only this one is."""
    with writing(server, [task(house, seed) for seed in range(2)], tmp_path) as reports:
        time.sleep(0.5)
        erasure = engine.run(house.ask(scope=Scope.ASSISTANT, agent="cook"))
        assert erasure.state == State.COMPLETED
        time.sleep(0.3)
        cook, planner = (ScopedMemory.for_person(house.subject, agent=agent) for agent in ("cook", "planner"))
        assert cook.count() == 0
        before = planner.count()
        time.sleep(0.3)
        assert planner.count() != before
    assert [report["troubles"] for report in reports] == [[], []]
    assert cook.count() == 0
    assert house.rows(house.bob) == house.others


def test_ten_erasures_in_a_row(house: House, tmp_path: Path) -> None:
    with writing(server, [task(house, seed) for seed in range(2)], tmp_path) as reports:
        for _ in range(10):
            erasure = engine.run(house.ask())
            assert not any(house.rows(house.alice).values())
            assert erasure.state == State.COMPLETED
            house.reopen()
    assert [report["troubles"] for report in reports] == [[], []]
