"""To the provider and back. What a good answer is for, adapter.py decides."""

from typing import Any

from allauth.account.utils import get_next_redirect_url
from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_safe

from .provider import Adapter, Provider, ProviderUnavailable


@require_http_methods(["GET", "HEAD", "POST"])
def login(request: HttpRequest) -> HttpResponse:
    provider = provider_or_404(request)
    if request.method == "POST":
        return leave(request, "login", get_next_redirect_url(request))
    return render(request, "socialaccount/login.html", {"provider": provider, "next": get_next_redirect_url(request)})


@require_safe
def callback(request: HttpRequest) -> HttpResponse:
    provider = provider_or_404(request)
    try:
        answer: HttpResponse = _Callback.adapter_view(Adapter(request))(request)
    except ProviderUnavailable as error:  # allauth asks for the provider's description outside of its own net
        return _out_of_reach(request, provider, error)
    return answer


def _out_of_reach(request: HttpRequest, provider: Provider, error: ProviderUnavailable) -> HttpResponse:
    answer: HttpResponse = render_authentication_error(request, provider, exception=error)
    answer.status_code = 503
    return answer


class _Callback(OAuth2CallbackView):
    """allauth's, and the adapter learns what the session kept: the nonce is in there."""

    def _get_state(self, request: HttpRequest, provider: Any) -> Any:
        state, refusal = super()._get_state(request, provider)
        self.adapter.stashed = state or {}
        return state, refusal


def provider_or_404(request: HttpRequest) -> Provider:
    try:
        provider: Provider = Adapter(request).get_provider()
    except SocialApp.DoesNotExist:
        raise Http404 from None
    return provider


def leave(request: HttpRequest, process: str, next_url: str | None = None, **about: Any) -> HttpResponse:
    """The page that leads to the provider.

    Not a redirect: the content security policy lets a form lead to no other host, not even by a redirect, and a
    provider may pass people on to hosts that nobody can list here.
    """
    provider = provider_or_404(request)
    try:
        answer = provider.redirect(request, process, next_url, **about)
    except ProviderUnavailable as error:
        return _out_of_reach(request, provider, error)
    if not answer.has_header("Location"):
        return answer
    return render(request, "accounts/leaving.html", {"provider": provider, "address": answer.headers["Location"]})
