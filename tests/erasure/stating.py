"""A statement without a database, and the document that is made of it."""

import copy
import json
from typing import Any

from memoryportal.base.keys import key_ring
from memoryportal.erasure import receipts

STATED: dict[str, Any] = {
    "type": receipts.TYPE,
    "version": receipts.VERSION,
    "reference": "MP-7K3Q-92XA",
    "controller": "Käse & Söhne “GmbH”",
    "asked": {
        "scope": "assistant",
        "words": "what one assistant remembers",
        "assistant": "café_planner",
        "stopped_wordings_kept": True,
        "channel": "by the person, signed in",
        "law": "gdpr",
        "at": "2026-11-20T09:00:00Z",
    },
    "identified": {"how": "signed in and confirmed", "at": "2026-11-20T09:00:00Z"},
    "decided_by": ["the person"],
    "began_at": "2026-11-20T09:00:01Z",
    "ended_at": "2026-11-20T09:00:02Z",
    "state": "completed-with-exceptions",
    "places": [
        {
            "place": "memories",
            "label": "Memories",
            "found": 71,
            "erased": 71,
            "left": 0,
            "problem": "",
            "read_again_at": "2026-11-20T09:00:02Z",
        },
        {
            "place": "history-files",
            "label": "History files",
            "found": None,
            "erased": 0,
            "left": None,
            "problem": "mem0's history file 1 (history.db) is not there",
            "read_again_at": None,
        },
    ],
    "exceptions": [
        {
            "place": "history-files",
            "label": "History files",
            "category": "decommissioned",
            "words": "it was taken out of service",
            "agreed_at": "2026-11-20T09:00:01Z",
        }
    ],
    "readings": 2,
    "search": {"asked": 20, "answered": 0, "not_repeated": ""},
    "outside": [
        {"name": "CRM", "reported_at": "2026-11-20T09:00:00Z", "standing": receipts.REPORTED},
        {"name": "Data warehouse", "reported_at": None, "standing": receipts.REPORTED},
    ],
    "limits": ["Backups keep older bytes."],
}


def stated(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(STATED), **changes}


def document(**changes: Any) -> dict[str, Any]:
    """Signed with the key ring in force."""
    return receipts.sign(stated(**changes))


def as_file(signed: Any, **how: Any) -> bytes:
    return json.dumps(signed, **{"ensure_ascii": False, **how}).encode()


def check(content: object) -> receipts.Verdict:
    return receipts.verify(content, key_ring().public)
