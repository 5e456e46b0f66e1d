"""Connect an id that a person cannot show to be theirs: one privacy officer asks, another one approves."""

from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction

from memoryportal.accounts import links
from memoryportal.accounts.models import Proof, SubjectBusy, SubjectLink, SubjectTaken
from memoryportal.accounts.roles import PRIVACY, roles_of
from memoryportal.accounts.waiting import LinkAsk
from memoryportal.audit.actions import Action
from memoryportal.audit.record import Actor, record
from memoryportal.memory import SubjectId

from . import people

if TYPE_CHECKING:
    from memoryportal.accounts.models import User


class LinkRefused(Exception):
    """No connection; the message is a sentence for the privacy officer. Nothing was connected."""


def ask(officer: "User", words: str, subject: SubjectId, issuer: str, reason: str) -> LinkAsk:
    """Ask for the account with exactly this address (or id). Raises LinkRefused, people.TooMany."""
    person = people.find(officer, PRIVACY, words)
    if person is None or person.account is None:
        raise LinkRefused("There is no account with exactly this address. Nothing was asked for.")
    account = person.account
    if account.pk == officer.pk:
        raise _refusal(officer, subject, "own", "You cannot ask for your own account.")
    if links.is_held_by_another(subject, account):
        raise _refusal(officer, subject, "taken", "This id belongs to another account. Nothing was asked for.")
    try:
        with transaction.atomic():
            made = LinkAsk.objects.create(account=account, subject=subject, issuer=issuer, reason=reason, by=officer)
            _note(Action.LINK_ASKED, made, officer, reason=reason)
            return made
    except IntegrityError:
        raise LinkRefused("Somebody has asked for this already.") from None


def approve(officer: "User", ask_id: int) -> SubjectLink:
    """Make the link that somebody else asked for. Raises LinkRefused; a refusal is an event too."""
    with transaction.atomic():
        waiting = _waiting(ask_id)
        if kind := _objection(officer, waiting):
            refused = kind
        else:
            try:
                return _make(officer, waiting)
            except SubjectBusy:
                refused = "busy"
            except SubjectTaken:
                refused = "taken"
    raise _refusal(officer, SubjectId(waiting.subject), refused, OBJECTIONS[refused])


OBJECTIONS = {
    "own": "You cannot approve a connection of your own account.",
    "same": "You asked for this yourself: somebody else has to approve it.",
    "role": "Whoever asked for this no longer works for privacy: ask for it yourself, for somebody else to approve.",
    "late": "This was asked for too long ago: ask for it again.",
    "busy": "A deletion request is in the way: what is stored under this id is being erased, or the account is to go.",
    "taken": "This id belongs to another account by now. Nothing was connected.",
}


def _objection(officer: "User", waiting: LinkAsk) -> str:
    if waiting.account_id == officer.pk:
        return "own"
    if waiting.by_id == officer.pk:
        return "same"
    if PRIVACY not in roles_of(waiting.by):
        return "role"
    return "" if waiting.is_open else "late"


def _make(officer: "User", waiting: LinkAsk) -> SubjectLink:
    made = links.make(
        waiting.account,
        SubjectId(waiting.subject),
        proof=Proof.PRIVACY,
        issuer=waiting.issuer,
        reason=waiting.reason,
        by=waiting.by,
        approved_by=officer,
    )
    waiting.delete()
    return made


def drop(officer: "User", ask_id: int) -> None:
    """Do not do it: whoever asked thinks better of it, or somebody else says no. Raises LinkRefused."""
    with transaction.atomic():
        waiting = _waiting(ask_id)
        waiting.delete()
        _note(Action.LINK_REFUSED, waiting, officer, kind="withdrawn" if waiting.by_id == officer.pk else "declined")


def _waiting(ask_id: int) -> LinkAsk:
    found = LinkAsk.objects.select_for_update(of=("self",)).select_related("account", "by").filter(pk=ask_id).first()
    if found is None:
        raise LinkRefused("Somebody has decided this already.")
    return found


def _refusal(officer: "User", subject: SubjectId, kind: str, sentence: str) -> LinkRefused:
    actor = Actor(str(officer.pk), PRIVACY)
    record(Action.LINK_REFUSED, actor=actor, subject=subject, details={"method": str(Proof.PRIVACY), "kind": kind})
    return LinkRefused(sentence)


def _note(action: Action, waiting: LinkAsk, officer: "User", reason: str = "", kind: str = "") -> None:
    details = {"method": str(Proof.PRIVACY), "target": waiting.account_id, **({"kind": kind} if kind else {})}
    actor = Actor(str(officer.pk), PRIVACY)
    record(action, actor=actor, subject=SubjectId(waiting.subject), reason=reason, details=details)
