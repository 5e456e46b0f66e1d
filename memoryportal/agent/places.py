"""The rows here that name a person: writes that came with an Idempotency-Key, for 24 hours."""

from memoryportal.memory import Residue, SubjectId
from memoryportal.memory.places import Place

from .models import Call

KEY = "calls"
PLACE = Place(
    KEY,
    "Requests of assistants",
    "That an assistant wrote something in the last 24 hours, without its text, so that nothing is written twice",
    frozenset({"agent_call.subject"}),
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


def count(subject: SubjectId) -> int:
    """How many rows name this person."""
    return Call.objects.filter(subject=str(subject)).count()


def erase(subject: SubjectId) -> int:
    """Delete them; how many there were."""
    return Call.objects.filter(subject=str(subject)).delete()[0]


def residue(subject: SubjectId) -> Residue:
    """What is left, read again."""
    return Residue(KEY, count(subject))
