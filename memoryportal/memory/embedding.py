"""Texts to vectors: the embedder of mem0's configuration, or an offline one that needs no key and no network.

The offline embedder is WordLlama (256 dimensions), whose wheel carries its weights.
"""

import math
import threading
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from django.conf import settings

from .configuration import OFFLINE_DIMENSIONS, PLATFORM, configuration
from .endpoints import bounded
from .errors import EmbedderUnavailable, WordingStopped

if TYPE_CHECKING:
    from .never_again import Screen

# Similarity below which a memory has nothing to do with the question. Measured with labelled questions about the demo's
# memories (`make bench`, tests/benchmarks/test_relevance.py): at 0.19 nine of ten questions get a right memory, and
# seven of ten that have no answer get none. A higher floor is rightly silent more often, but at 0.20 the examples' own
# answer ("food preferences": "I am vegetarian", 0.195) is lost.
OFFLINE_FLOOR = 0.19
OTHER_FLOOR = 0.30
ANSWER_SECONDS, MOST_BYTES = 20.0, 8 * 1024 * 1024  # of a configured embedder, for one request
Action = Literal["add", "search", "update"]


class OfflineEmbedder:
    """mem0's embedder interface over WordLlama. Vectors are unit length."""

    floor = OFFLINE_FLOOR

    def __init__(self) -> None:
        self._model: Any = None
        self._lock = threading.Lock()

    def embed(self, text: str, memory_action: Action | None = None) -> list[float]:
        return self.embed_batch([text], memory_action or "add")[0]

    def embed_batch(self, texts: list[str], memory_action: Action = "add") -> list[list[float]]:
        vectors = self._loaded().embed(list(texts), norm=True)
        return [[float(number) for number in vector] for vector in vectors]

    def _loaded(self) -> Any:
        with self._lock:
            if self._model is None:
                import wordllama  # some 0.3 s and 60 MB: only when a text is embedded

                self._model = wordllama.WordLlama.load(
                    cache_dir=Path(wordllama.__file__).parent, disable_download=True, dim=OFFLINE_DIMENSIONS
                )
        return self._model


class ConfiguredEmbedder:
    """An embedder of mem0's own, with its failures named."""

    floor = OTHER_FLOOR

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.config = inner.config

    def embed(self, text: str, memory_action: Action | None = None) -> list[float]:
        try:
            vector = [float(number) for number in self._inner.embed(text, memory_action or "add")]
            failed = "" if has_direction(vector) else "a vector that points nowhere"
        except Exception as error:  # noqa: BLE001 - every provider raises its own, and some repeat the input
            failed = type(error).__name__
        if not failed:
            return vector
        # Out here the error has no context: the provider's words stay behind.
        raise EmbedderUnavailable(f"the embedder did not answer ({failed})")

    def embed_batch(self, texts: list[str], memory_action: Action = "add") -> list[list[float]]:
        return [self.embed(text, memory_action) for text in texts]


def has_direction(vector: list[float]) -> bool:
    """Whether something can be near it: nothing compares with zeros alone, or with what is no number."""
    return any(vector) and all(map(math.isfinite, vector))


class Prepared:
    """An embedder that already knows some texts, so that no embedding happens inside a transaction."""

    def __init__(self, inner: Any, texts: list[str], action: Action) -> None:
        self._inner = inner
        self._known = dict(zip(texts, inner.embed_batch(texts, action), strict=True)) if texts else {}

    def embed(self, text: str, memory_action: Action | None = None) -> list[float]:
        known: list[float] | None = self._known.get(text)
        return known or list(self._inner.embed(text, memory_action))

    def embed_batch(self, texts: list[str], memory_action: Action = "add") -> list[list[float]]:
        return [self.embed(text, memory_action) for text in texts]


class Screened:
    """An embedder that refuses texts which the person forbids to learn: mem0 leaves out a fact that has no vector."""

    def __init__(self, inner: Any, screen: "Screen") -> None:
        self._inner, self._screen = inner, screen

    def embed(self, text: str, memory_action: Action | None = None) -> list[float]:
        self._refuse([text], memory_action or "add")
        return list(self._inner.embed(text, memory_action))

    def embed_batch(self, texts: list[str], memory_action: Action = "add") -> list[list[float]]:
        self._refuse(texts, memory_action)
        return list(self._inner.embed_batch(texts, memory_action))

    def _refuse(self, texts: list[str], memory_action: Action) -> None:
        if memory_action == "add" and self._screen.stops(texts):
            raise WordingStopped("the person has said that this is never to be learned again")


@lru_cache(maxsize=4)
def _configured(provider: str, config_repr: str) -> Any:
    from mem0.utils.factory import (
        EmbedderFactory,  # importing mem0 costs 0.8 s and 100 MB
    )

    block = configuration().embedder or {}
    try:
        made = EmbedderFactory.create(provider, block.get("config") or {}, None)
        return ConfiguredEmbedder(bounded(made, ANSWER_SECONDS, MOST_BYTES))
    except Exception as error:  # noqa: BLE001 - every provider raises its own, and some repeat the key
        failed = type(error).__name__
    look = "look at its block in MEM0_CONFIG (without one mem0 takes openai), and at its key"
    raise EmbedderUnavailable(f"the embedder {provider!r} could not be set up ({failed}): {look}")


_OFFLINE = OfflineEmbedder()


def asks_a_server() -> bool:
    """Whether the embedder in force is asked over a network, and may take as long as ANSWER_SECONDS."""
    return embedder() is not _OFFLINE


def embedder() -> Any:
    """The embedder in force. Raises EmbedderUnavailable."""
    block = configuration().embedder
    if block is None or block.get("provider") == "wordllama":
        return _OFFLINE
    return _configured(str(block.get("provider")), repr(block.get("config")))


def relevance_floor() -> float:
    """Below this similarity a search by meaning says "nothing close to that" (setting SEARCH_FLOOR)."""
    if settings.SEARCH_FLOOR is not None:
        return float(settings.SEARCH_FLOOR)
    return OTHER_FLOOR if configuration().provider == PLATFORM else float(embedder().floor)
