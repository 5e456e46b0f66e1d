"""How often one person may do what costs everybody time: rows with an atomic increment, which all processes share.

Generous: nobody who looks through their own memories meets it. A program with a stolen session does.
"""

import time
from dataclasses import replace

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse

from memoryportal.accounts.http import PortalRequest
from memoryportal.base.errors import NOTHING_CHANGED, ErrorText, error_response

MINUTE, HOUR = 60, 3600
_TAKE = """
INSERT INTO mydata_spent AS s (account_id, what, span, times) VALUES (%s, %s, %s, 1)
ON CONFLICT (account_id, what) DO UPDATE
SET times = CASE WHEN s.span = EXCLUDED.span THEN s.times + 1 ELSE 1 END, span = EXCLUDED.span
RETURNING times
"""
_SEARCHES = ErrorText(
    429,
    "That were many searches in a short time",
    "You have searched as often as one person can within a minute, so this was not searched for.",
    NOTHING_CHANGED,
    "Try again in {wait} seconds.",
)
_EXPORTS = ErrorText(
    429,
    "You have taken many files in a short time",
    "Everything has been taken away as often as one person can within an hour, so no file was made.",
    NOTHING_CHANGED,
    "Use one of the files that you have, or try again in {wait} minutes.",
)


def too_many_searches(request: PortalRequest) -> HttpResponse | None:
    """Count one search; the refusal once there were SEARCHES_PER_MINUTE."""
    wait = _wait(request.user.pk, "search", MINUTE, settings.SEARCHES_PER_MINUTE)
    return _refusal(request, _SEARCHES, wait, wait) if wait else None


def too_many_exports(request: PortalRequest) -> HttpResponse | None:
    """Count one file; the refusal once there were EXPORTS_PER_HOUR."""
    wait = _wait(request.user.pk, "export", HOUR, settings.EXPORTS_PER_HOUR)
    return _refusal(request, _EXPORTS, wait, -(-wait // 60)) if wait else None


def _wait(account: int, what: str, length: int, most: int) -> int:
    """0, or the seconds until the next one is allowed."""
    span, into = divmod(int(time.time()), length)
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, (account, what, span))
        times = int(cursor.fetchone()[0])
    return length - into if times > most else 0


def _refusal(request: HttpRequest, text: ErrorText, seconds: int, wait: int) -> HttpResponse:
    response = error_response(request, replace(text, what_to_do=text.what_to_do.format(wait=wait)))
    response.headers["Retry-After"] = str(seconds)
    return response
