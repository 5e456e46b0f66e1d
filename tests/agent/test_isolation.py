"""Two people, three assistants of each: no sequence of calls with one's tokens returns or changes another's row."""

import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from memoryportal.memory import ScopedMemory, SubjectId
from memoryportal.memory.rows import FOREIGN_ROWS

from .calling import Assistant

PEOPLE = ("ann", "Ann")  # ids that a careless comparison takes for one another
# (assistant, conversation) of each token; the last two are narrower than the first.
SCOPES = (("cook", None), ("planner", None), ("cook", "monday"))
WORDS = ("tea", "bicycle", "Porto")
people, scopes, numbers = st.sampled_from(PEOPLE), st.sampled_from(SCOPES), st.integers(0, 20)
wordings = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join)
Scope = tuple[str, str | None]


def is_within(scope: Scope, other: Scope) -> bool:
    """Whether what was stored in `other` can be seen in `scope`."""
    return scope[0] == other[0] and scope[1] in (None, other[1])


class Machine(RuleBasedStateMachine):
    key: str

    @initialize()
    def begin(self) -> None:
        tag = uuid.uuid4().hex[:8]
        self.foreign = FOREIGN_ROWS.count
        self.subjects = {name: f"{name}-{tag}" for name in PEOPLE}
        self.tokens = {
            (name, scope): Assistant(self.key, self.subjects[name], scope[0], scope[1])
            for name in PEOPLE
            for scope in SCOPES
        }
        self.known: dict[str, tuple[str, Scope, str]] = {}  # id -> whose, stored in which scope, text
        self.once: dict[str, tuple[str, Scope]] = {}  # id -> whose, stored in which scope: with an Idempotency-Key

    def mine(self, name: str, scope: Scope) -> dict[str, str]:
        """What this token must see: text by id."""
        return {i: text for i, (who, place, text) in self.known.items() if who == name and is_within(scope, place)}

    def pick(self, number: int) -> str:
        ids = sorted(self.known)
        return ids[number % len(ids)] if ids else str(uuid.uuid4())

    def seen(self, memories: list[dict[str, Any]], name: str, scope: Scope) -> None:
        mine = self.mine(name, scope)
        for memory in memories:
            assert mine[memory["id"]] == memory["text"]
            assert is_within(scope, (memory["agent"], memory["run"]))

    @rule(name=people, scope=scopes, text=wordings)
    def add(self, name: str, scope: Scope, text: str) -> None:
        answer = self.tokens[name, scope].call("post", "/memories", {"text": text, "infer": False})
        assert answer.status_code == 201
        self.known[answer.json()["memories"][0]["id"]] = (name, scope, text)

    @rule(name=people, scope=scopes, text=wordings, used=st.integers(0, 3))
    def add_once(self, name: str, scope: Scope, text: str, used: int) -> None:
        """Under an Idempotency-Key that somebody else may have used for the same words."""
        body = {"text": text, "infer": False}
        answer = self.tokens[name, scope].call("post", "/memories", body, Idempotency_Key=f"k{used}")
        if answer.status_code == 201:
            for memory in answer.json()["memories"]:
                if memory["id"] not in self.once:  # a repeated request names what it stored then, there still or not
                    self.once[memory["id"]] = name, scope
                    self.known[memory["id"]] = name, scope, text
                assert self.once[memory["id"]] == (name, scope)
        else:
            assert answer.json()["code"] == "idempotency-mismatch"

    @rule(name=people, scope=scopes, query=wordings, by=st.sampled_from(["word", "meaning"]))
    def search(self, name: str, scope: Scope, query: str, by: str) -> None:
        answer = self.tokens[name, scope].call("post", "/memories/search", {"query": query, "by": by, "limit": 100})
        self.seen(answer.json()["memories"], name, scope)
        if by == "word":
            wanted = {i for i, text in self.mine(name, scope).items() if all(word in text for word in query.split())}
            assert {memory["id"] for memory in answer.json()["memories"]} == wanted

    @rule(name=people, scope=scopes, other=people, other_scope=scopes, limit=st.integers(1, 3))
    def page(self, name: str, scope: Scope, other: str, other_scope: Scope, limit: int) -> None:
        """All pages of one's own; and a page that somebody else's cursor would lead to."""
        token, found, after = self.tokens[name, scope], [], ""
        while True:
            page = token.call("get", f"/memories?limit={limit}{after}").json()
            found += page["memories"]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
        assert {memory["id"]: memory["text"] for memory in found} == self.mine(name, scope)
        assert page["total"] == len(found)
        theirs = self.tokens[other, other_scope].call("get", "/memories?limit=1").json()["next"]
        if theirs:
            self.seen(token.call("get", f"/memories?limit=3&after={theirs}").json()["memories"], name, scope)

    @rule(name=people, scope=scopes, number=numbers)
    def get(self, name: str, scope: Scope, number: int) -> None:
        memory_id = self.pick(number)
        answer = self.tokens[name, scope].call("get", f"/memories/{memory_id}")
        if memory_id in self.mine(name, scope):
            self.seen([answer.json()], name, scope)
        else:
            assert answer.status_code == 404

    @rule(name=people, scope=scopes, number=numbers, text=wordings)
    def correct(self, name: str, scope: Scope, number: int, text: str) -> None:
        memory_id = self.pick(number)
        answer = self.tokens[name, scope].call("patch", f"/memories/{memory_id}", {"text": text})
        if memory_id in self.mine(name, scope):
            assert answer.json()["text"] == text
            self.known[memory_id] = (*self.known[memory_id][:2], text)
        else:
            assert answer.status_code == 404

    @rule(name=people, scope=scopes, number=numbers)
    def delete(self, name: str, scope: Scope, number: int) -> None:
        memory_id = self.pick(number)
        answer = self.tokens[name, scope].call("delete", f"/memories/{memory_id}")
        if memory_id in self.mine(name, scope):
            assert answer.json()["removed"]["memories"] == 1
            del self.known[memory_id]
        else:
            assert answer.status_code == 404

    @rule(name=people, scope=scopes)
    def summary(self, name: str, scope: Scope) -> None:
        assert self.tokens[name, scope].call("get", "/summary").json()["total"] == len(self.mine(name, scope))

    @rule(name=people, scope=scopes, other=people)
    def name_somebody(self, name: str, scope: Scope, other: str) -> None:
        """Wherever a caller could try to name a person."""
        token, who = self.tokens[name, scope], self.subjects[other]
        for verb, path, body in (
            ("get", f"/memories?user_id={who}", None),
            ("get", f"/summary?subject={who}", None),
            ("post", "/memories/search", {"query": "tea", "user_id": who}),
            ("post", "/memories", {"text": "tea", "infer": False, "user_id": who}),
            ("post", "/memories", {"text": "tea", "infer": False, "metadata": {"user_id": who}}),
        ):
            assert token.call(verb, path, body).status_code == 422

    @invariant()
    def everything_is_where_it_belongs(self) -> None:
        """As the library sees each person, without an assistant's narrower view."""
        for name in PEOPLE:
            stored = {item.id: (item.text, item.agent, item.run) for item in memory_of(self.subjects[name]).walk()}
            believed = {i: (text, *place) for i, (who, place, text) in self.known.items() if who == name}
            assert stored == believed
        assert FOREIGN_ROWS.count == self.foreign

    def teardown(self) -> None:
        for subject in self.subjects.values():
            memory_of(subject).erase()


def memory_of(subject: str) -> ScopedMemory:
    return ScopedMemory(SubjectId(subject))


@pytest.mark.django_db
def test_no_sequence_of_calls_crosses_from_one_person_to_another(key: str, settings: Any) -> None:
    settings.GATEWAY_KEY_PER_MINUTE = settings.GATEWAY_SUBJECT_PER_MINUTE = 1_000_000
    _run(type("WithKey", (Machine,), {"key": key}))


def _run(machine: type[Machine]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=12,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        ),
    )
