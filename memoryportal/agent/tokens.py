"""Subject tokens: one person, one assistant, perhaps one conversation, a few rights, ten minutes. Signed with Ed25519.

Their keys are a ring of their own (KEY_DIR/tokens), so that nothing signed here passes for a receipt or a head of the
trail, and the other way round. A key that is put beside the others is used at once, by every process.
"""

import fcntl
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from django.conf import settings

from memoryportal.base.keys import KeyRing, KeyTrouble, key_id
from memoryportal.memory import InvalidSubject, SubjectId
from memoryportal.memory.scope import check_id

from .models import RIGHTS
from .problems import Problem

ALGORITHM = "EdDSA"
KIND = "subject+jwt"  # RFC 8725, 3.11: a token of another kind is no token here
ISSUER, AUDIENCE = "memoryportal", "memoryportal-gateway"
SECONDS = 600
LEEWAY = 5  # seconds that the clocks of two machines may be apart
_REQUIRED = ["iss", "aud", "exp", "iat", "jti", "sub", "agent", "rights", "key"]


@dataclass(frozen=True, slots=True, repr=False)
class Claims:
    """What a token says. `key` is the id of the service key that it was made with. Raises InvalidSubject."""

    key: uuid.UUID
    subject: SubjectId
    agent: str
    run: str | None
    rights: frozenset[str]

    def __post_init__(self) -> None:
        check_id(self.agent, "agent")
        if self.run is not None:
            check_id(self.run, "run")

    def __repr__(self) -> str:
        return "<Claims>"  # a subject id is personal data: keep it out of logs and tracebacks


def issue(claims: Claims) -> str:
    """A token that is good for SECONDS. Raises KeyTrouble."""
    ring, now = _ring(), int(time.time())
    private = ring.private[-1]
    about = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + SECONDS,
        "jti": uuid.uuid4().hex,
        "key": claims.key.hex,
        "sub": str(claims.subject),
        "agent": claims.agent,
        "rights": sorted(claims.rights),
        **({} if claims.run is None else {"run": claims.run}),
    }
    return jwt.encode(about, private, ALGORITHM, headers={"kid": key_id(private.public_key()), "typ": KIND})


def read(token: str) -> Claims:
    """What a token of ours says. Raises Problem, KeyTrouble."""
    try:
        header = jwt.get_unverified_header(token)
        public = _ring().public.get(str(header.get("kid")))
        if public is None or header.get("typ") != KIND:
            raise Problem("token-invalid")
        found: dict[str, Any] = jwt.decode(
            token,
            public,
            algorithms=[ALGORITHM],  # fixed here, never by the token
            audience=AUDIENCE,
            issuer=ISSUER,
            leeway=LEEWAY,
            options={"require": _REQUIRED, "strict_aud": True},
        )
        return _claims(found)
    except jwt.ExpiredSignatureError:
        raise Problem("token-expired") from None
    except (jwt.PyJWTError, InvalidSubject, TypeError, ValueError, OverflowError):
        raise Problem("token-invalid") from None


def _claims(found: dict[str, Any]) -> Claims:
    rights = frozenset(found["rights"])
    if not rights <= set(RIGHTS) or not found["exp"] - found["iat"] <= SECONDS:
        raise ValueError("not what we sign")
    return Claims(uuid.UUID(found["key"]), SubjectId(found["sub"]), found["agent"], found.get("run"), rights)


# --- the ring --------------------------------------------------------------------------------------------------------

_known: tuple[Path, int, KeyRing] | None = None
_lock = threading.Lock()


def _ring() -> KeyRing:
    """The keys of KEY_DIR/tokens as they are now; reading them anew costs only when the folder has changed."""
    global _known
    folder, known = Path(settings.KEY_DIR) / "tokens", _known
    try:
        if known is not None and known[0] == folder and known[1] == folder.stat().st_mtime_ns:
            return known[2]
        with _lock:
            _known = _read_alone(folder)
            return _known[2]
    except OSError as error:
        raise KeyTrouble(f"The folder of the tokens' keys in KEY_DIR cannot be used ({error.strerror}).") from None


def _read_alone(folder: Path) -> tuple[Path, int, KeyRing]:
    """One process at a time: two that each made the first key would not know each other's."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = folder.stat().st_mtime_ns  # before reading: what comes meanwhile is read the next time
        return folder, stamp, KeyRing(folder)
