"""Everything that the gateway says "no" with: problem details (RFC 9457) with stable codes. docs/gateway.md lists them.

No problem repeats anything of the request: field names are ours, and sentences are written here.
"""

import json
import math
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """One code. `title` says in a sentence what it means, for the caller's log and for the docs."""

    code: str
    status: int
    title: str


_KINDS = (
    Kind("bad-json", 400, "The body is not JSON in UTF-8, names a field twice, or is nested too deeply."),
    Kind(
        "bad-request",
        400,
        "The request cannot be read: a body where none belongs or of no stated length, too many parameters.",
    ),
    Kind("key-required", 401, "This needs a service key as a bearer token in the Authorization header."),
    Kind("key-invalid", 401, "The service key is unknown, was revoked, or was rotated and its time is over."),
    Kind("token-required", 401, "This needs a subject token as a bearer token in the Authorization header."),
    Kind("token-invalid", 401, "The token is none of ours, or was altered."),
    Kind("token-expired", 401, "The token is older than ten minutes: get another one."),
    Kind("token-revoked", 401, "The service key that the token was made with was revoked."),
    Kind("key-in-browser", 403, "A service key came from a browser (there is an Origin header). Treat it as stolen."),
    Kind("network-refused", 403, "The service key may not be used from this network address."),
    Kind("agent-refused", 403, "The service key does not allow this assistant."),
    Kind("right-missing", 403, "The key or the token does not have this right (read, write or delete)."),
    Kind("writes-paused", 403, "The person has paused remembering. Nothing was written."),
    Kind("use-restricted", 403, "The person has restricted the use of their memories. Nothing was read."),
    Kind("wording-stopped", 403, "The person never wants this wording to be learned again. Nothing was written."),
    Kind("not-found", 404, "There is no such memory within this token's scope."),
    Kind("no-such-endpoint", 404, "The gateway has nothing at this address."),
    Kind("method-not-allowed", 405, "This address does not take that method; see the Allow header."),
    Kind("erasure-running", 409, "Everything that is remembered of this person is being erased right now."),
    Kind("memory-changed", 409, "A memory was changed or deleted since it was read. Nothing was written."),
    Kind("in-progress", 409, "A request with this Idempotency-Key is being carried out."),
    Kind("too-large", 413, "The body is larger than 256 kB."),
    Kind("not-json", 415, "The Content-Type must be application/json, and the body must not be compressed."),
    Kind("invalid", 422, "A field is missing, unknown, or holds what it may not hold."),
    Kind("invalid-subject", 422, "This cannot be a person's id: it could be taken for somebody else's."),
    Kind("invalid-agent", 422, "This cannot be the id of an assistant or of a conversation."),
    Kind("system-role", 422, "A message's role is user or assistant. Instructions are nothing to remember."),
    Kind("refused", 422, "The text, the search or the metadata cannot be used."),
    Kind("bad-cursor", 422, "The cursor was not issued for this list."),
    Kind("bad-idempotency-key", 422, "An Idempotency-Key is 1 to 128 visible ASCII characters."),
    Kind("idempotency-mismatch", 422, "This Idempotency-Key was used for another request."),
    Kind("too-many-requests", 429, "Too many requests in this minute, of this key or for this person."),
    Kind("too-many-subjects", 429, "The service key has asked for more different people in this hour than it may."),
    Kind("internal", 500, "A fault of the gateway's own. What was asked for may not have been done."),
    Kind("unavailable", 503, "The store or the database does not answer. Nothing was changed."),
    Kind("unconfirmed", 503, "The change may have been made. Look before you ask for it again."),
    Kind("not-recorded", 503, "The act could not be recorded, so it was not done."),
    Kind("embedder-unavailable", 503, "The text could not be turned into a vector. Nothing was changed."),
    Kind("model-unavailable", 503, "The language model did not answer, or not sensibly. Nothing was remembered."),
    Kind("model-busy", 503, "As many requests as may wait for the language model do. Nothing was remembered."),
)
KINDS = {kind.code: kind for kind in _KINDS}
STATUSES = sorted({kind.status for kind in _KINDS})


class Problem(Exception):
    """The request is refused. `detail` and `errors` never repeat what was sent; `retry_after` is seconds."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        retry_after: float | None = None,
        errors: list[dict[str, str]] | None = None,
    ) -> None:
        super().__init__(code)
        self.kind, self.detail, self.errors = KINDS[code], detail, errors or []
        self.retry_after = retry_after

    def body(self) -> dict[str, Any]:
        """The members. The request's id is a header instead, so that equal problems have equal bodies."""
        about = {
            "type": f"urn:memoryportal:problem:{self.kind.code}",
            "code": self.kind.code,
            "status": self.kind.status,
            "title": self.kind.title,
        }
        return {**about, **({"detail": self.detail} if self.detail else {}), **self._errors()}

    def _errors(self) -> dict[str, Any]:
        return {"errors": self.errors} if self.errors else {}

    def response(self) -> HttpResponse:
        answer = HttpResponse(json.dumps(self.body()), status=self.kind.status, content_type=MEDIA_TYPE)
        if self.retry_after is not None:
            answer.headers["Retry-After"] = str(max(1, math.ceil(self.retry_after)))
        if self.kind.status == 401:
            answer.headers["WWW-Authenticate"] = "Bearer"
        return answer
