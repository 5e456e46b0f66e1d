"""The seeds' story as checks: Alice is vegetarian, Bob wants a window seat, and the two never cross."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from ..errors import BadCursor, BadQuery, InvalidSubject, MemoryNotFound, MemoryRoomError
from ..scope import SubjectId
from ..scoped import ScopedMemory
from ..types import Item

ALICE = [
    {"role": "user", "content": "I am vegetarian. Please remember that."},
    {"role": "assistant", "content": "Got it. I will remember you are vegetarian."},
]
BOB = [
    {"role": "user", "content": "I always want a window seat on flights."},
    {"role": "assistant", "content": "Noted. Window seat preference saved."},
]
HOSTILE = ("*", "", " ", "alice*", "a,b", "a b", "a\0b", "a\nb", "a\u200bb", "\u202eecila", "e\u0301", "x" * 129)
IDENTITY = ("user_id", "agent_id", "run_id", "id", "created_at", "expiration_date", "actor_id", "hash")


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the proof. `seen` holds counts and names of errors, never text."""

    name: str
    seen: str
    passed: bool


class Story:
    """Runs the checks in order; each is one sentence that a data-protection officer can read."""

    def __init__(self, alice: SubjectId, bob: SubjectId) -> None:
        self.alice, self.bob = ScopedMemory(alice), ScopedMemory(bob)
        self.alices: list[Item] = []
        self.bobs: list[Item] = []

    def checks(self) -> Iterator[Check]:
        """The seeds' story, then the attacks, then the deletion."""
        yield self._add()
        yield from self._search()
        yield from self._lists()
        yield from self._attacks()
        yield from self._foreign_ids()
        yield from self._deletion()

    def _add(self) -> Check:
        # infer=False: the sentences themselves are stored, so that the proof does not depend on a language model.
        self.alices, self.bobs = self.alice.add(ALICE, infer=False), self.bob.add(BOB, infer=False)
        counts = (self.alice.count(), self.bob.count())
        return Check("both people's memories are stored", f"alice {counts[0]}, bob {counts[1]}", counts == (2, 2))

    def _search(self) -> Iterator[Check]:
        own = {item.id for item in self.alices}
        found = [hit.item.id for hit in self.alice.search("food preferences").hits]
        yield Check('"food preferences" finds Alice\'s memory', f"{len(found)} found", bool(own & set(found)))
        others = [hit.item for hit in self.bob.search("food preferences").hits]
        leaked = [item for item in others if item.id in own or "vegetarian" in item.text]
        yield Check("the same question finds nothing of hers for Bob", f"{len(leaked)} leaked", not leaked)
        by_word = self.bob.search("vegetarian", by="word").hits
        yield Check("nor does her very word", f"{len(by_word)} found", not by_word)

    def _lists(self) -> Iterator[Check]:
        page = {item.id for item in self.bob.page(limit=500).items}
        yield Check(
            "Bob's list holds his memories and no other", f"{len(page)} listed", page == {i.id for i in self.bobs}
        )
        cursor = self.alice.page(limit=1).next
        following = self.bob.page(after=cursor, limit=500).items if cursor else []
        strangers = [item for item in following if item.id not in page]
        yield Check("a page link of Alice's shows Bob only his own", f"{len(strangers)} leaked", not strangers)

    def _attacks(self) -> Iterator[Check]:
        for hostile in HOSTILE:
            yield _refused(f"the subject {hostile!a:.24} is refused", InvalidSubject, partial(SubjectId, hostile))
        yield _refused(
            "an assistant named * is refused", InvalidSubject, lambda: ScopedMemory(self.bob.subject, agent="*")
        )
        for key in IDENTITY:
            smuggled = {key: str(self.alice.subject)}
            yield _refused(
                f"metadata cannot set {key}", BadQuery, partial(self.bob.add, "x", infer=False, metadata=smuggled)
            )
        yield _refused("a made-up page link is refused", BadCursor, lambda: self.bob.page(after="e30"))
        unchanged = (self.alice.count(), self.bob.count())
        yield Check(
            "nothing was written by any of these", f"alice {unchanged[0]}, bob {unchanged[1]}", unchanged == (2, 2)
        )

    def _foreign_ids(self) -> Iterator[Check]:
        target = self.alices[0].id
        verbs: dict[str, Callable[[], object]] = {
            "read": lambda: self.bob.get(target),
            "correct": lambda: self.bob.update(target, "I eat meat."),
            "delete": lambda: self.bob.delete(target),
            "see the history of": lambda: self.bob.history(target),
            "delete among his own": lambda: self.bob.delete_many([self.bobs[0].id, target]),
        }
        for verb, act in verbs.items():
            yield _refused(f"Bob cannot {verb} Alice's memory by its id", MemoryNotFound, act)
        text = self.alice.get(target).text
        intact = text == ALICE[0]["content"] and self.bob.count() == 2
        yield Check("both people's memories read as before", "unchanged" if intact else "changed", intact)

    def _deletion(self) -> Iterator[Check]:
        self.alice.delete(self.alices[0].id)
        yield Check("deleting one memory leaves the other", f"{self.alice.count()} left", self.alice.count() == 1)
        self.alice.erase()
        left = {found.place: found.count for found in self.alice.residue()}
        yield Check(
            "erasing Alice leaves nothing in any place",
            _words(left),
            not any(left.values()) and None not in left.values(),
        )
        kept = {item.id for item in self.bob.page().items} == {item.id for item in self.bobs}
        yield Check("Bob's memories are untouched", f"{self.bob.count()} kept", kept)


def _words(counts: dict[str, int | None]) -> str:
    return ", ".join(f"{place} {'?' if count is None else count}" for place, count in counts.items())


def _refused(name: str, error: type[MemoryRoomError], act: Callable[[], object]) -> Check:
    try:
        act()
    except error as refusal:
        return Check(name, type(refusal).__name__, True)
    except MemoryRoomError as other:
        return Check(name, f"{type(other).__name__} instead", False)
    return Check(name, "accepted", False)
