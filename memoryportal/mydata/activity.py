"""Who did what with a person's data: their own acts, and every act of the staff with its reason."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from memoryportal.accounts.http import PortalRequest
from memoryportal.accounts.models import User
from memoryportal.accounts.subjects import own_subjects
from memoryportal.audit import reading
from memoryportal.audit.pseudonyms import known_pseudonyms

from .activity_words import in_words


@require_safe
@login_required
def show(request: PortalRequest) -> HttpResponse:
    others = request.GET.get("by") == "others"
    before = _number(request.GET.get("before", ""))
    page = _page(request.user, before, others)
    context: dict[str, Any] = {
        "entries": in_words(page.events, request.user, reading.openings(event.grant for event in page.events)),
        "others": others,
        "newer": _url(others) if before is not None else "",
        "older": _url(others, page.next) if page.next else "",
        "everything_url": _url(False),
        "others_url": _url(True),
    }
    return render(request, "mydata/activity.html", context)


def _page(user: User, before: int | None, others: bool) -> reading.Page:
    return reading.about(known_pseudonyms(own_subjects(user)), user.pk, before, others=others)


def _number(text: str) -> int | None:
    """The number of an event; a link that somebody changed by hand gives the first page."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def _url(others: bool, before: int | None = None) -> str:
    parts = [*(["by=others"] if others else []), *([f"before={before}"] if before else [])]
    return reverse("mydata:activity") + (f"?{'&'.join(parts)}" if parts else "")
