"""The staff's groups. A role is membership, never `has_perm`, which says yes to every superuser."""

from typing import Any

from django.contrib.auth.models import Group

SUPPORT = "support"
PRIVACY = "privacy"
AUDITOR = "auditor"
ROLES = (SUPPORT, PRIVACY, AUDITOR)


def make_groups(using: str = "default", **_: Any) -> None:
    """Receiver of post_migrate: also after a flush, which removes what migrations wrote."""
    for name in ROLES:
        Group.objects.using(using).get_or_create(name=name)


def roles_of(user: Any) -> set[str]:
    """The roles that this account holds now, read from the database each time: a revoked role is gone at once."""
    if not getattr(user, "is_authenticated", False) or not user.is_active:
        return set()
    return set(user.groups.filter(name__in=ROLES).values_list("name", flat=True))
