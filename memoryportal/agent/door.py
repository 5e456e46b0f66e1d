"""Who calls: a host with a service key, or an assistant with a subject token. Here alone a token opens memory."""

import logging
import uuid
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from allauth.account.adapter import get_adapter
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpRequest
from ninja.security import HttpBearer

from memoryportal.memory import ScopedMemory, SubjectId

from . import keys, limits, tokens
from .models import ServiceKey
from .problems import Problem

logger = logging.getLogger(__name__)
_KEY = "mpk_"


@dataclass(frozen=True, slots=True, repr=False)
class Visit:
    """A request that has shown a good token with the right for what it asks. `prefix` names the service key."""

    key: uuid.UUID
    prefix: str
    subject: SubjectId
    agent: str
    run: str | None
    reads: bool  # whether it may be told what is remembered, whatever else it does

    @property
    def memory(self) -> ScopedMemory:
        return ScopedMemory(self.subject, agent=self.agent, run=self.run)

    def __repr__(self) -> str:
        return "<Visit>"  # a subject id is personal data: keep it out of logs and tracebacks


class _Bearer(HttpBearer):
    """ninja's own writes the header into the log when debugging."""

    def __call__(self, request: HttpRequest) -> object:
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        return self.authenticate(request, value.strip() if scheme.lower() == "bearer" else "")


class SubjectToken(_Bearer):
    """The door of assistants. `right` is what the operation needs."""

    openapi_bearerFormat = "JWT"
    openapi_description = "A subject token of POST /api/v1/tokens: one person, one assistant, ten minutes."

    def __init__(self, right: str) -> None:
        super().__init__()
        self.right = right

    def authenticate(self, request: HttpRequest, token: str) -> Visit:
        _refuse_key_from_browser(request, token)
        if not token or token.startswith(_KEY):
            raise Problem("token-required")
        claims = tokens.read(token)
        standing = limits.visit(claims.key, claims.subject)
        if standing is None:
            raise Problem("token-revoked")
        if self.right not in claims.rights or self.right not in standing.rights:
            raise Problem("right-missing")
        refuse_agent(standing.agents, claims.agent)
        reads = "read" in claims.rights and "read" in standing.rights
        return Visit(claims.key, standing.prefix, claims.subject, claims.agent, claims.run, reads)


class HostKey(_Bearer):
    """The door of the host's back end."""

    openapi_description = "A service key (manage.py create_service_key). For back ends alone, never in a browser."

    def authenticate(self, request: HttpRequest, token: str) -> ServiceKey:
        _refuse_key_from_browser(request, token)
        if not token.startswith(_KEY):
            raise Problem("key-required")
        key = keys.find(token)
        if key is None or limits.visit(key.pk) is None:
            raise Problem("key-invalid")
        if key.networks and not _is_within(request, key.networks):
            raise Problem("network-refused")
        return key


def refuse_agent(allowed: list[str], agent: str) -> None:
    """Raise Problem unless the key allows this assistant; an empty list allows any."""
    if allowed and agent not in allowed:
        raise Problem("agent-refused")


def _refuse_key_from_browser(request: HttpRequest, token: str) -> None:
    """Whatever it asks for: whoever sent it has the key where everybody who uses the page can read it."""
    if token.startswith(_KEY) and "Origin" in request.headers:
        if (key := keys.find(token)) is not None:
            logger.error("the service key %s was sent by a browser: rotate it, and take it out of the page", key.prefix)
        raise Problem("key-in-browser")


def _is_within(request: HttpRequest, networks: list[str]) -> bool:
    try:
        address = ip_address(get_adapter(request).get_client_ip(request))
    except (PermissionDenied, ImproperlyConfigured, ValueError):  # no address, or fewer proxies than there should be
        return False
    if isinstance(address, IPv6Address):  # a server that listens on :: sees ::ffff:192.0.2.1
        address = address.ipv4_mapped or address
    return any(address in ip_network(network) for network in networks)
