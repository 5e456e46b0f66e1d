"""By when a deletion request must be answered. Pure functions of dates; DATA_LAW says which law counts.

Sources: GDPR Article 12(3) (one month, one extension by two further months, told within the first) and, for how a month
is counted, Regulation (EEC, Euratom) No 1182/71 Article 3(2)(c); California Code of Regulations, title 11, section 7021
(confirm within 10 business days, respond within 45 calendar days, one extension by 45).
"""

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

Law = Literal["gdpr", "ccpa", "both"]
GDPR_EXTENSION_MONTHS = 2
CCPA_DAYS = 45
CCPA_CONFIRM_BUSINESS_DAYS = 10


def add_months(start: date, months: int) -> date:
    """The same day `months` later; the last day of that month where it has no such day (31 January -> 28 February)."""
    month = start.month - 1 + months
    year, month = start.year + month // 12, month % 12 + 1
    return date(year, month, min(start.day, calendar.monthrange(year, month)[1]))


def add_business_days(start: date, days: int, holidays: frozenset[date] = frozenset()) -> date:
    """The date `days` business days after `start`; Saturdays, Sundays and `holidays` do not count."""
    day = start
    while days:
        day += timedelta(days=1)
        if day.weekday() < 5 and day not in holidays:
            days -= 1
    return day


@dataclass(frozen=True, slots=True)
class Clock:
    """The dates of one request.

    `rested` is how many days the GDPR clock stood still while proof of identity was reasonably asked for; the
    Californian clock never stands still. `extended` says that the one extension was used.
    """

    received: date
    law: Law
    rested: int = 0
    extended: bool = False

    @property
    def due(self) -> date:
        """The day by which the request must be done; the earlier one where both laws count."""
        return min(self._dues())

    @property
    def confirm_by(self) -> date | None:
        """The day by which its receipt must be confirmed, where the law asks for that."""
        if self.law == "gdpr":
            return None
        return add_business_days(self.received, CCPA_CONFIRM_BUSINESS_DAYS)

    @property
    def extend_by(self) -> date:
        """The last day on which an extension may still be told: the due date without it."""
        return Clock(self.received, self.law, self.rested).due

    def _dues(self) -> list[date]:
        dues = []
        if self.law in ("gdpr", "both"):
            months = 1 + (GDPR_EXTENSION_MONTHS if self.extended else 0)
            dues.append(add_months(self.received, months) + timedelta(days=self.rested))
        if self.law in ("ccpa", "both"):
            dues.append(self.received + timedelta(days=CCPA_DAYS * (2 if self.extended else 1)))
        return dues


def lateness(due: date, today: date) -> str:
    """How late or early, in words: "due in 3 days", "due today", "2 days late"."""
    days = (due - today).days
    if days == 0:
        return "due today"
    plural = "" if abs(days) == 1 else "s"
    return f"due in {days} day{plural}" if days > 0 else f"{-days} day{plural} late"
