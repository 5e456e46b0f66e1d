"""Privacy writes a request down that came by letter or mail."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from memoryportal.accounts import removal
from memoryportal.accounts.models import User, normal_address
from memoryportal.accounts.roles import PRIVACY
from memoryportal.audit.actions import Action
from memoryportal.audit.record import Actor, record
from memoryportal.erasure.models import Scope, office_day
from memoryportal.memory import InvalidSubject
from memoryportal.memory.scope import check_id

from . import people, requesting
from .forms import EXACT, PLAIN
from .guard import StaffRequest, staff
from .people import Person

LONG_AGO = timedelta(days=365)
NO_ACCOUNT = (
    "No account has exactly this address or id. Leave this empty, write below what they gave you, and look for the id "
    "on the page of the request."
)


class LetterForm(forms.Form):
    """What the letter says. Whom it is about is looked up with `words`; no field holds an id."""

    words = forms.CharField(
        label="Their account: e-mail address or id",
        help_text="Exactly as they gave it. Leave it empty where they gave none, or have no account here.",
        max_length=254,
        required=False,
        widget=forms.TextInput(attrs=EXACT),
    )
    told = forms.CharField(
        label="What they wrote so that their data can be found",
        help_text="A customer number, which assistant, when. It goes when the request has ended.",
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    scope = forms.ChoiceField(
        label="What is to be erased",
        choices=[(scope.value, scope.label.capitalize()) for scope in Scope],
        initial=Scope.EVERYTHING,
        widget=forms.RadioSelect,
    )
    agent = forms.CharField(
        label="Which assistant",
        help_text="Only where it is about one: its name, exactly.",
        max_length=128,
        required=False,
        widget=forms.TextInput(attrs={**EXACT, "class": "input-short"}),
    )
    ticket = forms.CharField(
        label="Case number",
        help_text="Of the letter or mail.",
        max_length=40,
        validators=[PLAIN],
        widget=forms.TextInput(attrs={**EXACT, "class": "input-short"}),
        error_messages={"required": "Write the case number."},
    )
    received = forms.DateField(
        label="When it came in",
        help_text="The clock of the law begins on this day.",
        initial=office_day,
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date", "class": "input-short"}),
        error_messages={"required": "Say when it came in."},
    )
    address = forms.EmailField(
        label="Address for mails",
        help_text="Only for somebody without an account here. Without one you tell them yourself what becomes of it.",
        required=False,
        widget=forms.EmailInput(attrs=EXACT),
    )

    def clean_received(self) -> date:
        received: date = self.cleaned_data["received"]
        if not office_day() - LONG_AGO <= received <= office_day():
            raise ValidationError("It came in within the last year, and not after today.")
        return received

    def clean_told(self) -> str:
        return " ".join(self.cleaned_data["told"].split())

    def clean_address(self) -> str:
        return normal_address(self.cleaned_data["address"])

    def clean_agent(self) -> str:
        agent: str = self.cleaned_data["agent"]
        try:
            return check_id(agent, "agent") if agent else ""
        except InvalidSubject as error:
            raise ValidationError(f"{error}.".capitalize()) from None

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        if not given.get("words") and not given.get("told") and not self.errors.keys() & {"words", "told"}:
            raise ValidationError("Say who it is about: their account, or what they wrote.")
        if given.get("scope") != Scope.ASSISTANT:  # the field is hidden then: what was typed before counts for nothing
            given["agent"] = ""
            self.errors.pop("agent", None)
        elif not given.get("agent") and "agent" not in self.errors:
            self.add_error("agent", "Write which assistant it is about.")
        return given

    def objections(self, by: User, person: Person | None) -> dict[str, str]:
        """What speaks against it, by field, once it is known who was found."""
        given, account = self.cleaned_data, person.account if person else None
        if given["words"] and account is None:
            return {"words": NO_ACCOUNT}
        if by in (account,) or given["address"] == by.email:
            return {"words": "This is about you: somebody else of the privacy team has to write it down."}
        if account and given["address"]:
            return {"address": "Their account has an address, and mails go there. Leave this empty."}
        if given["scope"] == Scope.ACCOUNT:
            return _about_the_account(account)
        return {}


def _about_the_account(account: User | None) -> dict[str, str]:
    if account is None:
        return {"scope": "There is no account that could go: say whose it is, or choose something else."}
    why = removal.objection(account)
    return {"scope": f"{why[:1].upper()}{why[1:]}."} if why else {}


@staff(PRIVACY)
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: StaffRequest) -> HttpResponse:
    form = LetterForm(request.POST if request.method == "POST" else None)
    if not form.is_bound:
        return _page(request, form)
    if not form.is_valid():
        return _page(request, form, 422)
    try:
        person = _person(request, form.cleaned_data["words"])
    except people.TooMany as refused:
        record(Action.ACCESS_DENIED, actor=Actor(str(request.user.pk), request.role), details={"kind": "quota"})
        form.add_error("words", f"{refused} Nothing was written down.")
        return _page(request, form, 429)
    for field, sentence in form.objections(request.user, person).items():
        form.add_error(field, sentence)
    if form.errors:
        return _page(request, form, 422)
    about = {name: form.cleaned_data[name] for name in ("scope", "agent", "ticket", "told", "address")}
    erasure, made = requesting.file_letter(request.user, person, form.cleaned_data["received"], **about)
    if made:
        messages.success(request, f"Written down as {erasure.reference}.")
    else:
        there = f"There is {erasure.reference} already, which has not ended."
        messages.warning(request, f"{there} Nothing was written down.")
    return redirect("support:request", erasure.reference)


def _person(request: StaffRequest, words: str) -> Person | None:
    return people.find(request.user, request.role, words) if words else None


def _page(request: StaffRequest, form: LetterForm, status: int = 200) -> HttpResponse:
    context = {"form": form, "left": people.finds_left(request.user)}
    return render(request, "support/request_new.html", context, status=status)
