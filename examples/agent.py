"""Assistants with memory, one person at a time: the library door, as a script that can be run.

    DEBUG=true .venv/bin/python examples/agent.py

Without DATABASE_URL it uses the portal's embedded PostgreSQL in DATA_DIR (default: data/), which `make demo`, or
`manage.py migrate` and `manage.py prepare_store`, have made. Everybody in here is made up anew at each run and erased
at its end, so it leaves nothing behind on whatever store is configured.
"""

import os
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "memoryportal.settings")

from memoryportal.base.command_line import server_for
from memoryportal.memory import AgentKnowledge, ScopedMemory, StoreUnavailable, SubjectId

Say = Callable[[str], None]


def somebody(name: str) -> str:
    """An id that nobody else has."""
    return f"{name}-{uuid.uuid4().hex[:8]}"


def two_people(say: Say) -> None:
    """Alice is vegetarian, Bob wants a window seat, and the two never cross."""
    alice, bob = ScopedMemory(SubjectId(somebody("u_alice"))), ScopedMemory(SubjectId(somebody("u_bob")))
    # infer=False keeps the sentences as they are. With a language model configured, leave it out: mem0 extracts facts.
    alice.add(
        [
            {"role": "user", "content": "I am vegetarian. Please remember that."},
            {"role": "assistant", "content": "Got it. I will remember you are vegetarian."},
        ],
        infer=False,
    )
    bob.add(
        [
            {"role": "user", "content": "I always want a window seat on flights."},
            {"role": "assistant", "content": "Noted. Window seat preference saved."},
        ],
        infer=False,
    )
    say("Memories stored for both users.")

    # The isolation test: no call takes a user id, so no call can be given the wrong one, or none.
    for name, memory in (("Alice", alice), ("Bob", bob)):
        say(f"{name}'s food results:")
        for hit in memory.search("food preferences").hits:
            say(f"  {hit.item.text}")

    say(f"Alice has {alice.count()} memories stored.")
    for item in alice.walk():
        say(f"  [{item.id}] {item.text}")

    removed = alice.erase()
    say(
        f"All memories deleted for Alice: {removed.memories}, and {removed.counts['history']} entries of their history."
    )
    say(f"Alice now has {alice.count()} memories.")
    say(f"Bob still has {bob.count()} memories.")
    bob.erase()


def several_assistants(say: Say) -> None:
    """What belongs to a person, what an assistant knows by itself, and what belongs to both."""
    support_bot, sales_bot = somebody("support_bot"), somebody("sales_bot")
    alice, bob = SubjectId(somebody("alice")), SubjectId(somebody("bob"))

    # Per person, over all their assistants.
    ScopedMemory(alice).add("I prefer dark mode and Python.", infer=False)
    ScopedMemory(bob).add("I use TypeScript and like light mode.", infer=False)
    for name, subject in (("Alice", alice), ("Bob", bob)):
        hits = ScopedMemory(subject).search("Which mode does the user prefer?").hits
        say(f"{name}: {[hit.item.text for hit in hits]}")

    # Per assistant: nobody's personal data, and no part of anybody's memories.
    support, sales = AgentKnowledge(support_bot), AgentKnowledge(sales_bot)
    known = [
        (support, support.add("Our refund policy is 30 days for unused items.", infer=False)),
        (sales, sales.add("Current promotion: 20% off all premium plans.", infer=False)),
    ]
    say(f"support_bot: {[hit.item.text for hit in support.search('What is the refund policy?').hits]}")
    say(f"sales_bot: {[hit.item.text for hit in sales.search('Any promotions?').hits]}")

    # A person and an assistant together.
    both = ScopedMemory(alice, agent=support_bot)
    both.add("I had an issue with order #12345.", infer=False)
    say(f"Alice at support_bot: {[hit.item.text for hit in both.search('Previous issues').hits]}")
    say(f"Alice at sales_bot: {ScopedMemory(alice, agent=sales_bot).count()}")

    for knowledge, items in known:
        for item in items:
            knowledge.delete(item.id)
    for subject in (alice, bob):
        ScopedMemory(subject).erase()


def main() -> None:
    with server_for([sys.argv[0], "example"]):  # the embedded PostgreSQL, where no other is configured
        import django

        django.setup()
        try:
            two_people(print)
            several_assistants(print)
        except StoreUnavailable as error:  # down, or `make demo` has not been run yet
            sys.exit(f"{str(error)[:1].upper()}{str(error)[1:]}.")


if __name__ == "__main__":
    main()
