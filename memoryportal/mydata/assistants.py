"""Your assistants: who may remember anything new, and who may use what is remembered. Each switch is a form."""

from collections.abc import Callable
from typing import NamedTuple

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from memoryportal.accounts.http import PortalRequest
from memoryportal.accounts.subjects import chosen
from memoryportal.accounts.trail import PAUSE, RESTRICTION, RESUMPTION, USE_AGAIN, Change, changing
from memoryportal.base.errors import ErrorText, error_response
from memoryportal.erasure import switches
from memoryportal.memory import SubjectId, bulk, controls

from . import assistants_words as words
from .forms import ANOTHER_ID, NameField, shows_another_id

NOT_A_NAME = ErrorText(
    422,
    "This cannot be the name of an assistant",
    "The form was changed, or sent by something else than this page.",
    "Nothing was switched.",
    "Go back to the page “Your assistants” and choose again.",
)


class Switch(NamedTuple):
    """One of the four things that a person can switch. `done` is said with the name of whom it is about."""

    act: Callable[[SubjectId, str], None]
    change: Change
    done: str


PAUSED = Switch(switches.pause, PAUSE, "Paused. {} can remember nothing new about you and change nothing.")
RESUMED = Switch(switches.resume, RESUMPTION, "{} may remember things about you again.")
RESTRICTED = Switch(controls.restrict, RESTRICTION, "{} may no longer use your memories. They are kept.")
ALLOWED = Switch(controls.unrestrict, USE_AGAIN, "{} may use your memories again.")


class AgentForm(forms.Form):
    """Whom a switch is about; nobody's name means all assistants."""

    agent = NameField("an assistant")


@require_safe
@login_required
def show(request: PortalRequest) -> HttpResponse:
    memory = request.memory
    shut = controls.states(memory.subject)
    context = {
        "all": words.row("", shut),
        "assistants": words.rows(shut, memory.summary().agents, memory.handed()),
        "erasing": words.erasing(shut),
        "abilities": bulk.abilities(),
        "shown": chosen(request).key,
    }
    return render(request, "mydata/assistants.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def pause(request: PortalRequest) -> HttpResponse:
    return _switch(request, PAUSED)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def resume(request: PortalRequest) -> HttpResponse:
    return _switch(request, RESUMED)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def restrict(request: PortalRequest) -> HttpResponse:
    return _switch(request, RESTRICTED)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def allow(request: PortalRequest) -> HttpResponse:
    return _switch(request, ALLOWED)


def _switch(request: PortalRequest, switch: Switch) -> HttpResponse:
    """A GET, as after signing in again, leads to the page. The trail says "all" or "one", never an assistant's name."""
    if request.method != "POST":
        return redirect("mydata:assistants")
    if shows_another_id(request):
        messages.error(request, ANOTHER_ID)
        return redirect("mydata:assistants")
    form = AgentForm(request.POST)
    if not form.is_valid():
        return error_response(request, NOT_A_NAME)
    agent = form.cleaned_data["agent"] or ""
    with changing(request, switch.change, "one" if agent else "all"):
        switch.act(request.memory.subject, agent)
    messages.success(request, switch.done.format(f"“{agent}”" if agent else "All assistants"))
    return redirect("mydata:assistants")
