"""Signed heads: the trail's newest hash, put outside the database, where its owner cannot rewrite it unseen.

Each line is JSON and names the line before it, so that a line that is taken out is missed too.
"""

import hashlib
import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from memoryportal.base.keys import Signature, key_ring

from .models import Head

PURPOSE = "audit-head"
START = "0" * 64
SHIP_SECONDS = 30


class HeadsUnavailable(Exception):
    """A head could not be written or shipped; the message is one sentence for the operator."""


@dataclass(frozen=True, slots=True)
class SignedHead:
    """One line of AUDIT_HEADS. `kind` is head or prune (then `seq` and `hash` are of the last event that was
    dropped).
    """

    seq: int
    hash: str
    at: str
    kind: str
    prev: str
    kid: str
    sig: str

    def signed(self) -> bytes:
        return _canonical({"seq": self.seq, "hash": self.hash, "at": self.at, "kind": self.kind, "prev": self.prev})

    def line(self) -> str:
        return json.dumps({**json.loads(self.signed()), "kid": self.kid, "sig": self.sig}, sort_keys=True)

    def is_genuine(self) -> bool:
        return key_ring().verify(PURPOSE, self.signed(), Signature(self.kid, self.sig))


def _canonical(values: dict[str, Any]) -> bytes:
    return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()


def heads_path() -> Path:
    """The file of the signed heads. With a shipping command a copy is kept in DATA_DIR, to chain the next line to."""
    target = str(settings.AUDIT_HEADS)
    return Path(settings.DATA_DIR) / "audit-heads.jsonl" if target.startswith("|") else Path(target)


def read_heads(path: Path | None = None) -> list[SignedHead]:
    """All lines, in order. Raises HeadsUnavailable for a line that is not one of ours in form."""
    try:
        lines = (path or heads_path()).read_text().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise HeadsUnavailable(f"AUDIT_HEADS cannot be read ({error.strerror}).") from None
    try:
        return [SignedHead(**json.loads(line)) for line in lines if line.strip()]
    except (ValueError, TypeError):
        raise HeadsUnavailable("AUDIT_HEADS holds a line that is not a signed head.") from None


def digest(head: SignedHead | None) -> str:
    """What the next line names as `prev`."""
    return hashlib.sha256(head.line().encode()).hexdigest() if head else START


def broken_link(heads: Iterable[SignedHead]) -> int | None:
    """The number (from 1) of the first line that does not follow the one before it or is not signed by us."""
    before: SignedHead | None = None
    for number, head in enumerate(heads, start=1):
        if head.prev != digest(before) or not head.is_genuine():
            return number
        before = head
    return None


def sign_head(kind: str = "head", seq: int | None = None, hash: str | None = None) -> SignedHead:
    """Sign the newest event (or the given one), append it to AUDIT_HEADS and ship it. Raises HeadsUnavailable."""
    if seq is None or hash is None:
        newest = Head.objects.filter(pk=1).first()
        seq, hash = (newest.seq, newest.hash) if newest else (0, START)
    written = read_heads()
    unsigned = SignedHead(seq, hash, timezone.now().isoformat(), kind, digest(written[-1] if written else None), "", "")
    signature = key_ring().sign(PURPOSE, unsigned.signed())
    head = SignedHead(seq, hash, unsigned.at, kind, unsigned.prev, signature.kid, signature.value)
    _append(head)
    return head


def _append(head: SignedHead) -> None:
    path = heads_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(head.line() + "\n")
    except OSError as error:
        raise HeadsUnavailable(f"AUDIT_HEADS cannot be written ({error.strerror}).") from None
    if str(settings.AUDIT_HEADS).startswith("|"):
        _ship(str(settings.AUDIT_HEADS)[1:].strip(), head)


def _ship(command: str, head: SignedHead) -> None:
    """Hand the line to the operator's command on its standard input."""
    try:
        subprocess.run(
            ["/bin/sh", "-c", command], input=head.line() + "\n", text=True, timeout=SHIP_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise HeadsUnavailable(f"the command of AUDIT_HEADS failed ({type(error).__name__}).") from None
