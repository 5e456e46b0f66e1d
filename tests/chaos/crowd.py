"""Who is in the chaos run: people whose memories are erased, each in a way of their own, and people who are not."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import psycopg

from memoryportal.accounts.models import User
from memoryportal.erasure import decisions, services
from memoryportal.erasure.models import Channel, Erasure, Scope
from memoryportal.memory import SubjectId
from memoryportal.memory.places import Whose, kept_elsewhere
from tests.accounts.helpers import person
from tests.memory.planted import payload, plant, plant_entity, plant_history, plant_message, stored

AGENTS = ("cook", "planner", None)
KINDS = ("own", "own", "own", "account", "assistant", "host", "two ids")
GATE = "memories_gate"


@dataclass
class Wanted:
    """One request: `kind` says how it comes in. `keeps` are ids that it may not touch."""

    kind: str
    subjects: list[str]
    user: User | None = None
    account: int | None = None
    erasure: Erasure | None = None
    keeps: list[str] = field(default_factory=list)

    @property
    def agent(self) -> str:
        return "cook" if self.kind == "assistant" else ""


@dataclass
class Crowd:
    """Everybody. `still` are bystanders whose every row is compared; of those that writers write for, writers know."""

    superuser: psycopg.Connection[Any]
    officers: list[User]
    wanted: list[Wanted]
    still: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def gathered(cls, superuser: psycopg.Connection[Any], requests: int, seed: int) -> "Crowd":
        officers = [person(f"officer{n}@example.com", None) for n in (1, 2)]
        crowd, chance = cls(superuser, officers, []), random.Random(seed)
        for number in range(requests):
            crowd.wanted.append(crowd._one(number, KINDS[number % len(KINDS)], chance))
        for number in range(max(3, requests // 10)):
            subject = f"still-{number}"
            crowd._fill(subject, chance)
            crowd.still[subject] = stored(superuser, subject)
        return crowd

    def _one(self, number: int, kind: str, chance: random.Random) -> Wanted:
        if kind in ("host", "two ids"):
            wanted = Wanted(kind, [f"u-{number}-{n}" for n in range(2 if kind == "two ids" else 1)])
        else:
            user = person(f"person{number}@example.com", None)
            wanted = Wanted(kind, [user.subject], user, user.pk if kind == "account" else None)
        for subject in wanted.subjects:
            planted = self._fill(subject, chance)
            wanted.keeps += [memory_id for memory_id, agent in planted.items() if agent != "cook"]
        return wanted

    def _fill(self, subject: str, chance: random.Random) -> dict[str, str | None]:
        """Rows in every place of the store; id -> assistant of each memory."""
        agents = [chance.choice(AGENTS) for _ in range(chance.randrange(5, 25))]
        ids = plant(
            self.superuser,
            [payload(subject, f"{subject} likes tea {n}", agent_id=agent) for n, agent in enumerate(agents)],
        )
        for memory_id, agent in zip(ids[:5], agents, strict=False):
            plant_history(self.superuser, subject, memory_id, None, "tea")
            plant_message(self.superuser, subject, "said", agent, "kitchen")
            self.superuser.execute(
                "INSERT INTO memories_uses (subject, memory_id, agent) VALUES (%s, %s, %s)", (subject, memory_id, agent)
            )
        plant_entity(self.superuser, subject, "Miriam", ids[:3])
        return dict(zip(ids, agents, strict=True))

    def subjects(self) -> list[str]:
        return [subject for wanted in self.wanted for subject in wanted.subjects]

    # --- the requests -----------------------------------------------------------------------------------------------

    def ask(self, wanted: Wanted) -> None:
        """Let the request come in, with every decision that it needs to begin."""
        subjects = [SubjectId(subject) for subject in wanted.subjects]
        if wanted.user is not None:
            scope = {"account": Scope.ACCOUNT, "assistant": Scope.ASSISTANT}.get(wanted.kind, Scope.EVERYTHING)
            wanted.erasure = services.ask(wanted.user, *subjects, scope=scope, agent=wanted.agent)
            return
        first, second = self.officers
        if wanted.kind == "host":
            erasure = services.file(Channel.HOST, subjects, vouched=True)
        else:
            erasure = services.file(Channel.PRIVACY, subjects, by=first)
            decisions.check_identity(erasure.pk, first, "called back by telephone")
        decisions.approve(erasure.pk, second)
        wanted.erasure = decisions.begin_now(erasure.pk, decisions.officer(second))

    # --- at the end -------------------------------------------------------------------------------------------------

    def left(self) -> int:
        """Rows of what was erased, in every place: the store as the superuser sees it, and the portal's own."""
        return sum(self._left_of(wanted) for wanted in self.wanted)

    def _left_of(self, wanted: Wanted) -> int:
        subjects = tuple(SubjectId(subject) for subject in wanted.subjects)
        address = (wanted.user.email,) if wanted.user and wanted.account else ()
        whose = Whose(subjects, wanted.agent or None, wanted.account, address)
        kept = sum(keeper.count(whose) for _, keeper in kept_elsewhere(whose))
        return kept + sum(len(rows) for subject in subjects for rows in self._rows(subject, wanted.agent))

    def _rows(self, subject: str, agent: str) -> Iterable[list[str]]:
        """By table; of one assistant where only its memories were erased."""
        found = stored(self.superuser, subject)
        del found[GATE]
        for rows in found.values():
            yield [row for row in rows if not agent or f'"{agent}"' in row]

    def lost(self) -> int:
        """Rows of bystanders, and of other assistants, that are gone or changed."""
        changed = sum(stored(self.superuser, subject) != before for subject, before in self.still.items())
        return changed + sum(self._missing(wanted.keeps) for wanted in self.wanted if wanted.kind == "assistant")

    def _missing(self, ids: list[str]) -> int:
        row = self.superuser.execute("SELECT count(*) FROM memories WHERE id = ANY(%s::uuid[])", (ids,)).fetchone()
        return len(ids) - int(row[0] if row else 0)

    def differs(self, report: dict[str, Any], bystanders: list[str]) -> int:
        """How many memories of a writer's bystanders are not as it left them."""
        rows = self.superuser.execute(
            "SELECT id::text, payload->>'data' FROM memories WHERE payload->>'user_id' = ANY(%s)", (bystanders,)
        )
        return len(set(dict(rows.fetchall()).items()) ^ set(report["has"].items()))
