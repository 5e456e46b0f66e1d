"""What the staff's pages answer when there is nothing to see: a sentence, and never a text."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from memoryportal.accounts.http import is_htmx
from memoryportal.memory import MemoryNotFound

from . import grants, present
from .guard import StaffRequest

View = Callable[..., HttpResponseBase]


def explained(view: View) -> View:
    """Somebody else's grant, somebody else's memory and what never was end in one and the same 404."""

    @wraps(view)
    def answering(request: StaffRequest, grant_id: UUID, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(request, grant_id, **kwargs)
        except (grants.GrantNotFound, MemoryNotFound):
            raise Http404 from None
        except grants.GrantEnded:
            return _ended(request, grant_id)

    return answering


def _ended(request: StaffRequest, grant_id: UUID) -> HttpResponse:
    """In a tab that was left open this takes the place of everything that it shows, texts included."""
    context = {"grant": present.shown(grants.own(request.user, grant_id))}
    if not is_htmx(request):
        return render(request, "support/ended.html", context, status=410)
    response = render(request, "support/_ended.html", context, status=409)
    response.headers["HX-Retarget"], response.headers["HX-Reswap"] = "#main", "innerHTML"
    return response
