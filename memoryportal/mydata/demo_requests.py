"""The demo's deletion requests: one that waits for the person, one that waits for a second person, one that is done."""

from django.db import transaction

from memoryportal.accounts.models import User
from memoryportal.erasure import decisions, engine, services
from memoryportal.erasure.models import Channel, Erasure, Scope
from memoryportal.memory import ScopedMemory, SubjectId

CAROL, DAN = SubjectId("u_carol"), SubjectId("u_dan")
TOLD = {
    CAROL: ["Carol moved to Porto in spring.", "Carol is learning to sail.", "Carol prefers mails in Portuguese."],
    DAN: ["Dan drives an old van.", "Dan's dog is called Biscuit."],
}


def load_requests() -> int:
    """File them once; how many. People without an account, so that the demo's own people see only what they do."""
    if Erasure.objects.exists():
        return 0
    for subject, texts in TOLD.items():
        for text in texts:
            ScopedMemory(subject, agent="support_bot").add(text, infer=False)
    services.file(
        Channel.FORM,
        address="dora@example.com",
        told="I talk to the travel assistant as dora_77.",
        scope=Scope.EVERYTHING,
    )
    _by_letter(CAROL, "LETTER-12", "Called back on the number that we had; the person named two past orders.")
    done = _by_letter(DAN, "LETTER-11", "Came in person with a passport, which was seen and not kept.")
    second = User.objects.get(email="privacy2@example.com")
    engine.run(decisions.begin_now(decisions.approve(done.pk, second).pk, decisions.officer(second)))
    return 3


def _by_letter(subject: SubjectId, ticket: str, how: str) -> Erasure:
    officer = User.objects.get(email="privacy@example.com")
    with transaction.atomic():
        erasure = services.file(Channel.PRIVACY, by=officer, ticket=ticket, actor=decisions.officer(officer))
    decisions.check_identity(erasure.pk, officer, how)
    return decisions.attach(erasure.pk, officer, [subject])
