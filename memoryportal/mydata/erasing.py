"""Erase everything: what will happen, the last question, and how far it is."""

from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from memoryportal.accounts.http import PortalRequest
from memoryportal.accounts.stepup import confirmed, step_up
from memoryportal.accounts.subjects import chosen, is_connected, subjects_in_order
from memoryportal.erasure import engine, services
from memoryportal.erasure.models import Erasure
from memoryportal.memory import SubjectId, bulk

from .erasure_words import listed, shown
from .held import in_words

WORD = "erase"


class EraseForm(forms.Form):
    """The last question. `id` and `after` only say what the person was looking at; they choose nothing."""

    word = forms.CharField(
        label="Type the word to go on",
        max_length=50,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false", "class": "input-short"}
        ),
        error_messages={"required": f"Type “{WORD}” to go on. Nothing was erased."},
    )
    id = forms.CharField(required=False, widget=forms.HiddenInput)
    after = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean_word(self) -> str:
        word: str = self.cleaned_data["word"]
        if word.casefold() != WORD:
            raise ValidationError(f"This is not the word. Type “{WORD}” to go on. Nothing was erased.")
        return word


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def ask(request: PortalRequest) -> HttpResponseBase:
    if request.method == "POST":
        return _erase(request)
    if "confirm" in request.GET:
        return _confirm(request)
    return _page(request)


@require_safe
@login_required
def show(request: PortalRequest, erasure_id: UUID) -> HttpResponse:
    erasure = _own(request, erasure_id)
    fragment = request.htmx and request.htmx.target == "erasure"
    template = "mydata/_erasure.html" if fragment else "mydata/erasure.html"
    return render(request, template, {"erasure": shown(erasure), "abilities": bulk.abilities()})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def resume(request: PortalRequest, erasure_id: UUID) -> HttpResponse:
    """Carry on with what was asked for and confirmed before: nothing more is erased than that."""
    erasure = _own(request, erasure_id)
    if erasure.is_filed:  # written down by the staff: this person has confirmed nothing yet
        return redirect("mydata:erase")
    if request.method == "POST":
        engine.run(erasure)
    return redirect("mydata:erasure", erasure.id)


@step_up
def _confirm(request: PortalRequest) -> HttpResponse:
    return redirect(reverse("mydata:erase") + "#erase")


@step_up(back_to="mydata:erase")
def _erase(request: PortalRequest) -> HttpResponse:
    form = EraseForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    seen, about = form.cleaned_data, chosen(request)
    if seen["id"] not in ("", about.key):
        messages.error(request, "You chose another id after you opened that page. Nothing was erased: look again.")
        return redirect("mydata:erase")
    latest = _latest(services.history(request.user), about.subject)
    if latest and seen["after"] not in ("", str(latest.id)):  # sent twice, and the first one has ended already
        return redirect("mydata:erasure", latest.id)
    erasure = engine.run(services.ask(request.user, about.subject))
    return redirect("mydata:erasure", erasure.id)


def _page(request: PortalRequest, form: EraseForm | None = None, status: int = 200) -> HttpResponse:
    held, earlier, about = request.memory.held(), services.history(request.user), chosen(request)
    latest = _latest(earlier, about.subject)
    context = {
        "form": form or EraseForm(initial={"id": about.key, "after": str(latest.id) if latest else "none"}),
        "word": WORD,
        "places": in_words(held),
        "total": sum(held.values()),
        "connected": is_connected(request.user),
        "confirmed": confirmed(request),
        "abilities": bulk.abilities(),
        "ids": subjects_in_order(request.user),
        "chosen": about,
        "earlier": [listed(erasure) for erasure in earlier],
    }
    return render(request, "mydata/erase.html", context, status=status)


def _latest(newest_first: list[Erasure], subject: SubjectId) -> Erasure | None:
    return next((erasure for erasure in newest_first if str(subject) in erasure.subjects), None)


def _own(request: PortalRequest, erasure_id: UUID) -> Erasure:
    try:
        return services.own(request.user, erasure_id)
    except services.ErasureNotFound:
        raise Http404 from None
