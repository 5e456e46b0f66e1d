"""`manage.py verify_receipt`: what a receipt says in words, and one sentence for every bad file."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from memoryportal.base.databases import PROJECT_DIR
from memoryportal.base.keys import KeyRing, key_ring

from .stating import as_file, document


@pytest.fixture
def receipt(tmp_path: Path, settings: Any) -> Path:
    settings.KEY_DIR = tmp_path / "keys"
    path = tmp_path / "receipt.json"
    path.write_bytes(as_file(document(), indent=2))
    return path


@pytest.fixture
def published(receipt: Path, tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": key_ring().published()}))
    return path


def test_it_says_that_it_is_genuine_and_what_it_states(receipt: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("verify_receipt", str(receipt))
    said = capsys.readouterr().out
    assert said.startswith("This receipt is genuine: it was signed with the key ")
    assert "  Receipt MP-7K3Q-92XA, given by Käse & Söhne “GmbH”." in said
    assert "  Memories: 71 found, 71 erased, 0 left" in said


def test_on_another_machine_it_needs_nothing_but_the_keys(receipt: Path, published: Path, tmp_path: Path) -> None:
    """Another process, with a DATA_DIR of its own and a database that nobody can reach."""
    elsewhere = tmp_path / "elsewhere"
    environment = {
        "PATH": os.environ["PATH"],
        "DEBUG": "true",
        "DATA_DIR": str(elsewhere),
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none",
    }
    command = [sys.executable, "manage.py", "verify_receipt", str(receipt)]

    def run(*more: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *more], cwd=PROJECT_DIR, env=environment | variables, capture_output=True, text=True, timeout=60
        )

    good = run("--keys", str(published))
    assert (good.returncode, good.stderr) == (0, "")
    assert "This receipt is genuine" in good.stdout
    receipt.write_bytes(receipt.read_bytes().replace(b"71", b"70", 1))
    bad = run("--keys", str(published), DATABASE_URL="")
    assert (bad.returncode, bad.stdout) == (1, "")
    assert bad.stderr.strip() == (
        "CommandError: The signature does not fit: this receipt was changed after it was signed, or is forged."
    )
    without = run()
    assert without.returncode == 1
    assert "give the portal's public keys with --keys FILE" in without.stderr
    assert not elsewhere.exists(), "looking must not make keys or a database"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "This cannot be read as a receipt"),
        (b"{}", "This is not a receipt of a deletion"),
        (b"\xff\x00", "This file is not text"),
        (b"[" * 100_000, "This cannot be read as a receipt"),
        (b" " * (10 * 1024 * 1024 + 1), "This file is too large to be a receipt"),
    ],
)
def test_every_kind_of_bad_file_has_a_sentence(receipt: Path, content: bytes, said: str) -> None:
    receipt.write_bytes(content)
    with pytest.raises(CommandError, match=said):
        call_command("verify_receipt", str(receipt))


def test_a_file_that_is_not_there_and_a_folder_are_said(tmp_path: Path, receipt: Path) -> None:
    for path, said in ((tmp_path / "none.json", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(CommandError, match=rf"The receipt cannot be read \({said}"):
            call_command("verify_receipt", str(path))
        with pytest.raises(CommandError, match=rf"The set of keys cannot be read \({said}"):
            call_command("verify_receipt", str(receipt), keys=path)


def test_keys_that_are_no_keys_are_said(receipt: Path, published: Path) -> None:
    published.write_text("{}")
    with pytest.raises(CommandError, match="This is not a set of Ed25519 keys"):
        call_command("verify_receipt", str(receipt), keys=published)


def test_the_keys_of_somebody_else_do_not_fit(receipt: Path, published: Path, tmp_path: Path) -> None:
    published.write_text(json.dumps({"keys": KeyRing(tmp_path / "others").published()}))
    with pytest.raises(CommandError, match="which is not among the keys it is checked with"):
        call_command("verify_receipt", str(receipt), keys=published)


def test_a_broken_key_of_ones_own_is_said(receipt: Path, settings: Any, tmp_path: Path) -> None:
    settings.KEY_DIR = tmp_path / "spoilt"
    settings.KEY_DIR.mkdir()
    (settings.KEY_DIR / "old.pem").write_text("no key")
    with pytest.raises(CommandError, match=r"The signing key old\.pem in KEY_DIR cannot be read"):
        call_command("verify_receipt", str(receipt))
