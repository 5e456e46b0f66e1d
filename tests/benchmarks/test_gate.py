"""The gate while unmodified mem0 goes on writing in other processes: nothing may slip past an erasure."""

import time
from collections.abc import Iterator

import psycopg
import pytest

from memoryportal.memory import ScopedMemory, SubjectId, controls
from memoryportal.memory.prepare import prepare_store
from memoryportal.memory.stores import current_store

from .conftest import Server, portal_on
from .houses import House, house, plain_store
from .report import Report
from .timing import Times
from .writers import Writers, writers

PROCESSES, CLOSURES = 6, 60
PART = f"the gate: {PROCESSES} processes of plain mem0 write for one person, {CLOSURES} closures"
PERSON = "somebody-who-wants-out"
LATECOMERS = 0.01  # seconds in which a write that slipped through would arrive
PATIENCE = 30.0


@pytest.fixture
def taken_over(server: Server) -> Iterator[House]:
    """A collection that a plain mem0 made and the portal took over: no policy binds its owner, as whom they write."""
    with house(server) as made, portal_on(made):
        store = plain_store(made)
        store.create_col()
        store.connection_pool.close()
        prepare_store()
        yield made


def test_gate_under_writers(taken_over: House, report: Report) -> None:
    memory, shutting, erasing = ScopedMemory.for_person(SubjectId(PERSON)), Times(), Times()
    erased = leaked = 0
    with taken_over.connect() as superuser, writers(PROCESSES, taken_over.owner, PERSON, pause=0.002) as writing:
        for _ in range(CLOSURES):
            _let_write(writing)
            shutting.take(lambda: controls.shut(current_store(), memory.subject, "erasing"))
            erased += erasing.take(memory.erase).memories
            leaked += _left(superuser)
            time.sleep(LATECOMERS)
            leaked += _left(superuser) + sum(place.count or 0 for place in memory.residue())
            controls.reopen(current_store(), memory.subject, "erasing")
    assert leaked == 0
    assert [written.errors for written in writing.written] == [[]] * PROCESSES
    assert all(written.refused for written in writing.written)  # each of them ran into the gate
    assert erased + _left_now(taken_over) == writing.so_far()  # what a writer was told is stored, was stored and erased
    numbers = {"leaked": leaked, "erased": erased, "refused": sum(written.refused for written in writing.written)}
    report.note(PART, "rows that got past a shut gate", leaked, numbers=numbers)
    report.note(PART, "rows written and erased, writes refused", f"{erased}, {numbers['refused']}")
    worst = {"worst_ms": max(shutting.values)}
    report.note(
        PART,
        "shut, until no write is under way",
        f"{shutting.p50:.1f} ms, worst {max(shutting.values):.1f} ms",
        numbers=worst,
    )
    report.times(PART, "erase", erasing)


def _let_write(writing: Writers) -> None:
    """Go on when about everybody has written again: each closure is to meet writes under way."""
    enough, until = writing.so_far() + PROCESSES, time.monotonic() + PATIENCE
    while writing.so_far() < enough:
        assert time.monotonic() < until, "the writers do not write"
        time.sleep(0.002)


def _left(superuser: psycopg.Connection) -> int:
    """Rows of the person that somebody sees whom no policy binds."""
    row = superuser.execute(
        "SELECT count(*) FROM (SELECT payload FROM memories UNION ALL SELECT payload FROM memories_entities) stored "
        "WHERE payload->>'user_id' = %s",
        (PERSON,),
    ).fetchone()
    return int(row[0])


def _left_now(made: House) -> int:
    with made.connect() as superuser:
        return _left(superuser)
