"""The file of the erasure ledger: what was erased, kept where no restored database can forget it.

One line of JSON for each act. It names the line before it (`prev`), its own number, and carries an HMAC under a key in
KEY_DIR, so that a line that was changed, taken out or moved is noticed; lines that are cut off at the end are noticed
by the database's mark (ledger.py). Subjects stand in it as HMACs under another key: who holds the file learns nobody's
id, and cannot try ids without the keys.

A crash in the middle of a write leaves a part of a line at the end. It was never relied on: the next line takes its
place and says how many bytes went (`mended`). A whole line without its end of line counts.
"""

import contextlib
import errno
import fcntl
import hashlib
import hmac
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

from django.conf import settings

from memoryportal.base.keys import KeyTrouble
from memoryportal.base.secrets_file import derived_key

logger = logging.getLogger(__name__)
START = "0" * 64
_TAIL = 64 * 1024  # where the last line is looked for first


class LedgerUnavailable(Exception):
    """The ledger cannot be read or written now, so the act must not be called done. The message is for operators."""

    status_code = 503


class LedgerBroken(LedgerUnavailable):
    """A line is not as it was written, or lines are missing. People have to look into it."""


@dataclass(frozen=True, slots=True)
class Line:
    """One act. `at` is UTC, ISO 8601. `subjects` are HMACs; `agent` is '' for all assistants.

    `mended` counts bytes of a torn line that stood in its place.
    """

    n: int
    kind: str
    reference: str
    at: str
    subjects: list[str]
    agent: str
    scope: str
    keep_never: bool
    state: str
    mended: int
    prev: str
    mac: str = ""

    def sealed(self) -> "Line":
        return replace(self, mac=hmac.new(_key("line"), _canonical(replace(self, mac="")), hashlib.sha256).hexdigest())

    def written(self) -> bytes:
        """The line as it stands in the file, without its end."""
        return _canonical(self)

    @property
    def digest(self) -> str:
        """What the next line names as `prev`."""
        return hashlib.sha256(self.written()).hexdigest()


_TYPES = {"n": int, "mended": int, "keep_never": bool, "subjects": list}


def name_of(subject: str) -> str:
    """A subject's name in the ledger. Raises LedgerUnavailable."""
    return hmac.new(_key("subject"), subject.encode(), hashlib.sha256).hexdigest()


def _key(purpose: str) -> bytes:
    try:
        return derived_key(f"erasure-ledger/{purpose}")
    except KeyTrouble as error:
        raise LedgerUnavailable(str(error)) from None


def _canonical(line: Line) -> bytes:
    return json.dumps(asdict(line), sort_keys=True, separators=(",", ":")).encode()


def path() -> Path:
    return Path(settings.ERASURE_LEDGER)


# --- reading ------------------------------------------------------------------------------------------------------


def read() -> Iterator[Line]:
    """Every line, in order. Raises LedgerBroken with the number of the first line that is wrong, LedgerUnavailable."""
    try:
        with path().open("rb") as file:
            yield from _follow(file, 0, START)
    except FileNotFoundError:
        return
    except OSError as error:
        raise LedgerUnavailable(f"ERASURE_LEDGER cannot be read ({error.strerror}).") from None


def after(number: int, digest: str) -> list[Line]:
    """The lines behind the one with this number and digest.

    Raises LedgerBroken when that line is not in the file any more: lines were cut off, or it is another file.
    """
    last = last_line()
    if (last.n if last else 0) < number:
        raise LedgerBroken(f"The erasure ledger ends at line {last.n if last else 0}, but there was a line {number}.")
    if last is not None and last.n == number and last.digest == digest:
        return []
    try:
        with path().open("rb") as file:
            return list(_follow(_skipped(file, number, digest), number, digest))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LedgerUnavailable(f"ERASURE_LEDGER cannot be read ({error.strerror}).") from None


