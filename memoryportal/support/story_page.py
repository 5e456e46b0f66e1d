"""One deletion request as a story: what was asked, until when, by whom, how far it is, and what can be done now."""

import json
from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from memoryportal.accounts.roles import AUDITOR, PRIVACY, SUPPORT
from memoryportal.erasure import decisions
from memoryportal.erasure.models import Erasure
from memoryportal.erasure.states import State

from . import request_names, request_reading, story
from .except_acts import EXCEPT_ACTS
from .guard import StaffRequest, staff
from .request_acts import ACTS
from .request_reading import Reader
from .request_words import date_words, scope
from .timeline import MOST, timeline

Name = str | UUID
WAITED_FOR = ("approve", "agree_exception", "try_again", "check_identity")
ORDER = [
    *("approve", "agree_exception", "try_again", "except_places", "check_identity", "attach", "release"),
    *("confirm_receipt", "hold", "extend", "refuse"),
]
BACK = {"approve": "support:request_approve", "attach": "support:request_attach"}


@staff(PRIVACY, AUDITOR, SUPPORT)
@require_safe
def show(request: StaffRequest, reference: Name) -> HttpResponse:
    erasure = request_names.get(request, reference)
    request_reading.note_opened(request, erasure)
    reader = request_reading.reader_of(request, erasure)
    return render(request, "support/request.html", _context(erasure, reader))


def _context(erasure: Erasure, reader: Reader) -> dict[str, Any]:
    due, look = story.due(erasure)
    moments = timeline(erasure.reference, reader.user.pk)
    return {
        "erasure": erasure,
        "reader": reader,
        "lead": f"{scope(erasure)}: asked for on {date_words(erasure.clock().received)}.",
        "due": due,
        "look": look,
        "acts": acts(erasure, reader),
        "must_be_another": _must_be_another(erasure, reader),
        "must_agree": reader.works and _has_asked(erasure, reader),
        "asked": story.asked(erasure, reader),
        "clock": story.clock(erasure),
        "who_asks": story.who_asks(erasure, reader),
        "whose": story.whose_data(erasure, reader),
        "work": story.work(erasure) + story.excepted(erasure, reader),
        "places": story.places(erasure),
        "outside": story.outside(erasure, reader),
        "timeline": moments,
        "more": len(moments) >= MOST,
    }


def acts(erasure: Erasure, reader: Reader) -> list[dict[str, Any]]:
    """The links to what fits the request's state and this officer; `waited_for` is what it waits for."""
    if not reader.works:
        return []
    links = {act.name: act.link for act in (*ACTS, *EXCEPT_ACTS)}
    links["attach"] = "Change whose data it is…" if erasure.subjects else "Say whose data it is…"
    links["hold"] = "Hold it for longer…" if erasure.state == State.ON_HOLD else links["hold"]
    fit = sorted(decisions.actions_for(erasure, reader.user), key=ORDER.index)
    first = {*WAITED_FOR, *([] if erasure.subjects else ["attach"])} & set(fit[:1])
    return [{"url": f"support:request_{name}", "link": links[name], "waited_for": name in first} for name in fit]


def _must_be_another(erasure: Erasure, reader: Reader) -> bool:
    """Whether it waits for a second person, who cannot be the reader."""
    waits = erasure.state == State.APPROVAL and bool(erasure.subjects)
    return reader.works and waits and decisions.worked_on(erasure, reader.user)


def _has_asked(erasure: Erasure, reader: Reader) -> bool:
    """Whether it waits for a second person to agree to what the reader has asked for."""
    return erasure.state == State.NEEDS_ATTENTION and erasure.except_by_id == reader.user.pk


@staff(PRIVACY)
@require_POST
def reveal(request: StaffRequest, reference: Name) -> HttpResponse:
    """Show ids and addresses for five minutes, after an event that says so. Back to where the button was."""
    erasure = request_names.get(request, reference)
    if not request_reading.reader_of(request, erasure).works:
        raise Http404
    request_reading.reveal(request, erasure)
    return redirect(BACK.get(request.POST.get("back", ""), "support:request"), erasure.reference)


@staff(PRIVACY, AUDITOR, SUPPORT)
@require_safe
def receipt(request: StaffRequest, reference: Name) -> HttpResponse:
    """The signed document as it was made at the end, to hand on or to verify."""
    erasure = request_names.get(request, reference)
    if not erasure.receipt:
        raise Http404
    request_reading.note_opened(request, erasure)
    text = json.dumps(erasure.receipt, ensure_ascii=False, indent=2)
    name = f"receipt-{erasure.reference}.json"
    return HttpResponse(
        text, content_type="application/json", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )
