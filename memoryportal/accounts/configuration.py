"""Who besides the portal may say who somebody is: read from the environment, and refused when it is not safe."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

MIN_SECRET = 32


@dataclass(frozen=True, slots=True)
class Oidc:
    """The provider that people can sign in with. `claim` is the one that holds the id that assistants use."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    name: str
    claim: str


@dataclass(frozen=True, slots=True)
class HostLink:
    """The host application whose signed redirects say which id a person has there. The key fixes the algorithm."""

    key: str = field(repr=False)
    algorithm: str
    issuer: str
    audience: str
    name: str


def read_oidc(env: Any, production: bool) -> Oidc | None:
    """The provider, or None without OIDC_ISSUER. Raises ImproperlyConfigured."""
    claim = env.str("SUBJECT_CLAIM", default="sub")
    if claim != "sub" and not env.bool("SUBJECT_CLAIM_IMMUTABLE", default=False):
        raise ImproperlyConfigured(
            f"SUBJECT_CLAIM is {claim!r}: whoever can change that claim at the provider can read the memories of others"
            ". Use sub, or set SUBJECT_CLAIM_IMMUTABLE=true if nobody can ever change it or get a former one."
        )
    issuer = env.str("OIDC_ISSUER", default="")
    if not issuer:
        return None
    if production and not issuer.startswith("https://"):
        raise ImproperlyConfigured("OIDC_ISSUER must begin with https://: without it anybody on the way can sign in.")
    client_id, secret = env.str("OIDC_CLIENT_ID", default=""), env.str("OIDC_CLIENT_SECRET", default="")
    if not client_id or not secret:
        raise ImproperlyConfigured("OIDC_ISSUER is set, so OIDC_CLIENT_ID and OIDC_CLIENT_SECRET must be set as well.")
    return Oidc(issuer, client_id, secret, env.str("OIDC_NAME", default=urlsplit(issuer).hostname or issuer), claim)


def the_provider() -> Oidc:
    """The configured provider. Raises ImproperlyConfigured without one: ask `settings.OIDC` first."""
    if settings.OIDC is None:
        raise ImproperlyConfigured("OIDC_ISSUER is not set")
    found: Oidc = settings.OIDC
    return found


def social_providers(oidc: Oidc | None) -> dict[str, Any]:
    """What allauth calls SOCIALACCOUNT_PROVIDERS."""
    apps = []
    if oidc is not None:
        app = {"provider_id": "oidc", "name": oidc.name, "client_id": oidc.client_id, "secret": oidc.client_secret}
        apps.append({**app, "settings": {"server_url": oidc.issuer, "oauth_pkce_enabled": True}})
    return {"openid_connect": {"provider_class": "memoryportal.accounts.oidc.provider.Provider", "APPS": apps}}


def read_host_link(env: Any) -> HostLink | None:
    """The host application, or None without HOST_LINK_KEY. Raises ImproperlyConfigured."""
    key = env.str("HOST_LINK_KEY", default="").replace("\\n", "\n").strip()
    if not key:
        return None
    issuer = env.str("HOST_LINK_ISSUER", default="")
    if not issuer:
        raise ImproperlyConfigured("HOST_LINK_KEY is set, so HOST_LINK_ISSUER (the token's iss) must be set as well.")
    audience = env.str("HOST_LINK_AUDIENCE", default="memoryportal")
    return HostLink(key, _algorithm(key), issuer, audience, env.str("HOST_LINK_NAME", default=issuer))


def _algorithm(key: str) -> str:
    if not key.startswith("-----BEGIN"):
        if len(key) < MIN_SECRET:
            raise ImproperlyConfigured(f"HOST_LINK_KEY is a shared secret: give it at least {MIN_SECRET} characters.")
        return "HS256"
    try:
        if isinstance(load_pem_public_key(key.encode()), Ed25519PublicKey):
            return "EdDSA"
    except (ValueError, UnsupportedAlgorithm):
        pass
    raise ImproperlyConfigured("HOST_LINK_KEY is neither an Ed25519 public key in PEM form nor a shared secret.")


def name_of(issuer: str) -> str:
    """How people know the system that gave out an id."""
    for known in (settings.OIDC, settings.HOST_LINK):
        if known is not None and known.issuer == issuer:
            return str(known.name)
    return issuer
