"""The link in the mail that announces a change of address: whoever reads the old address's mail can stop it."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from . import addresses


@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: HttpRequest, token: str) -> HttpResponse:
    """Without signing in: somebody may have lost everything but this mail. GET asks, POST cancels."""
    change = addresses.waiting(token)
    done = change is not None and request.method == "POST" and addresses.cancel(change)
    return render(request, "accounts/cancel_address.html", {"change": change, "done": done})
