"""Open access to one person's memories, look at the list without its texts, end the access."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from memoryportal.accounts.roles import PRIVACY, SUPPORT
from memoryportal.accounts.staff import pseudonym_of_staff

from . import grants, present, reading, target
from .answers import explained
from .forms import OpenForm, SearchForm
from .guard import StaffRequest, staff
from .models import AccessGrant, How
from .people import Person

MOST = 50  # earlier accesses that are listed
NOBODY_FOUND = "No access was opened: find the person first. Whom you found is remembered for five minutes only."


@staff(SUPPORT, PRIVACY)
@require_http_methods(["GET", "HEAD", "POST"])
def own(request: StaffRequest) -> HttpResponse:
    """One's own accesses, and the form for a new one once somebody was found."""
    person = target.kept(request)
    if request.method != "POST":
        return _page(request, person, _form(request, person) if person else None)
    if person is None:
        messages.warning(request, NOBODY_FOUND)
        return redirect("support:people")
    return _open(request, person)


def _open(request: StaffRequest, person: Person) -> HttpResponse:
    form = _form(request, person, request.POST)
    if not form.is_valid():
        return _page(request, person, form, status=422)
    given = form.cleaned_data
    chosen = target.under(person, given.get("under", ""))
    try:
        grant = grants.open_grant(request.user, chosen, kind=form.kind, minutes=given["minutes"], **form.why)
    except grants.GrantRefused as refused:
        form.add_error(None, str(refused))
        return _page(request, person, form, status=409)
    target.forget(request)
    return redirect("support:grant", grant.pk)


def _form(request: StaffRequest, person: Person, data: Any = None) -> OpenForm:
    return OpenForm(data, person=person, roles=request.roles, reference=target.found_by(request))


def _page(request: StaffRequest, person: Person | None, form: OpenForm | None, status: int = 200) -> HttpResponse:
    mine = AccessGrant.objects.filter(staff=request.user).select_related("person")[:MOST]
    context = {
        "form": form,
        "who": present.who(person.account) if person else "",
        "is_told": bool(person and person.account),
        "name": pseudonym_of_staff(request.user.pk),
        "grants": [present.shown(grant) for grant in mine],
    }
    return render(request, "support/grants.html", context, status=status)


@staff(SUPPORT, PRIVACY)
@require_safe
@explained
def show(request: StaffRequest, grant_id: UUID) -> HttpResponse:
    grant, after = grants.own(request.user, grant_id), request.GET.get("after")
    listing = reading.listed(grant, after)
    context = {
        "grant": present.shown(grant),
        "search": SearchForm(),
        "memories": [present.hidden(memory) for memory in listing.memories],
        "listing": listing,
        "later": bool(after) and not listing.stale,
    }
    return render(request, "support/grant.html", context)


@staff(SUPPORT, PRIVACY)
@require_POST
@explained
def end(request: StaffRequest, grant_id: UUID) -> HttpResponse:
    grant = grants.own(request.user, grant_id)
    if grants.end(grant, How.BY_HAND):
        messages.success(request, f"The access {grant.reference} has ended. The person gets a note about it.")
    else:
        messages.info(request, f"The access {grant.reference} had ended before.")
    return redirect("support:grants")
