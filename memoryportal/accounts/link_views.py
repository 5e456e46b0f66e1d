"""A person connects an id of theirs, and disconnects it. Ids come from a provider's answer or a signed token only."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from . import links
from .configuration import name_of
from .http import PortalRequest
from .models import SubjectLink
from .oidc.adapter import CONNECT
from .oidc.views import leave, provider_or_404
from .stepup import step_up


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@step_up
def connect(request: PortalRequest) -> HttpResponse:
    """Sign in at the provider as well from now on. Behind a step-up: it is a new way into the account."""
    provider = provider_or_404(request)
    if request.method == "POST":
        return leave(request, CONNECT, data=request.user.pk)
    return render(request, "accounts/connect.html", {"name": provider.name})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def disconnect(request: PortalRequest, link_id: int) -> HttpResponseBase:
    link = get_object_or_404(SubjectLink, pk=link_id, account=request.user)
    return _disconnect(request, link)


@step_up
def _disconnect(request: PortalRequest, link: SubjectLink) -> HttpResponse:
    """Only somebody else's or no link at all is a 404, before anybody is asked who they are."""
    if request.method == "POST":
        links.remove(link, by=request.user)
        messages.success(request, "Disconnected. Your pages no longer show what is kept under that id.")
        return redirect("accounts:settings")
    return render(request, "accounts/disconnect.html", {"link": link, "name": name_of(link.issuer)})


def can_connect() -> str:
    """The name of the provider that people can connect with; empty without one."""
    return settings.OIDC.name if settings.OIDC is not None else ""
