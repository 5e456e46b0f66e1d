"""The page where a person talks to the portal's own assistant. No text in an address, a log or the session.

A message that is kept is answered by a redirect, so that nothing is sent twice; one that is kept nowhere (a pause, a
failure) is answered at once.
"""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from memoryportal.accounts.http import PortalRequest, send_to
from memoryportal.accounts.typed import login_required_keeping
from memoryportal.memory import controls, llm

from . import assistant_limits as limits
from . import assistant_session as session
from . import assistant_shown as shown
from . import assistant_words as words
from .assistant_turn import Turn, take

MAX_MESSAGE = 2_000
REGION = "talk"  # the id of the element that htmx swaps


class MessageForm(forms.Form):
    """What the person writes."""

    message = forms.CharField(
        label="Your message",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 3, "dir": "auto", "maxlength": MAX_MESSAGE, "data-focus-after-swap": ""}),
    )

    def clean_message(self) -> str:
        text: str = self.cleaned_data["message"].replace("\r\n", "\n").strip()
        if not text:
            raise ValidationError("Write something first.")
        if len(text) > MAX_MESSAGE:
            raise ValidationError(f"This is too long: at most {MAX_MESSAGE:,} characters, and this has {len(text):,}.")
        return text


@require_http_methods(["GET", "HEAD", "POST"])
@login_required_keeping("message")
def talk(request: PortalRequest) -> HttpResponse:
    if request.method != "POST":
        return _page(request, MessageForm())
    form = MessageForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    try:
        turn = _turn(request, form.cleaned_data["message"])
    except words.FAILURES as error:
        failure = words.failure(error)
        return _page(request, form, status=failure.status, failure=failure)
    session.note(request, turn)
    if turn.number is None:
        return _page(request, MessageForm(), once=shown.once(turn), answered=True)
    if request.htmx.target == REGION:
        return _page(request, MessageForm(), answered=True)
    return redirect(reverse("assistant:talk") + "#latest")


@require_POST
@login_required
def end(request: PortalRequest) -> HttpResponse:
    session.end(request)
    return send_to(request, reverse("assistant:talk"))


def _turn(request: PortalRequest, text: str) -> Turn:
    """Raises one of words.FAILURES."""
    conversation = session.current_or_new(request)
    limits.admit(conversation.scope.subject)
    with limits.place(llm.talks()):
        return take(conversation, text)


def _page(
    request: PortalRequest, form: MessageForm, status: int = 200, once: shown.Shown | None = None, **more: Any
) -> HttpResponse:
    turns = shown.kept(request)
    context = {
        "form": form,
        "turns": [*turns, once] if once else turns,
        "forgotten": not turns and session.forget(request),
        "switched": words.switched(controls.states(request.memory.subject), settings.ASSISTANT_NAME),
        "talks": llm.talks(),
        "extracts": llm.extracts(),
        "most": MAX_MESSAGE,
        **more,
    }
    if request.htmx.target == REGION:  # what fails is said inside the region: htmx swaps no page of an error
        return render(request, "agent/_assistant_talk.html", context, status=422 if status == 422 else 200)
    return render(request, "agent/assistant.html", context, status=status)
