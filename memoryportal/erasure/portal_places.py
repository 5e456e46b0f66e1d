"""Places of the portal's own that no other room answers for: waiting work, and mail that was not sent yet."""

from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Lower

from memoryportal.accounts.waiting import Letter
from memoryportal.memory.places import Place, Whose

# A word of a job is the subject, or a name that ends in it (`task:subject`). Never a part of a word: ids are short.
_JOBS = """
    FROM procrastinate_jobs WHERE EXISTS (
        SELECT FROM unnest(%s::text[]) AS subject, (
            SELECT found #>> '{}' FROM jsonb_path_query(args, 'strict $.**') AS found
            UNION ALL VALUES (lock), (queueing_lock)
        ) AS words (word)
        WHERE word = subject OR right(word, length(subject) + 1) = ':' || subject
    )
"""


class QueueKeeper:
    """Keeper of the queue: jobs that name a person, with their events. The portal's own jobs name none."""

    def concerns(self, whose: Whose) -> bool:
        return whose.agent is None

    def count(self, whose: Whose) -> int:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) {_JOBS}", [[str(subject) for subject in whose.subjects]])
            return int(cursor.fetchone()[0])

    def erase(self, whose: Whose) -> int:
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE {_JOBS}", [[str(subject) for subject in whose.subjects]])
            return int(cursor.rowcount)


class MailKeeper:
    """Keeper of letters to the addresses of an account that goes. What was sent is out of the portal's hands.

    Letters about deletion requests stay: they tell the person what becomes of this, and go when they are sent.
    """

    def concerns(self, whose: Whose) -> bool:
        return whose.account is not None and bool(whose.addresses)

    def count(self, whose: Whose) -> int:
        return _letters(whose).count()

    def erase(self, whose: Whose) -> int:
        return _letters(whose).delete()[0]


def _letters(whose: Whose) -> QuerySet[Letter]:
    addresses = [address.lower() for address in whose.addresses] if whose.account is not None else []
    theirs = Letter.objects.annotate(address=Lower("to")).filter(address__in=addresses)
    return theirs.exclude(kind__startswith="request_")


PLACES = (
    Place(
        "queue",
        "Waiting work",
        "Work that waits for its turn and names you",
        frozenset({"procrastinate_jobs.args"}),
        QueueKeeper(),
    ),
    Place(
        "mail",
        "Unsent mail",
        "Mails to you that were not sent yet",
        frozenset({"accounts_letter.to", "accounts_letter.about"}),
        MailKeeper(),
    ),
)
