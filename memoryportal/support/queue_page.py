"""The page of the queue: what waits, due first, and the way to one request by its reference."""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from memoryportal.accounts.roles import AUDITOR, PRIVACY, SUPPORT
from memoryportal.erasure.models import Channel

from . import request_queue
from .guard import StaffRequest, staff
from .request_names import find, reference_of
from .request_queue import IN_THE_END, Counts, Group, Wanted
from .request_words import LAWS, row

_EXACT = {"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}


class QueueForm(forms.Form):
    """What the list is narrowed to. It stands in the URL: nothing in it names a person."""

    show = forms.ChoiceField(required=False, choices=[("", "All that have not ended"), *Group.choices])
    law = forms.ChoiceField(label="Law", required=False, choices=[("", "Any"), *LAWS.items()])
    channel = forms.ChoiceField(label="How it came in", required=False, choices=[("", "Any"), *Channel.choices])


class ReferenceForm(forms.Form):
    reference = forms.CharField(
        label="Open one by its reference, such as MP-7K3Q-92XA",
        max_length=20,  # "mp 7k3q 92xa", as it is read out
        widget=forms.TextInput(attrs=_EXACT),
    )

    def clean_reference(self) -> str:
        try:
            return reference_of(self.cleaned_data["reference"])
        except ValueError:
            raise ValidationError("A reference looks like MP-7K3Q-92XA.") from None


@staff(PRIVACY, AUDITOR, SUPPORT)
@require_safe
def show(request: StaffRequest) -> HttpResponse:
    if "reference" in request.GET:
        return _look_up(request)
    given = QueueForm(request.GET)
    given.is_valid()  # an odd word in the URL narrows nothing
    narrowed = {name: given.cleaned_data.get(name, "") for name in ("show", "law", "channel")}
    return _page(request, ReferenceForm(), narrowed)


def _look_up(request: StaffRequest) -> HttpResponse:
    form = ReferenceForm(request.GET)
    if form.is_valid():
        if find(request, form.cleaned_data["reference"]):
            return redirect("support:request", form.cleaned_data["reference"])
        form.add_error("reference", "There is no request with exactly this reference.")
    return _page(request, form, dict.fromkeys(("show", "law", "channel"), ""))


def _page(request: StaffRequest, form: ReferenceForm, narrowed: dict[str, str]) -> HttpResponse:
    about = request_queue.visible(request.user, request.roles)
    wanted = Wanted(group=narrowed["show"], law=narrowed["law"], channel=narrowed["channel"])
    after = request.GET.get("after", "")
    page, counts = request_queue.page(about, wanted, after), request_queue.counts(about)
    context: dict[str, Any] = {
        "form": form,
        "filters": QueueForm(narrowed),
        "narrowed": bool(wanted.law or wanted.channel),
        "groups": _groups(counts, request_queue.number_to_report(about), narrowed),
        "group": Group(wanted.group).label if wanted.group else "",
        "counts": counts,
        "rows": [row(erasure) for erasure in page.requests],
        "everything": len({PRIVACY, AUDITOR} & request.roles) > 0,
        "newer": _url(narrowed) if after else "",
        "older": _url({**narrowed, "after": page.next}) if page.next else "",
    }
    return render(request, "support/requests.html", context)


def _groups(counts: Counts, to_report: int, narrowed: dict[str, str]) -> list[dict[str, Any]]:
    """The links above the list. Ended requests are many: they are not counted."""
    groups = [group for group in Group if group not in IN_THE_END]
    shown: list[tuple[str, str, int | None]] = [("", "Not ended", counts.open)]
    shown += [(group.value, str(group.label), counts.groups.get(group, 0)) for group in groups]
    if to_report or narrowed["show"] == Group.OUTSIDE:
        shown.append((Group.OUTSIDE.value, str(Group.OUTSIDE.label), to_report))
    shown.append((Group.ENDED.value, str(Group.ENDED.label), None))
    return [
        {"label": label, "count": count, "url": _url({**narrowed, "show": key}), "current": key == narrowed["show"]}
        for key, label, count in shown
    ]


def _url(narrowed: dict[str, str]) -> str:
    query = urlencode({name: value for name, value in narrowed.items() if value})
    return reverse("support:requests") + (f"?{query}" if query else "")
