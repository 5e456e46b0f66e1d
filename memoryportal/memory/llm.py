"""The language model of mem0's configuration (its `llm` block): with an end to every call, and words that can be shown.

Nothing that it answers is obeyed. What it extracts, mem0 stores in the scope that asked; what it says is plain text.
"""

import logging
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Literal

from django.conf import settings

from .configuration import PLATFORM, Configuration, configuration
from .endpoints import TooMuch, bounded
from .errors import InferenceFailed

logger = logging.getLogger(__name__)
MOST_BYTES = 512 * 1024  # of one answer over the wire
MOST_SAID = 4_000  # characters of an answer that are shown
MOST_EXTRACTED, MOST_FACTS = 50_000, 100  # characters and facts of one extraction
# Calls that nobody waits for any more go on until their connection ends: so many at a time, and then no new ones.
_calls = threading.BoundedSemaphore(32)
Why = Literal["slow", "unreachable", "refused", "unusable", "busy"]


class NoAnswer(InferenceFailed):
    """The language model gave nothing that can be used. The provider's own words are not kept: they may repeat us."""

    def __init__(self, why: Why) -> None:
        super().__init__(f"the language model gave no usable answer ({why})")
        self.why: Why = why


@dataclass(frozen=True, slots=True)
class Said:
    """An answer as plain text; `cut` says that it went on."""

    text: str
    cut: bool


def talks() -> bool:
    """Whether there is a language model to talk to. mem0's Platform has one that extracts facts only."""
    return configuration().llm is not None and configuration().provider != PLATFORM


def extracts() -> bool:
    """Whether facts are extracted from what is told, instead of storing it word for word."""
    return configuration().llm is not None


def answer(system: str, turns: list[dict[str, str]]) -> Said:
    """What the model says to these turns ({role, content}, the last one the person's). Raises NoAnswer."""
    model = language_model(configuration())
    if model is None or not talks():
        raise NoAnswer("unreachable")
    return plain(model.generate_response([{"role": "system", "content": system}, *turns]))


def plain(said: str) -> Said:
    """Without characters that cannot be shown or stored. Raises NoAnswer when nothing is left."""
    lines = said.replace("\r\n", "\n").replace("\r", "\n")
    kept = "".join(c for c in lines if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs", "Co")).strip()
    if not any(unicodedata.category(c)[0] not in "CZ" for c in kept):
        raise NoAnswer("unusable")
    return Said(kept[:MOST_SAID].rstrip(), len(kept) > MOST_SAID)


class LanguageModel:
    """Stands where mem0 expects its language model. Built when it is first asked: nothing else needs it."""

    def __init__(self, block: dict[str, Any]) -> None:
        self._block, self._made, self._making = block, None, threading.Lock()

    def generate_response(self, messages: list[dict[str, str]], response_format: Any = None, **more: Any) -> str:
        """As mem0 calls it. Raises NoAnswer, after LLM_TIMEOUT_SECONDS at the latest."""
        model = self._model()

        def call() -> Any:
            return model.generate_response(messages=messages, response_format=response_format, **more)

        said = _in_time(call, settings.LLM_TIMEOUT_SECONDS)
        if not isinstance(said, str) or (response_format and _is_a_flood(said)):
            raise NoAnswer("unusable")
        return said

    def _model(self) -> Any:
        """mem0's own object. Making it asks nobody; it fails where a key is missing, or the provider is unknown."""
        with self._making:
            if self._made is None:
                self._made = self._make()
            return self._made

    def _make(self) -> Any:
        from mem0.utils.factory import LlmFactory  # importing mem0 costs 0.8 s and 100 MB

        try:
            made = LlmFactory.create(str(self._block.get("provider")), self._block.get("config") or {})
            return bounded(made, settings.LLM_TIMEOUT_SECONDS, MOST_BYTES)
        except Exception as error:  # noqa: BLE001 - every provider raises its own, and some repeat the key
            logger.error("the language model could not be set up (%s)", type(error).__name__)
        raise NoAnswer("refused")


def _is_a_flood(said: str) -> bool:
    return len(said) > MOST_EXTRACTED or said.count('"text"') > MOST_FACTS


def _in_time(call: Callable[[], Any], seconds: float) -> Any:
    """The call's answer. A thread of its own: a server that sends a byte now and then would hold up any time-out."""
    calls = _calls  # the thread gives back where it took, and may outlive this call
    if not calls.acquire(blocking=False):
        raise NoAnswer("busy")
    future: Future[Any] = Future()
    threading.Thread(target=_carry_out, args=(call, future, calls), daemon=True, name="language-model").start()
    try:
        return future.result(timeout=seconds)
    except Exception as error:  # noqa: BLE001 - every provider raises its own, and most repeat the conversation
        why = _why(error)
        logger.warning("the language model gave no answer: %s (%s)", why, type(error).__name__)
    raise NoAnswer(why)  # out here the error has no context: the provider's words stay behind


def _carry_out(call: Callable[[], Any], future: "Future[Any]", calls: threading.BoundedSemaphore) -> None:
    try:
        future.set_result(call())
    except BaseException as error:  # noqa: BLE001 - handed to whoever waits
        future.set_exception(error)
    finally:
        calls.release()


def _why(error: BaseException) -> Why:
    """From the types' names: each provider has its own classes, and all of them name them alike."""
    chain: list[BaseException] = [error]
    while chain[-1].__cause__ is not None and len(chain) < 5:
        chain.append(chain[-1].__cause__)
    if any(isinstance(one, TooMuch) for one in chain):
        return "unusable"
    names = " ".join(type(one).__name__ for one in chain)
    if "Timeout" in names:
        return "slow"
    if "Connect" in names:
        return "unreachable"
    return "refused" if hasattr(error, "status_code") else "unusable"


_model: tuple[Configuration, LanguageModel] | None = None


def language_model(configured: Configuration) -> LanguageModel | None:
    """The process's one object for this configuration; None where there is no `llm` block."""
    global _model
    if configured.llm is None:
        return None
    if _model is None or _model[0] is not configured:
        _model = (configured, LanguageModel(configured.llm))
    return _model[1]
