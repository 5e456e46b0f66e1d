"""Mails about what happened to an account: written in the transaction of the act, sent by the worker afterwards."""

import logging
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format

from memoryportal.base.mail import send
from memoryportal.base.queue import ring

from .models import User
from .waiting import Letter

logger = logging.getLogger(__name__)
PATIENCE = timedelta(days=7)


def write(kind: str, to: str, **about: str) -> None:
    """Let the worker send templates/mails/<kind>.txt to an address, as part of the current transaction."""
    from .tasks import send_letter  # the tasks import this module

    letter = Letter.objects.create(kind=kind, to=to, about={"at": _now_in_words(), **about})
    ring(send_letter, letter_id=str(letter.pk))


def write_to_privacy(kind: str, **about: str) -> None:
    """Alert whoever answers for people's data. Where PRIVACY_CONTACT is no address, the log has to do."""
    if "@" in settings.PRIVACY_CONTACT:
        write(kind, settings.PRIVACY_CONTACT, **about)
    else:
        logger.error("%s: PRIVACY_CONTACT is no e-mail address, so nobody was told; see the audit trail", kind)


def write_to_administrators(kind: str, **about: str) -> None:
    for address in User.objects.filter(is_superuser=True, is_active=True).values_list("email", flat=True):
        write(kind, address, **about)


def _now_in_words() -> str:
    return f"{date_format(timezone.localtime(timezone.now()), 'j F Y, H:i')} {timezone.get_current_timezone_name()}"


def deliver(letter_id: str) -> bool:
    """Send one letter; False when it was sent. The row is locked meanwhile, so that two workers do not send it twice.

    A letter that went out before a crash may go out again: better twice than never. Raises what sending raises.
    """
    with transaction.atomic():
        letter = Letter.objects.select_for_update(skip_locked=True).filter(pk=letter_id).first()
        if letter is None:
            return False
        send(letter.kind, letter.to, **letter.about)
        letter.delete()
    return True


def ring_again() -> None:
    """Ring for letters whose bell was lost, and give up, loudly, on those that nobody could send for a week."""
    from .tasks import send_letter

    now = timezone.now()
    for letter in Letter.objects.filter(written_at__lt=now - PATIENCE):
        logger.error("a letter of the kind %s could not be sent for a week: given up", letter.kind)
        letter.delete()
    waiting = Letter.objects.filter(written_at__lt=now - timedelta(minutes=5))
    for pk in waiting.values_list("pk", flat=True):
        ring(send_letter, once=f"accounts.letter:{pk}", letter_id=str(pk))
