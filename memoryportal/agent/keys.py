"""Make, find, rotate and revoke service keys. The secret is shown once; the table holds its SHA-256.

A key reads `mpk_<prefix>_<secret>`: the prefix is its name in lists and in the trail, the secret is 256 random bits.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING, Literal

from django.db import transaction
from django.utils import timezone

from memoryportal.audit.actions import Action
from memoryportal.audit.record import OPERATOR, Actor, record
from memoryportal.memory.scope import check_id

from .models import RIGHTS, ServiceKey

if TYPE_CHECKING:
    from memoryportal.accounts.models import User

_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_FORM = re.compile(r"mpk_([a-z2-7]{10})_[A-Za-z0-9_-]{43}", re.ASCII)
DEFAULT_RIGHTS: tuple[Literal["read"], Literal["write"]] = ("read", "write")


class KeyRefused(ValueError):
    """The key cannot be made or changed as asked; the message is a sentence for the operator. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class May:
    """What a key is for. No `agents` means any assistant, no `networks` any address."""

    agents: Sequence[str] = ()
    rights: Sequence[str] = DEFAULT_RIGHTS
    networks: Sequence[str] = ()
    subjects_per_hour: int = 1000

    def checked(self) -> dict[str, object]:
        """As columns of a ServiceKey. Raises KeyRefused, InvalidSubject."""
        if not self.rights or not set(self.rights) <= set(RIGHTS):
            raise KeyRefused(f"rights are some of {', '.join(RIGHTS)}")
        if self.subjects_per_hour < 1:
            raise KeyRefused("a key needs at least one subject an hour")
        return {
            "agents": [check_id(agent, "agent") for agent in self.agents],
            "rights": [right for right in RIGHTS if right in self.rights],
            "networks": [_network(network) for network in self.networks],
            "subjects_per_hour": self.subjects_per_hour,
        }


def _network(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError:
        raise KeyRefused("a network reads like 192.0.2.0/24 or 2001:db8::/32, without bits behind its length") from None


def make(name: str, may: May, by: "User | None" = None) -> tuple[ServiceKey, str]:
    """A new key, and its text, which nobody can see again. Raises KeyRefused, InvalidSubject, AuditUnavailable."""
    if not name.strip() or len(name) > 80 or not name.isprintable():
        raise KeyRefused("a key needs a name of at most 80 characters")
    with transaction.atomic():
        key = ServiceKey(name=name.strip(), prefix=_random_prefix(), created_by=by, **may.checked())
        secret = _give_secret(key)
        key.save()
        _note(Action.KEY_CREATED, key, by)
    return key, secret


def rotate(key: ServiceKey, overlap: timedelta, by: "User | None" = None) -> str:
    """Another secret for this key; the old one is good for `overlap` more. Tokens made with it live on."""
    with transaction.atomic():
        row = _living(key)
        row.former_digest, row.former_until = row.digest, timezone.now() + overlap
        secret = _give_secret(row)
        row.rotated_at = timezone.now()
        row.save(update_fields=["digest", "former_digest", "former_until", "rotated_at"])
        _note(Action.KEY_ROTATED, row, by)
    return secret


def revoke(key: ServiceKey, by: "User | None" = None) -> None:
    """End this key and every token made with it, at once. Raises KeyRefused when it has ended already."""
    with transaction.atomic():
        row = _living(key)
        row.revoked_at = timezone.now()
        row.save(update_fields=["revoked_at"])
        _note(Action.KEY_REVOKED, row, by)


def by_prefix(prefix: str) -> ServiceKey:
    """The key with this name. Raises KeyRefused."""
    found = ServiceKey.objects.filter(prefix=prefix).first()
    if found is None:
        raise KeyRefused("there is no such key (list_service_keys shows them)")
    return found


def find(text: str) -> ServiceKey | None:
    """The living key with this text, and note that it was used today."""
    form = _FORM.fullmatch(text)
    row = ServiceKey.objects.filter(prefix=form[1], revoked_at__isnull=True).first() if form else None
    if row is None or not _is_secret_of(row, text):
        return None
    today = timezone.now().date()
    if row.last_used != today:
        ServiceKey.objects.filter(pk=row.pk).update(last_used=today)
    return row


def _is_secret_of(row: ServiceKey, text: str) -> bool:
    digest = _digest(text)
    if hmac.compare_digest(row.digest, digest):
        return True
    overlaps = row.former_until is not None and timezone.now() < row.former_until
    return overlaps and hmac.compare_digest(row.former_digest, digest)


def _living(key: ServiceKey) -> ServiceKey:
    row = ServiceKey.objects.select_for_update().get(pk=key.pk)
    if row.revoked_at is not None:
        raise KeyRefused("this key was revoked")
    return row


def _give_secret(key: ServiceKey) -> str:
    text = f"mpk_{key.prefix}_{secrets.token_urlsafe(32)}"
    key.digest = _digest(text)
    return text


def _random_prefix() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(10))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _note(action: Action, key: ServiceKey, by: "User | None") -> None:
    actor = Actor(str(by.pk), "admin") if by else OPERATOR
    record(action, actor=actor, object=f"key:{key.prefix}", details={"fields": list(key.rights)})
