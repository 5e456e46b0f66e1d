"""What a member of the staff has done, as the trail has it. The rest of the trail is the auditors' (auditing.py)."""

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from memoryportal.accounts.roles import PRIVACY, SUPPORT
from memoryportal.audit import reading

from .audit_words import lines
from .guard import StaffRequest, staff


@staff(SUPPORT, PRIVACY)
@require_safe
def show(request: StaffRequest) -> HttpResponse:
    """One's own events, newest first. Whose events these are, the session says and nothing else."""
    given = request.GET.get("before", "")
    before = int(given) if given.isascii() and given.isdecimal() and len(given) < 19 else None
    page = reading.page(reading.Wanted(actor=str(request.user.pk)), before)
    here = reverse("support:acts")
    context = {
        "lines": lines(page.events),
        "newer": here if before is not None else "",
        "older": f"{here}?before={page.next}" if page.next else "",
    }
    return render(request, "support/acts.html", context)
