"""The pages on which people without a password confirm that it is them: at their provider, or with a mailed code."""

from smtplib import SMTPException
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from memoryportal.audit.actions import Action

from . import codes, proofs
from .http import PortalRequest
from .oidc.adapter import PROVE
from .oidc.views import leave, provider_or_404
from .trail import note_account


class CodeForm(forms.Form):
    code = forms.CharField(
        label="Code",
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "class": "input-short"}),
        error_messages={"required": "Type the code from the mail."},
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def prove(request: PortalRequest) -> HttpResponse:
    """Say what will happen, then lead to the provider, which must ask the person itself (`max_age=0`)."""
    provider, question = provider_or_404(request), proofs.asked(request)
    if question is None or not proofs.has_provider(request.user):
        return redirect("accounts:settings")
    if request.method == "POST":
        again = {"prompt": "login", "max_age": "0"}
        return leave(request, PROVE, data=proofs.challenge(question), auth_params=again)
    return render(request, "accounts/prove.html", {"name": provider.name, "back": question["back"]})


@require_POST
@login_required
def mail_code(request: PortalRequest) -> HttpResponse:
    question = _for_a_code(request)
    if question is None:
        return redirect("accounts:settings")
    try:
        codes.mail(request, request.user, question["action"])
        messages.success(request, "We have sent you a code.")
    except codes.TooManyCodes:
        messages.error(request, "You have had several codes in this hour. No other one was sent: wait a while.")
    except (OSError, SMTPException):
        messages.error(request, "The mail could not be sent. Please try again in a minute.")
    return redirect("accounts:prove_code")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def code(request: PortalRequest) -> HttpResponse:
    question = _for_a_code(request)
    if question is None:
        return redirect("accounts:settings")
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if codes.accept(request, request.user, question["action"], form.cleaned_data["code"]):
            return proofs.give(request, question, "code")
        note_account(request.user, Action.SESSION_REFUSED, request, method="code")
        form.add_error("code", "This is not the code, or it is no longer good. Nothing was done.")
    context = {"form": form, "waiting": codes.is_waiting(request), "back": question["back"]}
    return render(request, "accounts/prove_code.html", context, status=422 if form.errors else 200)


def _for_a_code(request: PortalRequest) -> dict[str, Any] | None:
    """The question that a code may answer: the provider has answered, and did not say when the person signed in."""
    question = proofs.asked(request)
    return question if question is not None and question["code"] else None
