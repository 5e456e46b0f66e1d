"""The attacks are as docs/attacks.md shows them, and the portal stands each of them."""

import os
from pathlib import Path
from typing import Any

import pytest

from memoryportal.memory.rows import FOREIGN_ROWS

from . import table
from .attacks import ATTACKS, NOTHING
from .grounds import GROUNDS

STOOD = ("refused (", "not found", "nothing", "no such call", "says it ", "writer refused", "found when read", NOTHING)
WRITE = "ATTACKS_WRITE"


@pytest.fixture(scope="module")
def measured(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    before = FOREIGN_ROWS.count
    columns = {ground.title: table.tried(ground, tmp_path_factory.mktemp("ground")) for ground in GROUNDS}
    assert FOREIGN_ROWS.count == before
    if os.environ.get(WRITE):
        table.write(table.as_markdown(columns))
    return columns


@pytest.mark.parametrize("ground", [ground.title for ground in GROUNDS])
def test_the_portal_stands_every_attack(measured: dict[str, Any], ground: str) -> None:
    fallen = {a.name: said for a, said in zip(ATTACKS, measured[ground][1], strict=True) if not said.startswith(STOOD)}
    assert fallen == {}


@pytest.mark.parametrize("ground", [ground.title for ground in GROUNDS])
def test_plain_mem0_does_not(measured: dict[str, Any], ground: str) -> None:
    """A table of attacks that do nothing to anybody would prove nothing."""
    plain = dict(zip([attack.name for attack in ATTACKS], measured[ground][0], strict=True))
    assert plain['search with user_id="*"'].startswith("leaks")
    assert plain["get by Bob's memory id"] == "reads it"
    assert plain["delete by Bob's memory id"] == "deletes it"


@pytest.mark.parametrize("ground", [ground.title for ground in GROUNDS])
def test_the_docs_show_what_was_measured(measured: dict[str, Any], ground: str) -> None:
    """`python -m tests.attacks` makes them current."""
    assert table.columns_of(table.current())[ground] == measured[ground]


def test_the_table_reads_back_as_it_was_written(measured: dict[str, Any]) -> None:
    assert table.columns_of(table.as_markdown(measured)) == measured
    assert isinstance(table.DOCS, Path)
