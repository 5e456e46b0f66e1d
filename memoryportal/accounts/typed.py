"""What somebody has typed stays in front of them when their session has ended meanwhile. It is kept nowhere: the answer
gives back what the request brought, and no browser puts that answer into its storage or cache.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from .http import is_htmx, login_url, page_path

View = Callable[..., HttpResponseBase]


def login_required_keeping(field: str) -> Callable[[View], View]:
    """`login_required`, which would throw away what was typed into this field of a form."""

    def decorate(view: View) -> View:
        asking = login_required(view)

        @wraps(view)
        def keeping(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            typed = request.POST.get(field, "") if request.method == "POST" else ""
            if typed.strip() and not request.user.is_authenticated:
                return _signed_out(request, typed)
            return asking(request, *args, **kwargs)

        return keeping

    return decorate


def _signed_out(request: HttpRequest, typed: str) -> HttpResponse:
    """With htmx the form is still on the screen, and a sentence is enough; without it the answer is a page."""
    context = {"typed": typed, "sign_in": login_url(page_path(request) or request.path)}
    template = "accounts/_signed_out.html" if is_htmx(request) else "accounts/signed_out.html"
    return render(request, template, context, status=403)
