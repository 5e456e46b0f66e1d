"""The rows here that name a person: writes that came with an Idempotency-Key, for 24 hours."""

from django.db.models import QuerySet

from memoryportal.memory.places import Place, Whose

from .models import Call


class Calls:
    """Keeper of the rows of one person, or of one assistant for one person."""

    def concerns(self, whose: Whose) -> bool:
        return True

    def count(self, whose: Whose) -> int:
        return _of(whose).count()

    def erase(self, whose: Whose) -> int:
        return _of(whose).delete()[0]


def _of(whose: Whose) -> "QuerySet[Call]":
    found = Call.objects.filter(subject__in=[str(subject) for subject in whose.subjects])
    return found if whose.agent is None else found.filter(agent=whose.agent)


PLACE = Place(
    "calls",
    "Requests of assistants",
    "That an assistant wrote something in the last 24 hours, without its text, so that nothing is written twice",
    frozenset({"agent_call.subject", "agent_call.agent"}),
    Calls(),
)
_KEY = "what a host's back end shows: names a program, not a person"
EXEMPT = {
    **dict.fromkeys((f"agent_servicekey.{column}" for column in ("id", "name", "prefix", "agents", "rights")), _KEY),
    "agent_servicekey.networks": _KEY,
    "agent_servicekey.digest": "a hash of a random secret",
    "agent_servicekey.former_digest": "a hash of a random secret",
    "agent_servicekey.created_by_id": "which administrator made the key",
    "agent_window.holder": "counts requests under keyed digests; goes within minutes",
    "agent_subjecthour.key_id": _KEY,
    "agent_seensubject.key_id": _KEY,
    "agent_seensubject.digest": "counts people under keyed digests; goes within two hours",
    "agent_call.key_id": _KEY,
    **dict.fromkeys((f"agent_call.{column}" for column in ("route", "call", "body", "ids", "counts")), "with its row"),
}
