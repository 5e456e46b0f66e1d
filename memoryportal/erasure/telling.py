"""The mails that need the worker: those with the secret link, and alerts to the people of privacy."""

import logging
from datetime import date, timedelta
from uuid import UUID

from django.core.cache import cache
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from memoryportal.accounts.letters import write_to_privacy
from memoryportal.base.mail import send

from . import identity
from .letters import address_of, day, moment
from .models import Channel, Erasure, Identified
from .moves import is_written_to, locked
from .states import TERMINAL, State

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
    about = {"reference": erasure.reference, "state": erasure.state, "ground": erasure.ground}
    send("request_ended", to, url=_secret_page(erasure), **about)


def give_up(pk: UUID) -> None:
    """Forget an address that took no mail for a week after the end: nothing more is done with it."""
    if Erasure.objects.filter(pk=pk).exclude(address="").update(address=""):
        logger.error("the end of a request could not be told for a week: its address was forgotten")


def tell_approval(erasure_id: str) -> bool:
    """Tell the person that a second person approved it, when it begins, and where they can take it back; once.

    It goes to the request's address and, where that is another one, to the account's own: whoever lost a mailbox must
    hear of it too. False where there is nobody to tell, or no time left to take it back. Raises what sending raises.
    """
    with transaction.atomic():
        erasure = locked(erasure_id)
        if not is_to_be_told(erasure):
            return False
        ways = _ways_back(erasure)
        for to, url in ways.items():
            until = moment(erasure.grace_until)
            send("request_approved", to, reference=erasure.reference, until=until, due=day(erasure.due), url=url)
        Erasure.objects.filter(pk=erasure.pk).update(approval_told_at=timezone.now())
    return bool(ways)


def is_to_be_told(erasure: Erasure) -> bool:
    """Whether it was approved by a second person, nobody was told so yet, and it can still be taken back."""
    waits = erasure.state == State.WAITING and erasure.grace_until and erasure.grace_until > timezone.now()
    return bool(waits and erasure.approved_at and erasure.approval_told_at is None)


def _ways_back(erasure: Erasure) -> dict[str, str]:
    """Whom to tell, each with the page on which they can take it back; "" where they have to write to us."""
    own, account = "", erasure.account
    if account is not None:
        own = identity.absolute(reverse("mydata:erasure", args=[erasure.pk]))
    theirs = own if account is not None and is_written_to(account, erasure.address) else ""
    ways = {erasure.address: _secret_page(erasure) or theirs} if erasure.address else {}
    if account is not None and account.is_active and account.email.lower() != erasure.address.lower():
        ways[account.email] = own
    return ways


def _secret_page(erasure: Erasure) -> str:
    """A fresh secret link, for whoever has shown that they read the mails; "" where a stranger may have given it."""
    if not _is_shown(erasure):
        return ""
    return identity.absolute(reverse("mydata:request_secret", args=[identity.new_secret(erasure)]))


def _is_shown(erasure: Erasure) -> bool:
    """Whether its address is the person's: they answered a link there, or asked in the session of its account."""
    if erasure.identified_how != Identified.SESSION:
        return erasure.identified_how == Identified.MAIL
    if erasure.account is not None:
        return is_written_to(erasure.account, erasure.address)
    return erasure.channel == Channel.SELF  # the account's own, noted before it went


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
