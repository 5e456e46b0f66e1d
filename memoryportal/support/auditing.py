"""The auditor's pages: the trail with its filter, one grant from start to end, verifying, and the trail as a file.

Reading the trail is an act with an event of its own, committed before anything is shown.
"""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Min
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from memoryportal.accounts.roles import AUDITOR
from memoryportal.audit import reading
from memoryportal.audit.actions import Action
from memoryportal.audit.heads import HeadsUnavailable
from memoryportal.audit.models import Event
from memoryportal.audit.pseudonyms import Pseudonym
from memoryportal.audit.reading import Wanted
from memoryportal.audit.record import Actor, record_first
from memoryportal.audit.verify import note_verdict, verify_trail

from . import audit_filter
from .audit_files import FORMATS, whole_or_said
from .audit_filter import FilterForm
from .audit_words import chain_state, lines
from .guard import StaffRequest, staff
from .models import AccessGrant

MOST_ON_A_PAGE = 200_000  # events that are verified while somebody waits: a few seconds


@staff(AUDITOR)
@require_http_methods(["GET", "HEAD", "POST"])
def show(request: StaffRequest) -> HttpResponse:
    if request.method != "POST":
        return _page(request)
    if "person_of" in request.POST:
        return _redirect(audit_filter.keep(request, Wanted(people=_person_of(request.POST["person_of"]))))
    form = FilterForm(request.POST)
    if not form.is_valid():
        context = {"form": form, "state": chain_state()}
        return render(request, "support/audit.html", context, status=422)
    wanted = form.wanted()
    return redirect("support:audit") if wanted == Wanted() else _redirect(audit_filter.keep(request, wanted))


def _redirect(key: str) -> HttpResponse:
    return redirect(f"{reverse('support:audit')}?f={key}")


def _person_of(seq: str) -> list[Pseudonym]:
    """Whom an event of the list is about."""
    found = Event.objects.filter(seq=int(seq)).first() if seq.isascii() and seq.isdecimal() and len(seq) < 19 else None
    return [Pseudonym(found.subject)] if found and found.subject else []


def _page(request: StaffRequest) -> HttpResponse:
    key = request.GET.get("f", "")
    wanted = audit_filter.kept(request, key)
    if wanted is None:
        messages.info(request, "This list was narrowed down in another session. Choose again what to look for.")
        return redirect("support:audit")
    before = _number(request.GET.get("before", ""))
    _note_reading(request, wanted, {"page": before or "first"})
    page = reading.page(wanted, before)
    context: dict[str, Any] = {
        "form": FilterForm(),
        "state": chain_state(),
        "lines": lines(page.events),
        "narrowed": audit_filter.in_words(wanted),
        "f": key,
        "newer": _url(key) if before is not None else "",
        "older": _url(key, page.next) if page.next else "",
    }
    return render(request, "support/audit.html", context)


def _note_reading(request: StaffRequest, wanted: Wanted, details: dict[str, Any]) -> int:
    """Before anything is shown. Where one person was looked for, they see on their own page that it was done."""
    return record_first(
        Action.TRAIL_READ,
        actor=_actor(request),
        subject=wanted.people[0] if wanted.people else None,
        object=f"grant:{wanted.grant}" if wanted.grant else "",
        details=details,
    )


def _actor(request: StaffRequest) -> Actor:
    return Actor(str(request.user.pk), request.role)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def _url(key: str, before: int | None = None) -> str:
    parts = [*([f"f={key}"] if key else []), *([f"before={before}"] if before else [])]
    return reverse("support:audit") + (f"?{'&'.join(parts)}" if parts else "")


@staff(AUDITOR)
@require_safe
def grant(request: StaffRequest, grant_id: UUID) -> HttpResponse:
    """One grant as a story. The grant's own row says why; the trail says what was done with it."""
    row = AccessGrant.objects.filter(pk=grant_id).select_related("staff", "person").first()
    story = reading.of_grant(str(grant_id))
    if row is None and not story:
        raise Http404
    about = [Pseudonym(event.subject) for event in story if event.subject][:1]
    _note_reading(request, Wanted(people=about, grant=str(grant_id)), {"page": "grant"})
    return render(request, "support/audit_grant.html", {"grant": row, "lines": lines(story)})


@staff(AUDITOR)
@require_POST
def verify(request: StaffRequest) -> HttpResponse:
    first = Event.objects.aggregate(first=Min("seq"))["first"] or 0
    if reading.newest() - first > MOST_ON_A_PAGE:
        messages.warning(request, "The trail is too long to be verified on a page: run “manage.py verify_audit”.")
        return redirect("support:audit")
    try:
        verdict = verify_trail()
    except HeadsUnavailable as error:
        messages.error(request, f"Nothing was verified. {error}")
        return redirect("support:audit")
    note_verdict(_actor(request), verdict)
    if verdict.problem:
        messages.error(request, f"The trail is NOT intact: {verdict.problem}.")
    else:
        heads = f"{verdict.heads} signed head{'' if verdict.heads == 1 else 's'}"
        messages.success(request, f"Verified: {verdict.events} events and {heads}, all intact.")
    return redirect("support:audit")


@staff(AUDITOR)
@require_POST
def export(request: StaffRequest) -> HttpResponseBase:
    """The list, as it is narrowed down, as a file. Of the whole trail the last event is the taking of this file."""
    form, wanted = request.POST.get("form", ""), audit_filter.kept(request, request.POST.get("f", ""))
    if form not in FORMATS or wanted is None:
        messages.error(request, "Nothing was taken: choose again what to look for.")
        return redirect("support:audit")
    about = wanted.people[0] if wanted.people else None
    upto = record_first(Action.TRAIL_EXPORTED, actor=_actor(request), subject=about, details={"form": form})
    write, content_type = FORMATS[form]
    response = StreamingHttpResponse(whole_or_said(write(reading.walk(wanted, upto), upto)), content_type=content_type)
    name = f"memoryportal-audit-{timezone.localdate().isoformat()}.{form}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
