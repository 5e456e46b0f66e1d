from django.apps import AppConfig

_PROOF = "says what was asked and what became of it, as its proof; holds no memory"
_STAFF = "the account of a member of the staff who worked on it"
_ENDS = "needed to find the person or to answer them; emptied when the request ends"


class ErasureConfig(AppConfig):
    name = "memoryportal.erasure"
    label = "erasure"

    def ready(self) -> None:
        from django.db.models.signals import post_save

        from memoryportal.accounts.models import SubjectLink
        from memoryportal.base import readiness
        from memoryportal.memory.places import exempt, register

        from . import ledger, portal_places, whose

        register(*portal_places.PLACES)
        readiness.register("erasures", ledger.probe)
        post_save.connect(whose.object_to_link, sender=SubjectLink, dispatch_uid="erasure.object_to_link")
        exempt(**{f"erasure_erasure__{column}": _PROOF for column in PROOF})
        exempt(**{f"erasure_erasure__{column}_id": _STAFF for column in STAFF})
        exempt(**{f"erasure_erasure__{column}": _ENDS for column in ENDS})
        exempt(
            erasure_erasure__account_id="the account that asked; empty when it is gone",
            erasure_erasure__duplicate_of_id="points to the request that asked for the same",
            **{f"erasure_{table}__erasure_id": "points to the request" for table in TABLES},
            erasure_openerasure__subject="keeps a second request out; goes when the request ends",
            erasure_openerasure__agent="keeps a second request out; goes when the request ends",
            erasure_journalpage__ids="ids of memories, no text; go when the request ends",
            erasure_outsideplace__name="the name of a system, from a setting",
            erasure_outsideplace__note="what a member of the staff reported about a system",
            erasure_outsideplace__reported_by_id=_STAFF,
            erasure_identitylink__digest="a hash of a link; goes when the request ends",
            erasure_requestquota__holder="a keyed digest of a network or of everybody; goes when its hour is over",
            erasure_prunedcount__channel="a count by month",
            erasure_prunedcount__state="a count by month",
        )


PROOF = (
    *("subjects", "agent", "reference", "channel", "scope", "state", "ticket", "law", "identified_how", "held_from"),
    *(
        "excepted",
        "except_category",
        "except_reason",
        "approved_for",
        "ground",
        "extension_reason",
        "secret",
        "receipt",
    ),
)
ENDS = ("address", "addresses", "told", "identity_note")
TABLES = ("openerasure", "journalpage", "outsideplace", "identitylink")
STAFF = ("filed_by", "identified_by", "attached_by", "approved_by", "reviewer", "except_by", "except_agreed_by")
