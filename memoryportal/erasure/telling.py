"""The mails that need the worker: the last one, with the secret link, and alerts to the people of privacy."""

import logging
from datetime import date, timedelta
from uuid import UUID

from django.core.cache import cache
from django.db import transaction
from django.urls import reverse

from memoryportal.accounts.letters import write_to_privacy
from memoryportal.base.mail import send

from . import identity
from .letters import address_of
from .models import Erasure, Identified
from .moves import locked
from .states import TERMINAL

logger = logging.getLogger(__name__)
DAY = 24 * 3600
WARN_BEFORE = timedelta(days=7)
PATIENCE = timedelta(days=7)  # with an address that takes no mail


def tell_end(erasure_id: str) -> bool:
    """Tell the person how it ended, once. Afterwards the request knows no address any more.

    A request with an account is told through the account's own address, in the transaction of its end; this mail is
    for those without one. It carries a fresh secret link, made here so that it lies in no queue. What ended without an
    erasure was told when that was decided. Raises what sending raises.
    """
    with transaction.atomic():
        erasure = locked(erasure_id)
        to = erasure.address
        if not to or not erasure.is_terminal:
            return False
        if erasure.is_erased:
            _send_end(erasure, to)
        Erasure.objects.filter(pk=erasure.pk).update(address="")
    return True


def _send_end(erasure: Erasure, to: str) -> None:
    url = ""
    if erasure.identified_how in (Identified.MAIL, Identified.SESSION):  # else a stranger may have given it
        url = identity.absolute(reverse("mydata:request_secret", args=[identity.new_secret(erasure)]))
    about = {"reference": erasure.reference, "state": erasure.state, "ground": erasure.ground, "url": url}
    send("request_ended", to, **about)


def give_up(pk: UUID) -> None:
    """Forget an address that took no mail for a week after the end: nothing more is done with it."""
    if Erasure.objects.filter(pk=pk).exclude(address="").update(address=""):
        logger.error("the end of a request could not be told for a week: its address was forgotten")


def tell_account(erasure: Erasure) -> None:
    """The last mail to somebody who keeps their account; written with the end, sent by the worker."""
    from . import letters

    if not erasure.address and address_of(erasure):
        letters.tell(erasure, "request_ended", state=erasure.state, ground=erasure.ground, url="")


def alert_to_dates(today: date) -> int:
    """One mail to privacy on each day on which dates are near or over; how many requests it is about.

    Both the day by which a request has to be done and the one by which its receipt has to be confirmed, of whatever has
    not ended: also of what the engine is at, or has given to people.
    """
    is_open = Erasure.objects.exclude(state__in=TERMINAL)
    near = is_open.filter(due__lte=today + WARN_BEFORE)
    silent = is_open.filter(confirm_by__lte=today + WARN_BEFORE, confirmed_at=None).count()
    late, soon = near.filter(due__lt=today).count(), near.filter(due__gte=today).count()
    if late or soon or silent:
        with transaction.atomic():
            if not cache.add(f"erasure.dates:{today}", True, timeout=2 * DAY):
                return 0
            write_to_privacy("request_dates", late=str(late), soon=str(soon), silent=str(silent))
    return near.count() + silent
