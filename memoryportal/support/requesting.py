"""Hand a deletion request over: the staff write it down, and the deletion of everything is not theirs to carry out."""

from django.db import transaction

from memoryportal.audit.actions import Action
from memoryportal.audit.record import record
from memoryportal.erasure import services
from memoryportal.erasure.models import Erasure
from memoryportal.memory import SubjectId

from . import grants
from .models import AccessGrant


def hand_over(grant: AccessGrant, reason: str) -> Erasure:
    """The open deletion request of the grant's person, made now if there is none. Raises GrantEnded."""
    current = grants.check_open(grant)
    with transaction.atomic():
        erasure = services.hand_over(current.person, SubjectId(current.subject), by=current.staff)
        record(Action.REQUEST_HANDED_OVER, **grants.whose(current), object=erasure.reference, reason=reason)
    return erasure


def open_request(grant: AccessGrant) -> Erasure | None:
    """The deletion request of the grant's person that has not ended. Raises GrantEnded."""
    return services.open_for(SubjectId(grants.check_open(grant).subject))
