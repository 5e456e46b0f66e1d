"""What every page about memories answers when the memory room says no."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

from memoryportal.base.errors import ErrorText, error_response
from memoryportal.memory import ErasureRunning, MemoryNotFound

View = Callable[..., HttpResponseBase]

ERASING = ErrorText(
    409,
    "Your memories are being erased",
    "An erasure of everything that is remembered about you is running at this moment.",
    "This change was not made.",
    "Wait until the erasure has ended. The page “Erase” shows how far it is.",
)


def explained(view: View) -> View:
    """Somebody else's memory, a missing one and a malformed id end in one and the same 404; an erasure in words."""

    @wraps(view)
    def answering(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except MemoryNotFound:
            raise Http404 from None
        except ErasureRunning:
            return error_response(request, ERASING)

    return answering
