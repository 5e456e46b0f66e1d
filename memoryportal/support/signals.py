"""A grant ends with the role or the account that it was opened with, at once and not only at its next use."""

from typing import Any

from django.db import transaction
from django.db.models.signals import m2m_changed, post_save

from memoryportal.accounts.models import User

from .grants import end_orphaned


def after_a_role_change(action: str, **_: Any) -> None:
    """Receiver of m2m_changed of the groups of accounts, from either side."""
    if action in ("post_remove", "post_clear"):
        _end_orphaned_after_commit()


def after_a_save(instance: User, **_: Any) -> None:
    """Receiver of post_save: a disabled account has no access left."""
    if not instance.is_active:
        _end_orphaned_after_commit()


def _end_orphaned_after_commit() -> None:
    # Robust: taking a role away must work also while no event can be written. The grant opens nothing any more (every
    # use asks for the role), and the worker ends it later.
    transaction.on_commit(end_orphaned, robust=True)


def connect() -> None:
    groups = User.groups.through
    m2m_changed.connect(after_a_role_change, sender=groups, dispatch_uid="support.after_a_role_change")
    post_save.connect(after_a_save, sender=User, dispatch_uid="support.after_a_save")
