"""What a host's back end does with its service key: get a token for one person, and file a deletion request."""

from django.http import HttpRequest
from ninja import Router
from ninja.responses import Status

from memoryportal.memory import InvalidSubject, SubjectId

from . import erasures, limits, tokens
from .door import HostKey, refuse_agent
from .idempotency import OnceKey, Outcome, Writer, once
from .keys import DEFAULT_RIGHTS
from .models import ServiceKey
from .problems import Problem
from .schemas import Ask, Erase, Filed, Right, Token
from .statuses import answers

router = Router(tags=["host"], auth=HostKey())


class KeyRequest(HttpRequest):
    """For annotations: a request that came through HostKey."""

    auth: ServiceKey


@router.post("/tokens", url_name="tokens", response=answers(201, Token), operation_id="token")
def token(request: KeyRequest, body: Ask) -> Status[Token]:
    """A token for one person and one assistant. The person needs no account here. `delete` must be asked for."""
    key, subject = request.auth, read_subject(body.subject)
    rights: list[Right] = body.rights or [right for right in DEFAULT_RIGHTS if right in key.rights]
    try:
        claims = tokens.Claims(key.pk, subject, body.agent, body.run, frozenset(rights))
    except InvalidSubject:
        raise Problem("invalid-agent") from None
    refuse_agent(key.agents, claims.agent)
    if not rights or not claims.rights <= set(key.rights):
        raise Problem("right-missing")
    limits.admit(key, subject)
    return Status(201, Token(token=tokens.issue(claims), expires_in=tokens.SECONDS, rights=sorted(set(rights))))


@router.post("/erasures", url_name="erasures", response=answers(202, Filed), operation_id="file_erasure")
def file_erasure(request: KeyRequest, body: Erase, idempotency_key: OnceKey = None) -> Status[Filed]:
    """File a person's request to erase everything. One that is open already is the answer to a second one."""
    key, subject = request.auth, read_subject(body.subject)
    limits.admit(key, subject)

    def act() -> Outcome:
        return Outcome([erasures.ask(subject, key).reference])

    outcome = once(request, Writer(key.pk, subject, "erasures"), act)
    reference, state = erasures.standing(outcome.ids[0])
    return Status(202, Filed(reference=reference, state=state))


def read_subject(text: str) -> SubjectId:
    """Raises Problem for an id that is refused. It is never repaired."""
    try:
        return SubjectId(text)
    except InvalidSubject:
        raise Problem("invalid-subject") from None
