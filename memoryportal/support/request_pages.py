"""Hand a deletion request over for the person of a grant."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from memoryportal.accounts.roles import PRIVACY, SUPPORT
from memoryportal.erasure.letters import address_of
from memoryportal.erasure.states import State

from . import grants, present, requesting
from .answers import explained
from .forms import HandOverForm
from .guard import StaffRequest, staff


@staff(SUPPORT, PRIVACY)
@require_http_methods(["GET", "HEAD", "POST"])
@explained
def hand_over(request: StaffRequest, grant_id: UUID) -> HttpResponse:
    """Asks first. Once there is a request, the page says so and has no form."""
    grant, form = grants.own(request.user, grant_id), HandOverForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        requesting.hand_over(grant, form.cleaned_data["reason"])
        return redirect("support:hand_over", grant_id)
    filed = requesting.open_request(grant)
    asked = filed is not None and filed.state == State.IDENTITY and bool(address_of(filed))
    context = {"grant": present.shown(grant), "form": form, "filed": filed, "asked": asked}
    return render(request, "support/hand_over.html", context, status=422 if form.errors else 200)
