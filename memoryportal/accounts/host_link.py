"""Signed redirects of the host application: "the person at this browser has this id with us". One token, one use."""

import hashlib
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import jwt
from django.db import IntegrityError, transaction
from django.http import HttpRequest

from memoryportal.memory import InvalidSubject, SubjectId

from .configuration import HostLink
from .waiting import UsedToken

MAX_LIFE = 300  # seconds until a token expires, at most
LEEWAY = 5  # seconds that the two clocks may be apart
OFFER_SECONDS = 900  # how long the person may take to sign in and to press the button
_OFFER = "link_offer"


class TokenRefused(Exception):
    """The token is not good, or was here before. Nothing was noted."""


@dataclass(frozen=True, slots=True)
class Offer:
    """An id that the host application vouches for, until the person says yes. It lies in the session, not in a form."""

    subject: str
    issuer: str
    at: float

    @property
    def mark(self) -> str:
        """What the page's form brings back: which arrival it asked about. Another one may have come meanwhile."""
        return repr(self.at)


def read(token: str, host: HostLink) -> Offer:
    """What a token says, and use it up. Raises TokenRefused; a token that is not good is not used up."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            host.key,
            algorithms=[host.algorithm],  # fixed by the key, never by the token
            audience=host.audience,
            issuer=host.issuer,
            leeway=LEEWAY,
            options={"require": ["iss", "aud", "sub", "exp", "jti"], "strict_aud": True},
        )
        subject, expires = SubjectId(claims["sub"]), float(claims["exp"])
    except (jwt.PyJWTError, InvalidSubject, TypeError, ValueError, OverflowError) as error:
        raise TokenRefused(type(error).__name__) from None
    if expires > time.time() + MAX_LIFE + LEEWAY:
        raise TokenRefused("lives too long")
    _use_up(f"{host.issuer}\n{claims['jti']}", expires)
    return Offer(str(subject), host.issuer, time.time())


def _use_up(name: str, until: float) -> None:
    try:
        with transaction.atomic():
            UsedToken.objects.create(
                digest=hashlib.sha256(name.encode()).hexdigest(), until=datetime.fromtimestamp(until + LEEWAY, UTC)
            )
    except IntegrityError:
        raise TokenRefused("was here before") from None


def keep(request: HttpRequest, offer: Offer) -> None:
    """Let it wait in the session, over a sign-in as well."""
    request.session[_OFFER] = asdict(offer)


def waiting(request: HttpRequest) -> Offer | None:
    """The offer that waits in this session."""
    found = request.session.get(_OFFER)
    offer = Offer(**found) if isinstance(found, dict) else None
    return offer if offer is not None and time.time() - offer.at < OFFER_SECONDS else None


def forget(request: HttpRequest) -> None:
    request.session.pop(_OFFER, None)
