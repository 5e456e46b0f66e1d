"""One-time codes by mail: eight digits, five tries, ten minutes, for one action of one session. Only a hash is kept."""

import hmac
import secrets
from datetime import timedelta

from django.db import transaction
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from memoryportal.base.mail import send

from .models import User
from .waiting import MailedCode

DIGITS = 8
TRIES = 5
LIFE = timedelta(minutes=10)
PER_HOUR = 5  # 25 tries at eight digits: one chance in four million
_CODE = "proof_code"


class TooManyCodes(Exception):
    """No more codes in this hour; nothing was sent."""


def mail(request: HttpRequest, user: User, action: str) -> None:
    """Send a code to the account's address; a former one of this session is no longer good.

    At once and not by the queue, which would have to keep the code. Raises TooManyCodes, OSError, SMTPException.
    """
    code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
    now = timezone.now()
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        if MailedCode.objects.filter(account=user, sent_at__gt=now - timedelta(hours=1)).count() >= PER_HOUR:
            raise TooManyCodes
        row = MailedCode(account=user, action=action, until=now + LIFE)
        row.digest = _digest(row, code)
        row.save()
        send("code", user.email, code=f"{code[:4]} {code[4:]}", minutes=int(LIFE.total_seconds() // 60))
    request.session[_CODE] = str(row.pk)


def is_waiting(request: HttpRequest) -> bool:
    """Whether this session was sent a code that can still be typed in."""
    return _sent_to(request).filter(until__gt=timezone.now(), tries__lt=TRIES).exists()


def accept(request: HttpRequest, user: User, action: str, typed: str) -> bool:
    """Whether this is the code. Each question uses up a try, and the right answer uses up the code."""
    now = timezone.now()
    mine = _sent_to(request).filter(account=user, action=action, until__gt=now)
    if not mine.filter(tries__lt=TRIES).update(tries=F("tries") + 1):
        return False
    row = mine.first()
    if row is None or not hmac.compare_digest(row.digest, _digest(row, "".join(typed.split()))):
        return False
    return bool(mine.update(until=now))


def _sent_to(request: HttpRequest) -> "QuerySet[MailedCode]":
    """The code that this session was sent last: no other session knows its number."""
    number = request.session.get(_CODE)
    return MailedCode.objects.filter(pk=number) if number else MailedCode.objects.none()


def _digest(row: MailedCode, code: str) -> str:
    """Under SECRET_KEY: whoever reads the table alone cannot try the few codes that there are."""
    return salted_hmac("memoryportal.accounts.codes", f"{row.pk}:{code}", algorithm="sha256").hexdigest()
