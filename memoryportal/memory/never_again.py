"""What a person has said is never to be learned again: the wording of a memory that they deleted, as a keyed digest.

The text is not kept, and no vector of it, which could be turned back into the text. So the same wording is stopped and
a paraphrase is not. Two texts are the same wording when `normalised` makes them one.

A digest is an HMAC-SHA256 under a key derived from the secret in KEY_DIR, over a random salt of the person's own and
the wording: equal wordings of two people have nothing in common, and a person's rows can be moved to another id.
"""

import hmac
import re
import secrets
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from django.dispatch import Signal
from psycopg import sql

from memoryportal.base.keys import KeyTrouble
from memoryportal.base.secrets_file import derived_key, key_name

from . import controls
from .controls import Gated
from .errors import ErasureRunning, StoreUnavailable
from .pool import Cursor
from .rows import recheck_subject
from .scope import Scope, SubjectId
from .types import Stopped

PURPOSE = "never-again"
SALT_BYTES = 16
# What Unicode lets a program show as nothing, although it is a letter, a mark or no character yet: fillers, selectors.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]"
)
_BLANK = "\N{BRAILLE PATTERN BLANK}"
# Sent when something was not learned, with `subject` (SubjectId) and `count`; other rooms note it (audit/stopped.py).
wording_stopped = Signal()


def normalised(text: str) -> str:
    """NFKC, casefolded, white space collapsed, without punctuation at the end and characters that nobody sees."""
    seen = _UNSEEN.sub("", "".join(filter(_is_seen, unicodedata.normalize("NFKC", text)))).replace(_BLANK, " ")
    plain = " ".join(unicodedata.normalize("NFKC", seen.casefold()).split())
    end = len(plain)
    while end and (plain[end - 1] == " " or unicodedata.category(plain[end - 1]).startswith("P")):
        end -= 1
    return plain[:end] or plain


def _is_seen(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) not in ("Cf", "Cc")


def digest(salt: bytes, text: str) -> bytes:
    """32 bytes that nobody can make without the key. Raises KeyTrouble."""
    return hmac.digest(derived_key(PURPOSE), salt + normalised(text).encode("utf-8", "surrogatepass"), "sha256")


class _List(NamedTuple):
    """One person's list. `names` are those of the keys that it was made with."""

    digests: frozenset[bytes] = frozenset()
    salts: frozenset[bytes] = frozenset()
    names: frozenset[str] = frozenset()

    def has(self, text: str) -> bool:
        return any(digest(salt, text) in self.digests for salt in self.salts)


def stop(store: Gated, scope: Scope, texts: Iterable[str]) -> list[bytes]:
    """Never learn these wordings again; the digests that are new. Raises ErasureRunning, StoreUnavailable."""
    with _key_at_hand(), _changing(store, scope) as cursor:
        known = _read(cursor, store, scope)
        salt = min(known.salts, default=secrets.token_bytes(SALT_BYTES))
        new = sorted({digest(salt, text) for text in texts if not known.has(text)})
        _insert(cursor, store, scope.subject, salt, new)
    return new


def _insert(cursor: Cursor, store: Gated, subject: SubjectId, salt: bytes, digests: list[bytes]) -> None:
    statement = sql.SQL(
        "INSERT INTO {} (subject, digest, salt, key_name) SELECT %s, given, %s, %s FROM unnest(%s::bytea[]) given "
        "ON CONFLICT (subject, digest) DO NOTHING"
    ).format(store.tables.identifier("never"))
    if digests:
        cursor.execute(statement, (str(subject), salt, key_name(PURPOSE), digests))


def allow(store: Gated, scope: Scope, digests: list[bytes] | None = None) -> int:
    """Let these wordings, by default all of them, be learned again; how many that were."""
    only = sql.SQL("AND digest = ANY(%s)" if digests is not None else "")
    statement = sql.SQL("DELETE FROM {} WHERE subject = %s {}").format(store.tables.identifier("never"), only)
    params = (str(scope.subject),) if digests is None else (str(scope.subject), digests)
    with store.open(scope) as cursor:
        return cursor.execute(statement, params).rowcount


def tell(subject: SubjectId, count: int) -> None:
    """Let other rooms know that something was not learned. Their trouble is theirs: it changes nothing about that."""
    wording_stopped.send_robust(None, subject=subject, count=count)


def held(store: Gated, scope: Scope) -> Stopped:
    """How many wordings are stopped, and since when."""
    statement = sql.SQL("SELECT count(*), min(since), max(since) FROM {} WHERE subject = %s")
    with store.open(scope) as cursor:
        row = cursor.execute(statement.format(store.tables.identifier("never")), (str(scope.subject),)).fetchone()
    return Stopped(*row) if row else Stopped(0, None, None)


class Screen:
    """What may not be learned in one add. The list is read each time: a language model takes long to answer.

    `failure` is why it could not be read, for callers whose errors mem0 swallows.
    """

    def __init__(self, store: Gated, scope: Scope) -> None:
        self._store, self._scope = store, scope
        self._seen: set[str] = set()
        self.failure: StoreUnavailable | None = None

    @property
    def stopped(self) -> int:
        """How many different wordings were stopped."""
        return len(self._seen)

    def stops(self, texts: Iterable[str]) -> set[str]:
        """Those of the texts that may not be learned. Raises StoreUnavailable."""
        try:
            with _key_at_hand():
                found = self._stopped(list(texts))
        except StoreUnavailable as error:
            self.failure = error
            raise
        self._seen |= set(map(normalised, found))
        return found

    def _stopped(self, texts: list[str]) -> set[str]:
        with self._store.open(self._scope) as cursor:
            known = _read(cursor, self._store, self._scope)
        if known.names and known.names != {key_name(PURPOSE)}:
            raise StoreUnavailable(
                "what must not be learned again was noted with another key than the one in KEY_DIR, so nothing can be "
                "compared with it; nothing was written"
            )
        return {text for text in texts if known.has(text)}


@contextmanager
def _changing(store: Gated, scope: Scope) -> Iterator[Cursor]:
    """A transaction that an erasure waits for, and that does not begin behind its back."""
    with store.open(scope) as cursor:
        if any(state == "erasing" for _, state in controls.behind_gate(cursor, store.tables, scope.subject)):
            raise ErasureRunning("the memories of this subject are being erased")
        yield cursor


def _read(cursor: Cursor, store: Gated, scope: Scope) -> _List:
    statement = sql.SQL("SELECT digest, salt, key_name, subject FROM {} WHERE subject = %s")
    rows = cursor.execute(statement.format(store.tables.identifier("never")), (str(scope.subject),)).fetchall()
    own = recheck_subject(scope, rows)
    return _List(*(frozenset(row[column] for row in own) for column in range(3)))


@contextmanager
def _key_at_hand() -> Iterator[None]:
    """The memory room's own error when KEY_DIR cannot be used."""
    try:
        yield
    except KeyTrouble as error:
        raise StoreUnavailable(str(error)) from None
