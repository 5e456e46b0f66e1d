"""One memory: read it, correct it, delete it, remove one of its earlier wordings."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from memoryportal.accounts.http import PortalRequest
from memoryportal.accounts.trail import CORRECTION, DELETION, PURGE, changing
from memoryportal.accounts.typed import login_required_keeping
from memoryportal.base.errors import ErrorText, error_response
from memoryportal.memory import BadQuery, EmbedderUnavailable, Item, MemoryChanged, bulk

from . import present
from .answers import explained
from .assistants_words import handed_to
from .forms import EditForm, says_never_again, unix_lines
from .way_back import WayBack, way_back

READS_SO_NOW = ErrorText(
    409,
    "This is how the memory reads now",
    "Only earlier wordings can be removed by themselves.",
    "Nothing was removed.",
    "To change what the memory says, correct it; to remove it, delete it.",
)
KEPT_BY_THE_STORE = ErrorText(
    409,
    "Earlier wordings cannot be removed by themselves here",
    "The place where your memories are stored keeps their earlier wordings itself, and cannot remove one of them.",
    "Nothing was removed.",
    "To remove all of them, delete the memory.",
)
MOST = 500  # rows of other places that are looked through to say what a deletion takes along
reading_and_acting = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
@login_required
@explained
def show(request: PortalRequest, memory_id: UUID) -> HttpResponse:
    item, removable = request.memory.get(str(memory_id)), bulk.abilities().keeps_history
    context = {
        "memory": item,
        "expired": present.expired_on(item),
        "origin": present.origin(item),
        "wordings": present.wordings(item, request.memory.history(item.id), removable=removable),
        "removable": removable,
        "handed": handed_to(request.memory.handed(item.id)),
        "log_days": settings.USE_LOG_DAYS,
    }
    return render(request, "mydata/detail.html", context)


@reading_and_acting
@login_required_keeping("text")
@explained
def edit(request: PortalRequest, memory_id: UUID) -> HttpResponse:
    item = request.memory.get(str(memory_id))
    if request.method != "POST":
        return _edit_page(request, item, EditForm(initial={"text": item.text, "version": item.version}))
    form = EditForm(request.POST)
    if not form.is_valid():
        return _edit_page(request, item, form, status=422)
    if form.cleaned_data["text"] == unix_lines(item.text).strip():
        messages.info(request, "Nothing changed: the text is the same as before.")
        return redirect(_back(request, item).url)
    return _correct(request, item, form)


def _correct(request: PortalRequest, item: Item, form: EditForm) -> HttpResponse:
    """Save a valid correction; whatever refuses it, the person keeps what they typed."""
    try:
        with changing(request, CORRECTION, item.id):
            request.memory.update(item.id, form.cleaned_data["text"], expected=form.cleaned_data["version"] or None)
    except MemoryChanged:
        return _changed_page(request, item.id, form)
    except EmbedderUnavailable:
        return _edit_page(request, item, form, status=503, no_embedder=True)
    messages.success(request, "Corrected. Your assistants are given the new wording from now on.")
    return redirect(_back(request, item).url)


def _back(request: PortalRequest, item: Item) -> WayBack:
    return way_back(request, WayBack(reverse("mydata:detail", args=[item.id]), "Back to the memory"))


def _edit_page(request: PortalRequest, item: Item, form: EditForm, status: int = 200, **more: Any) -> HttpResponse:
    context = {"memory": item, "form": form, "back": _back(request, item), **more}
    return render(request, "mydata/edit.html", context, status=status)


def _changed_page(request: PortalRequest, memory_id: str, typed: EditForm) -> HttpResponse:
    """Both wordings side by side. Saving from here means the one that is shown here."""
    item = request.memory.get(memory_id)
    form = EditForm(initial={"text": typed.cleaned_data["text"], "version": item.version})
    return _edit_page(request, item, form, status=409, changed=True)


@reading_and_acting
@login_required
@explained
def delete(request: PortalRequest, memory_id: UUID) -> HttpResponse:
    memory = request.memory
    item = memory.get(str(memory_id))
    if request.method == "POST":
        with changing(request, DELETION, item.id) as counts:
            removed = memory.delete(item.id, never_again=says_never_again(request))
            counts |= present.noted(removed)
        messages.success(request, present.removed_sentence(removed))
        return redirect(way_back(request, WayBack(reverse("mydata:list"), "")).url)
    handed = memory.handed(item.id)
    rest = present.goes_too(item, memory.history(item.id), memory.entities(MOST), memory.messages(MOST), handed)
    context = {"memory": item, "goes_too": rest, "back": _back(request, item)}
    return render(request, "mydata/delete.html", context)


@reading_and_acting
@login_required
@explained
def purge(request: PortalRequest, memory_id: UUID, seq: int) -> HttpResponse:
    item = request.memory.get(str(memory_id))
    if not bulk.abilities().keeps_history:
        return error_response(request, KEPT_BY_THE_STORE)
    if request.method == "POST":
        return _remove_wording(request, item, seq)
    wordings = present.wordings(item, request.memory.history(item.id))
    wording = next((wording for wording in wordings if wording.seq == seq), None)
    if wording is None:
        raise Http404
    return render(request, "mydata/purge.html", {"memory": item, "wording": wording})


def _remove_wording(request: PortalRequest, item: Item, seq: int) -> HttpResponse:
    try:
        with changing(request, PURGE, f"{item.id}:{seq}"):
            request.memory.purge_version(item.id, seq)
    except BadQuery:
        return error_response(request, READS_SO_NOW)
    messages.success(request, "Removed that earlier wording. The memory itself is as it was.")
    return redirect("mydata:detail", item.id)
