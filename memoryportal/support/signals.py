"""A grant ends with the role, the account or the deletion request that it was opened with, at once and not only at its
next use. It stops saying whom it was about when the trail does.
"""

from functools import partial
from typing import Any

from django.db import transaction
from django.db.models.signals import m2m_changed, post_save

from memoryportal.accounts.models import User
from memoryportal.audit.pseudonyms import keys_destroyed
from memoryportal.erasure.models import Erasure

from .grants import end_orphaned, end_with_request
from .models import AccessGrant


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


def after_a_request_is_saved(instance: Erasure, **_: Any) -> None:
    """Receiver of post_save: with the request goes the reason to look."""
    if instance.is_terminal:
        transaction.on_commit(partial(end_with_request, instance.reference), robust=True)  # as above


def after_keys_are_destroyed(subjects: list[str], **_: Any) -> None:
    """Receiver of keys_destroyed. What was done under the grant stays: the trail has it, and it names nobody."""
    AccessGrant.objects.filter(subject__in=subjects, ended_at__isnull=False).update(subject="", person=None, reason="")


def connect() -> None:
    keys_destroyed.connect(after_keys_are_destroyed, dispatch_uid="support.after_keys_are_destroyed")
    groups = User.groups.through
    m2m_changed.connect(after_a_role_change, sender=groups, dispatch_uid="support.after_a_role_change")
    post_save.connect(after_a_save, sender=User, dispatch_uid="support.after_a_save")
    post_save.connect(after_a_request_is_saved, sender=Erasure, dispatch_uid="support.after_a_request_is_saved")
