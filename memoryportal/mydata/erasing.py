"""Ask for an erasure: what is to go, what will happen, and the last question."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from memoryportal.accounts import removal
from memoryportal.accounts.http import PortalRequest
from memoryportal.accounts.models import User
from memoryportal.accounts.stepup import confirmed, step_up
from memoryportal.accounts.subjects import chosen, is_connected, own_subjects, subjects_in_order
from memoryportal.erasure import engine, identity, services
from memoryportal.erasure.models import Erasure, Scope
from memoryportal.erasure.moves import NotNow
from memoryportal.memory import SubjectId, bulk

from . import held, request_cookies
from .erasure_words import about, listed
from .forms import NameField

WORD = "erase"
NEVER = "never"  # the place of stopped wordings
SCOPES = {
    Scope.EVERYTHING: "Everything that is remembered",
    Scope.ACCOUNT: "Everything that is remembered, and my account here",
    Scope.ASSISTANT: "Only what one assistant remembers",
}


class EraseForm(forms.Form):
    """The last question. `id` and `after` only say what the person was looking at; they choose nothing.

    A form that names no scope means everything.
    """

    scope = forms.ChoiceField(
        label="What is to be erased?", required=False, widget=forms.RadioSelect, choices=[*SCOPES.items()]
    )
    agent = NameField("an assistant", label="Which assistant?", help_text="Only if you chose one assistant above.")
    keep_never = forms.BooleanField(label="Keep the list of wordings that must never be learned again", required=False)
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

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def offer(self, agents: dict[str, int], stopped: int) -> None:
        """Leave out what there is nothing of."""
        scopes = [(scope, label) for scope, label in SCOPES.items() if agents or scope != Scope.ASSISTANT]
        self.fields["scope"].choices = scopes  # type: ignore[attr-defined]
        self.fields["agent"].widget.choices = [("", "–"), *((name, f"{name} ({n})") for name, n in agents.items())]
        if not agents and "agent" not in self.errors:
            del self.fields["agent"]
        if not stopped:
            del self.fields["keep_never"]

    def clean_scope(self) -> Scope:
        scope = Scope(self.cleaned_data["scope"] or Scope.EVERYTHING)
        if scope == Scope.ACCOUNT and (why := removal.objection(self.user)):
            raise ValidationError(f"{why[:1].upper()}{why[1:]}. Nothing was erased.")
        return scope

    def clean_word(self) -> str:
        word: str = self.cleaned_data["word"]
        if word.casefold() != WORD:
            raise ValidationError(f"This is not the word. Type “{WORD}” to go on. Nothing was erased.")
        return word

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        if given.get("scope") == Scope.ASSISTANT and not given.get("agent") and "agent" not in self.errors:
            self.add_error("agent", "Choose the assistant. Nothing was erased.")
        return given


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def ask(request: PortalRequest) -> HttpResponseBase:
    if request.method == "POST":
        form = EraseForm(request.POST, user=request.user)
        # A slip is told before anybody has to prove who they are.
        return _erase(request, form) if form.is_valid() else _page(request, form, status=422)
    if "confirm" in request.GET:
        return _confirm(request)
    return _page(request)


@step_up
def _confirm(request: PortalRequest) -> HttpResponse:
    return redirect(reverse("mydata:erase") + "#erase")


@step_up(back_to="mydata:erase")
def _erase(request: PortalRequest, form: EraseForm) -> HttpResponse:
    seen, shown = form.cleaned_data, chosen(request)
    if seen["id"] not in ("", shown.key):
        messages.error(request, "You chose another id after you opened that page. Nothing was erased: look again.")
        return redirect("mydata:erase")
    latest = _latest(services.history(request.user), shown.subject)
    if latest and seen["after"] not in ("", str(latest.id)):  # sent twice, and the first one has ended already
        return redirect("mydata:erasure", latest.id)
    try:
        erasure = _asked(request, seen, shown.subject)
    except NotNow as error:
        messages.error(request, f"{error} Nothing was erased for you.")
        return redirect("mydata:erase")
    return _begin(request, erasure)


def _asked(request: PortalRequest, seen: dict[str, Any], subject: SubjectId) -> Erasure:
    """The request for what was chosen: all own ids where the account goes, else the one that is looked at."""
    scope = seen["scope"]
    subjects = own_subjects(request.user) if scope == Scope.ACCOUNT else [subject]
    agent = seen["agent"] if scope == Scope.ASSISTANT else ""
    keep_never = seen["keep_never"] and scope != Scope.ACCOUNT  # nobody would be left whose list it is
    found = services.ask(request.user, *subjects, scope=scope, agent=agent, keep_never=keep_never)
    if found.scope != scope:
        messages.warning(request, f"This one was asked for before: {about(found)}. Ask again when it has ended.")
    return found


def _begin(request: PortalRequest, erasure: Erasure) -> HttpResponse:
    """Carry it out as far as it gets now. Whoever gives up the account follows it without one from then on."""
    leaving = erasure.scope == Scope.ACCOUNT
    secret = identity.new_secret(erasure) if leaving else ""
    erasure = engine.run(erasure)
    if leaving and not User.objects.filter(pk=request.user.pk).exists():
        request.session.flush()
        response = redirect("mydata:request", erasure.reference)
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
        return request_cookies.remember(response, erasure, secret)
    response = redirect("mydata:erasure", erasure.id)
    return request_cookies.remember(response, erasure, secret) if leaving else response


def _page(request: PortalRequest, form: EraseForm | None = None, status: int = 200) -> HttpResponse:
    kept, earlier, shown = request.memory.held(), services.history(request.user), chosen(request)
    latest = _latest(earlier, shown.subject)
    seen = {"id": shown.key, "after": str(latest.id) if latest else "none", "scope": Scope.EVERYTHING}
    form = form or EraseForm(initial=seen, user=request.user)
    form.offer({name: count for name, count in request.memory.summary().agents if name}, kept.get(NEVER, 0))
    context = {
        "form": form,
        "word": WORD,
        "places": held.in_words(kept),
        "total": sum(kept.values()),
        "connected": is_connected(request.user),
        "confirmed": confirmed(request),
        "abilities": bulk.abilities(),
        "ids": (own := subjects_in_order(request.user)),
        "several": len(own) > 1,
        "grace": settings.ERASURE_GRACE_HOURS_OWN,
        "chosen": shown,
        "earlier": [listed(erasure) for erasure in earlier],
    }
    return render(request, "mydata/erase.html", context, status=status)


def _latest(newest_first: list[Erasure], subject: SubjectId) -> Erasure | None:
    return next((erasure for erasure in newest_first if str(subject) in erasure.subjects), None)
