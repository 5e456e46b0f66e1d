"""Connect an assistant's id to an account, and take it back. Each is one event and one mail to the person."""

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q

from memoryportal.audit.actions import Action
from memoryportal.audit.record import OPERATOR, Actor, record
from memoryportal.base.request_id import request_id
from memoryportal.memory.scope import SubjectId

from . import letters
from .configuration import name_of
from .models import Proof, SubjectLink, SubjectTaken, User
from .roles import PRIVACY
from .trail import person


def make(account: User, subject: SubjectId, *, proof: Proof, by: User | None = None, **about: Any) -> SubjectLink:
    """Let an account see what is stored under `subject`. `about`: issuer, claim, reason, approved_by.

    A link that this account has already stays as it is. Raises SubjectTaken for the id of another account, and
    SubjectBusy while an erasure stands in the way.
    """
    existing = SubjectLink.objects.filter(account=account, subject=subject).first()
    if existing is not None:
        return existing
    try:
        with transaction.atomic():
            link = SubjectLink.objects.create(account=account, subject=subject, proof=proof, by=by, **about)
            letters.write("link_made", account.email, whose=name_of(link.issuer), how=link.get_proof_display())
            _note(Action.LINK_MADE, link, _actor(link, about.get("approved_by") or by), reason=link.reason)
            return link
    except IntegrityError:
        raise SubjectTaken("this subject belongs to an account already") from None


def link(account: User, subject: SubjectId, *, reason: str, issuer: str = "") -> SubjectLink:
    """The operator's link: somebody with a shell has looked whose id it is. Raises SubjectTaken."""
    return make(account, subject, proof=Proof.OPERATOR, reason=reason, issuer=issuer)


def unlink(account: User, subject: SubjectId, reason: str = "") -> bool:
    """The operator takes a link away. False when the account had no such link."""
    found = SubjectLink.objects.filter(account=account, subject=subject).first()
    return found is not None and remove(found, reason=reason)


def remove(link: SubjectLink, by: User | None = None, reason: str = "") -> bool:
    """Take a link away; the memories stay. False when somebody else has done so meanwhile."""
    with transaction.atomic():
        gone, _ = SubjectLink.objects.filter(pk=link.pk).delete()
        if gone:
            letters.write("link_removed", link.account.email, whose=name_of(link.issuer))
            _note(Action.LINK_REMOVED, link, _actor(link, by), reason=reason)
    return bool(gone)


def is_held_by_another(subject: SubjectId, account: User | None) -> bool:
    """Whether the id was issued or is linked to an account that is not this one."""
    holders = User.objects.filter(Q(subject=subject) | Q(subject_links__subject=subject))
    return (holders if account is None else holders.exclude(pk=account.pk)).exists()


def refuse(subject: SubjectId | None, actor: Actor, proof: Proof) -> None:
    """Leave an event and alert privacy: somebody showed good proof for an id that is somebody else's here."""
    with transaction.atomic():
        letters.write_to_privacy("link_refused", how=proof.label, account=actor.id, reference=request_id())
        record(Action.LINK_REFUSED, actor=actor, subject=subject, details={"method": str(proof)})


def _actor(link: SubjectLink, by: User | None) -> Actor:
    if by is None:
        return OPERATOR
    return person(by) if by == link.account else Actor(str(by.pk), PRIVACY)


def _note(action: Action, link: SubjectLink, actor: Actor, reason: str) -> None:
    details = {"method": link.proof, "target": link.account_id, "link": link.pk}
    record(action, actor=actor, subject=SubjectId(link.subject), reason=reason, details=details)
