"""The trail: events a second, how long a verification takes, and what a person's part of a long trail costs."""

from typing import Any

from django.db import connection

from memoryportal.audit import reading
from memoryportal.audit.heads import sign_head
from memoryportal.audit.pseudonyms import pseudonym
from memoryportal.audit.verify import verify_trail
from memoryportal.base.names import OWNER
from memoryportal.memory.scope import SubjectId
from tests.audit.conftest import built_house, house  # noqa: F401 - fixtures
from tests.audit.house import ALICE, House, happen
from tests.audit.writing import write_at_once

from .conftest import Server
from .report import Report
from .timing import alone

WRITERS, EVENTS = 8, 300
LONG, STEP = 50_000, 250
PART = "The audit trail"
_MANY = """
    SELECT audit_append(
        (n %% 1000)::text, 'person', 'memory.corrected', (%s::text[])[n %% 1000 + 1], '', '', '', '', '{}'
    ) FROM generate_series(1, %s) n
"""


def lengthen(at: House, events: int) -> None:
    """Events about a thousand people, with room for Alice's."""
    names = [pseudonym(SubjectId(f"person-{number}")) for number in range(1000)]
    with at.connect(OWNER) as owner:
        for _ in range(events // STEP):  # every event leaves a dead version of the head until its transaction ends
            owner.execute(_MANY, [names, STEP])
        owner.execute("ANALYZE audit_event")


def test_writers_at_once(server: Server, house: House, report: Report) -> None:  # noqa: F811
    for writers in (1, WRITERS):
        rate = write_at_once(writers, EVENTS)
        words = f"{writers} writer{'s' if writers > 1 else ''} x {EVENTS} events, each its own transaction on the disk"
        report.note(PART, words, f"{rate:,.0f} a second", numbers={"events_per_second": rate})
    verdict = verify_trail()
    assert (verdict.problem, verdict.events) == (None, (WRITERS + 1) * EVENTS)


def test_verification_of_a_long_trail(server: Server, house: House, report: Report) -> None:  # noqa: F811
    lengthen(house, LONG)
    sign_head()
    times = alone(verify_trail, 3)
    report.times(PART, f"verify {LONG:,} events", times)
    rate = LONG / times.p50 * 1000
    report.note(PART, "events verified", f"{rate:,.0f} a second", numbers={"events_per_second": rate})
    assert verify_trail().problem is None


def test_a_persons_part_of_a_long_trail(server: Server, house: House, report: Report, settings: Any) -> None:  # noqa: F811
    happen(20)
    lengthen(house, LONG)
    own = [pseudonym(ALICE)]
    times = alone(lambda: reading.about(own, 1), 50)
    report.times(PART, f"20 events of one person, the oldest of {LONG:,}", times)
    assert len(reading.about(own, 424242).events) == 20
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN SELECT * FROM audit_event WHERE subject = %s ORDER BY seq DESC LIMIT 51", own)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "Seq Scan" not in plan
