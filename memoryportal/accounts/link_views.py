"""A person connects an id of theirs, and disconnects it. Ids come from a provider's answer or a signed token only."""

import logging
from typing import cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from memoryportal.audit.actions import Action
from memoryportal.audit.record import record
from memoryportal.memory import SubjectId

from . import host_link, links, subjects
from .configuration import name_of
from .http import PortalRequest
from .models import Proof, SubjectBusy, SubjectLink, SubjectTaken, User
from .oidc.adapter import CONNECT
from .oidc.views import leave, provider_or_404
from .stepup import step_up
from .trail import actor_of

logger = logging.getLogger(__name__)


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


@require_http_methods(["GET", "HEAD", "POST"])
def from_host(request: HttpRequest) -> HttpResponse:
    """Take the token out of the address at once, then ask the signed-in person. Who is not signed in does so first."""
    if request.method != "POST" and "token" in request.GET:
        if request.method == "HEAD":  # programs look at a link before somebody follows it; a token counts once
            return HttpResponse()
        return _take(request, request.GET["token"])
    return _confirm(cast(PortalRequest, request))


def _take(request: HttpRequest, token: str) -> HttpResponse:
    try:
        if settings.HOST_LINK is None:
            raise host_link.TokenRefused("no host application is configured")
        host_link.keep(request, host_link.read(token, settings.HOST_LINK))
    except host_link.TokenRefused as error:
        logger.warning("a token of the host application was refused: %s", error)
        if isinstance(request.user, User):  # anybody could fill the trail otherwise
            about = {"method": str(Proof.REDIRECT), "kind": "token"}
            record(Action.LINK_REFUSED, actor=actor_of(request), details=about)
        return render(request, "accounts/token_refused.html", status=403)
    return redirect("accounts:link")


@login_required
def _confirm(request: PortalRequest) -> HttpResponse:
    offer = host_link.waiting(request)
    if offer is None:
        return redirect("accounts:settings")
    name = name_of(offer.issuer)
    if request.method != "POST":
        return render(request, "accounts/link.html", {"offer": offer, "name": name})
    if request.POST.get("shown") != offer.mark:  # whoever sends people here could change the id behind an open page
        return render(request, "accounts/link.html", {"offer": offer, "name": name, "again": True}, status=409)
    host_link.forget(request)
    try:
        _accept(request, offer)
    except SubjectBusy as busy:
        return render(request, "accounts/link_refused.html", {"name": name, "busy": busy}, status=409)
    except SubjectTaken:
        links.refuse(SubjectId(offer.subject), actor_of(request), Proof.REDIRECT)
        return render(request, "accounts/link_refused.html", {"name": name}, status=409)
    messages.success(request, f"Connected. Your pages now also show what is kept under your id at {name}.")
    return redirect("accounts:settings")


def _accept(request: PortalRequest, offer: host_link.Offer) -> None:
    if offer.subject == request.user.subject:  # the host application uses the id that the portal gave out
        subjects.mark_connected(request.user)
    else:
        user, subject = request.user, SubjectId(offer.subject)
        links.make(user, subject, proof=Proof.REDIRECT, by=user, issuer=offer.issuer, claim="sub")


def can_connect() -> str:
    """The name of the provider that people can connect with; empty without one."""
    return settings.OIDC.name if settings.OIDC is not None else ""
