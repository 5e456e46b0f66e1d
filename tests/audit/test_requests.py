"""The part of the trail that is about one deletion request, found without reading the rest."""

import pytest
from django.db import connection

from memoryportal.audit import reading
from memoryportal.audit.actions import Action
from memoryportal.audit.record import SYSTEM, record

pytestmark = pytest.mark.django_db
REFERENCE = "MP-7K3Q-92XA"


def test_it_has_the_events_of_the_request_and_of_accesses_for_it_newest_first() -> None:
    for about in (REFERENCE, f"ticket:{REFERENCE}", "MP-7K3Q-92XB", f"{REFERENCE}0", "ticket:T-1", ""):
        record(Action.REQUEST_OPENED, actor=SYSTEM, object=about)
    found = reading.of_request(REFERENCE, size=10)
    assert [event.object for event in found] == [f"ticket:{REFERENCE}", REFERENCE]


def test_it_ends_with_the_size() -> None:
    numbers = [record(Action.REQUEST_OPENED, actor=SYSTEM, object=REFERENCE) for _ in range(3)]
    assert [event.seq for event in reading.of_request(REFERENCE, size=2)] == [numbers[2], numbers[1]]


def test_it_is_found_by_an_index() -> None:
    """Or the page of a request would cost more with every act of everybody else."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    plan = reading.events_of_request(REFERENCE).explain()
    assert "Index" in plan
    assert "Seq Scan" not in plan
