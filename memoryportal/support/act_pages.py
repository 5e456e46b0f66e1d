"""The page of each act on a deletion request: it says what will happen, and its button does it."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from memoryportal.accounts.roles import PRIVACY
from memoryportal.erasure.decisions import Unfit
from memoryportal.erasure.models import Erasure, OutsidePlace
from memoryportal.erasure.moves import NotNow

from . import request_acts, request_names, story
from .guard import StaffRequest, View, staff
from .request_acts import Act, ReportForm
from .request_reading import reader_of

Name = str | UUID


def page_of(act: Act) -> View:
    """The view of one act. Each act has a URL of its own."""

    @staff(PRIVACY)
    @require_http_methods(["GET", "HEAD", "POST"])
    def view(request: StaffRequest, reference: Name) -> HttpResponse:
        erasure = request_names.get(request, reference)
        form = act.form(request.POST if request.method == "POST" else None)
        if not form.is_bound:
            return _page(request, act, erasure, form, why_not=request_acts.why_not(act, erasure, request.user))
        if not form.is_valid():
            return _page(request, act, erasure, form, status=422)
        try:
            act.do(erasure.pk, request.user, form.cleaned_data)
        except (NotNow, Unfit) as refused:
            form.add_error(None, f"{refused} Nothing was changed.")
            return _page(request, act, erasure, form, status=409)
        messages.success(request, f"{erasure.reference}: {act.done}")
        return redirect("support:request", erasure.reference)

    view.__name__ = f"request_{act.name}"
    return view


def _page(
    request: StaffRequest, act: Act, erasure: Erasure, form: forms.Form, why_not: str = "", status: int = 200
) -> HttpResponse:
    reader = reader_of(request, erasure)
    context: dict[str, Any] = {
        "act": act,
        "form": form,
        "reference": erasure.reference,
        "happens": act.happens(erasure),
        "why_not": why_not,
        "asked": story.asked(erasure, reader),
        "whose": story.whose_data(erasure, reader) if act.name == "approve" else [],
        "who_asks": story.who_asks(erasure, reader) if act.name == "approve" else [],
        "reader": reader,
    }
    return render(request, "support/request_act.html", context, status=409 if why_not else status)


@staff(PRIVACY)
@require_http_methods(["GET", "HEAD", "POST"])
def outside(request: StaffRequest, reference: Name, place_id: int) -> HttpResponse:
    erasure = request_names.get(request, reference)
    place = erasure.outside.filter(pk=place_id).first()
    if place is None:
        raise Http404
    form = ReportForm(request.POST if request.method == "POST" else None)
    if not form.is_bound or not form.is_valid():
        return _report_page(request, erasure, place, form, 422 if form.is_bound else 200)
    try:
        request_acts.report(erasure.pk, place.name, request.user, form.cleaned_data)
    except (NotNow, Unfit) as refused:
        form.add_error(None, f"{refused} Nothing was changed.")
        return _report_page(request, erasure, place, form, 409)
    messages.success(request, f"{erasure.reference}: “{place.name}” was reported as emptied.")
    return redirect("support:request", erasure.reference)


def _report_page(
    request: StaffRequest, erasure: Erasure, place: OutsidePlace, form: ReportForm, status: int
) -> HttpResponse:
    context = {"form": form, "place": place, "reference": erasure.reference, "signed": bool(erasure.receipt)}
    return render(request, "support/request_outside.html", context, status=status)
