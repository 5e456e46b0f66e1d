"""The one key ring: Ed25519 keys that sign receipts and heads of the audit trail.

Keys are PEM files in KEY_DIR (default DATA_DIR/keys); the newest signs, all verify. A first key is made where none is.
Keep the folder out of the database's backups: who holds both can rewrite the trail and sign it again.
"""

import hashlib
import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings


class KeyTrouble(Exception):
    """A key file cannot be read or written; the message is one sentence for the operator."""

    status_code = 503


@dataclass(frozen=True, slots=True)
class Signature:
    """`kid` names the key, `value` is the signature in hexadecimal."""

    kid: str
    value: str


def key_id(public: Ed25519PublicKey) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of the raw public key."""
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]


class KeyRing:
    """All keys of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        files = (
            sorted(folder.glob("*.pem"), key=lambda path: (path.stat().st_mtime, path.name)) if folder.is_dir() else []
        )
        self.private = [_read(path) for path in files] or [self._make()]
        self.public = {key_id(key.public_key()): key.public_key() for key in self.private}

    def _make(self) -> Ed25519PrivateKey:
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path = self.folder / f"{key_id(key.public_key())}.pem"
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(pem)
        except OSError as error:
            raise KeyTrouble(f"The signing key cannot be written to KEY_DIR ({error.strerror}).") from None
        return key

    def sign(self, purpose: str, message: bytes) -> Signature:
        """Sign with the newest key. `purpose` keeps a signature of one kind from passing as another."""
        key = self.private[-1]
        return Signature(key_id(key.public_key()), key.sign(_framed(purpose, message)).hex())

    def verify(self, purpose: str, message: bytes, signature: Signature) -> bool:
        """Whether one of our keys signed this message for this purpose."""
        return is_signed(self.public, purpose, message, signature)

    def published(self) -> list[dict[str, str]]:
        """The public keys as JSON Web Keys (RFC 8037): kty, crv, kid, x."""
        raw = {
            kid: key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            for kid, key in self.public.items()
        }
        return [
            {"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": urlsafe_b64encode(value).decode().rstrip("=")}
            for kid, value in raw.items()
        ]


PublicKeys = Mapping[str, Ed25519PublicKey]
"""Keys by their kid."""


def is_signed(keys: PublicKeys, purpose: str, message: bytes, signature: Signature) -> bool:
    """Whether one of these keys signed this message for this purpose."""
    public = keys.get(signature.kid)
    try:
        if public is not None:
            public.verify(bytes.fromhex(signature.value), _framed(purpose, message))
            return True
    except (InvalidSignature, ValueError):
        pass
    return False


def read_published(document: str | bytes) -> PublicKeys:
    """The keys of a JSON Web Key set, as `KeyRing.published` gives it. Raises ValueError with a sentence.

    A kid that is not its key's own is refused: whoever hands a set over could else let one key pass as another.
    """
    try:
        listed = json.loads(document)["keys"]
        keys = {str(entry["kid"]): _public(entry) for entry in listed}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ValueError("This is not a set of Ed25519 keys as /.well-known/memoryportal-keys.json gives it.") from None
    for kid, public in keys.items():
        if key_id(public) != kid:
            raise ValueError("A key of this set has a name that is not its own.")
    if not keys:
        raise ValueError("This set of keys is empty.")
    return keys


def _public(entry: dict[str, str]) -> Ed25519PublicKey:
    if (entry["kty"], entry["crv"]) != ("OKP", "Ed25519"):
        raise ValueError("a key of another kind")
    return Ed25519PublicKey.from_public_bytes(urlsafe_b64decode(entry["x"] + "="))


def _framed(purpose: str, message: bytes) -> bytes:
    return b"memoryportal/" + purpose.encode("ascii") + b"\n" + message


def _read(path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError):
        raise KeyTrouble(f"The signing key {path.name} in KEY_DIR cannot be read.") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyTrouble(f"The signing key {path.name} in KEY_DIR is not an Ed25519 key.")
    return key


@lru_cache(maxsize=4)
def _ring(folder: Path) -> KeyRing:
    return KeyRing(folder)


def key_ring() -> KeyRing:
    """The ring of the running portal. Raises KeyTrouble."""
    return _ring(Path(settings.KEY_DIR))
