"""The start page and a person's own settings. Signing in and out is django-allauth's."""

from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.conf import settings as site_settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from memoryportal.audit.actions import Action

from . import subjects
from .forms import TimeZoneForm
from .http import PortalRequest
from .link_views import can_connect
from .second_factor import has_second_factor
from .trail import note_account


@require_safe
def start(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect("mydata:list")
    return render(request, "accounts/start.html", {"signup_open": site_settings.SIGNUP_OPEN})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def settings(request: PortalRequest) -> HttpResponse:
    form = TimeZoneForm(request.POST or None, instance=request.user)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Saved. Times are now shown in your zone.")
        return redirect("accounts:settings")
    context = {
        "form": form,
        "chosen": subjects.chosen(request),
        "subjects": subjects.subjects_in_order(request.user),
        "connected": subjects.is_connected(request.user),
        "provider": can_connect(),
        "second_factor": has_second_factor(request.user),
        "address": EmailAddress.objects.get_primary_email(request.user) or request.user.email,
    }
    return render(request, "accounts/settings.html", context, status=422 if form.errors else 200)


@require_POST
@login_required
def choose_subject(request: PortalRequest) -> HttpResponse:
    try:
        subjects.choose(request, request.POST.get("choice", ""))
    except subjects.UnknownChoice:
        raise Http404 from None
    messages.success(request, "Your pages now show what is stored under the id that you chose.")
    return redirect("accounts:settings")


@require_POST
@login_required
def end_session(request: PortalRequest, session_id: int) -> HttpResponse:
    session = get_object_or_404(UserSession, pk=session_id, user=request.user)
    note_account(request.user, Action.SESSION_ENDED, request, kind="other")
    session.end()
    messages.success(request, "That session was ended. Whoever used it has to sign in again.")
    return redirect("usersessions_list")
