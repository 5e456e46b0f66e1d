"""Put the demo's memories into the store, as assistants would have, and then give them the times of the story.

A person is loaded together with their account, once: what Alice erases stays erased when the demo starts again.
"""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import groupby

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from memoryportal.accounts.demo import create_demo_accounts
from memoryportal.accounts.models import User
from memoryportal.base.installation import refuse_foreign_demo
from memoryportal.memory import ScopedMemory, SubjectId
from memoryportal.memory.backdate import Name, Timeline, add_messages, add_names, backdate

from .demo_data import PEOPLE, DemoMemory, load, load_entities, load_messages

LARGEST_ADD = 50
HANDED_OUT = 5  # memories to each assistant


def load_demo() -> dict[str, int]:
    """Create what is missing; {person: memories added}. Raises ImproperlyConfigured outside demos and tests."""
    if not (settings.DEMO or settings.TESTING):
        raise ImproperlyConfigured("load_demo makes accounts with a public password: it runs in demo mode only.")
    refuse_foreign_demo()
    # One transaction: an account that exists has its memories, also if this is interrupted half-way.
    with transaction.atomic():
        addresses = [f"{name}@example.com" for name in PEOPLE]
        known = set(User.objects.filter(email__in=addresses).values_list("email", flat=True))
        accounts = create_demo_accounts()
        return _load({name: accounts[name] for name in PEOPLE if accounts[name].email not in known})


def _load(accounts: dict[str, User]) -> dict[str, int]:
    """Everybody or nobody; {person: memories added}."""
    subjects = {name: SubjectId(account.subject) for name, account in accounts.items()}
    try:
        return {name: load_person(name, subject) for name, subject in subjects.items()}
    except BaseException:
        for subject in subjects.values():
            ScopedMemory(subject).erase()
        raise


def load_person(name: str, subject: SubjectId) -> int:
    """Everything that assistants remember about "alice" or "bob"; how many memories that were."""
    memory, memories, now = ScopedMemory(subject), load(name), datetime.now(UTC)
    ids = _remember(subject, memories)
    backdate(memory, [_timeline(memory_id, told, now) for memory_id, told in zip(ids, memories, strict=True)])
    add_names(memory, [Name(e.text, e.kind, [ids[i] for i in e.memories]) for e in load_entities(name)])
    _say(subject, name, now)
    _hand_out(subject, memories)
    return len(ids)


def _remember(subject: SubjectId, memories: list[DemoMemory]) -> list[str]:
    """The ids, in the order of `memories`. Neighbours of one conversation are added in one call."""
    ids: list[str] = []
    for (agent, run), group in groupby(memories, key=lambda told: (told.agent, told.run)):
        memory, told = ScopedMemory(subject, agent=agent, run=run), list(group)
        for start in range(0, len(told), LARGEST_ADD):
            ids += _add(memory, told[start : start + LARGEST_ADD])
    return ids


def _add(memory: ScopedMemory, told: list[DemoMemory]) -> list[str]:
    first = [{"role": one.role, "content": [*one.edits, one.text][0]} for one in told]
    added = memory.add(first, infer=False)
    for item, one in zip(added, told, strict=True):
        for wording in [*one.edits, one.text][1:]:
            memory.update(item.id, wording)
    return [item.id for item in added]


def _timeline(memory_id: str, told: DemoMemory, now: datetime) -> Timeline:
    """The wordings evenly between the first day and now."""
    began, count = now - timedelta(days=told.days_ago), len(told.edits) + 1
    wordings = [began + (now - began) * number / count for number in range(count)]
    return Timeline(memory_id, wordings, _expiry(told, now))


def _expiry(told: DemoMemory, now: datetime) -> date | None:
    return None if told.expires_in_days is None else now.date() + timedelta(days=told.expires_in_days)


def _hand_out(subject: SubjectId, memories: list[DemoMemory]) -> None:
    """Each assistant was handed its newest memories, so that there is something in the use log."""
    for agent in sorted({told.agent for told in memories if told.agent}):
        ScopedMemory(subject, agent=agent).page(limit=HANDED_OUT)


def _say(subject: SubjectId, name: str, now: datetime) -> None:
    conversations: dict[tuple[str | None, str | None], list[tuple[str, str]]] = defaultdict(list)
    for message in load_messages(name):
        conversations[message.agent, message.run].append((message.role, message.text))
    for number, ((agent, run), messages) in enumerate(conversations.items(), start=1):
        add_messages(ScopedMemory(subject, agent=agent, run=run), messages, now - timedelta(hours=7 * number))
