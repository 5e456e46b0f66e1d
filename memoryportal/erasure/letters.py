"""Mails about a deletion request. They hold a reference, dates and words; never an id, never what was remembered."""

from datetime import date, datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format

from memoryportal.accounts import letters as mails

from .models import Erasure


def address_of(erasure: Erasure) -> str:
    """Where mails about it go: the address that it came with, else the account's; empty where there is none."""
    if erasure.address:
        return str(erasure.address)
    return str(erasure.account.email) if erasure.account else ""


def tell(erasure: Erasure, kind: str, **about: Any) -> None:
    """Write templates/mails/<kind>.txt to the person, as part of the current transaction; nobody without an address."""
    address = address_of(erasure)
    if address:
        mails.write(kind, address, reference=erasure.reference, **about)


def moment(value: datetime | None) -> str:
    """A moment in words, with its zone; empty for none."""
    if value is None:
        return ""
    return f"{date_format(timezone.localtime(value), 'j F Y, H:i')} {timezone.get_current_timezone_name()}"


def day(value: date | datetime | None) -> str:
    """A day in words; empty for none."""
    value = timezone.localtime(value) if isinstance(value, datetime) else value
    return date_format(value, "j F Y") if value else ""
