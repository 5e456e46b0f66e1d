"""allauth's OpenID Connect provider, stricter: one issuer, PKCE, a nonce, signatures checked, and little kept.

Of a sign-in the portal keeps who it was (issuer and `sub`) and the id that assistants use; no name, picture or token.
"""

import hashlib
import secrets
from typing import Any

from allauth.account.models import EmailAddress
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import urlencode
from requests import RequestException

from ..configuration import the_provider
from . import tokens

_NEEDED = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class ProviderUnavailable(OAuth2Error):
    """The provider does not answer, or not as a provider does."""


class Adapter(OpenIDConnectOAuth2Adapter):
    """Speaks to the provider. `stashed` is what the session kept of the question that is being answered."""

    def __init__(self, request: HttpRequest, provider_id: str = "oidc") -> None:
        super().__init__(request, provider_id)
        self.stashed: dict[str, Any] = {}

    @property
    def openid_config(self) -> dict[str, Any]:
        """The provider's description of itself. Raises ProviderUnavailable."""
        if not hasattr(self, "_openid_config"):
            found = _fetch(self.get_provider().server_url)
            if found.get("issuer") != the_provider().issuer or not all(found.get(name) for name in _NEEDED):
                raise ProviderUnavailable("the provider describes itself as another one")
            self._openid_config = found
        return self._openid_config

    def complete_login(self, request: HttpRequest, app: Any, token: Any, **kwargs: Any) -> Any:
        claims = tokens.verify(
            kwargs["response"].get("id_token"),
            _fetch(self.openid_config["jwks_uri"]),
            issuer=the_provider().issuer,
            client_id=app.client_id,
            nonce=self.stashed.get("nonce"),
        )
        login = self.get_provider().sociallogin_from_response(request, claims)
        login.claims = claims
        return login

    def get_callback_url(self, request: HttpRequest, app: Any) -> str:
        return str(request.build_absolute_uri(reverse("openid_connect_callback")))


def _fetch(url: str) -> dict[str, Any]:
    try:
        with get_adapter().get_requests_session() as session:
            answer = session.get(url)
            answer.raise_for_status()
            found = answer.json()
    except (RequestException, ValueError) as error:
        raise ProviderUnavailable(f"the provider cannot be reached: {type(error).__name__}") from None
    if not isinstance(found, dict):
        raise ProviderUnavailable("the provider answers something else")
    return found


class Provider(OpenIDConnectProvider):
    package = "memoryportal.accounts.oidc"  # where allauth finds our URLs
    oauth2_adapter_class = Adapter
    pkce_enabled_default = True

    def get_login_url(self, request: HttpRequest, **kwargs: Any) -> str:
        url = reverse("openid_connect_login")
        return f"{url}?{urlencode(kwargs)}" if kwargs else url

    def get_callback_url(self) -> str:
        return reverse("openid_connect_callback")

    def get_default_scope(self) -> list[str]:
        return ["openid", "email"]

    def redirect(
        self, request: HttpRequest, process: str, next_url: str | None = None, data: Any = None, **kwargs: Any
    ) -> HttpResponse:
        nonce = secrets.token_urlsafe(24)
        asked = {**kwargs.pop("auth_params", {}), "nonce": nonce}
        answer: HttpResponse = super().redirect(
            request, process, next_url, data, auth_params=asked, nonce=nonce, **kwargs
        )
        return answer

    def extract_uid(self, data: dict[str, Any]) -> str:
        """Issuer and `sub`: the same `sub` at another issuer is somebody else."""
        who = f"{the_provider().issuer} {data['sub']}"
        return who if len(who) <= 191 else f"sha256:{hashlib.sha256(who.encode()).hexdigest()}"

    def extract_extra_data(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"issuer": the_provider().issuer, "subject": data.get(the_provider().claim)}

    def extract_common_fields(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"email": data.get("email")}

    def extract_email_addresses(self, data: dict[str, Any]) -> list[EmailAddress]:
        """Confirmed only by a true truth value: some providers write the word "false"."""
        address = data.get("email")
        if not isinstance(address, str) or not address:
            return []
        return [EmailAddress(email=address, verified=data.get("email_verified") is True, primary=True)]
