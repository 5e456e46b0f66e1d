"""Deleting several memories: the ticked ones, or all that a filter shows. The first POST asks, the second acts."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from memoryportal.accounts import subjects
from memoryportal.accounts.http import PortalRequest
from memoryportal.accounts.stepup import step_up
from memoryportal.accounts.trail import DELETION, changing
from memoryportal.base.errors import ErrorText, error_response
from memoryportal.memory import CountMoved, Removed

from . import present
from .answers import explained
from .forms import Selection, read_selection, says_never_again, shows_another_id

NOTHING_DELETED = "Nothing was deleted."
MOST = 100  # ticked at once
EXAMPLES = 5  # shown of all that match


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@explained
def delete(request: PortalRequest) -> HttpResponseBase:
    if request.method != "POST":
        return redirect("mydata:list")
    if "matching" in request.POST:
        return _delete_matching(request, read_selection(request.POST))
    return _delete_ticked(request, list(dict.fromkeys(request.POST.getlist("id"))))


def _delete_ticked(request: PortalRequest, ids: list[str]) -> HttpResponse:
    if not ids:
        messages.warning(request, "Nothing was deleted: tick the memories that you want to delete first.")
        return redirect("mydata:list")
    if len(ids) > MOST:
        return _too_many(request, len(ids))
    items = request.memory.get_many(ids)
    if _confirmed(request):
        with changing(request, DELETION, "ticked", ids=[item.id for item in items]) as counts:
            removed = request.memory.delete_many(ids, never_again=says_never_again(request))
            counts |= present.noted(removed)
        return _done(request, removed)
    return render(request, "mydata/delete_many.html", {"memories": present.listed(items)})


def _too_many(request: PortalRequest, number: int) -> HttpResponse:
    text = ErrorText(
        422,
        "Too many at once",
        f"At most {MOST} memories can be deleted in one go, and {number} were chosen.",
        NOTHING_DELETED,
        "Choose fewer, or use a filter and delete all that it shows.",
    )
    return error_response(request, text)


def _delete_matching(request: PortalRequest, selection: Selection) -> HttpResponseBase:
    if selection.ignored:
        return _unreadable(request, selection)
    if not selection.active:
        messages.warning(request, "Nothing was deleted: no filter was set. This is the page for deleting everything.")
        return redirect("mydata:erase")
    fitting = request.memory.count(selection.filters)
    if fitting and fitting == request.memory.count():
        return _everything(request, selection)
    return _matching(request, selection)


@step_up(back_to="mydata:list")
def _everything(request: PortalRequest, selection: Selection) -> HttpResponse:
    """A filter that leaves nothing out deletes as much as an erasure does, so it asks who is there as well."""
    return _matching(request, selection)


def _matching(request: PortalRequest, selection: Selection) -> HttpResponse:
    expected = request.POST.get("expected", "")
    if not _confirmed(request) or not expected.isdecimal():
        return _ask_for_matching(request, selection)
    if shows_another_id(request):
        return _ask_for_matching(request, selection, status=409, another_id=True)
    number = int(expected[:9])
    try:
        with changing(request, DELETION, "matching", expected=number) as counts:
            removed = request.memory.delete_matching(
                selection.filters, expected=number, never_again=says_never_again(request)
            )
            counts |= present.noted(removed)
        return _done(request, removed)
    except CountMoved as moved:
        return _ask_for_matching(request, selection, status=409, moved_from=moved.expected)


def _ask_for_matching(request: PortalRequest, selection: Selection, status: int = 200, **more: Any) -> HttpResponse:
    page = request.memory.page(selection.filters, limit=EXAMPLES, order=selection.order)
    if not page.total:
        messages.info(request, "Nothing was deleted: nothing fits this filter any more.")
        return redirect(selection.url())
    shown = {"selection": selection, "page": page, "memories": present.listed(page.items)}
    context = {**shown, "shown": subjects.chosen(request).key, **more}
    return render(request, "mydata/delete_matching.html", context, status=status)


def _unreadable(request: PortalRequest, selection: Selection) -> HttpResponse:
    text = ErrorText(
        422,
        "This filter cannot be used",
        " ".join(selection.ignored),
        NOTHING_DELETED,
        "Go back to your memories and choose the filter again.",
    )
    return error_response(request, text)


def _confirmed(request: PortalRequest) -> bool:
    return request.POST.get("confirm") == "yes"


def _done(request: PortalRequest, removed: Removed) -> HttpResponse:
    messages.success(request, present.removed_sentence(removed))
    return redirect("mydata:list")
