"""Signed heads: the trail's newest hash, put outside the database, where its owner cannot rewrite it unseen.

Each line is JSON and names the line before it, so that a line that is taken out is missed too.
"""

import fcntl
import hashlib
import json
import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.utils import timezone

from memoryportal.base.keys import Signature, key_ring

from .models import Head

PURPOSE = "audit-head"
START = "0" * 64
SHIP_SECONDS = 30
_LAST_BYTES = 4096  # more than a line is long


class HeadsUnavailable(Exception):
    """A head could not be written or shipped; the message is one sentence for the operator."""


@dataclass(frozen=True, slots=True)
class SignedHead:
    """One line of AUDIT_HEADS. `kind` is head, or prune (`seq` and `hash` are of the last event that was dropped)."""

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


# --- reading ---------------------------------------------------------------------------------------------------------


def heads_path() -> Path:
    """The file of the signed heads. With a shipping command a copy is kept in DATA_DIR, to chain the next line to."""
    return Path(settings.DATA_DIR) / "audit-heads.jsonl" if _command() else Path(settings.AUDIT_HEADS)


def _command() -> str:
    """The shipping command of AUDIT_HEADS = "| command", or nothing."""
    target = str(settings.AUDIT_HEADS).strip()
    return target[1:].strip() if target.startswith("|") else ""


def read_heads(path: Path | None = None) -> list[SignedHead]:
    """All lines, in order. Raises HeadsUnavailable for a line that is not one of ours in form."""
    try:
        return _parse((path or heads_path()).read_bytes())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise HeadsUnavailable(f"AUDIT_HEADS cannot be read ({error.strerror}).") from None


def last_head() -> SignedHead | None:
    """The newest line, without reading the others. Raises HeadsUnavailable."""
    try:
        with heads_path().open("rb") as file:
            return _last(file)[0]
    except FileNotFoundError:
        return None
    except OSError as error:
        raise HeadsUnavailable(f"AUDIT_HEADS cannot be read ({error.strerror}).") from None


def _last(file: IO[bytes]) -> tuple[SignedHead | None, int]:
    """The newest line, and where it ends: behind it may stand what a crash has cut off."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _LAST_BYTES))
    tail = file.read()
    whole = _whole(tail)
    last = _heads([line for line in whole.splitlines() if line.strip()][-1:])
    return (last[0] if last else None), size - len(tail) + len(whole)


def _parse(content: bytes) -> list[SignedHead]:
    """Each line once: a shipping command may have got one twice. A last line that a crash cut off was never written."""
    return _heads(dict.fromkeys(_whole(content).splitlines()))


def _heads(lines: Iterable[bytes]) -> list[SignedHead]:
    try:
        return [_head(line) for line in lines if line.strip()]
    except (ValueError, TypeError):
        raise HeadsUnavailable("AUDIT_HEADS holds a line that is not a signed head.") from None


def _head(line: bytes) -> SignedHead:
    head = SignedHead(**json.loads(line))
    texts = (head.hash, head.at, head.kind, head.prev, head.kid, head.sig)
    if type(head.seq) is not int or not all(isinstance(text, str) for text in texts):
        raise ValueError("a field of another type")
    return head


def _whole(content: bytes) -> bytes:
    last = content.rpartition(b"\n")[2]
    try:
        if last.strip():
            json.loads(last)
    except ValueError:
        return content[: -len(last)]
    return content


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


# --- writing ---------------------------------------------------------------------------------------------------------


def sign_head(kind: str = "head", seq: int | None = None, hash: str | None = None) -> SignedHead:
    """Sign the newest event (or the given one), append it to AUDIT_HEADS and ship it. Raises HeadsUnavailable."""
    path = heads_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            # Two lines that name the same line before them would look as if one had been replaced.
            fcntl.flock(file, fcntl.LOCK_EX)
            before, end = _last(file)
            head = _signed(kind, seq, hash, before)
            file.truncate(end)
            file.write(_separator(file, end) + head.line().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
            _ship()
    except OSError as error:
        raise HeadsUnavailable(f"AUDIT_HEADS cannot be written ({error.strerror}).") from None
    return head


def _separator(file: IO[bytes], end: int) -> bytes:
    """An editor or a copy may have left the last line without its end."""
    file.seek(max(0, end - 1))
    return b"" if file.read(1) in (b"", b"\n") else b"\n"


def _signed(kind: str, seq: int | None, hash: str | None, before: SignedHead | None) -> SignedHead:
    if seq is None or hash is None:
        newest = Head.objects.filter(pk=1).first()
        seq, hash = (newest.seq, newest.hash) if newest else (0, START)
    prev = digest(before)
    unsigned = SignedHead(seq, hash, timezone.now().isoformat(), kind, prev, "", "")
    signature = key_ring().sign(PURPOSE, unsigned.signed())
    return SignedHead(seq, hash, unsigned.at, kind, prev, signature.kid, signature.value)


def ship_again() -> None:
    """Try once more what did not get through the last time, also while nothing new happens. Raises HeadsUnavailable."""
    if _command() and heads_path().exists():
        with heads_path().open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            _ship()


def _ship() -> None:
    """Hand every line that did not get through so far to the operator's command, on its standard input.

    Of a copy that has become shorter nobody knows what got through: all of it is sent.
    """
    if not (command := _command()):
        return
    counter, heads = heads_path().with_suffix(".shipped"), read_heads()
    shipped = int(counter.read_text()) if counter.exists() else 0
    left = heads[shipped:] if shipped <= len(heads) else heads
    if not left:
        return
    lines = "".join(head.line() + "\n" for head in left)
    try:
        subprocess.run(["/bin/sh", "-c", command], input=lines, text=True, timeout=SHIP_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise HeadsUnavailable(f"the command of AUDIT_HEADS failed ({type(error).__name__}).") from None
    counter.write_text(str(len(heads)))
