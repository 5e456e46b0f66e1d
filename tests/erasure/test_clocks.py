from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memoryportal.erasure.clocks import Clock, add_business_days, add_months, lateness

dates = st.dates(date(2020, 1, 1), date(2090, 12, 31))


@pytest.mark.parametrize(
    ("received", "due"),
    [
        (date(2026, 1, 31), date(2026, 2, 28)),
        (date(2028, 1, 31), date(2028, 2, 29)),
        (date(2026, 1, 15), date(2026, 2, 15)),
        (date(2026, 12, 31), date(2027, 1, 31)),
        (date(2028, 2, 29), date(2028, 3, 29)),
    ],
)
def test_gdpr_month_ends_on_the_same_day_or_the_months_last(received: date, due: date) -> None:
    assert Clock(received, "gdpr").due == due


def test_gdpr_extension_counts_from_receipt_and_not_from_the_first_end() -> None:
    # 31 January + 3 months is 30 April; 28 February + 2 months would be 28 April.
    assert Clock(date(2026, 1, 31), "gdpr", extended=True).due == date(2026, 4, 30)


def test_gdpr_clock_rests_and_the_californian_does_not() -> None:
    received = date(2026, 3, 2)
    assert Clock(received, "gdpr", rested=6).due == date(2026, 4, 8)
    assert Clock(received, "ccpa", rested=6).due == date(2026, 4, 16)


def test_both_laws_take_the_earlier_date() -> None:
    assert Clock(date(2026, 3, 2), "both").due == date(2026, 4, 2)
    # A long rest moves the European date behind the Californian one, which never rests.
    assert Clock(date(2026, 3, 2), "both", rested=40).due == date(2026, 4, 16)


def test_californian_extension_doubles_the_days() -> None:
    assert Clock(date(2026, 3, 2), "ccpa", extended=True).due == date(2026, 5, 31)


@pytest.mark.parametrize(
    ("received", "confirm_by"),
    [
        (date(2026, 11, 20), date(2026, 12, 4)),  # a Friday
        (date(2026, 11, 21), date(2026, 12, 4)),  # a Saturday
        (date(2026, 11, 23), date(2026, 12, 7)),  # a Monday
    ],
)
def test_confirmation_counts_business_days(received: date, confirm_by: date) -> None:
    assert Clock(received, "both").confirm_by == confirm_by
    assert Clock(received, "gdpr").confirm_by is None


def test_holidays_do_not_count() -> None:
    assert add_business_days(date(2026, 11, 25), 1, frozenset({date(2026, 11, 26)})) == date(2026, 11, 27)


def test_an_extension_must_be_told_within_the_first_period() -> None:
    assert Clock(date(2026, 1, 31), "gdpr", extended=True).extend_by == date(2026, 2, 28)


@given(dates, st.integers(1, 36))
def test_months_never_leave_the_month(start: date, months: int) -> None:
    end = add_months(start, months)
    assert (end.year * 12 + end.month) - (start.year * 12 + start.month) == months
    assert end.day == start.day or (end.day < start.day and (end + (end - end.replace(day=end.day - 1))).day == 1)


@pytest.mark.parametrize(
    ("due", "words"),
    [
        (date(2026, 11, 23), "due in 3 days"),
        (date(2026, 11, 21), "due in 1 day"),
        (date(2026, 11, 20), "due today"),
        (date(2026, 11, 19), "1 day late"),
        (date(2026, 11, 10), "10 days late"),
    ],
)
def test_lateness_is_a_word(due: date, words: str) -> None:
    assert lateness(due, date(2026, 11, 20)) == words
