"""The mails that need the worker: the last one, with the secret link, and alerts to the people of privacy."""

from collections.abc import Collection
from datetime import date, timedelta

from django.db import transaction
from django.urls import reverse

from memoryportal.accounts.letters import write_to_privacy
from memoryportal.base.mail import send

from . import identity
from .letters import address_of
from .models import Erasure, Identified
from .moves import locked

WARN_BEFORE = timedelta(days=7)


def tell_end(erasure_id: str) -> bool:
    """Tell the person how it ended, once. Afterwards the request knows no address any more.

    A request with an account is told through the account's own address, in the transaction of its end; this mail is
    for those without one. It carries a fresh secret link, made here so that it lies in no queue. Raises what sending
    raises.
    """
    with transaction.atomic():
        erasure = locked(erasure_id)
        to = erasure.address
        if not to or not erasure.is_terminal:
            return False
        url = ""
        if erasure.identified_how in (
            Identified.MAIL,
            Identified.SESSION,
        ):  # else a stranger may have given this address
            url = identity.absolute(reverse("mydata:request_secret", args=[identity.new_secret(erasure)]))
        about = {"reference": erasure.reference, "state": erasure.state, "ground": erasure.ground, "url": url}
        send("request_ended", to, **about)
        Erasure.objects.filter(pk=erasure.pk).update(address="")
    return True


def tell_account(erasure: Erasure) -> None:
    """The last mail to somebody who keeps their account; written with the end, sent by the worker."""
    from . import letters

    if not erasure.address and address_of(erasure):
        letters.tell(erasure, "request_ended", state=erasure.state, ground=erasure.ground, url="")


def alert_to_dates(today: date, waiting: Collection[str]) -> int:
    """One mail to privacy when dates are near or over; how many requests it is about."""
    near = Erasure.objects.filter(state__in=waiting, due__lte=today + WARN_BEFORE)
    late, soon = near.filter(due__lt=today).count(), near.filter(due__gte=today).count()
    if late or soon:
        with transaction.atomic():
            write_to_privacy("request_dates", late=str(late), soon=str(soon))
    return late + soon
