"""What tests read off the pages of /erasure/, and put there."""

import re

from memoryportal.erasure.models import Erasure, ErasureStep, State
from memoryportal.memory import ScopedMemory, controls
from tests.erasure.making import an_erasure

from . import reading

ERASE = "/erasure/"
NOWHERE = "postgresql://memoryportal_scoped@/nowhere?host=/nonexistent"
FRAGMENT = {"HX-Request": "true", "HX-Target": "erasure"}


def form_of(response) -> dict[str, str]:
    """The hidden fields of the page's form, and the word that it asks for."""
    text = reading.body(response)
    fields = dict(re.findall(r'<input type="hidden" name="(id|after)" value="([^"]*)"', text))
    word = re.search(r'data-confirm-word="([^"]*)"', text)
    assert word is not None
    return {**fields, "word": word.group(1)}


def state_of(response) -> str:
    found = re.findall(r'data-erasure-state="([^"]*)"', reading.body(response))
    assert len(found) == 1
    return found[0]


def in_state(account, subject, state: State, steps=(), **fields) -> Erasure:
    """A request of this account's in this state; `steps` are the fields of one step each, in the order of places."""
    erasure = an_erasure(subject, state=state, account=account, **fields)
    for order, (place, step) in enumerate(zip(("memories", "entities", "history"), steps, strict=False)):
        ErasureStep.objects.create(erasure=erasure, place=place, order=order, **step)
    return erasure


def paused(memory: ScopedMemory) -> bool:
    return [(control.agent, control.state) for control in controls.states(memory.subject)] == [("", "paused")]
