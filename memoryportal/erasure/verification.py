"""Read every place again, twice, on fresh connections; ask again what the memories answered; look for other ids."""

from dataclasses import dataclass, field

from memoryportal.memory import EmbedderUnavailable, MemoryRoomError, StoreUnavailable
from memoryportal.memory.refused import refused_owners_like
from memoryportal.memory.statistics import sampled

from .lease import Lease
from .reach import Reach
from .steps import note_problem, note_read

READINGS = 2
MOST = 20  # questions
LENGTH = 400  # characters of a question: search refuses more than 500


@dataclass
class Questions:
    """Texts of memories, in this process's memory only: after a restart there are none, and the receipt says so."""

    texts: list[str] = field(repr=False)

    @classmethod
    def taken_from(cls, reach: Reach) -> "Questions":
        """Up to twenty, before anything is removed."""
        texts: list[str] = []
        for memory in reach.memories():
            texts += [item.text[:LENGTH] for item in memory.page(limit=MOST).items if item.text.strip()]
        return cls(texts[:MOST])

    def ask_again(self, reach: Reach) -> tuple[int, int] | None:
        """(asked, answered by a memory); None when they cannot be asked: no embedder, or none were taken."""
        if not self.texts:
            return None
        answered = 0
        try:
            for text in self.texts:
                answered += any(memory.search(text, limit=1).hits for memory in reach.memories())
        except EmbedderUnavailable:
            return None
        return len(self.texts), answered


@dataclass(frozen=True, slots=True)
class Verdict:
    """`clean`: every place was read and is empty. `again`: something is left that erasing once more may reach."""

    clean: bool
    again: bool


def verify(lease: Lease, reach: Reach, questions: Questions) -> Verdict:
    """Read everything, note what was found. Raises StoreUnavailable when a place cannot be read, or emptied, now."""
    readings = [reach.read_again() for _ in range(READINGS)]  # all of them, whatever the first says
    note_read(lease, readings)
    residue = [found for reading in readings for found in reading]
    unread = {found.place for found in residue if found.count is None}
    for place in reach.trouble.keys() - unread:  # it can be read, and what was deleted may still lie in its file
        note_problem(lease, place, reach.trouble[place])
    gone = reach.never_read({found.place for found in residue}).keys()
    if waiting := sorted((unread | gone | reach.trouble.keys()) - reach.excepted):
        raise StoreUnavailable(f"could not be emptied, or read again: {', '.join(waiting)}")
    left, silent = any(found.count for found in residue), _nothing_answers(lease, reach, questions)
    clean = [_no_other_ids(lease, reach), _no_samples(lease, reach), not any(found.problem for found in residue)]
    return Verdict(silent and not left and all(clean), left or not silent)


def _no_other_ids(lease: Lease, reach: Reach) -> bool:
    """Whether no rows may be this person's under an id that is refused: no erasure reaches those."""
    rows = sum(refused_owners_like(subject) for subject in reach.subjects)
    if rows:
        said = f"{rows} more lie under an id that resembles yours and is malformed; we must find out whose they are"
        note_problem(lease, "memories", said)
    return not rows


def _no_samples(lease: Lease, reach: Reach) -> bool:
    """Whether the database's statistics keep no samples of texts, which would outlive the rows."""
    names = sampled(reach.subjects[0])
    if names:
        note_problem(lease, "memories", f"the database's statistics may hold samples of texts ({', '.join(names)})")
    return not names


def _nothing_answers(lease: Lease, reach: Reach, questions: Questions) -> bool:
    try:
        result = questions.ask_again(reach)
    except MemoryRoomError as error:
        raise StoreUnavailable(f"the search could not be repeated: {error}") from None
    with lease.step() as erasure:
        if result is not None or erasure.answered:  # an answer of before would speak of what is gone by now
            erasure.questions, erasure.answered = result or (None, None)
            erasure.save(update_fields=["questions", "answered"])
    if result is None or result[1] == 0:
        return True
    note_problem(lease, "memories", f"the search still answered {result[1]} of {result[0]} questions")
    return False
