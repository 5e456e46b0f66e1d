"""A deletion request for whoever holds its secret: state, counts, receipt, and taking it back. No account is needed.

Without the right secret there is no such page, whatever the reference.
"""

from collections.abc import Callable
from functools import wraps

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from memoryportal.audit.record import NOBODY
from memoryportal.base.queue import ring
from memoryportal.erasure import decisions, identity, tasks
from memoryportal.erasure.models import Erasure
from memoryportal.erasure.moves import NotNow
from memoryportal.memory import bulk

from . import receipt_page, request_cookies
from .erasure_words import shown
from .ways import Ways


@require_safe
def open_secret(request: HttpRequest, token: str) -> HttpResponse:
    """Take the secret of a mailed link out of the address."""
    try:
        erasure = identity.by_secret(token)
    except identity.NoSuchLink:
        raise Http404 from None
    response = request_cookies.remember(redirect("mydata:request", erasure.reference), erasure, token)
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def by_secret(view: Callable[[HttpRequest, Erasure], HttpResponse]) -> Callable[[HttpRequest, str], HttpResponse]:
    """The view with the request that the browser's secret shows; 404 unless it is the one of the address."""

    @wraps(view)
    def guarded(request: HttpRequest, reference: str) -> HttpResponse:
        try:
            erasure = identity.by_secret(request_cookies.read_secret(request))
        except identity.NoSuchLink:
            raise Http404 from None
        if erasure.reference != reference:
            raise Http404
        return view(request, erasure)

    return guarded


@require_safe
@by_secret
def show(request: HttpRequest, erasure: Erasure) -> HttpResponse:
    fragment = getattr(request, "htmx", None) and request.htmx.target == "erasure"  # type: ignore[attr-defined]
    template = "mydata/_erasure.html" if fragment else "mydata/erasure.html"
    context = {"erasure": shown(erasure), "ways": _ways(erasure), "abilities": bulk.abilities()}
    return render(request, template, context)


@require_http_methods(["GET", "HEAD", "POST"])
@by_secret
def cancel(request: HttpRequest, erasure: Erasure) -> HttpResponse:
    """Asks first. Too late is said in words."""
    if request.method == "POST":
        try:
            decisions.cancel(erasure.pk, NOBODY)
            messages.success(request, "Taken back. Nothing was erased.")
        except NotNow as why:
            messages.error(request, str(why))
    elif erasure.is_cancellable:
        return render(request, "mydata/erasure_cancel.html", {"erasure": shown(erasure), "ways": _ways(erasure)})
    return redirect("mydata:request", erasure.reference)


@require_POST
@by_secret
def send_link(request: HttpRequest, erasure: Erasure) -> HttpResponse:
    """Ask for one more link to the address of the request."""
    if identity.address_to_ask(erasure):
        ring(tasks.send_link, once=f"erasure.link:{erasure.pk}", erasure_id=str(erasure.pk))
        messages.success(request, "A new mail with a link is on its way.")
    else:
        messages.error(request, "No more mails can be sent for this request. Write to the people named below.")
    return redirect("mydata:request", erasure.reference)


@require_safe
@by_secret
def receipt(request: HttpRequest, erasure: Erasure) -> HttpResponse:
    if erasure.receipt is None:
        return redirect("mydata:request", erasure.reference)
    return receipt_page.page(request, erasure.receipt, _ways(erasure))


@require_safe
@by_secret
def receipt_file(request: HttpRequest, erasure: Erasure) -> HttpResponse:
    if erasure.receipt is None:
        return redirect("mydata:request", erasure.reference)
    return receipt_page.file(erasure.receipt)


def _ways(erasure: Erasure) -> Ways:
    """What whoever holds the secret can do now."""

    def to(name: str, fits: bool) -> str:
        return reverse(f"mydata:{name}", args=[erasure.reference]) if fits else ""

    return Ways(
        here=to("request", True),
        cancel=to("request_cancel", erasure.is_cancellable),
        link=to("request_send_link", bool(identity.address_to_ask(erasure))),
        receipt=to("request_receipt", erasure.receipt is not None),
        file=to("request_receipt_file", erasure.receipt is not None),
    )
