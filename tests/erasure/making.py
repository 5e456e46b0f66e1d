"""Deletion requests in any state, by ways that the database allows."""

from collections import deque
from typing import Any

from django.utils import timezone

from memoryportal.erasure import whose
from memoryportal.erasure.models import Erasure, Identified
from memoryportal.erasure.moves import move
from memoryportal.erasure.states import TRANSITIONS, State


def path_to(state: str) -> list[str]:
    """The shortest way from `received` to a state."""
    ways, queue = {str(State.RECEIVED): list[str]()}, deque([str(State.RECEIVED)])
    while queue:
        at = queue.popleft()
        for following in sorted(TRANSITIONS.get(at, ())):
            if str(following) not in ways:
                ways[str(following)] = [*ways[at], str(following)]
                queue.append(str(following))
    return ways[state]


def an_erasure(*subjects: str, state: str = "received", **fields: Any) -> Erasure:
    """A request about these subjects that is in `state`, with nothing carried out."""
    erasure = Erasure.objects.create(subjects=[str(subject) for subject in subjects], **fields)
    path = path_to(state)
    if {State.WAITING, State.ERASING} & {*path}:
        erasure.identified_at, erasure.identified_how = erasure.identified_at or timezone.now(), Identified.SESSION
        if erasure.account is None:  # nobody's own
            erasure.approved_at = erasure.approved_at or timezone.now()
        if erasure.approved_at is not None:
            erasure.approved_for = whose.fingerprint(erasure)
    for each in path:
        move(erasure, State(each))
    return erasure
