"""Which subject a signed-in person's pages are about. One of the four doors by which a subject enters."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils import timezone

from memoryportal.memory.scope import SubjectId

from .configuration import name_of
from .models import Proof, SubjectLink, User

PERSON = "person"  # the role of somebody who acts on what is their own
ISSUED = "issued"  # the key of the subject that the account was issued
_CHOICE = "subject_choice"


class NotSignedIn(PermissionDenied):
    """Memories were asked for by somebody who is not signed in."""


class UnknownChoice(LookupError):
    """The person chose a subject that is not theirs; nothing was changed."""


@dataclass(frozen=True, slots=True)
class OwnSubject:
    """A subject of one account. `key` names it in forms, so that no subject is ever read from a form.

    `issuer` is how people know the system that gave it out; `how` says, in words, how it was shown to be theirs.
    """

    key: str
    subject: SubjectId
    issuer: str
    since: datetime
    how: str = ""


def subjects_in_order(user: User) -> list[OwnSubject]:
    """All subjects of an account: linked ones first, oldest link first, then the issued one."""
    links = [
        OwnSubject(
            str(link["pk"]),
            SubjectId(link["subject"]),
            name_of(link["issuer"]),
            datetime.fromisoformat(link["created_at"]),
            str(Proof(link["proof"]).label),
        )
        for link in _links(user)
    ]
    return [*links, OwnSubject(ISSUED, SubjectId(user.subject), "", user.created_at)]


def own_subjects(user: User) -> list[SubjectId]:
    return [own.subject for own in subjects_in_order(user)]


def _links(user: User) -> list[dict[str, Any]]:
    """Loaded with the account of a request (backends.py); read here for every other account."""
    if "linked" in user.__dict__:
        return list(user.__dict__["linked"])
    rows = SubjectLink.objects.filter(account=user).values("pk", "subject", "issuer", "proof", "created_at")
    return [{**row, "created_at": row["created_at"].isoformat()} for row in rows]


def chosen(request: HttpRequest) -> OwnSubject:
    """The subject that this session shows; the first one when the chosen link was removed. Raises NotSignedIn."""
    if not isinstance(request.user, User):
        raise NotSignedIn("sign in to see memories")
    own = subjects_in_order(request.user)
    key = request.session.get(_CHOICE)
    return next((subject for subject in own if subject.key == key), own[0])


def subject_of(request: HttpRequest) -> SubjectId:
    """The subject that this session shows. Raises NotSignedIn."""
    return chosen(request).subject


def choose(request: HttpRequest, key: str) -> OwnSubject:
    """Show another one of one's own subjects from now on. Raises UnknownChoice, NotSignedIn."""
    if not isinstance(request.user, User):
        raise NotSignedIn("sign in to choose")
    for own in subjects_in_order(request.user):
        if own.key == key:
            request.session[_CHOICE] = key
            return own
    raise UnknownChoice(key)


def is_connected(user: User) -> bool:
    """Whether an assistant stores memories for this account, so that an empty list means "nothing is remembered"."""
    return user.connected_at is not None or bool(_links(user))


def mark_connected(user: User) -> None:
    """Note that an assistant uses this account's issued subject. The first time counts."""
    now = timezone.now()
    if User.objects.filter(pk=user.pk, connected_at=None).update(connected_at=now):
        user.connected_at = now
