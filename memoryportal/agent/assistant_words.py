"""The assistant's page in words: what became of a message, what is switched, and why there is no answer."""

from dataclasses import dataclass

from memoryportal.memory import EmbedderUnavailable, ErasureRunning
from memoryportal.memory.controls import Control
from memoryportal.memory.llm import NoAnswer

from .assistant_limits import TooBusy, TooOften

NOTHING = "Nothing of it was remembered. What you wrote is still below."
LATER = "Try again in a minute."
_NOT_REMEMBERED = {
    "question": "Not remembered: what ends with a question mark is only looked up.",
    "paused": "Not remembered: you have paused remembering.",
    "restricted": "Not remembered: what is new is found by comparing with your memories, and you have restricted their "
    "use.",
    "erasing": "Not remembered: your memories are being erased.",
    "model": "Not remembered: the language model gave nothing usable when it was asked what is new. Nothing was "
    "stored.",
    "changed": "Not remembered: something that the language model was shown was deleted or corrected meanwhile, so "
    "what it found could have repeated that.",
    "embedder": "Not remembered: the service that makes texts findable does not answer. Nothing was stored.",
    "unsure": "It is not known whether anything of it was remembered: the place where memories are stored was lost "
    "meanwhile. Look at your memories before you say it again.",
}
_ONCE = "This is shown once and kept nowhere: the assistant will not know of it in your next message."
KEPT_NOT = {
    "yes": "",
    "shut": _ONCE,
    "basis": f"{_ONCE} Something that it was made with was deleted meanwhile, or may never be learned again.",
    "store": f"{_ONCE} The place where conversations are kept was lost meanwhile.",
}
_WHY = {
    "slow": "The language model did not answer in time.",
    "unreachable": "The language model cannot be reached, or broke off.",
    "refused": "The language model refused the request.",
    "unusable": "The language model gave an answer that cannot be used.",
    "busy": "Too many people are talking at the moment.",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer. `status` is that of the whole page."""

    status: int
    happened: str
    what_to_do: str = LATER


FAILURES = (NoAnswer, EmbedderUnavailable, ErasureRunning, TooOften, TooBusy)


def failure(error: Exception) -> Failure:
    """The words for one of FAILURES."""
    if isinstance(error, NoAnswer):
        return Failure(503, _WHY[error.why])
    if isinstance(error, EmbedderUnavailable):
        return Failure(503, "Your memories cannot be searched: the service that makes texts findable does not answer.")
    if isinstance(error, ErasureRunning):
        return Failure(409, "Your memories are being erased right now.", "Wait until the erasure has ended.")
    if isinstance(error, TooOften):
        return Failure(429, "You have sent many messages in a short time.", f"Try again in {error.wait} seconds.")
    return Failure(503, _WHY["busy"])


def became(remembered: str, made: int, stopped: int) -> list[str]:
    """What became of remembering, where no new memory says it by itself."""
    lines = [_NOT_REMEMBERED[remembered]] if remembered in _NOT_REMEMBERED else []
    if stopped:
        what = "1 wording was" if stopped == 1 else f"{stopped} wordings were"
        lines.append(f"{what} not remembered: you said that it is never to be learned again.")
    return lines or ([] if made else ["Nothing new was remembered."])


def switched(shut: list[Control], name: str) -> set[str]:
    """What is shut for the assistant of this name: "paused", "restricted", "erasing"."""
    return {control.state for control in shut if control.agent in ("", name)}


def gone(number: int) -> str:
    """Memories that were used or made here, and are not there any more."""
    what = "1 memory of this answer was" if number == 1 else f"{number} memories of this answer were"
    return f"{what} deleted since."
