"""One turn: look into the memories, answer, remember, keep. Each part can fail by itself, and says so by itself."""

from dataclasses import dataclass, field
from typing import Literal

from memoryportal.memory import (
    EmbedderUnavailable,
    ErasureRunning,
    InferenceFailed,
    Item,
    MemoryChanged,
    Message,
    NotConfirmed,
    StoreUnavailable,
    UseRestricted,
    WritesPaused,
    llm,
)
from memoryportal.memory.conversation import Basis, Conversation

from . import assistant_prompt as prompt

MOST_USED = 8
QUESTION_MARKS = "?\N{FULLWIDTH QUESTION MARK}\N{ARABIC QUESTION MARK}\N{GREEK QUESTION MARK}\N{REVERSED QUESTION MARK}"
FOUND, FOUND_NOTHING = "I remember:", "I remember nothing about that."
MAY_NOT_LOOK = "You have restricted the use of your memories, so I may not look at them."
Remembered = Literal["asked", "question", "paused", "restricted", "erasing", "model", "changed", "embedder", "unsure"]
"""What became of remembering. "asked": it was carried out, whether or not there was anything new."""

Kept = Literal["yes", "shut", "basis", "store"]
"""Why a turn is kept nowhere: a pause or an erasure; what it was made with has gone; the store was lost."""


@dataclass(slots=True)
class Turn:
    """What became of one message. `number` is that of the answer in the buffer, None where the turn is kept nowhere."""

    question: str
    answer: str = ""
    cut: bool = False
    restricted: bool = False
    used: list[Item] = field(default_factory=list)
    made: list[Item] = field(default_factory=list)
    stopped: int = 0
    remembered: Remembered = "asked"
    number: int | None = None
    kept: Kept = "yes"


def take(conversation: Conversation, question: str) -> Turn:
    """Carry out one turn.

    Raises ErasureRunning, EmbedderUnavailable and llm.NoAnswer while nothing was answered, remembered or kept.
    """
    turn, before = Turn(question), conversation.said()
    _answer(conversation, turn, before)
    _remember(conversation, turn)
    basis = Basis(tuple(item.id for item in turn.used), max((message.seq for message in before), default=0))
    _keep(conversation, turn, basis)
    return turn


def _answer(conversation: Conversation, turn: Turn, before: list[Message]) -> None:
    """Fill in the answer. Under a restriction neither memories nor what was said before are looked at."""
    try:
        turn.used = conversation.recall(turn.question, MOST_USED)
    except UseRestricted:
        turn.restricted = True
    if llm.talks():
        items = None if turn.restricted else turn.used
        said = llm.answer(prompt.system(items), prompt.turns(turn.question, items, [] if turn.restricted else before))
        turn.answer, turn.cut = said.text, said.cut
    else:
        turn.answer = MAY_NOT_LOOK if turn.restricted else FOUND if turn.used else FOUND_NOTHING


def _keep(conversation: Conversation, turn: Turn, basis: Basis) -> None:
    """Whatever keeps the turn out of the buffer, what was remembered is remembered: the page must say so."""
    try:
        turn.number = conversation.keep(turn.question, turn.answer, basis)
        turn.kept = "basis" if turn.number is None else "yes"
    except (WritesPaused, ErasureRunning):
        turn.kept = "shut"
    except StoreUnavailable:
        turn.kept = "store"


def _remember(conversation: Conversation, turn: Turn) -> None:
    extracting = llm.extracts()
    if not extracting and turn.question.rstrip().endswith(tuple(QUESTION_MARKS)):
        turn.remembered = "question"
        return
    try:
        added = conversation.remember(turn.question, infer=extracting)
    except WritesPaused:
        turn.remembered = "paused"
    except UseRestricted:
        turn.remembered = "restricted"
    except ErasureRunning:
        turn.remembered = "erasing"
    except EmbedderUnavailable:
        turn.remembered = "embedder"
    except InferenceFailed:
        turn.remembered = "model"
    except MemoryChanged:
        turn.remembered = "changed"
    except NotConfirmed:
        turn.remembered = "unsure"
    else:
        turn.made, turn.stopped = list(added), added.stopped
