"""The receipt of an erasure: what is stated, signed so that anybody can check it later without asking us.

A document is {"receipt": …, "signature": {"kid", "value", "alg"}}. The signature (Ed25519) is over the receipt as
canonical JSON: sorted keys, no spaces, UTF-8, Unicode normal form C. So it survives being indented, not being changed.
"""

import json
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from memoryportal.base.keys import PublicKeys, Signature, is_signed, key_ring
from memoryportal.memory.bulk import abilities
from memoryportal.memory.history_files import LIMIT as HISTORY_LIMIT
from memoryportal.memory.places import PLACES

from .models import Channel, Erasure, ErasureStep, Identified, OutsidePlace, Scope, Unread
from .states import State
from .verification import READINGS

PURPOSE = "erasure-receipt"
TYPE = "memoryportal/erasure-receipt"
VERSION = 2  # 1 had no exceptions; receipts of that form stay valid
ALGORITHM = "EdDSA"
MAX_BYTES = 10 * 1024 * 1024
REPORTED = "reported, not verified by us"
LIMITS = (
    (
        "The database's write-ahead log keeps older bytes until it is recycled, and backups keep them until they "
        "expire. What comes back with a backup is erased again before people are let in."
    ),
    (
        "In PostgreSQL's own files the bytes of deleted rows stay until they are overwritten. Whoever runs the "
        "database can have them overwritten at once."
    ),
    HISTORY_LIMIT,
    "Providers of language models and embeddings that were sent the texts keep them by their own rules.",
    "What assistants were handed before, and what they said or stored elsewhere, is outside of this portal.",
)
NOT_REPEATED = (
    "there was nothing to ask for, searching by meaning was not possible, or the work was taken up again by another "
    "process: questions are never written down"
)
Receipt = dict[str, Any]


# --- what is stated -----------------------------------------------------------------------------------------------


def statement(erasure: Erasure) -> Receipt:
    """What is known of an erasure that has ended: counts, times, roles. No memory, no name, no address, no id."""
    return {
        "type": TYPE,
        "version": VERSION,
        "reference": erasure.reference,
        "controller": str(settings.CONTROLLER_NAME),
        "asked": _asked(erasure),
        "identified": {"how": _identified(erasure), "at": _utc(erasure.identified_at)},
        "decided_by": _deciders(erasure),
        "began_at": _utc(erasure.began_at),
        "ended_at": _utc(erasure.ended_at),
        "state": str(erasure.state),
        "places": [_place(step) for step in erasure.steps.all()],
        "exceptions": [_exception(erasure, step) for step in _excepted(erasure)],
        "readings": READINGS * (erasure.sweeps + 1),
        "search": _search(erasure),
        "outside": [_outside(place) for place in erasure.outside.all()],
        "limits": [*LIMITS, *abilities().limits],
    }


def _asked(erasure: Erasure) -> dict[str, Any]:
    """The assistant's name is no personal data; it is named only where it says what was asked."""
    return {
        "scope": str(erasure.scope),
        "words": str(Scope(erasure.scope).label),
        "assistant": erasure.agent if erasure.scope == Scope.ASSISTANT else None,
        "stopped_wordings_kept": erasure.keep_never,
        "channel": str(Channel(erasure.channel).label),
        "law": erasure.law,
        "at": _utc(erasure.asked_at),
    }


def _identified(erasure: Erasure) -> str:
    return str(Identified(erasure.identified_how).label) if erasure.identified_how else ""


def _deciders(erasure: Erasure) -> list[str]:
    """Roles only. What people asked for themselves, and showed, needs nobody else's decision."""
    found = {
        "the person": erasure.identified_how in (Identified.SESSION, Identified.MAIL),
        "the application that uses the memories": erasure.identified_how == Identified.HOST,
        "the privacy team, who checked who asks": erasure.identified_how == Identified.OFFICER,
        "the privacy team, who found out whose data it is": erasure.attached_by_id is not None,
        "a second person of the privacy team": erasure.approved_at is not None,
        "two people of the privacy team, that it ends without what could not be read": bool(_excepted(erasure)),
    }
    return [role for role, decided in found.items() if decided]


def _excepted(erasure: Erasure) -> list[ErasureStep]:
    """The places that were not read, where two people let it end without them."""
    agreed = erasure.excepted if erasure.except_agreed_at else []
    return [step for step in erasure.steps.all() if step.left is None and step.place in agreed]


def _exception(erasure: Erasure, step: ErasureStep) -> dict[str, Any]:
    """The category only: the reason in somebody's words is not for everybody who is shown a receipt."""
    return {
        "place": step.place,
        "label": PLACES[step.place].label if step.place in PLACES else step.place,
        "category": erasure.except_category,
        "words": str(Unread(erasure.except_category).label),
        "agreed_at": _utc(erasure.except_agreed_at),
    }


def _place(step: ErasureStep) -> dict[str, Any]:
    """`left` is None where the place could not be read again; `problem` says why, or is empty."""
    return {
        "place": step.place,
        "label": PLACES[step.place].label if step.place in PLACES else step.place,
        "found": step.found,
        "erased": step.removed,
        "left": step.left,
        "problem": step.problem,
        "read_again_at": _utc(step.verified_at),
    }


def _search(erasure: Erasure) -> dict[str, Any]:
    repeated = erasure.questions is not None
    return {"asked": erasure.questions, "answered": erasure.answered, "not_repeated": "" if repeated else NOT_REPEATED}


def _outside(place: OutsidePlace) -> dict[str, Any]:
    return {"name": place.name, "reported_at": _utc(place.reported_at), "standing": REPORTED}


