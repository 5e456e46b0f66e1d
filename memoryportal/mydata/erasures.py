"""One's own deletion requests: how far one is, taking it back, its receipt, and whether assistants may begin again."""

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from memoryportal.accounts.http import PortalRequest
from memoryportal.accounts.stepup import step_up
from memoryportal.accounts.subjects import own_subjects
from memoryportal.accounts.trail import RESUMPTION, changing, person
from memoryportal.audit.record import Actor
from memoryportal.erasure import decisions, engine, services, switches
from memoryportal.erasure.models import Erasure
from memoryportal.erasure.moves import NotNow
from memoryportal.erasure.states import State
from memoryportal.memory import StoreUnavailable, SubjectId, bulk, controls

from . import receipt_page
from .erasure_words import shown
from .ways import Ways

Act = Callable[[UUID, Actor], Erasure]
CAN_GO_ON = {State.WAITING, State.ERASING, State.VERIFYING, State.RETRYING}  # the others wait for people, or for a day


@require_safe
@login_required
def show(request: PortalRequest, erasure_id: UUID) -> HttpResponse:
    erasure = _own(request, erasure_id)
    fragment = request.htmx and request.htmx.target == "erasure"
    template = "mydata/_erasure.html" if fragment else "mydata/erasure.html"
    context = {
        "erasure": shown(erasure),
        "ways": _ways(erasure),
        "abilities": bulk.abilities(),
        "own": True,
        "paused": _is_paused(request, erasure),
    }
    return render(request, template, context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def go_on(request: PortalRequest, erasure_id: UUID) -> HttpResponse:
    """Carry on with what was asked for and confirmed before: nothing more is erased than that."""
    erasure = _own(request, erasure_id)
    if erasure.is_filed:  # written down by the staff: this person has confirmed nothing yet
        return redirect("mydata:erase")
    if request.method == "POST":
        services.hurry(erasure)
        engine.run(erasure)
    return redirect("mydata:erasure", erasure.id)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def cancel(request: PortalRequest, erasure_id: UUID) -> HttpResponse:
    """Asks first. Too late is said in words."""
    erasure = _own(request, erasure_id)
    if request.method == "POST":
        _decide(request, erasure, decisions.cancel, "Taken back. Nothing was erased.")
        return redirect("mydata:erasure", erasure.id)
    if not erasure.is_cancellable:
        return redirect("mydata:erasure", erasure.id)
    return render(request, "mydata/erasure_cancel.html", {"erasure": shown(erasure), "ways": _ways(erasure)})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def begin(request: PortalRequest, erasure_id: UUID) -> HttpResponseBase:
    """End the time in which it can still be taken back."""
    erasure = _own(request, erasure_id)
    return _begin(request, erasure) if request.method == "POST" else redirect("mydata:erasure", erasure.id)


@step_up
def _begin(request: PortalRequest, erasure: Erasure) -> HttpResponse:
    if _decide(request, erasure, decisions.begin_now):
        engine.run(erasure)
    return redirect("mydata:erasure", erasure.id)


def _decide(request: PortalRequest, erasure: Erasure, act: Act, done: str = "") -> bool:
    try:
        act(erasure.pk, person(request.user))
    except NotNow as why:
        messages.error(request, str(why))
        return False
    if done:
        messages.success(request, done)
    return True


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def allow(request: PortalRequest, erasure_id: UUID) -> HttpResponse:
    """Let assistants remember new things again, after everything was erased."""
    erasure = _own(request, erasure_id)
    if request.method == "POST" and erasure.is_erased:
        for subject in _subjects(request, erasure):
            with changing(request, RESUMPTION, "one" if erasure.agent else "all", subject=subject):
                switches.resume(subject, erasure.agent)
        messages.success(request, "From now on your assistants may remember new things about you.")
    return redirect("mydata:erasure", erasure.id)


# --- the receipt -----------------------------------------------------------------------------------------------------


@require_safe
@login_required
def receipt(request: PortalRequest, erasure_id: UUID) -> HttpResponse:
    erasure = _own(request, erasure_id)
    if erasure.receipt is None:
        return redirect("mydata:erasure", erasure.id)
    return receipt_page.page(request, erasure.receipt, _ways(erasure))


@require_safe
@login_required
def receipt_file(request: PortalRequest, erasure_id: UUID) -> HttpResponse:
    erasure = _own(request, erasure_id)
    if erasure.receipt is None:
        return redirect("mydata:erasure", erasure.id)
    return receipt_page.file(erasure.receipt)


# --- whose it is -----------------------------------------------------------------------------------------------------


def _own(request: PortalRequest, erasure_id: UUID) -> Erasure:
    try:
        return services.own(request.user, erasure_id)
    except services.ErasureNotFound:
        raise Http404 from None


def _subjects(request: PortalRequest, erasure: Erasure) -> list[SubjectId]:
    """Those of its ids that are still this person's."""
    return [subject for subject in own_subjects(request.user) if str(subject) in erasure.subjects]


def _is_paused(request: PortalRequest, erasure: Erasure) -> bool:
    """Whether what was erased is still kept from filling again. False while nobody can tell."""
    if not erasure.is_erased:
        return False
    try:
        found = [control for subject in _subjects(request, erasure) for control in controls.states(subject)]
    except StoreUnavailable:
        return False
    return any((control.agent, control.state) == (erasure.agent, "paused") for control in found)


def _ways(erasure: Erasure) -> Ways:
    """What this person can do with it now."""

    def to(name: str, fits: bool) -> str:
        return reverse(f"mydata:{name}", args=[erasure.id]) if fits else ""

    waiting = erasure.state == State.WAITING
    return Ways(
        here=to("erasure", True),
        go_on=to("erasure_continue", erasure.state in CAN_GO_ON),
        cancel=to("erasure_cancel", erasure.is_cancellable),
        begin=to("erasure_begin", waiting),
        receipt=to("erasure_receipt", erasure.receipt is not None),
        file=to("erasure_receipt_file", erasure.receipt is not None),
        allow=to("erasure_allow", erasure.is_erased),
    )
