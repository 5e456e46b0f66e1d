"""The staff's first page, and finding a person. What is looked for travels in a POST body only."""

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from memoryportal.accounts.roles import AUDITOR, PRIVACY, SUPPORT
from memoryportal.accounts.staff import pseudonym_of_staff
from memoryportal.audit.actions import Action
from memoryportal.audit.record import Actor, record
from memoryportal.erasure.models import Erasure

from . import grants, people, present, request_queue, target
from .forms import FindForm
from .guard import StaffRequest, staff
from .request_names import reference_of


@staff(SUPPORT, PRIVACY, AUDITOR)
@require_safe
def home(request: StaffRequest) -> HttpResponse:
    """What this member of the staff may do."""
    running = grants.running(request.user)
    context = {
        "roles": sorted(request.roles),
        "name": pseudonym_of_staff(request.user.pk),
        "grant": present.shown(running) if running else None,
        "counts": _counts(request) if {PRIVACY, AUDITOR} & request.roles else None,
        "to_report": request_queue.number_to_report(_visible(request)) if PRIVACY in request.roles else 0,
    }
    return render(request, "support/home.html", context)


def _counts(request: StaffRequest) -> request_queue.Counts:
    return request_queue.counts(_visible(request))


def _visible(request: StaffRequest) -> QuerySet[Erasure]:
    return request_queue.visible(request.user, request.roles)


@staff(SUPPORT, PRIVACY)
@require_http_methods(["GET", "HEAD", "POST"])
def find(request: StaffRequest) -> HttpResponse:
    form = FindForm(request.POST if request.method == "POST" else None)
    if not form.is_bound:
        return _page(request, form)
    if not form.is_valid():
        return _page(request, form, status=422)
    target.forget(request)
    try:
        person = people.find(request.user, request.role, form.cleaned_data["words"])
    except people.TooMany:
        record(Action.ACCESS_DENIED, actor=Actor(str(request.user.pk), request.role), details={"kind": "quota"})
        return _page(request, form, status=429)
    if person is None:
        return _page(request, form, missed=True)
    target.keep(request, person, _reference(form.cleaned_data["words"]))
    return redirect("support:grants")


def _reference(words: str) -> str:
    try:
        return reference_of(words)
    except ValueError:
        return ""


def _page(request: StaffRequest, form: FindForm, status: int = 200, missed: bool = False) -> HttpResponse:
    context = {"form": form, "missed": missed, "left": people.finds_left(request.user)}
    return render(request, "support/people.html", context, status=status)
