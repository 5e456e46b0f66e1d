"""The gate of stores outside PostgreSQL holds writers and erasers apart by locks alone."""

import threading
import uuid
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace

import pytest

from memoryportal.memory import ErasureRunning, SubjectId, WritesPaused, controls
from memoryportal.memory.scope import Scope
from memoryportal.memory.stores import current_store, fence


@pytest.fixture
def scope(django_db_setup: None) -> Scope:
    return Scope(SubjectId(f"fenced-{uuid.uuid4().hex[:8]}"), agent="planner")


def waits(act: Callable[[], object]) -> threading.Thread:
    """Start it; it must not come to an end by itself."""
    thread = threading.Thread(target=act)
    thread.start()
    thread.join(0.2)
    assert thread.is_alive()
    return thread


def ends(thread: threading.Thread) -> None:
    thread.join(5)
    assert not thread.is_alive()


def test_shutting_the_gate_waits_for_a_write_that_was_admitted(scope: Scope) -> None:
    store = current_store()
    with store.open(scope) as cursor:
        fence.enter(cursor, store.tables, scope, "add")
        eraser = waits(lambda: controls.shut(store, scope.subject, "erasing"))
    ends(eraser)
    with store.open(scope) as cursor, pytest.raises(ErasureRunning):
        fence.enter(cursor, store.tables, scope, "remove")
    controls.reopen(store, scope.subject, "erasing")


def test_writers_of_one_person_take_turns_and_others_do_not_wait(scope: Scope) -> None:
    store, other = current_store(), Scope(SubjectId(f"{scope.subject}-too"))

    def write(of: Scope) -> None:
        with store.open(of) as cursor:
            fence.alone(cursor, of)

    with store.open(scope) as cursor:
        fence.alone(cursor, scope)
        write(other)
        second = waits(lambda: write(scope))
    ends(second)


@pytest.mark.parametrize(("agent", "refused"), [("", True), ("planner", True), ("coach", False)])
def test_pause_refuses_what_this_assistant_adds_or_changes(scope: Scope, agent: str, refused: bool) -> None:
    store = current_store()
    controls.shut(store, scope.subject, "paused", agent=agent)
    with store.open(scope) as cursor:
        fence.enter(cursor, store.tables, scope, "remove")
        fence.enter(cursor, store.tables, replace(scope, by_person=True), "change")
        for write in ("add", "change"):
            with pytest.raises(WritesPaused) if refused else nullcontext():
                fence.enter(cursor, store.tables, scope, write)
    controls.reopen(store, scope.subject, "paused", agent=agent)
