from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from memoryportal.base.keys import KeyTrouble, PublicKeys, key_ring, read_published
from memoryportal.erasure.receipt_words import in_words
from memoryportal.erasure.receipts import MAX_BYTES, verify


class Command(BaseCommand):
    help = (
        "Check the signature of a receipt and say what it states. Needs no database: with the keys from "
        "/.well-known/memoryportal-keys.json it works on any machine. Exit code 0 or 1."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the receipt, as it was given out")
        parser.add_argument("--keys", type=Path, help="a saved set of public keys (default: the keys in KEY_DIR)")

    def handle(self, *args: Any, file: Path, keys: Path | None = None, **options: Any) -> None:
        verdict = verify(_read(file, "receipt"), _saved(keys) if keys else _own())
        if verdict.receipt is None:
            raise CommandError(verdict.why)
        self.stdout.write(verdict.why)
        for line in in_words(verdict.receipt):
            self.stdout.write(f"  {line}")


def _read(path: Path, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CommandError(f"The {what} cannot be read ({error.strerror}).") from None


def _saved(path: Path) -> PublicKeys:
    try:
        return read_published(_read(path, "set of keys"))
    except ValueError as error:
        raise CommandError(str(error)) from None


def _own() -> PublicKeys:
    """The portal's own, where there are any: checking must not make a first key."""
    if not any(Path(settings.KEY_DIR).glob("*.pem")):
        raise CommandError("There are no keys in KEY_DIR: give the portal's public keys with --keys FILE.")
    try:
        return key_ring().public
    except KeyTrouble as error:
        raise CommandError(str(error)) from None
