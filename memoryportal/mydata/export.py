"""Take everything away: a page that says what is in the files, and the files."""

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import chain
from typing import NamedTuple

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from memoryportal.accounts.http import PortalRequest
from memoryportal.accounts.stepup import confirmed, step_up
from memoryportal.accounts.subjects import chosen, is_connected, subjects_in_order
from memoryportal.accounts.trail import note
from memoryportal.audit.actions import Action
from memoryportal.memory import MemoryRoomError

from .export_formats import Export, write_csv, write_json
from .export_page import write_page
from .held import in_words
from .limits import too_many_exports

logger = logging.getLogger(__name__)


class Format(NamedTuple):
    """One kind of file, with what it says of itself on the page."""

    label: str
    explains: str
    content_type: str
    write: Callable[[Export], Iterator[str]]


FORMATS = {
    "html": Format(
        "A page to read",
        "One file that any browser opens, without a connection: all memories with their earlier wordings, noted names "
        "and recent messages.",
        "text/html; charset=utf-8",
        write_page,
    ),
    "json": Format(
        "JSON, for other programs",
        "Everything, exactly as it is stored, with mem0’s own names. This is the one to take to another service.",
        "application/json",
        write_json,
    ),
    "csv": Format(
        "CSV, for spreadsheets",
        "A line for each memory. A cell that begins with =, +, - or @, or with a tab or a line break, gets an "
        "apostrophe in front, so that no program takes it for a formula; JSON has every text as it is.",
        "text/csv; charset=utf-8",
        write_csv,
    ),
}
CHUNK = 32 * 1024  # characters: a piece of its own for each memory would cost a write each
HEAD_START = 4 * 1024 * 1024  # bytes that are made before the first one is sent
NOT_COMPLETE = "\r\n# NOT COMPLETE: this download was cut off. Take it again.\r\n"


@require_safe
@login_required
def show(request: PortalRequest) -> HttpResponseBase:
    if "confirm" in request.GET:
        return _confirm(request)
    held = request.memory.held()
    context = {
        "places": in_words(held),
        "total": sum(held.values()),
        "connected": is_connected(request.user),
        "confirmed": confirmed(request),
        "formats": FORMATS,
        "ids": subjects_in_order(request.user),
        "chosen": chosen(request),
    }
    return render(request, "mydata/export.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def download(request: PortalRequest, form: str) -> HttpResponseBase:
    if form not in FORMATS:
        raise Http404
    return _send(request, form) if request.method == "POST" else redirect("mydata:export")


@step_up
def _confirm(request: PortalRequest) -> HttpResponse:
    return redirect(reverse("mydata:export") + "#files")


@step_up(back_to="mydata:export")
def _send(request: PortalRequest, form: str) -> HttpResponseBase:
    if refusal := too_many_exports(request):
        return refusal
    held = request.memory.held()  # a store that is down answers here, while there can still be an error page
    note(request, Action.EXPORT_ASKED, details={"form": form, **held})
    export = Export(request.memory, held, datetime.now(UTC), request.user.email, timezone.get_current_timezone())
    head, rest = _begin(_in_chunks(FORMATS[form].write(export)))
    response = StreamingHttpResponse(chain(head, rest or ()), content_type=FORMATS[form].content_type)
    response.headers["Content-Disposition"] = f'attachment; filename="memoryportal-{export.day.isoformat()}.{form}"'
    if not rest:
        response.headers["Content-Length"] = str(sum(map(len, head)))
    return response


def _in_chunks(pieces: Iterator[str]) -> Iterator[bytes]:
    """Larger pieces. A file that the store lets down ends in words, before the error ends the connection.

    The words are needed: a server may close a broken stream as if it were whole.
    """
    held: list[str] = []
    size = 0
    try:
        for piece in pieces:
            held.append(piece)
            size += len(piece)
            if size >= CHUNK:
                yield "".join(held).encode()
                held, size = [], 0
    except MemoryRoomError as error:
        logger.error("an export was broken off: %s", error)
        yield f"{''.join(held)}{NOT_COMPLETE}".encode()
        raise
    yield "".join(held).encode()


def _begin(pieces: Iterator[bytes]) -> tuple[list[bytes], Iterator[bytes] | None]:
    """The first HEAD_START bytes or more, and what follows them, if anything does.

    While nothing has been sent, a failure is an error page. So most people get a whole file or none.
    """
    head: list[bytes] = []
    for piece in pieces:
        head.append(piece)
        if sum(map(len, head)) >= HEAD_START:
            return head, pieces
    return head, None
