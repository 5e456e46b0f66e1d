"""Turns of the assistant's conversation as its page shows them."""

from dataclasses import dataclass
from typing import Any

from memoryportal.accounts.http import PortalRequest
from memoryportal.memory import Item, Message, bulk

from . import assistant_session as session
from . import assistant_words as words
from .assistant_turn import FOUND, Turn


@dataclass(frozen=True, slots=True)
class Shown:
    """One turn as the page shows it. `kept_not` says why it is not kept; empty where it is."""

    question: str
    answer: str
    used: list[Item]
    made: list[Item]
    lines: list[str]
    kept_not: str = ""
    cut: bool = False
    is_list: bool = False


def once(turn: Turn) -> Shown:
    """A turn that is kept nowhere."""
    return Shown(
        question=turn.question,
        answer=turn.answer,
        used=turn.used,
        made=turn.made,
        lines=words.became(turn.remembered, len(turn.made), turn.stopped),
        kept_not=words.KEPT_NOT[turn.kept],
        cut=turn.cut,
        is_list=turn.answer == FOUND,
    )


def kept(request: PortalRequest) -> list[Shown]:
    """The turns that are in the buffer, oldest first. Memories are as they are now, and without those that are gone."""
    conversation = session.current(request)
    if conversation is None:
        return []
    about = session.noted(request)
    ids = [memory_id for one in about.values() for memory_id in (*one["used"], *one["made"])]
    items = bulk.items(request.memory, ids)
    return [
        _shown(question, answer, about.get(answer.seq if answer else 0), items)
        for question, answer in _pairs(conversation.said())
    ]


def _pairs(messages: list[Message]) -> list[tuple[str, Message | None]]:
    """Question and answer. Of the oldest turn the question may have left the buffer, of a failed one the answer."""
    pairs: list[tuple[str, Message | None]] = []
    for message in messages:
        if message.role == "user":
            pairs.append((message.text, None))
        elif pairs and pairs[-1][1] is None:
            pairs[-1] = (pairs[-1][0], message)
        else:
            pairs.append(("", message))
    return pairs


def _shown(question: str, answer: Message | None, about: dict[str, Any] | None, items: dict[str, Item]) -> Shown:
    if answer is None or about is None:
        return Shown(question, answer.text if answer else "", [], [], [])
    used, made = ([items[memory_id] for memory_id in about[name] if memory_id in items] for name in ("used", "made"))
    missing = len(about["used"]) + len(about["made"]) - len(used) - len(made)
    lines = words.became(about["remembered"], len(about["made"]), about["stopped"])
    return Shown(
        question=question,
        answer=answer.text,
        used=used,
        made=made,
        lines=[*lines, *([words.gone(missing)] if missing else [])],
        cut=about["cut"],
        is_list=answer.text == FOUND,
    )
