"""Error pages: what happened, what did not, what to do. For htmx the same three sentences as a fragment."""

import logging
from dataclasses import asdict, dataclass

import psycopg
from csp.context_processors import nonce
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string

from .context import site
from .request_id import request_id

logger = logging.getLogger(__name__)
NOTHING_CHANGED = "Nothing was changed."


@dataclass(frozen=True, slots=True)
class ErrorText:
    """The words of one error page; `templates/base/error.html` shows them in this order."""

    status: int
    heading: str
    happened: str
    changed: str
    what_to_do: str


BAD_REQUEST = ErrorText(
    400,
    "That request could not be read",
    "Your browser sent something that this page does not understand.",
    NOTHING_CHANGED,
    "Go back and try again.",
)
FORBIDDEN = ErrorText(
    403,
    "You may not do this",
    "Your account has no right to do what you asked for.",
    NOTHING_CHANGED,
    "If you think that it should, write to the address at the foot of this page.",
)
FORM_EXPIRED = ErrorText(
    403,
    "This form has expired",
    "The page was open for too long, you signed in or out meanwhile, or your browser blocks cookies.",
    NOTHING_CHANGED,
    # Reloading the error page would send the same old form once more.
    "Go back to the page with the form, copy what you have typed there, reload that page, and send the form again.",
)
NOT_FOUND = ErrorText(
    404,
    "There is nothing here",
    "This page does not exist, or what it showed is no longer stored.",
    "",
    "Go to the start and look from there.",
)
# Below /requests/ every address that shows nothing is answered by this, whether there is such a request or not.
NO_REQUEST = ErrorText(
    404,
    "Nothing can be shown here",
    "A deletion request shows itself only to a browser that has opened the link of our mail. This one has not, or it "
    "has forgotten it, or the address is not complete.",
    "Nothing was changed. A request that runs goes on.",
    "Open the link of the newest mail that you have from us, or write to us and give your reference.",
)
NOT_THIS_WAY = ErrorText(
    405,
    "This page cannot be opened like that",
    "This address answers a button on another page. It was opened directly, or by a program.",
    NOTHING_CHANGED,
    "Go to the start and use the button there.",
)
SERVER_ERROR = ErrorText(
    500,
    "Something went wrong on our side",
    "The page could not be made, because of a fault in the portal.",
    "What you last asked for may not have been done.",
    "Reload the page to see what is stored now, then try again.",
)
UNAVAILABLE = ErrorText(
    503,
    "Your memories cannot be reached right now",
    "The place where memories are stored does not answer.",
    NOTHING_CHANGED,
    "Your memories are still there. Please try again in a minute.",
)

UNCONFIRMED = ErrorText(
    503,
    "We could not see whether this was done",
    "The place where memories are stored was asked for the change, and did not show in time that it was made.",
    "It may have been made, or may still be made.",
    "Look again in a minute before you ask for it a second time.",
)

NOT_RECORDED = ErrorText(
    503,
    "This cannot be done right now",
    "Everything that is done here is written into a record that nobody can change, and that record cannot be reached.",
    "So nothing was done.",
    "Please try again in a minute.",
)


def is_unavailability(error: BaseException | None) -> bool:
    """Whether `error` says that a database or store did not answer.

    The memory room's StoreUnavailable is known by its `status_code`: this room may not import that one.
    """
    if getattr(error, "status_code", None) == 503:
        return True
    return isinstance(error, (OperationalError, InterfaceError, psycopg.OperationalError))


def error_response(request: HttpRequest, text: ErrorText) -> HttpResponse:
    """The error page, or its sentences alone for htmx. From 500 on nothing in it asks the database or the session."""
    wants_fragment = request.headers.get("HX-Request") == "true" and request.headers.get("HX-Boosted") != "true"
    template = "base/_error.html" if wants_fragment else "base/error.html"
    context = asdict(text)
    if text.status < 500:
        html = render_to_string(template, context, request)
    else:
        about = {**site(request), **nonce(request), "request": request, "reference": request_id()}
        html = render_to_string(template, {**about, **context})
    response = HttpResponse(html, status=text.status)
    if text.status == 503:
        response.headers["Retry-After"] = "30"
    return response


def explained(request: HttpRequest, refusal: HttpResponseBase) -> HttpResponse:
    """Django's empty 405 as a page; which methods would do stays in its header."""
    response = error_response(request, NOT_THIS_WAY)
    response.headers["Allow"] = refusal.headers["Allow"]
    return response


def unavailable(request: HttpRequest, error: BaseException) -> HttpResponse:
    logger.error("%s %s: unavailable (%s)", request.method, request.path, type(error).__name__, exc_info=error)
    _keep_session_as_it_was(request)
    return error_response(request, _words_for(error))


def _words_for(error: BaseException) -> ErrorText:
    """Other rooms' errors are known by their attributes: this room may not import them."""
    if getattr(error, "unconfirmed", False):  # NotConfirmed: to say "nothing was changed" would be a guess
        return UNCONFIRMED
    return NOT_RECORDED if getattr(error, "unrecorded", False) else UNAVAILABLE


def _keep_session_as_it_was(request: HttpRequest) -> None:
    """What could not be done must not be half done: a sign-in that was not recorded would still sit in the session."""
    if (session := getattr(request, "session", None)) is not None:
        session.modified = False
