"""Times that agents have written: any text at all is a moment that every page can show, or none."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from memoryportal.memory import Filters, ScopedMemory
from memoryportal.memory.rows import parse_day, parse_time
from memoryportal.memory.scope import TIMES

from .planted import Superuser, payload, plant

ENDS = ("0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59.999999+00:00")
BEYOND = ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59")
ODD = (*ENDS, *BEYOND, "", "\ud800", "2026\ud800", "2026-01-01T00:00:00+24:00", "10000-01-01", "-1", "NaN", "1e400")
ZONES = ("Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC", "America/New_York", "Asia/Kathmandu")
times = st.builds(
    lambda moment, offset: f"{moment.isoformat()}{offset}",
    st.datetimes(),
    st.from_regex(r"([+-][0-2][0-9]:[0-5][0-9](:[0-5][0-9])?)?Z?", fullmatch=True),
)


@given(st.one_of(st.text(), times, st.sampled_from(ODD), st.integers(), st.floats(), st.none(), st.binary()))
def test_any_value_is_a_time_that_every_zone_can_show_or_none(value: object) -> None:
    moment = parse_time(value)
    parse_day(value)
    if moment is not None:
        assert moment.tzinfo is UTC
        assert TIMES[0] <= moment <= TIMES[1]
        for zone in ZONES:
            assert timezone.localtime(moment, ZoneInfo(zone)) == moment


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-14T05:00:00-07:00", datetime(2026, 3, 14, 12, tzinfo=UTC)),
        ("2026-03-14T05:00:00", datetime(2026, 3, 14, 5, tzinfo=UTC)),
        ("2026-03-14", datetime(2026, 3, 14, tzinfo=UTC)),
        *((text, None) for text in ODD),
    ],
)
def test_times_are_read_in_utc(text: str, moment: datetime | None) -> None:
    assert parse_time(text) == moment


READS: dict[str, Callable[[ScopedMemory], int]] = {
    "page": lambda memory: len(memory.page().items),
    "summary": lambda memory: memory.summary().total,
    "search": lambda memory: len(memory.search("tea", by="word").hits),
    "walk": lambda memory: len(list(memory.walk())),
}


@pytest.mark.parametrize("read", READS)
def test_no_time_hides_a_memory(superuser: Superuser, alice: ScopedMemory, read: str) -> None:
    texts = [text for text in ODD if "\ud800" not in text]
    plant(superuser, [payload(alice.subject, f"tea {n}", created_at=text) for n, text in enumerate(texts)])
    assert READS[read](alice) == len(texts)
    assert {item.created for item in alice.page().items} == {None}


def test_no_time_lets_a_memory_into_days_that_are_not_its_own(superuser: Superuser, alice: ScopedMemory) -> None:
    plant(superuser, [payload(alice.subject, "tea", created_at=text) for text in (*ENDS, *BEYOND, "2026-03-14")])
    assert alice.count(Filters(since=date(2026, 1, 1), until=date(2026, 12, 31))) == 1
