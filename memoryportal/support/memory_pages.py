"""Reveal memories, search among them, delete one. Whose they are, the grant says; each text has its event before it."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from memoryportal.accounts.roles import PRIVACY, SUPPORT
from memoryportal.base.errors import ErrorText, error_response
from memoryportal.memory import EmbedderUnavailable

from . import grants, present, reading
from .answers import explained
from .forms import DeleteForm, SearchForm
from .guard import StaffRequest, staff
from .models import AccessGrant

LIST, ONE, REGION = "page", "memory-", "memories"  # ids of the elements that htmx swaps
NOTHING_CHOSEN = ErrorText(
    422,
    "Nothing was chosen",
    "The form did not say which memory to show.",
    "Nothing was shown.",
    "Go back to the list and choose one.",
)


@staff(SUPPORT, PRIVACY)
@require_http_methods(["GET", "HEAD", "POST"])
@explained
def reveal(request: StaffRequest, grant_id: UUID) -> HttpResponseBase:
    if request.method != "POST":
        return redirect("support:grant", grant_id)
    grant, ids = grants.own(request.user, grant_id), _chosen(request)
    if not ids:
        grants.check_open(grant)
        return error_response(request, NOTHING_CHOSEN)
    memories = [present.opened(item) for item in reading.revealed(grant, ids)]
    context = {"grant": present.shown(grant), "memories": memories, "revealed": True}
    if request.htmx.target == LIST:
        return render(request, "support/_page.html", context)
    if len(memories) == 1 and request.htmx.target == ONE + memories[0].id:
        return render(request, "support/_memory.html", {**context, "memory": memories[0]})
    return render(request, "support/revealed.html", context)


def _chosen(request: StaffRequest) -> list[str]:
    """The id of the button that was pressed, or all ids of the page. Raises Http404 for what is no id."""
    given = request.POST.getlist("on_page") if "all" in request.POST else request.POST.getlist("id")
    try:
        return list(dict.fromkeys(str(UUID(memory_id)) for memory_id in given))[: reading.PAGE]
    except ValueError:
        raise Http404 from None


@staff(SUPPORT, PRIVACY)
@require_http_methods(["GET", "HEAD", "POST"])
@explained
def search(request: StaffRequest, grant_id: UUID) -> HttpResponseBase:
    if request.method != "POST":
        return redirect("support:grant", grant_id)
    grant = grants.check_open(grants.own(request.user, grant_id))
    form = SearchForm(request.POST)
    context, status = _results(grant, form)
    grant.refresh_from_db(fields=["searches", "revealed"])
    context |= {"grant": present.shown(grant), "search": form}
    if request.htmx.target == REGION:
        return render(request, "support/_results.html", context, status=422 if status == 422 else 200)
    return render(request, "support/grant.html", context, status=status)


def _results(grant: AccessGrant, form: SearchForm) -> tuple[dict[str, Any], int]:
    """What the region says, and the status of the whole page."""
    if not form.is_valid():
        return {"problem": form.errors["q"][0]}, 422
    try:
        hits = reading.found(grant, form.cleaned_data["q"], form.chosen)
    except grants.NoSearchesLeft as refused:
        return {"problem": str(refused)}, 429
    except EmbedderUnavailable:
        return {"problem": "Search by meaning is not available right now. Search by word works."}, 503
    memories = [present.opened(hit.item) for hit in hits.hits]
    return {"memories": memories, "results": present.results_sentence(hits), "revealed": True}, 200


@staff(SUPPORT, PRIVACY)
@require_http_methods(["GET", "HEAD", "POST"])
@explained
def delete(request: StaffRequest, grant_id: UUID, memory_id: UUID) -> HttpResponse:
    grant, form = grants.own(request.user, grant_id), DeleteForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        reading.delete(grant, str(memory_id), form.cleaned_data["reason"])
        messages.success(request, "Deleted. The person sees it under “Activity”.")
        return redirect("support:grant", grant_id)
    memory = present.hidden(reading.masked(grant, str(memory_id)))
    context = {"grant": present.shown(grant), "memory": memory, "form": form}
    return render(request, "support/delete.html", context, status=422 if form.errors else 200)
