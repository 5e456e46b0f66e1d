"""Beside a store outside of PostgreSQL the gate stands on the history and the messages, and is looked at there too."""

from pathlib import Path

import psycopg
import pytest

from memoryportal.memory import StoreUnavailable
from memoryportal.memory.configuration import configuration
from memoryportal.memory.gate_gaps import gate_gaps
from memoryportal.memory.prepare import prepare_store
from memoryportal.memory.readiness import StoreProbe
from memoryportal.memory.stores import current_store

from .qdrant_rows import somebody


@pytest.mark.parametrize("place", ["history", "messages"])
def test_a_gate_that_is_switched_off_beside_qdrant(qdrant_folder: Path, place: str) -> None:
    subject = somebody().subject
    StoreProbe()()
    assert gate_gaps(subject) == []
    table = current_store().tables.name(place)
    with psycopg.connect(configuration().owner_dsn, autocommit=True) as owner:
        name = psycopg.sql.Identifier(table)
        owner.execute(psycopg.sql.SQL("ALTER TABLE {} DISABLE TRIGGER memoryportal_gate").format(name))
    assert gate_gaps(subject) == [table]
    with pytest.raises(StoreUnavailable):
        StoreProbe()()
    prepare_store()
    assert gate_gaps(subject) == []
    StoreProbe()()
