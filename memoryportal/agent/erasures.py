"""A deletion request that the host files for somebody, vouching for who asks. The erasure room does the rest."""

from memoryportal.audit.record import Actor
from memoryportal.erasure.models import Channel, Erasure
from memoryportal.erasure.services import file
from memoryportal.memory import SubjectId

from .models import ServiceKey

HOST = "host"  # the role of a service key in the trail


def ask(subject: SubjectId, key: ServiceKey) -> Erasure:
    """The open request of this subject, written down now if there is none. Privacy approves it before it begins."""
    return file(Channel.HOST, [subject], actor=Actor(f"key:{key.prefix}", HOST), vouched=True)


def standing(reference: str) -> tuple[str, str]:
    """(reference, state) of a request as it stands now."""
    return reference, str(Erasure.objects.values_list("state", flat=True).get(reference=reference))