def _utc(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


# --- signing ------------------------------------------------------------------------------------------------------


def canonical(value: Any) -> bytes:
    """The bytes that are signed. Raises ValueError for a text that is no Unicode."""
    return json.dumps(_composed(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _composed(value: Any) -> Any:
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, list):
        return [_composed(entry) for entry in value]
    if isinstance(value, dict):
        return {_composed(key): _composed(entry) for key, entry in value.items()}
    return value


def sign(stated: Receipt) -> dict[str, Any]:
    """The document that people are given. Raises KeyTrouble."""
    receipt: Receipt = _composed(stated)
    signature = key_ring().sign(PURPOSE, canonical(receipt))
    return {"receipt": receipt, "signature": {"kid": signature.kid, "value": signature.value, "alg": ALGORITHM}}


# --- verifying ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a document is a receipt that one of the given keys signed. `why` is one sentence for people.

    `receipt` is what it states, only where it is valid.
    """

    valid: bool
    why: str
    receipt: Receipt | None = None


class _Refused(ValueError):
    """Why a document is no receipt of ours."""


def verify(document: object, keys: PublicKeys) -> Verdict:
    """Check a file's content (bytes or text): structure, key and signature. Nothing is looked up.

    Never raises for a bad document.
    """
    try:
        parsed = _parse(document)
        if not any(_fits(parsed, {"receipt": form, "signature": _SIGNATURE}) for form in (_RECEIPT, _FIRST_RECEIPT)):
            raise _Refused("This is not a receipt of a deletion, or a part of it is missing or was changed.")
        _check_signature(parsed, keys)
    except _Refused as refused:
        return Verdict(False, str(refused))
    kid = parsed["signature"]["kid"]
    return Verdict(True, f"This receipt is genuine: it was signed with the key {kid}.", parsed["receipt"])


def _parse(document: object) -> Any:
    if not isinstance(document, (bytes, str)):
        raise _Refused("This is no file.")
    if len(document) > MAX_BYTES:
        raise _Refused("This file is too large to be a receipt.")
    try:
        text = document.decode("utf-8-sig") if isinstance(document, bytes) else document
        return json.loads(text, object_pairs_hook=_once, parse_float=_no, parse_constant=_no)
    except UnicodeDecodeError:
        raise _Refused("This file is not text, so it is no receipt.") from None
    except (ValueError, RecursionError):
        raise _Refused("This cannot be read as a receipt. Take the file just as it was downloaded.") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two values of one name could be read in two ways."""
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


def _no(_: str) -> Any:
    raise ValueError("a receipt has whole numbers only")


def _check_signature(document: dict[str, Any], keys: PublicKeys) -> None:
    stated = Signature(document["signature"]["kid"], document["signature"]["value"])
    if stated.kid not in keys:
        raise _Refused(f"This receipt names the key {stated.kid}, which is not among the keys it is checked with.")
    try:
        signed = canonical(document["receipt"])
    except ValueError:
        raise _Refused("This cannot be read as a receipt. Take the file just as it was downloaded.") from None
    if not is_signed(keys, PURPOSE, signed, stated):
        raise _Refused("The signature does not fit: this receipt was changed after it was signed, or is forged.")


# A shape is a tuple of types, a pattern, [the shape of each entry], or {name: shape} with exactly these names.
_TEXT, _NUMBER, _MAYBE_TEXT, _MAYBE_NUMBER = (str,), (int,), (str, type(None)), (int, type(None))
_RECEIPT = {
    "type": re.compile(re.escape(TYPE)),
    "version": _NUMBER,
    "reference": re.compile(r"MP-[0-9A-Z]{4}-[0-9A-Z]{4}"),
    "controller": _TEXT,
    "asked": {
        **dict.fromkeys(("scope", "words", "channel", "law", "at"), _TEXT),
        "assistant": _MAYBE_TEXT,
        "stopped_wordings_kept": (bool,),
    },
    "identified": {"how": _TEXT, "at": _MAYBE_TEXT},
    "decided_by": [_TEXT],
    "began_at": _MAYBE_TEXT,
    "ended_at": _MAYBE_TEXT,
    "state": re.compile("|".join(State.values)),
    "places": [
        {
            **dict.fromkeys(("place", "label", "problem"), _TEXT),
            **dict.fromkeys(("found", "left"), _MAYBE_NUMBER),
            "erased": _NUMBER,
            "read_again_at": _MAYBE_TEXT,
        }
    ],
    "exceptions": [{**dict.fromkeys(("place", "label", "category", "words"), _TEXT), "agreed_at": _MAYBE_TEXT}],
    "readings": _NUMBER,
    "search": {"asked": _MAYBE_NUMBER, "answered": _MAYBE_NUMBER, "not_repeated": _TEXT},
    "outside": [{"name": _TEXT, "reported_at": _MAYBE_TEXT, "standing": _TEXT}],
    "limits": [_TEXT],
}
_FIRST_RECEIPT = {name: shape for name, shape in _RECEIPT.items() if name != "exceptions"}
_SIGNATURE = {
    "kid": re.compile("[0-9a-f]{16}"),
    "value": re.compile("[0-9a-f]{128}"),
    "alg": re.compile(ALGORITHM),
}


def _fits(value: Any, shape: Any) -> bool:
    """Whether a value has a shape. Never looks deeper than the shape does."""
    if isinstance(shape, tuple):
        return type(value) in shape
    if isinstance(shape, list):
        return type(value) is list and all(_fits(entry, shape[0]) for entry in value)
    if isinstance(shape, dict):
        return (
            type(value) is dict
            and value.keys() == shape.keys()
            and all(_fits(value[name], inner) for name, inner in shape.items())
        )
    return type(value) is str and bool(shape.fullmatch(value))
