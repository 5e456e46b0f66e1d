"""Say whose data a deletion request is about: look for the ids, then choose among what was found.

What was found lies in the session for five minutes, as in target.py: the form holds keys that mean nothing elsewhere.
"""

import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.crypto import salted_hmac
from django.views.decorators.http import require_http_methods, require_POST

from memoryportal.accounts.roles import PRIVACY
from memoryportal.audit.actions import Action
from memoryportal.audit.record import Actor, record
from memoryportal.erasure import decisions
from memoryportal.erasure.models import Erasure
from memoryportal.erasure.moves import NotNow
from memoryportal.memory import InvalidSubject, SubjectId

from . import people, request_names, requesting, story
from .forms import FindForm
from .guard import StaffRequest, staff
from .present import id_label, masked_address
from .request_acts import Act, why_not
from .request_reading import Reader, reader_of
from .target import SECONDS, ids_of

Name = str | UUID
_KEY = "support_ids_found"
ATTACH = Act(
    "attach", "attach", "Say whose data it is…", "Whose data is this about?", "These are the person’s ids",
    lambda _: [], "", lambda *_: None,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Candidate:
    """An id that may be this person's. `chosen` says whether it is ticked before anybody has chosen."""

    subject: str
    label: str
    chosen: bool

    @property
    def key(self) -> str:
        """What stands for the id in the form."""
        return salted_hmac("support.attaching", self.subject).hexdigest()[:20]


class LookForm(FindForm):
    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        self.fields["words"].label = "E-mail address of an account, or an id"


class WhichForm(forms.Form):
    ids = forms.MultipleChoiceField(
        label="Their ids",
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one id, or look for another one."},
    )

    def __init__(self, data: Any, candidates: list[Candidate]) -> None:
        super().__init__(data, initial={"ids": [each.key for each in candidates if each.chosen]})
        self.candidates = candidates
        self.fields["ids"].choices = [(each.key, each.label) for each in candidates]  # type: ignore[attr-defined]

    def chosen(self) -> list[SubjectId]:
        keys = set(self.cleaned_data["ids"])
        return [SubjectId(each.subject) for each in self.candidates if each.key in keys]


@staff(PRIVACY)
@require_http_methods(["GET", "HEAD", "POST"])
def attach(request: StaffRequest, reference: Name) -> HttpResponse:
    erasure = request_names.get(request, reference)
    candidates = _candidates(request, erasure, reader_of(request, erasure))
    form = WhichForm(request.POST if request.method == "POST" else None, candidates)
    if not form.is_bound:
        return _page(request, erasure, form)
    if not form.is_valid():
        return _page(request, erasure, form, 422)
    try:
        attached = decisions.attach(erasure.pk, request.user, form.chosen())
    except (NotNow, decisions.Unfit) as refused:
        form.add_error(None, f"{refused} Nothing was changed.")
        return _page(request, erasure, form, 409)
    request.session.pop(_KEY, None)
    _say(request, attached)
    return redirect("support:request", attached.reference)


def _say(request: StaffRequest, erasure: Erasure) -> None:
    if erasure.duplicate_of:
        there = erasure.duplicate_of.reference
        messages.warning(request, f"{erasure.reference}: the same was asked for in {there}, so this request has ended.")
        return
    asked = " The person is asked by mail now." if requesting.ask_by_mail(erasure) else ""
    messages.success(request, f"{erasure.reference}: noted whose data it is about.{asked}")


@staff(PRIVACY)
@require_POST
def find(request: StaffRequest, reference: Name) -> HttpResponse:
    """Look for ids by something that the officer knows exactly: within the quota, with an event."""
    erasure, form = request_names.get(request, reference), LookForm(request.POST)
    which = WhichForm(None, _candidates(request, erasure, reader_of(request, erasure)))
    if why_not(ATTACH, erasure, request.user):
        return _page(request, erasure, which)
    if not form.is_valid():
        return _page(request, erasure, which, 422, form)
    try:
        person = people.find(request.user, request.role, form.cleaned_data["words"])
    except people.TooMany as refused:
        record(Action.ACCESS_DENIED, actor=Actor(str(request.user.pk), request.role), details={"kind": "quota"})
        form.add_error("words", f"{refused} Nobody was looked for.")
        return _page(request, erasure, which, 429, form)
    found = _found(person, form.cleaned_data["words"])
    if not found:
        form.add_error("words", "No account has this address, and it can be no id of an assistant.")
        return _page(request, erasure, which, 422, form)
    request.session[_KEY] = {"request": str(erasure.pk), "found": found, "at": time.time()}
    return redirect("support:request_attach", erasure.reference)


def _found(person: people.Person | None, words: str) -> list[tuple[str, str, bool]]:
    """(id, label, whether it is ticked): all of an account's, or the one that no account has."""
    if person is None or (person.account is None and str(person.subject) == words.strip()):
        try:
            subject = SubjectId(words.strip())
        except InvalidSubject:
            return []
        return [(str(subject), f"“{subject}”, an id that no account here has", False)]
    if person.account is None:
        return [(str(person.subject), "the id that you looked for", True)]
    whose, by_address = masked_address(person.account.email), "@" in words
    return [
        (str(own.subject), f"{whose}: {id_label(own)}", by_address or own.subject == person.subject)
        for own in ids_of(person)
    ]


def _candidates(request: StaffRequest, erasure: Erasure, reader: Reader) -> list[Candidate]:
    """What the request has already, then what was found in this session."""
    known = story.owners(erasure.subjects) if reader.sees else None
    there = [
        Candidate(subject, _label(number, subject, known), True) for number, subject in enumerate(erasure.subjects, 1)
    ]
    found = request.session.get(_KEY) or {"request": "", "found": [], "at": 0}
    fresh = found["request"] == str(erasure.pk) and 0 <= time.time() - found["at"] < SECONDS
    new = [Candidate(*each) for each in found["found"] if each[0] not in erasure.subjects] if fresh else []
    return there + new


def _label(number: int, subject: str, known: dict[str, str] | None) -> str:
    if known is None:
        return f"id {number} of this request, hidden"
    return f"id {number} of this request: “{subject}”. {known.get(subject, 'No account here has it')}"


def _page(
    request: StaffRequest, erasure: Erasure, form: WhichForm, status: int = 200, look: LookForm | None = None
) -> HttpResponse:
    refused, reader = why_not(ATTACH, erasure, request.user), reader_of(request, erasure)
    context = {
        "erasure": erasure,
        "reference": erasure.reference,
        "form": form,
        "look": look or LookForm(),
        "why_not": refused,
        "reader": reader,
        "asked": story.asked(erasure, reader),
        "who_asks": story.who_asks(erasure, reader),
        "left": people.finds_left(request.user),
    }
    return render(request, "support/request_attach.html", context, status=409 if refused else status)
