"""Switches and uses as people read them."""

from collections.abc import Iterable
from typing import NamedTuple

from memoryportal.memory import Handed
from memoryportal.memory.controls import Control

from . import present

MOST = 200  # assistants on the page; more are named by their memories' filter only


class Assistant(NamedTuple):
    """One line of the page; `name` is '' for all of them. `paused` and `restricted` say since when, or are empty."""

    name: str
    paused: str
    restricted: str
    about: str


class HandedTo(NamedTuple):
    """Such as "support_bot", "3 times, last on 3 May 2026, 14:02"; an assistant that gave no name has ''."""

    name: str
    how_often: str


def row(name: str, shut: Iterable[Control], about: str = "") -> Assistant:
    since = {control.state: present.moment(control.since) for control in shut if control.agent == name}
    return Assistant(name, since.get("paused", ""), since.get("restricted", ""), about)


def rows(
    shut: list[Control], remembered: Iterable[tuple[str | None, int]], handed: Iterable[Handed]
) -> list[Assistant]:
    """Everybody who remembers something, was handed something, or is switched off: most memories first."""
    counts = {name: number for name, number in remembered if name}
    uses = {each.agent: each for each in handed if each.agent}
    names = [*counts, *sorted({*uses, *(control.agent for control in shut if control.agent)} - counts.keys())]
    return [row(name, shut, _about(counts.get(name, 0), uses.get(name))) for name in names[:MOST]]


def _about(memories: int, handed: Handed | None) -> str:
    remembers = f"remembers {present.counted(memories, 'thing', 'things')}" if memories else "remembers nothing"
    return f"{remembers}, {_used(handed)}"


def _used(handed: Handed | None) -> str:
    return f"was last handed something on {present.moment(handed.last)}" if handed else "was handed nothing lately"


def erasing(shut: Iterable[Control]) -> str:
    """Since when everything is being erased; empty when it is not."""
    return next((present.moment(control.since) for control in shut if control.state == "erasing"), "")


def notice(shut: Iterable[Control]) -> list[str]:
    """What the list of memories says about switches, one sentence each."""
    return [sentence for control in shut if (sentence := _sentence(control))]


def _sentence(control: Control) -> str:
    if control.state not in ("paused", "restricted"):
        return ""
    who = f"the assistant “{control.agent}”" if control.agent else "all assistants"
    since = present.moment(control.since)
    if control.state == "paused":
        return f"Remembering is paused for {who} since {since}."
    return f"Using your memories is off for {who} since {since}."


def handed_to(handed: Iterable[Handed]) -> list[HandedTo]:
    return [HandedTo(each.agent or "", _how_often(each)) for each in handed]


def _how_often(handed: Handed) -> str:
    return f"{present.counted(handed.times, 'time', 'times')}, last on {present.moment(handed.last)}"
