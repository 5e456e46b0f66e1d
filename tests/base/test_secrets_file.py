"""The secret in KEY_DIR: made once, for its owner alone, and a key of its own for each purpose."""

import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from memoryportal.base.keys import KeyTrouble, key_ring
from memoryportal.base.secrets_file import FILE, _derived, derived_key, key_name


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.KEY_DIR = tmp_path / "keys"
    return tmp_path / "keys"


def test_it_is_made_for_its_owner_alone_and_found_again(folder: Path) -> None:
    key = derived_key("a")
    assert len(key) == 32
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    _derived.cache_clear()
    assert derived_key("a") == key


def test_each_purpose_and_each_folder_has_its_own(folder: Path, settings: Any, tmp_path: Path) -> None:
    keys = {derived_key(purpose) for purpose in ("a", "b")}
    names = {key_name(purpose) for purpose in ("a", "b")}
    settings.KEY_DIR = tmp_path / "others"
    keys |= {derived_key("a")}
    names |= {key_name("a")}
    assert (len(keys), len(names)) == (3, 3)
    assert not any(name in key.hex() for key in keys for name in names), "the name tells nothing of the key"


def test_the_ring_of_signing_keys_leaves_it_alone(folder: Path) -> None:
    derived_key("a")
    before = (folder / FILE).read_text()
    key_ring().sign("receipt", b"text")
    assert (folder / FILE).read_text() == before
    assert before not in repr(key_ring().published())


@pytest.mark.parametrize("content", ["", "not hexadecimal", "ab" * 31, "ab" * 33])
def test_a_damaged_file_is_named_and_left_as_it_is(folder: Path, content: str) -> None:
    folder.mkdir()
    (folder / FILE).write_text(content)
    with pytest.raises(KeyTrouble, match=FILE):
        derived_key("a")
    assert (folder / FILE).read_text() == content


def test_a_folder_that_cannot_be_written_is_named(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings.KEY_DIR = tmp_path / "file" / "keys"
    with pytest.raises(KeyTrouble, match="KEY_DIR"):
        derived_key("a")


def _make(folder: Path, ready: Any, keys: Any) -> None:
    ready.wait()
    keys.put(_derived(folder, "a"))


def test_of_many_that_make_it_at_once_all_have_the_same(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    ready, keys = fork.Event(), fork.Queue()
    makers = [fork.Process(target=_make, args=(tmp_path / "keys", ready, keys)) for _ in range(8)]
    for maker in makers:
        maker.start()
    ready.set()
    assert len({keys.get(timeout=20) for _ in makers}) == 1
    for maker in makers:
        maker.join(20)
    assert [path.name for path in (tmp_path / "keys").iterdir()] == [FILE]
