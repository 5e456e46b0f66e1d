"""The page on which privacy connects ids: what waits, and the form to ask for one."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from memoryportal.accounts.roles import PRIVACY
from memoryportal.accounts.staff import pseudonym_of_staff
from memoryportal.accounts.waiting import LinkAsk
from memoryportal.memory import InvalidSubject, SubjectId

from . import linking, people
from .forms import EXACT, ReasonField
from .guard import StaffRequest, staff


class AskForm(forms.Form):
    words = forms.CharField(
        label="E-mail address of the account",
        max_length=254,
        widget=forms.TextInput(attrs=EXACT),
        error_messages={"required": "Write whose account it is."},
    )
    subject = forms.CharField(
        label="Id",
        help_text="Exactly as the assistant uses it (mem0's user_id).",
        max_length=128,
        strip=False,
        widget=forms.TextInput(attrs=EXACT),
        error_messages={"required": "Write the id."},
    )
    issuer = forms.CharField(
        label="From which service",
        help_text="Such as the name of the app. The person reads it.",
        max_length=200,
        required=False,
    )
    reason = ReasonField("How you know that it is theirs", "For the colleague who approves it, and for the auditors.")

    def clean_subject(self) -> SubjectId:
        try:
            return SubjectId(self.cleaned_data["subject"])
        except InvalidSubject as error:
            raise ValidationError(f"{error}.".capitalize()) from None


@staff(PRIVACY)
@require_http_methods(["GET", "HEAD", "POST"])
def show(request: StaffRequest) -> HttpResponse:
    form = AskForm(request.POST if request.method == "POST" else None)
    if not form.is_bound:
        return _page(request, form)
    if not form.is_valid():
        return _page(request, form, 422)
    try:
        linking.ask(request.user, **form.cleaned_data)
    except linking.LinkRefused as refusal:
        form.add_error(None, str(refusal))
        return _page(request, form, 409)
    except people.TooMany as refusal:
        form.add_error(None, str(refusal))
        return _page(request, form, 429)
    messages.success(request, "Asked. It is connected when somebody else of privacy approves it.")
    return redirect("support:links")


@staff(PRIVACY)
@require_POST
def approve(request: StaffRequest, ask_id: int) -> HttpResponse:
    try:
        linking.approve(request.user, ask_id)
        messages.success(request, "Connected. The person is told by mail.")
    except linking.LinkRefused as refusal:
        messages.error(request, str(refusal))
    return redirect("support:links")


@staff(PRIVACY)
@require_POST
def drop(request: StaffRequest, ask_id: int) -> HttpResponse:
    try:
        linking.drop(request.user, ask_id)
        messages.success(request, "Not connected. Nothing was changed.")
    except linking.LinkRefused as refusal:
        messages.error(request, str(refusal))
    return redirect("support:links")


def _page(request: StaffRequest, form: AskForm, status: int = 200) -> HttpResponse:
    waiting = [_listed(request, ask) for ask in LinkAsk.objects.select_related("account")]
    return render(request, "support/links.html", {"form": form, "waiting": waiting}, status=status)


def _listed(request: StaffRequest, ask: LinkAsk) -> dict[str, Any]:
    own = request.user.pk in (ask.by_id, ask.account_id)
    return {"ask": ask, "by": pseudonym_of_staff(ask.by_id), "is_mine": ask.by_id == request.user.pk, "own": own}
