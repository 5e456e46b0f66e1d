"""Which conversation a session is in. The session holds its name and, for each answer, ids and words of our own.

What was said stands in mem0's message buffer (memory/conversation.py). It goes when the conversation is ended, when the
person signs out, and at the latest when no session can be in it any more and the person talks again.
"""

import secrets
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest

from memoryportal.accounts.models import User
from memoryportal.accounts.subjects import chosen
from memoryportal.memory import MemoryRoomError
from memoryportal.memory.conversation import Conversation

from .assistant_turn import Turn

KEY = "assistant"
MOST_TURNS = 5  # the buffer holds ten messages


def current(request: HttpRequest) -> Conversation | None:
    """The conversation that this session is in, about the subject that it shows; None before the first message."""
    kept = _kept(request)
    return _conversation(request, kept["run"]) if kept else None


def current_or_new(request: HttpRequest) -> Conversation:
    """The same; a new one where there is none. What is left of conversations of ended sessions goes then."""
    if (found := current(request)) is not None:
        return found
    begun = _conversation(request, f"talk-{secrets.token_hex(8)}")
    begun.end(older_than=timedelta(seconds=settings.SESSION_ABSOLUTE_SECONDS))
    request.session[KEY] = {"of": chosen(request).key, "run": begun.scope.run, "turns": {}}
    return begun


def note(request: HttpRequest, turn: Turn) -> None:
    """Remember in the session what the page says about a kept turn: ids and words of our own, no text."""
    kept = _kept(request)
    if kept is None or turn.number is None:
        return
    about = {
        "used": [item.id for item in turn.used],
        "made": [item.id for item in turn.made],
        "stopped": turn.stopped,
        "remembered": turn.remembered,
        "restricted": turn.restricted,
        "cut": turn.cut,
    }
    turns = {**kept["turns"], str(turn.number): about}
    newest = sorted(turns, key=int)[-MOST_TURNS:]
    request.session[KEY] = {**kept, "turns": {number: turns[number] for number in newest}}


def noted(request: HttpRequest) -> dict[int, dict[str, Any]]:
    """What `note` has kept, by the number of the answer."""
    kept = _kept(request)
    return {int(number): about for number, about in kept["turns"].items()} if kept else {}


def forget(request: HttpRequest) -> bool:
    """Drop what was noted about turns that are not in the buffer any more; whether there was anything."""
    kept = _kept(request)
    if kept is None or not kept["turns"]:
        return False
    request.session[KEY] = {**kept, "turns": {}}
    return True


def end(request: HttpRequest) -> int:
    """Leave the conversation and remove what was said in it; how many messages went."""
    conversation = current(request)
    went = conversation.end() if conversation else 0
    request.session.pop(KEY, None)
    return went


@receiver(user_logged_out)
def _end_with_the_session(request: HttpRequest | None = None, user: Any = None, **_: Any) -> None:
    """A store that is down must not keep anybody signed in; what stays behind goes with the next conversation."""
    if request is not None and isinstance(user, User) and KEY in request.session:
        with suppress(MemoryRoomError):
            end(request)


def _kept(request: HttpRequest) -> dict[str, Any] | None:
    """What the session holds, unless it was about another one of the person's subjects."""
    kept: dict[str, Any] | None = request.session.get(KEY)
    return kept if kept and kept["of"] == chosen(request).key else None


def _conversation(request: HttpRequest, run: str) -> Conversation:
    return Conversation(chosen(request).subject, settings.ASSISTANT_NAME, run)
