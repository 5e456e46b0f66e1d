"""Where the relevance floor of the offline embedder belongs: below it lies what has nothing to do with a question."""

from dataclasses import dataclass

import numpy as np

from memoryportal.memory.embedding import OFFLINE_FLOOR, OfflineEmbedder
from memoryportal.mydata import demo_data

from .questions import ANSWERED, UNANSWERED
from .report import Report

FLOORS = (0.10, 0.13, 0.15, 0.17, OFFLINE_FLOOR, 0.21, 0.23, 0.25, 0.30, 0.35, 0.40)
CLOSE_TO_THE_BEST = 0.05
PART = "relevance floor of the offline embedder"


@dataclass(frozen=True, slots=True)
class Asked:
    """The similarities of one person's memories to a question, and which of them belong into the answer."""

    scores: np.ndarray
    related: np.ndarray


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one floor, shares 0..1: results that belong, answers that are found, questions with a right result, questions
    without an answer for which nothing is said to be close.
    """

    precision: float
    recall: float
    answered: float
    silent: float

    @property
    def balance(self) -> float:
        """The harmonic mean of `answered` and `silent`: a floor that only serves one of the two is no good."""
        return 2 * self.answered * self.silent / (self.answered + self.silent or 1)


def _memories(person: str) -> tuple[list[str], np.ndarray]:
    texts = [memory.text for memory in demo_data.load(person)]
    return texts, np.asarray(OfflineEmbedder().embed_batch(texts))


def _answered() -> list[Asked]:
    embed, memories = OfflineEmbedder().embed, {person: _memories(person) for person in demo_data.PEOPLE}
    asked = []
    for person, question, beginnings in ANSWERED:
        texts, vectors = memories[person]
        places = [[place for place, text in enumerate(texts) if text.startswith(begin)] for begin in beginnings]
        assert [len(found) for found in places] == [1] * len(beginnings), f"{question}: {beginnings}"
        related = np.zeros(len(texts), bool)
        related[[found[0] for found in places]] = True
        asked.append(Asked(vectors @ embed(question), related))
    return asked


def _best_scores_without_an_answer() -> list[float]:
    """For each question about nothing and each person, the most similar of all the memories."""
    embed, memories = OfflineEmbedder().embed, [_memories(person)[1] for person in demo_data.PEOPLE]
    return [float((vectors @ embed(question)).max()) for question in UNANSWERED for vectors in memories]


def _outcome(floor: float, asked: list[Asked], unanswered: list[float]) -> Outcome:
    right = [int((one.related & (one.scores >= floor)).sum()) for one in asked]
    shown = sum(int((one.scores >= floor).sum()) for one in asked)
    return Outcome(
        precision=sum(right) / shown,
        recall=sum(right) / sum(int(one.related.sum()) for one in asked),
        answered=sum(map(bool, right)) / len(asked),
        silent=sum(score < floor for score in unanswered) / len(unanswered),
    )


def test_relevance_floor(report: Report) -> None:
    asked, unanswered = _answered(), _best_scores_without_an_answer()
    outcomes = {floor: _outcome(floor, asked, unanswered) for floor in FLOORS}
    for floor, outcome in outcomes.items():
        words = (
            f"precision {outcome.precision:.2f}  recall {outcome.recall:.2f}  answered {outcome.answered:.2f}  "
            f"rightly nothing {outcome.silent:.2f}  balance {outcome.balance:.2f}"
        )
        numbers = {
            "precision": outcome.precision,
            "recall": outcome.recall,
            "answered": outcome.answered,
            "silent": outcome.silent,
        }
        report.note(PART, f"floor {floor:.2f}{' (default)' if floor == OFFLINE_FLOOR else ''}", words, numbers=numbers)
    best = max(outcome.balance for outcome in outcomes.values())
    assert outcomes[OFFLINE_FLOOR].balance > best - CLOSE_TO_THE_BEST


def test_the_story_of_the_examples_holds_at_the_floor() -> None:
    """Alice, who is vegetarian, is found by her food preferences; for Bob there is nothing close to that."""
    question = OfflineEmbedder().embed("food preferences")
    (alice, of_alice), (_, of_bob) = _memories("alice"), _memories("bob")
    scores = dict(zip(alice, of_alice @ question, strict=True))
    assert scores["I am vegetarian. Please remember that."] >= OFFLINE_FLOOR
    assert (of_bob @ question).max() < OFFLINE_FLOOR
