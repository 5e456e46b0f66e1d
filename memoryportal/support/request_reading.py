"""Reading one deletion request: each opening is an event, and ids and addresses are hidden until somebody asks."""

import time
from dataclasses import dataclass

from memoryportal.accounts.models import User
from memoryportal.accounts.roles import PRIVACY
from memoryportal.audit.actions import Action
from memoryportal.audit.record import Actor, record_first
from memoryportal.erasure import decisions, trail_keys
from memoryportal.erasure.models import Erasure

from .guard import StaffRequest

SECONDS = 300  # for so long they stay shown after they were asked for
_KEY = "support_requests_shown"


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads a request. `works`: they are of privacy and it is not their own. `sees`: ids and addresses, too."""

    user: User
    works: bool
    sees: bool
    is_privacy: bool
    own: bool


def reader_of(request: StaffRequest, erasure: Erasure) -> Reader:
    privacy, own = PRIVACY in request.roles, decisions.is_about(erasure, request.user)
    works = privacy and not own
    return Reader(request.user, works, works and _is_shown(request, erasure), privacy, own)


def note_opened(request: StaffRequest, erasure: Erasure) -> None:
    """Committed before anything of the request is shown. Raises AuditUnavailable."""
    _note(request, erasure, Action.REQUEST_OPENED)


def reveal(request: StaffRequest, erasure: Erasure) -> None:
    """From now on for five minutes this session shows its ids, its address, and what the person wrote."""
    _note(request, erasure, Action.REQUEST_REVEALED, count=len(erasure.subjects))
    request.session[_KEY] = {**_shown(request), str(erasure.pk): time.time()}


def _note(request: StaffRequest, erasure: Erasure, action: Action, **details: int) -> None:
    record_first(
        action,
        actor=Actor(str(request.user.pk), request.role),
        subject=trail_keys.name_of(erasure),
        object=erasure.reference,
        details=details,
    )


def _is_shown(request: StaffRequest, erasure: Erasure) -> bool:
    return str(erasure.pk) in _shown(request)


def _shown(request: StaffRequest) -> dict[str, float]:
    """Which requests this session asked to see, and when. A clock that was set back hides them again."""
    kept: dict[str, float] = request.session.get(_KEY, {})
    return {pk: at for pk, at in kept.items() if 0 <= time.time() - at < SECONDS}
