"""Two hundred people with four assistants each, all at once, against one gateway: `make bench ARGS="-k load"`."""

import asyncio
from collections import Counter

import pytest

from .conftest import Server
from .load import Seen, run
from .report import Report
from .served import Served, served

SUBJECTS, AGENTS, ROUNDS = 200, 4, 5
WORKERS = 2
PART = (
    f"{SUBJECTS} people with {AGENTS} assistants each at once, one gateway of {WORKERS} processes, 1 write to 3 reads"
)
STORED = (
    "SELECT payload->>'user_id', payload->>'agent_id', count(*), "
    "count(*) FILTER (WHERE payload->>'data' LIKE (payload->>'user_id') || '/' || (payload->>'agent_id') || ' %') "
    "FROM memories GROUP BY 1, 2"
)


def test_load(server: Server, report: Report, tmp_path_factory: pytest.TempPathFactory) -> None:
    with served(server, tmp_path_factory.mktemp("load"), WORKERS) as running:
        seen = asyncio.run(run(running, SUBJECTS, AGENTS, ROUNDS))
        foreign = seen.foreign + _misplaced(running)
    assert Counter(seen.errors) == Counter()
    assert foreign == 0
    assert seen.requests == SUBJECTS * AGENTS * ROUNDS * 4
    _note(report, seen, foreign)


def _misplaced(running: Served) -> int:
    """Rows that lie with somebody whose they are not, as somebody sees them whom no policy binds."""
    with running.made.connect() as superuser:
        rows = superuser.execute(STORED).fetchall()
    assert len(rows) == SUBJECTS * AGENTS
    assert {count for _, _, count, _ in rows} == {ROUNDS}
    return sum(count - own for _, _, count, own in rows)


def _note(report: Report, seen: Seen, foreign: int) -> None:
    rate = seen.requests / seen.seconds
    numbers = {"requests": seen.requests, "a_second": rate, "foreign": foreign, "errors": len(seen.errors)}
    report.note(PART, "requests, and a second", f"{seen.requests:,}, {rate:.0f}", numbers=numbers)
    report.note(PART, "rows of others, errors", f"{foreign}, {len(seen.errors)}")
    for what, kinds in (("all", ()), ("writes", ("add",)), ("reads", ("search", "list", "get"))):
        values = seen.every(*kinds)
        found = {name: values[int(len(values) * share)] for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))}
        words = ", ".join(f"{name} {value / 1000:.2f} s" for name, value in found.items())
        report.note(PART, f"answered, {what}", words, numbers=found)
