"""How a deletion request is named in a URL of the staff, and who finds it by that name."""

import re
from uuid import UUID

from django.http import Http404

from memoryportal.audit.actions import Action
from memoryportal.audit.record import Actor, record
from memoryportal.erasure.models import Erasure

from .guard import StaffRequest
from .request_queue import visible

PATTERN = re.compile(r"MP-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}")
_LOOSE = re.compile(r"\s*([A-Za-z]{2})[\s-]*([0-9A-Za-z]{4})[\s-]*([0-9A-Za-z]{4})\s*")
_MISREAD = str.maketrans("OIL", "011")  # letters that no reference has, because they are read as digits


class RequestConverter:
    """A path converter: a reference such as MP-7K3Q-92XA, or the id of a request."""

    regex = r"[Mm][Pp]-[0-9A-Za-z]{4}-[0-9A-Za-z]{4}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"

    def to_python(self, value: str) -> "str | UUID":
        return reference_of(value) if len(value) < 36 else UUID(value)

    def to_url(self, value: "str | UUID") -> str:
        return str(value)


def reference_of(typed: str) -> str:
    """The reference that somebody typed or heard, hyphens or not. Raises ValueError for what can be none."""
    if loose := _LOOSE.fullmatch(typed):
        typed = "-".join(loose.groups())
    prefix, reference = typed[:3].upper(), typed[3:].upper().translate(_MISREAD)
    if not PATTERN.fullmatch(prefix + reference):
        raise ValueError("this is no reference")
    return prefix + reference


def find(request: StaffRequest, name: "str | UUID") -> Erasure | None:
    """The request of this name. To hold its reference is enough; by its id there are only those that one's list has.

    A miss leaves an event, so that trying references does.
    """
    requests = Erasure.objects.select_related("account", "duplicate_of")
    if isinstance(name, UUID):
        found = requests.filter(pk=name, pk__in=visible(request.user, request.roles).values("pk")).first()
    else:
        found = requests.filter(reference=name).first()
    if found is None:
        actor = Actor(str(request.user.pk), request.role)
        record(Action.ACCESS_DENIED, actor=actor, details={"page": "support:request", "kind": "reference"})
    return found


def get(request: StaffRequest, name: "str | UUID") -> Erasure:
    """The same, or the 404 of a page that does not exist."""
    found = find(request, name)
    if found is None:
        raise Http404
    return found
