"""One random secret in KEY_DIR, from which symmetric keys are derived, each for a purpose of its own.

Not SECRET_KEY, which is changed when sessions have to end: what is kept under these keys must stay comparable. Whoever
loses the file loses that; whoever copies it, together with the database, can try texts against what is kept.
"""

import hashlib
import os
import secrets
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from .keys import KeyTrouble

FILE = "secret.key"
LENGTH = 32


def derived_key(purpose: str) -> bytes:
    """32 bytes for this purpose alone (HKDF-SHA256, RFC 5869). The first use makes the file. Raises KeyTrouble."""
    return _derived(Path(settings.KEY_DIR), purpose)


def key_name(purpose: str) -> str:
    """16 hexadecimal digits that tell one such key from another, and nothing about it. Raises KeyTrouble."""
    return hashlib.sha256(b"memoryportal/key-name\n" + derived_key(purpose)).hexdigest()[:16]


@lru_cache(maxsize=8)
def _derived(folder: Path, purpose: str) -> bytes:
    info = b"memoryportal/" + purpose.encode("ascii")
    return HKDF(algorithm=hashes.SHA256(), length=LENGTH, salt=None, info=info).derive(_secret(folder))


def _secret(folder: Path) -> bytes:
    """The secret of this folder. Of two processes that make it at once, one does, and both read that one."""
    path = folder / FILE
    try:
        if not path.exists():
            _make(path)
        secret = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except OSError as error:
        raise KeyTrouble(f"The file {FILE} in KEY_DIR cannot be read or written ({error.strerror}).") from None
    except ValueError:
        secret = b""
    if len(secret) != LENGTH:
        raise KeyTrouble(f"The file {FILE} in KEY_DIR does not hold {LENGTH} bytes in hexadecimal digits.")
    return secret


def _make(path: Path) -> None:
    """Whole or not at all: a link appears with its content, and never replaces another one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(LENGTH))
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)
    except FileExistsError:
        pass  # somebody else was first
    finally:
        draft.unlink()