def _skipped(file: IO[bytes], number: int, digest: str) -> IO[bytes]:
    """The file behind its first `number` lines, of which the last has this digest."""
    raw = b""
    for _ in range(number):
        raw = file.readline()
    if number and hashlib.sha256(raw.rstrip(b"\n")).hexdigest() != digest:
        raise LedgerBroken(f"Line {number} of the erasure ledger is not the one that this database knows.")
    return file


def _follow(file: IO[bytes], number: int, digest: str) -> Iterator[Line]:
    for raw in file:
        number += 1
        if not raw.endswith(b"\n") and _is_torn(raw, number):
            return
        line = _parsed(raw.removesuffix(b"\n"), number)
        if line.n != number or line.prev != digest:
            raise LedgerBroken(f"Line {number} of the erasure ledger does not follow the line before it.")
        digest = line.digest
        yield line


def last_line() -> Line | None:
    """The newest line, without reading the others. Raises LedgerBroken, LedgerUnavailable."""
    try:
        with path().open("rb") as file:
            return _last(file)[0]
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LedgerUnavailable(f"ERASURE_LEDGER cannot be read ({error.strerror}).") from None


def _last(file: IO[bytes]) -> tuple[Line | None, int]:
    """The newest whole line, and the position where it ends: with its end of line, if it has one."""
    size = file.seek(0, os.SEEK_END)
    for span in (min(_TAIL, size), size):
        file.seek(size - span)
        tail = file.read(span)
        *_, before, last = [b"", b"", *tail.split(b"\n")]
        if last and not _is_torn(last, None):
            before, last = last, b""
        if span == size or tail.count(b"\n") > 1:  # else `before` may lack its beginning
            break
    end = size - len(last)
    return (_parsed(before, None) if end else None), end


def _is_torn(raw: bytes, number: int | None) -> bool:
    """Whether bytes without an end of line are a part of a line, and not a whole one, or one with something behind it.

    Raises LedgerBroken for the latter: no crash does that.
    """
    text = raw.decode("latin-1")
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return True
    if end != len(text):
        raise _altered(number)
    return False


def _parsed(raw: bytes, number: int | None) -> Line:
    try:
        line = Line(**json.loads(raw))
        fit = all(type(value) is _TYPES.get(name, str) for name, value in asdict(line).items())
        if fit and line.written() == raw and hmac.compare_digest(line.sealed().mac, line.mac):
            return line
    except (ValueError, TypeError, RecursionError):
        pass
    raise _altered(number)


def _altered(number: int | None) -> LedgerBroken:
    which = "The last line" if number is None else f"Line {number}"
    return LedgerBroken(
        f"{which} of the erasure ledger is not as it was written (or its key in KEY_DIR is another one)."
    )


# --- writing ------------------------------------------------------------------------------------------------------


@contextmanager
def held() -> Iterator[IO[bytes]]:
    """The file, made where there is none, for one writer at a time."""
    try:
        path().parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path(), os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "a+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
    except OSError as error:
        raise LedgerUnavailable(f"ERASURE_LEDGER cannot be written ({error.strerror}).") from None


def write(file: IO[bytes], **fields: Any) -> Line:
    """Append a line; it is on the disk when this returns. Raises OSError, and the line does not count then."""
    before, end = _last(file)
    torn = file.seek(0, os.SEEK_END) - end
    number, prev = (before.n, before.digest) if before else (0, START)
    line = Line(n=number + 1, mended=torn, prev=prev, **fields).sealed()
    if torn:
        logger.warning("the erasure ledger ended in %d bytes of a line that a crash had cut off", torn)
    file.truncate(end)
    content = _separator(file, end) + line.written() + b"\n"
    try:
        if file.write(content) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file.fileno())
        _sync_folder()
    except OSError:
        with contextlib.suppress(OSError):  # what stays is a torn line, which the next one mends
            file.truncate(end)
        raise
    return line


def _separator(file: IO[bytes], end: int) -> bytes:
    """An editor or a copy may have left the last line without its end."""
    file.seek(max(0, end - 1))
    return b"" if file.read(1) in (b"", b"\n") else b"\n"


def _sync_folder() -> None:
    """A new file's name is on the disk only when its folder is."""
    folder = os.open(path().parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
