"""A subject's name in the trail: an HMAC under a random key of its own. Without the key the trail names nobody."""

import hashlib
import hmac
import secrets
from datetime import datetime

from django.utils import timezone

from memoryportal.memory.scope import SubjectId

from .models import SubjectKey


def _hash(key: bytes | memoryview, subject: str) -> str:
    return hmac.new(bytes(key), subject.encode(), hashlib.sha256).hexdigest()


def pseudonym(subject: SubjectId) -> str:
    """The subject's name in the trail (64 hexadecimal digits); its key is made on first use."""
    made, _ = SubjectKey.objects.get_or_create(subject=str(subject), defaults={"key": secrets.token_bytes(32)})
    return _hash(made.key, str(subject))


def known_pseudonym(subject: SubjectId) -> str | None:
    """The subject's name in the trail, or None where no event ever named it (or its key was destroyed)."""
    found = SubjectKey.objects.filter(subject=str(subject)).first()
    return _hash(found.key, str(subject)) if found else None


def note_staff_access(subject: SubjectId) -> None:
    """Remember when the staff last had access: the key is kept for AUDIT_RETENTION after that."""
    SubjectKey.objects.filter(subject=str(subject)).update(last_staff_access=timezone.now())


def destroy_keys(subjects: list[str], not_since: datetime) -> int:
    """Destroy the keys of these subjects, except where the staff had access after `not_since`. Returns how many."""
    keys = SubjectKey.objects.filter(subject__in=subjects).exclude(last_staff_access__gt=not_since)
    return keys.delete()[0]
