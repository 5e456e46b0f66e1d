"""docs/audit.md says what the code does. `python -m tests.audit.attack_table` makes its tables current."""

import re

import pytest

from memoryportal.audit.actions import Action
from memoryportal.audit.models import Event

from . import attack_table


def test_every_action_is_listed() -> None:
    assert attack_table.current("actions") == attack_table.actions()


def test_every_column_is_described() -> None:
    described = attack_table.DOCS.read_text().partition("## How an event comes about")[0]
    for field in Event._meta.get_fields():
        assert f"`{field.column}`" in described, field.column


@pytest.mark.parametrize("action", Action)
def test_names_are_noun_and_verb(action: Action) -> None:
    assert re.fullmatch(r"[a-z]+\.[a-z]+(-[a-z]+)?", action.value)
    assert action.label[0].isupper()


def test_what_is_asked_for_can_end() -> None:
    """Every `…-asked` of a change has a way to say how it ended."""
    for action in Action:
        noun, _, verb = action.value.partition(".")
        if verb.endswith("-asked"):
            ends = {other.value for other in Action if other.value.startswith(f"{noun}.{verb.removesuffix('-asked')}")}
            assert len(ends) > 1, action
