"""How long a session lives: idle time, absolute life, a new id at every authentication, and its end.

Sessions of people with a role live shorter. The session itself notes that it is one, so that nobody's page costs a
query for it.
"""

import time
from typing import Any

from allauth.account.internal.flows.login import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import SESSION_KEY, logout
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages import info
from django.http import HttpRequest

from .models import User
from .roles import roles_of

_SIGNED_IN_AT = "signed_in_at"
_SEEN_AT = "seen_at"
_STAFF = "staff"  # templates/base/_nav.html reads it too
_NOTE_EVERY_SECONDS = 300


def stamp(request: HttpRequest, user: Any = None, **_: Any) -> None:
    """Receiver of user_logged_in: the absolute life counts from here."""
    request.session[_SIGNED_IN_AT] = time.time()
    request.session.pop(_SEEN_AT, None)
    note_staff(request, bool(roles_of(user)))


def note_staff(request: HttpRequest, staff: bool) -> None:
    """Remember whether this is a session of somebody with a role. Rights never come from here: guard.py asks again."""
    if staff and not request.session.get(_STAFF):
        request.session[_STAFF] = True
    if not staff:
        request.session.pop(_STAFF, None)


def seconds_since_sign_in(request: HttpRequest) -> float:
    """Without a stamp a session is as old as can be."""
    return time.time() - float(request.session.get(_SIGNED_IN_AT, 0))


def renew_id(request: HttpRequest, reauthenticated: bool = False, **_: Any) -> None:
    """Receiver of authentication_step_completed: a re-authentication gets a new session id, as a sign-in does."""
    if not reauthenticated:
        return
    old = request.session.session_key
    request.session.cycle_key()
    UserSession.objects.filter(session_key=old).update(session_key=request.session.session_key)


def current_user(request: HttpRequest, found: Any) -> User | AnonymousUser:
    """The person whose session this is, once the session has been found alive.

    A dead one is emptied here, so that it cannot come back to life when an account is opened again.
    """
    if not found.is_authenticated:
        if SESSION_KEY in request.session:
            request.session.flush()
        return AnonymousUser()
    user: User = found._wrapped if hasattr(found, "_wrapped") else found
    request.user = user
    if not go_on(request):
        return AnonymousUser()
    note_use(request)
    return user


def go_on(request: HttpRequest) -> bool:
    """Whether the session is young enough and was used lately; False after ending it."""
    idle, absolute = _limits(request)
    if seconds_since_sign_in(request) > absolute:
        return _end(request, "because you signed in a while ago")
    if time.time() - float(request.session.get(_SEEN_AT, request.session[_SIGNED_IN_AT])) > idle:
        return _end(request, "because you had not done anything for a while")
    return True


def _limits(request: HttpRequest) -> tuple[int, int]:
    """(idle, absolute) seconds."""
    idle, absolute = settings.SESSION_COOKIE_AGE, settings.SESSION_ABSOLUTE_SECONDS
    if not (request.session.get(_STAFF) or getattr(request.user, "is_superuser", False)):
        return idle, absolute
    return min(idle, settings.STAFF_SESSION_IDLE_SECONDS), min(absolute, settings.STAFF_SESSION_ABSOLUTE_SECONDS)


def _end(request: HttpRequest, why: str) -> bool:
    logout(request)
    info(request, f"You were signed out {why}. Please sign in again.")
    return False


def note_use(request: HttpRequest) -> None:
    """Count the idle time from now, and keep "last seen" of the session list. Not at every request: it writes."""
    every = min(_NOTE_EVERY_SECONDS, _limits(request)[0] // 10)
    if time.time() - float(request.session.get(_SEEN_AT, 0)) < every:
        return
    request.session[_SEEN_AT] = time.time()
    UserSession.objects.create_from_request(request)


def end_all(user: User) -> int:
    """End every session of an account at once; how many there were."""
    return _end_these(list(UserSession.objects.filter(user=user)))


def end_others(request: HttpRequest, user: User) -> int:
    """End every session of an account but the one of this request; how many there were."""
    return _end_these(list(UserSession.objects.filter(user=user).exclude(session_key=request.session.session_key)))


def forget_proofs(request: HttpRequest, user: User) -> None:
    """What other sessions of an account have proved again opens no act any more; they go on."""
    for each in UserSession.objects.filter(user=user).exclude(session_key=request.session.session_key):
        session = type(request.session)(each.session_key)
        if records := session.get(AUTHENTICATION_METHODS_SESSION_KEY):
            kept = [{name: value for name, value in one.items() if name != "reauthenticated"} for one in records]
            session[AUTHENTICATION_METHODS_SESSION_KEY] = kept
            session.save()


def _end_these(sessions: list[UserSession]) -> int:
    for session in sessions:
        session.end()
    return len(sessions)


def end_when_disabled(instance: User, **_: Any) -> None:
    """Receiver of post_save: a disabled account has no sessions left, also if it is enabled again later."""
    if not instance.is_active:
        end_all(instance)
