"""Whose ids a request is about: looked at when somebody decides, and once more, under a lock, when erasing begins.

Ids change hands: a connection turns out to be a mistake, somebody connects an id that nobody had. Nothing is erased
for one person that is another one's by then, and no account goes while an id of its own is left out.
"""

import hashlib
import json
from collections.abc import Collection
from typing import Any

from django.db import connection

from memoryportal.accounts.models import SubjectBusy, SubjectLink, User
from memoryportal.accounts.subjects import own_subjects

from .models import Erasure, OpenErasure, Scope
from .states import BEGUN, TERMINAL


def keep_still() -> None:
    """Nobody connects or disconnects an id until this transaction ends; waits for whoever is at it.

    Comes before the lock of the request: whoever waits for one of the two must not hold the other.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {SubjectLink._meta.db_table} IN SHARE MODE")


def occupy(erasure: Erasure) -> None:
    """Stand in the way of a second request for the same, as far as no other one does already."""
    rows = [OpenErasure(erasure=erasure, subject=subject, agent=erasure.agent) for subject in erasure.subjects]
    OpenErasure.objects.bulk_create(rows, ignore_conflicts=True)


def _holders(subjects: Collection[str]) -> set[tuple[str, int]]:
    """(id, account) for each of these ids that an account was issued or has connected."""
    links = SubjectLink.objects.filter(subject__in=subjects).values_list("subject", "account_id")
    issued = User.objects.filter(subject__in=subjects).values_list("subject", "pk")
    return {*links, *issued}


def held_by_accounts(subjects: Collection[str]) -> set[str]:
    """Which of these ids an account holds now."""
    return {subject for subject, _ in _holders(subjects)}


def fingerprint(erasure: Erasure) -> str:
    """Which accounts hold its ids now, as a hash: what the second person approved."""
    return hashlib.sha256(json.dumps(sorted(_holders(erasure.subjects))).encode()).hexdigest()


def misfit(erasure: Erasure) -> str:
    """Why nobody may approve it as it is, and it may not begin; or nothing."""
    if _in_other_hands(erasure):
        return "One of these ids is of another account by now: note the right ids, or refuse this request."
    if _names_no_account(erasure):
        return "An account is to go, and it is open which one: note the ids of one account, and of no other one."
    if _leaves_out(erasure):
        return "The account has more ids than these, and what is under them would stay: note all, or refuse this."
    if OpenErasure.objects.filter(subject__in=erasure.subjects, agent=erasure.agent).exclude(erasure=erasure).exists():
        return "Another request is open for one of these ids: wait until it has ended, or refuse this one."
    return ""


def _in_other_hands(erasure: Erasure) -> bool:
    """Whether one of its ids is held by an account that is not the request's, which has one."""
    return erasure.account_id is not None and any(
        account != erasure.account_id for _, account in _holders(erasure.subjects)
    )


def _names_no_account(erasure: Erasure) -> bool:
    """Whether an account is to go, and it is not said which one: its ids are of several, or were nobody's then."""
    return erasure.scope == Scope.ACCOUNT and erasure.account_id is None and bool(_holders(erasure.subjects))


def _leaves_out(erasure: Erasure) -> bool:
    """Whether the account would go, and what is remembered under another id of its own would stay."""
    if erasure.scope != Scope.ACCOUNT or erasure.account is None:
        return False
    account = User.objects.get(pk=erasure.account.pk)  # as it is now: a loaded one knows the links of before
    return not {str(subject) for subject in own_subjects(account)} <= set(erasure.subjects)


def object_to_link(instance: SubjectLink, created: bool, **_: Any) -> None:
    """Raises SubjectBusy for a new link while that id is being erased for somebody else, or its account is to go."""
    if not created:
        return
    begun = Erasure.objects.filter(state__in=BEGUN, subjects__contains=[instance.subject])
    if begun.exclude(account_id__isnull=False, account_id=instance.account_id).exists():
        raise SubjectBusy("what is stored under this id is being erased: it can be connected when that has ended")
    leaving = Erasure.objects.filter(account_id=instance.account_id, scope=Scope.ACCOUNT, identified_at__isnull=False)
    if leaving.exclude(state__in=TERMINAL).exists():
        raise SubjectBusy("this account is to be erased: take that request back first, or connect the id afterwards")
