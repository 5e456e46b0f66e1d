"""A deletion request from the click to the receipt, and its erase step alone, beside mem0's `delete_all`."""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from memoryportal.accounts.models import User
from memoryportal.base.names import OWNER, SCOPED
from memoryportal.erasure import engine, services
from memoryportal.erasure.ledger_mark import LedgerMark
from memoryportal.erasure.reach import Reach
from memoryportal.erasure.states import State
from memoryportal.memory import SubjectId, pool
from memoryportal.memory.configuration import DEFAULT_COLLECTION
from memoryportal.memory.embedding import OfflineEmbedder
from memoryportal.memory.prepare import prepare_store
from tests.audit.conftest import built_house, house  # noqa: F401 - fixtures
from tests.audit.house import House

from .conftest import LARGE, SMALL, Server
from .crowd import Row, load
from .houses import fill_plain
from .houses import house as plain_house
from .plain import mem0_at
from .report import Report
from .timing import Times, no_collection

ALL = 10_000
SIZES = (100, 1_000, ALL, 100_000)
REPETITIONS = {100: 5, 1_000: 5, ALL: 3, 100_000: 1}
PART = f"A deletion request, among {SMALL:,} memories of others"
_numbers = itertools.count(1)
Rows = Callable[[int], list[Row]]


def owned(rows: list[Row], subject: str) -> list[Row]:
    """Other memories than the bystanders', of one person."""
    chosen = itertools.count(1)
    return [
        replace(row, id=type(row.id)(int=row.id.int ^ next(chosen) << 96), payload={**row.payload, "user_id": subject})
        for row in rows
    ]


@pytest.fixture
def portal(
    server: Server,
    house: House,  # noqa: F811
    rows: Rows,
    settings: Any,
    tmp_path: Path,
) -> Iterator[House]:
    """Everything that production has, in one database, with memories of other people."""
    settings.MEMORY_OWNER_URL, settings.MEMORY_DATABASE_URL = house.dsn(OWNER), house.dsn(SCOPED)
    settings.ERASURE_LEDGER = str(tmp_path / "ledger.jsonl")
    prepare_store()
    LedgerMark.objects.all().delete()  # a ledger of this test's own
    with house.connect("postgres") as superuser:
        superuser.execute("DELETE FROM memories")
        load(superuser, DEFAULT_COLLECTION, rows(SMALL))
    yield house
    pool.close_all()


@dataclass
class Taken:
    """Times of whole requests and of their erase steps."""

    whole: Times = field(default_factory=Times)
    step: Times = field(default_factory=Times)


@contextmanager
def steps_timed(monkeypatch: pytest.MonkeyPatch, taken: Times) -> Iterator[None]:
    erase = Reach.erase
    with monkeypatch.context() as patched:
        patched.setattr(Reach, "erase", lambda reach: taken.take(lambda: erase(reach)))
        yield


def requests(made: House, rows: list[Row], repetitions: int, monkeypatch: pytest.MonkeyPatch) -> Taken:
    """Somebody new asks each time, and everything of theirs is there again."""
    taken = Taken()
    for _ in range(repetitions):
        user = User.objects.create_user(f"person{next(_numbers)}@example.com", None)
        _fill(made, user.subject, owned(rows, user.subject))
        with steps_timed(monkeypatch, taken.step), no_collection():
            erasure = taken.whole.take(lambda: engine.run(services.ask(user, SubjectId(user.subject))))  # noqa: B023
        assert erasure.state == State.COMPLETED
        assert erasure.receipt is not None
        found = {step.place: (step.found, step.removed, step.left) for step in erasure.steps.all()}
        assert found["memories"] == found["history"] == (len(rows), len(rows), 0)
        assert found["entities"] == (min(100, len(rows)),) * 2 + (0,)
        assert erasure.questions == 20
    return taken


def _fill(made: House, subject: str, rows: list[Row]) -> None:
    """Memories with a history each, a hundred names, a full message buffer, a log of uses."""
    with made.connect("postgres") as superuser:
        load(superuser, DEFAULT_COLLECTION, rows)
        of_them = "FROM memories WHERE payload->>'user_id' = %s"
        superuser.execute(
            "INSERT INTO memories_history (subject, memory_id, new_memory, event) "
            f"SELECT payload->>'user_id', id, payload->>'data', 'ADD' {of_them}",
            (subject,),
        )
        superuser.execute(
            f"INSERT INTO memories_uses (subject, memory_id, agent) SELECT payload->>'user_id', id, 'cook' {of_them}",
            (subject,),
        )
        superuser.execute(
            "INSERT INTO memories_entities (id, vector, payload) SELECT gen_random_uuid(), vector, jsonb_build_object("
            f"'user_id', %s::text, 'data', 'name', 'linked_memory_ids', jsonb_build_array(id)) {of_them} LIMIT 100",
            (subject, subject),
        )
        superuser.execute(
            "INSERT INTO memories_messages (subject, role, content) SELECT %s, 'user', 'x' FROM generate_series(1, 10)",
            (subject,),
        )
        superuser.execute("ANALYZE memories")


def test_request_of_10000_beside_delete_all(
    server: Server, portal: House, rows: Rows, report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """mem0's takes minutes, so it is run once, whole; the portal's before and after it."""
    own = rows(LARGE)[:ALL]
    taken = requests(portal, own, 2, monkeypatch)
    plain = delete_all(server, rows(SMALL) + owned(own, "measured"), tmp_path)
    later = requests(portal, own, 2, monkeypatch)
    taken.whole.values += later.whole.values
    taken.step.values += later.step.values
    report.times(PART, f"erase step of {ALL:,} (delete_all)", taken.step, plain)
    report.times(PART, f"whole request of {ALL:,}, click to receipt (delete_all)", taken.whole, plain)


def delete_all(server: Server, rows: list[Row], folder: Path) -> Times:
    """mem0's own, on its own tables with its own index, with the same memories of the same people."""
    taken = Times()
    with plain_house(server) as made:
        fill_plain(made, rows)
        with mem0_at(made.owner, folder, OfflineEmbedder()) as memory, no_collection():
            taken.take(lambda: memory.delete_all(user_id="measured"))
            left = memory.get_all(filters={"user_id": "measured"}, top_k=ALL, show_expired=True)["results"]
    assert left == []
    return taken


def test_cost_of_a_memory_is_flat(portal: House, rows: Rows, report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    every, each = rows(LARGE), {}
    for size in SIZES:
        began = time.monotonic()
        taken = requests(portal, every[:size], REPETITIONS[size], monkeypatch)
        each[size] = taken.step.p50 / size * 1000, taken.whole.p50 / size * 1000
        report.times(PART, f"erase step of {size:,}", taken.step)
        report.times(PART, f"whole request of {size:,}", taken.whole)
        assert time.monotonic() - began < 600
    for number, what in enumerate(("erase step", "whole request")):
        words = ", ".join(f"{each[size][number]:,.0f} µs of {size:,}" for size in SIZES)
        report.note(PART, f"{what}, for each memory", words, numbers={str(size): each[size][number] for size in SIZES})
