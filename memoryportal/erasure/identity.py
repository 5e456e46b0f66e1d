"""Who asks: links by mail, exchanged for a cookie; and the secret link that shows a request without an account.

A token has 256 bits and stands in the mail only; here lies its SHA-256. It is made when the mail is sent, so that it
does not lie in the queue. Opening a link changes nothing: a button on the page that it opens does.
"""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from memoryportal.audit.actions import Action
from memoryportal.audit.record import NOBODY, SYSTEM
from memoryportal.base.mail import send
from memoryportal.base.secrets_file import derived_key

from .letters import address_of, day
from .models import Erasure, Identified, IdentityLink
from .moves import NotNow, locked, note, proceed
from .states import TERMINAL, State

LINKS = 3
LINKS_LAST = timedelta(days=7)
REMIND_AFTER = timedelta(days=1)
SECRET_LASTS = timedelta(days=90)


class NoSuchLink(LookupError):
    """Not a link of ours, or one that is over or was used."""


def digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def links_left(erasure: Erasure) -> int:
    """How many more links may be sent for it."""
    return max(0, LINKS - erasure.links.count()) if erasure.state == State.IDENTITY else 0


def address_to_ask(erasure: Erasure) -> str:
    """Where the link goes; empty for somebody without e-mail, whom an officer has to check."""
    return address_of(erasure) if links_left(erasure) else ""


def send_link(pk: UUID) -> bool:
    """Send one more link to the request's address; False when none may be sent. Raises what sending raises.

    The hash is committed before the mail goes out: a link that was mailed always works. One that was counted and not
    mailed is taken back.
    """
    with transaction.atomic():
        erasure = locked(pk)
        to = address_of(erasure)
        if not to or not links_left(erasure):
            return False
        token = secrets.token_urlsafe(32)
        until = _last_day_of(erasure)
        link = IdentityLink.objects.create(erasure=erasure, digest=digest(token), until=until)
        note(erasure, Action.IDENTITY_ASKED, SYSTEM, details={"count": erasure.links.count()})
    try:
        url = absolute(reverse("mydata:request_link", args=[token]))
        send("request_identity", to, reference=erasure.reference, url=url, until=day(until.date()))
    except Exception:
        link.delete()
        raise
    unconfirmed = Erasure.objects.filter(pk=pk, confirmed_at=None).exclude(state__in=TERMINAL)
    unconfirmed.update(confirmed_at=timezone.now())
    return True


def _last_day_of(erasure: Erasure) -> datetime:
    """A week from the first link on: while no mail could be sent, nobody's time runs."""
    first = erasure.links.order_by("sent_at").first()
    return first.until if first else timezone.now() + LINKS_LAST


def nobody_confirmed(now: datetime) -> QuerySet[Erasure]:
    """Requests whose links have all been sent in vain."""
    asked = Erasure.objects.filter(state=State.IDENTITY, links__until__lte=now)
    return asked.exclude(links__until__gt=now).distinct()


def absolute(path: str) -> str:
    """The portal's public address with this path: mails are written by the worker, which serves nobody."""
    return f"{settings.PORTAL_URL.rstrip('/')}{path}"


def by_link(token: str) -> IdentityLink:
    """The link, while it can be used. Raises NoSuchLink."""
    link = IdentityLink.objects.select_related("erasure").filter(digest=digest(token)).first()
    if link is None or link.used_at or link.until < timezone.now() or link.erasure.state != State.IDENTITY:
        raise NoSuchLink("this link is not valid any more")
    return link


def confirm(token: str) -> Erasure:
    """The person pressed the button behind their link: it is known who asks. Raises NoSuchLink."""
    found = by_link(token)
    with transaction.atomic():
        erasure = locked(found.erasure_id)
        used = IdentityLink.objects.filter(pk=found.pk, used_at=None).update(used_at=timezone.now())
        if not used or erasure.state != State.IDENTITY:
            raise NoSuchLink("this link is not valid any more")
        erasure.identified_at, erasure.identified_how = timezone.now(), Identified.MAIL
        proceed(erasure)
        note(erasure, Action.IDENTITY_PROVEN, NOBODY, details={"method": "mail"})
        return erasure


def withdraw(token: str) -> Erasure:
    """The person pressed the other button: it was not them, or they think otherwise. Raises NoSuchLink, NotNow."""
    from .decisions import cancel

    return cancel(by_link(token).erasure_id, NOBODY)


# --- the status of a request, without an account --------------------------------------------------------------------


def new_secret(erasure: Erasure) -> str:
    """The secret of the status page of this request, valid from now on for SECRET_LASTS.

    It follows from the request's id and a key outside of the database. So it is the same each time: the browser that
    was given it at the beginning still shows the page after the last mail, which names it again, was sent.
    """
    token = secret_of(erasure)
    until = timezone.now() + SECRET_LASTS
    Erasure.objects.filter(pk=erasure.pk).update(secret=digest(token), secret_until=until)
    return token


def secret_of(erasure: Erasure) -> str:
    """The secret as it is, which shows the page only while `new_secret` has made it valid. Raises KeyTrouble."""
    bits = hmac.new(derived_key("request-status"), erasure.pk.bytes, hashlib.sha256).digest()
    return urlsafe_b64encode(bits).decode().rstrip("=")


def by_secret(token: str) -> Erasure:
    """The request that this secret shows. Raises NoSuchLink. Valid for 90 days from its making or the request's end."""
    now = timezone.now()
    found = Erasure.objects.prefetch_related("steps", "outside").filter(secret=digest(token)).first()
    if found is None or not found.secret or (found.secret_until and found.secret_until < now):
        raise NoSuchLink("this link is not valid any more")
    return found


__all__ = ["NoSuchLink", "NotNow", "absolute", "by_link", "by_secret", "confirm", "new_secret", "send_link", "withdraw"]
