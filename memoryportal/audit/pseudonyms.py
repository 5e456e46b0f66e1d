"""A subject's name in the trail: an HMAC under a random key of its own. Without the key the trail names nobody."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Self

from django.db import transaction
from django.dispatch import Signal
from django.utils import timezone

from memoryportal.memory.scope import SubjectId

from .models import SubjectKey

# Sent with `subjects`, in the transaction that destroys their keys: what stands beside the trail and is named by its
# events (a grant) must not go on saying whom they were about.
keys_destroyed = Signal()


class Pseudonym(str):
    """A subject's name in the trail: 64 hexadecimal digits. Raises ValueError for anything else."""

    __slots__ = ()

    def __new__(cls, value: str) -> Self:
        if not re.fullmatch(r"[0-9a-f]{64}", value):
            raise ValueError("this is not a name in the trail")
        return super().__new__(cls, value)


def _hash(key: bytes | memoryview, subject: str) -> Pseudonym:
    return Pseudonym(hmac.new(bytes(key), subject.encode(), hashlib.sha256).hexdigest())


def pseudonym(subject: SubjectId) -> Pseudonym:
    """The subject's name in the trail; its key is made on first use."""
    made, _ = SubjectKey.objects.get_or_create(subject=str(subject), defaults={"key": secrets.token_bytes(32)})
    return _hash(made.key, str(subject))


def known_pseudonyms(subjects: Iterable[SubjectId]) -> list[Pseudonym]:
    """The names of those that an event ever named. One is missing where none did, or where the key was destroyed."""
    found = SubjectKey.objects.filter(subject__in=[str(subject) for subject in subjects])
    return [_hash(row.key, row.subject) for row in found]


def known_pseudonym(subject: SubjectId) -> Pseudonym | None:
    """The subject's name in the trail, or None where no event ever named it (or its key was destroyed)."""
    return next(iter(known_pseudonyms([subject])), None)


def note_staff_access(subject: SubjectId) -> None:
    """Remember when the staff last had access: the key is kept for AUDIT_RETENTION after that."""
    SubjectKey.objects.filter(subject=str(subject)).update(last_staff_access=timezone.now())


def destroy_keys(subjects: list[str], not_since: datetime) -> int:
    """Destroy the keys of these subjects, except where the staff had access after `not_since`. Returns how many."""
    keys = SubjectKey.objects.filter(subject__in=subjects).exclude(last_staff_access__gt=not_since)
    with transaction.atomic():
        going = sorted(keys.select_for_update().values_list("subject", flat=True))
        SubjectKey.objects.filter(subject__in=going).delete()
        keys_destroyed.send(SubjectKey, subjects=going)
    return len(going)
