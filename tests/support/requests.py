"""Deletion requests in any state, as they come to lie in the queue of the staff."""

from typing import Any

from django.utils import timezone

from memoryportal.erasure.models import Channel, Erasure, Identified, OutsidePlace
from memoryportal.erasure.moves import move
from memoryportal.erasure.states import State
from tests.erasure.making import path_to

GROUND = "A court has ordered us to keep it, case 12"


def a_request(*subjects: str, state: str = "identity", **about: Any) -> Erasure:
    """A request from the public form that is in `state`; nothing was carried out, whatever the state says."""
    erasure = Erasure.objects.create(**{"channel": Channel.FORM, "subjects": list(subjects), **about})
    for each in path_to(state):
        _get_ready(erasure, each)
        move(erasure, State(each))
    return erasure


def _get_ready(erasure: Erasure, state: str) -> None:
    """What the database wants to see before a request goes there."""
    if state in (State.APPROVAL, State.WAITING, State.ERASING) and erasure.identified_at is None:
        erasure.identified_at = timezone.now()
        erasure.identified_how = erasure.identified_how or Identified.MAIL
    if state in (State.WAITING, State.ERASING):
        erasure.subjects = erasure.subjects or ["customer-1"]
        if erasure.identified_how not in (Identified.SESSION, Identified.MAIL) or erasure.attached_by_id:
            erasure.approved_at = erasure.approved_at or timezone.now()
    if state == State.ON_HOLD:
        erasure.ground, erasure.held_from = GROUND, erasure.held_from or erasure.state


def outside(erasure: Erasure, *names: str) -> list[OutsidePlace]:
    return OutsidePlace.objects.bulk_create(OutsidePlace(erasure=erasure, name=name) for name in names)


def story(erasure: Erasure, rest: str = "") -> str:
    return f"/support/requests/{erasure.reference}/{rest}"


def everything_about(erasure: Erasure) -> dict[str, Any]:
    """What a refused act must leave as it was."""
    row = Erasure.objects.filter(pk=erasure.pk).values().get()
    return {**row, "outside": list(erasure.outside.values()), "open": list(erasure.open_rows.values_list("subject"))}
