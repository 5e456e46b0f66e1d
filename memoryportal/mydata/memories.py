"""The list of a person's memories, and searching in it. Search words travel in POST bodies only."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from memoryportal.accounts.http import PortalRequest
from memoryportal.accounts.subjects import is_connected, mark_connected
from memoryportal.memory import BadCursor, EmbedderUnavailable, Page, Summary, controls

from . import assistants_words, present
from .forms import SearchForm, Selection, read_selection
from .limits import too_many_searches

REGION = "memories"  # the id of the element that htmx swaps


@require_safe
@login_required
def show(request: PortalRequest) -> HttpResponse:
    selection = read_selection(request.GET)
    context = _list(request, selection, request.GET.get("after"))
    summary = request.memory.summary(selection.filters)
    context |= _around(selection, summary)
    shut = controls.states(request.memory.subject) if summary.shut is None else summary.shut
    context["switched"] = assistants_words.notice(shut)
    if not summary.total:
        context["connected"] = is_connected(request.user)
    return render(request, "mydata/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def search(request: PortalRequest) -> HttpResponse:
    if request.method != "POST":
        return redirect("mydata:list")
    selection, form = read_selection(request.POST), SearchForm(request.POST)
    in_region = request.htmx.target == REGION
    if in_region and not request.POST.get("q"):
        return render(request, "mydata/_results.html", _list(request, selection, None))
    if form.is_valid() and (refusal := too_many_searches(request)):
        return refusal
    context, status = _results(request, selection, form)
    if in_region:
        return render(request, "mydata/_results.html", context, status=422 if status == 422 else 200)
    context |= _around(selection, request.memory.summary(selection.filters))
    return render(request, "mydata/search.html", context | {"search": form}, status=status)


def _list(request: PortalRequest, selection: Selection, after: str | None) -> dict[str, Any]:
    """One page for the region; a link that does not fit any more gives the first page and says so."""
    page, stale = _page(request, selection, after)
    _note_connection(request, page)
    return {
        "selection": selection,
        "page": page,
        "memories": present.listed(page.items),
        "stale": stale,
        "newer": selection.url() if after and not stale else "",
        "older": selection.url(after=page.next) if page.next else "",
    }


def _page(request: PortalRequest, selection: Selection, after: str | None) -> tuple[Page, bool]:
    try:
        page = request.memory.page(selection.filters, after=after, order=selection.order)
    except BadCursor:
        return _page(request, selection, None)[0], True
    if after and not page.items:  # what stood there was deleted
        return _page(request, selection, None)[0], True
    return page, False


def _results(request: PortalRequest, selection: Selection, form: SearchForm) -> tuple[dict[str, Any], int]:
    """What the region says after a search, and the status of the whole page."""
    context: dict[str, Any] = {"selection": selection, "searched": form}
    if not form.is_valid():
        return context | {"form": form}, 422
    words, by = form.cleaned_data["q"], form.cleaned_data["by"]
    try:
        hits = request.memory.search(words, by=by, filters=selection.filters)
    except EmbedderUnavailable:
        return context | {"no_embedder": True}, 503
    shown = present.listed(hit.item for hit in hits.hits)
    context |= {"memories": shown, "results": present.results_sentence(hits), "many_words": len(words.split()) > 1}
    return context, 200


def _around(selection: Selection, summary: Summary) -> dict[str, Any]:
    """What stands above the region: the first sentence, the search field, the filter."""
    selection.form.offer(summary)
    return {"summary": summary, "where_from": present.where_from(summary), "search": SearchForm()}


def _note_connection(request: PortalRequest, page: Page) -> None:
    """Memories under the issued id mean that an assistant uses it; an empty list means something else from then on."""
    user = request.user
    if page.total and user.connected_at is None and user.subject == str(request.memory.subject):
        mark_connected(user)
