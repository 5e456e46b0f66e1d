"""End a request although a place can never be read again: one officer asks for it, another one agrees, both by name.

Nothing ends here. With both, the engine goes over everything once more: it empties and reads what can be read, and ends
only where that is empty. What came back meanwhile is emptied too. The receipt names each place that was not read.
"""

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from memoryportal.accounts.models import User
from memoryportal.audit.actions import Action

from .decisions import Unfit, ground_of, not_about_themselves, officer
from .lease import Lease
from .models import Erasure, Unread
from .moves import NotNow, locked, move, note, ring_for
from .reach import Reach
from .states import State

if TYPE_CHECKING:
    from uuid import UUID


def unread_now(erasure: Erasure) -> dict[str, str]:
    """The places beyond the memory store that cannot be read at this moment, each with why.

    The store's own places are what the request is about: while those cannot be read, nothing can be said about it.
    """
    return Reach(Lease(erasure.pk, erasure.lease_token)).unread_elsewhere()


def ask(pk: "UUID", by: User, category: str, reason: str) -> Erasure:
    """Ask that it ends without the places that cannot be read now. Raises NotNow, Unfit."""
    unread = unread_now(Erasure.objects.get(pk=pk))  # before the lock: a file that is in use is waited for
    with transaction.atomic():
        erasure = locked(pk)
        if erasure.state != State.NEEDS_ATTENTION:
            raise NotNow("It does not wait for anybody.")
        if erasure.except_at is not None:
            raise NotNow("This was asked for before: a second person has to agree.")
        not_about_themselves(erasure, by)
        if not unread:
            raise Unfit("Every place beside the memory store can be read now: try again instead.")
        erasure.excepted, erasure.except_category = sorted(unread), Unread(category)
        erasure.except_reason, erasure.except_by, erasure.except_at = ground_of(reason), by, timezone.now()
        erasure.save()
        about = {"places": erasure.excepted, "category": category}
        note(erasure, Action.EXCEPTION_ASKED, officer(by), reason=erasure.except_reason, details=about)
        return erasure


def agree(pk: "UUID", by: User) -> Erasure:
    """The second person agrees: everything is gone over once more, and it ends if what can be read is empty."""
    with transaction.atomic():
        erasure = locked(pk)
        if erasure.state != State.NEEDS_ATTENTION or erasure.except_at is None:
            raise NotNow("Nobody has asked that it ends without a place.")
        not_about_themselves(erasure, by)
        if erasure.except_by_id == by.pk:
            raise Unfit("You have asked for this yourself: a second person has to agree.")
        erasure.except_agreed_by, erasure.except_agreed_at = by, timezone.now()
        erasure.attempts, erasure.next_at, erasure.lease_until = 0, timezone.now(), None
        move(erasure, State.ERASING)
        ring_for(erasure)
        note(erasure, Action.EXCEPTION_AGREED, officer(by), details={"places": erasure.excepted})
        return erasure
