"""Signed heads: chained lines in a file or handed to a command, and what becomes of trouble with either."""

import json
import resource
import threading
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from memoryportal.audit import tasks
from memoryportal.audit.heads import (
    START,
    HeadsUnavailable,
    broken_link,
    heads_path,
    last_head,
    read_heads,
    sign_head,
)
from memoryportal.audit.models import Event
from memoryportal.audit.verify import verify_trail
from memoryportal.base.keys import key_ring
from memoryportal.base.names import APP, OWNER
from tests.base.test_keys import add_key

from .forging import Forger
from .house import House, happen


@pytest.fixture
def file(house: House, tmp_path: Path) -> Path:
    return tmp_path / "heads.jsonl"


def ship_to(settings: Any, command: str, tmp_path: Path) -> None:
    settings.AUDIT_HEADS, settings.DATA_DIR = f"| {command}", tmp_path / "data"


# --- the file --------------------------------------------------------------------------------------------------------


def test_a_line_names_the_newest_event_and_the_line_before(file: Path) -> None:
    assert sign_head().hash == START, "an empty trail can be signed, too"
    happen(3)
    second = sign_head()
    assert (second.seq, second.hash) == (3, Event.objects.get(seq=3).hash)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line.keys() for line in lines] == [{"seq", "hash", "at", "kind", "prev", "kid", "sig"}] * 2
    assert lines[0]["prev"] == START != lines[1]["prev"]
    assert broken_link(read_heads()) is None
    assert last_head() == second


def test_without_a_file_there_are_no_heads(file: Path) -> None:
    assert read_heads() == []
    assert last_head() is None
    assert verify_trail().problem is None


def test_the_command_signs_and_says_so(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    happen(2)
    call_command("sign_audit_head")
    assert capsys.readouterr().out == f"Signed event 2 with key {read_heads()[0].kid}.\n"


def test_lines_that_are_written_at_once_follow_each_other(file: Path) -> None:
    happen(1)

    def sign() -> None:
        try:
            for _ in range(5):
                sign_head()
        finally:
            connection.close()

    signers = [threading.Thread(target=sign) for _ in range(4)]
    for signer in signers:
        signer.start()
    for signer in signers:
        signer.join()
    assert len(read_heads()) == 20
    assert broken_link(read_heads()) is None


def test_a_line_that_a_crash_cut_off_was_never_written(file: Path) -> None:
    happen(1)
    first = sign_head()
    with file.open("a") as torn:
        torn.write(first.line()[:40])
    assert read_heads() == [first]
    assert last_head() is None or last_head() == first
    second = sign_head()
    assert read_heads() == [first, second]
    assert broken_link(read_heads()) is None


def test_a_last_line_without_its_end_counts(file: Path) -> None:
    """As an editor or a copy may leave it."""
    happen(1)
    first = sign_head()
    file.write_text(file.read_text().rstrip("\n"))
    assert read_heads() == [first]
    assert broken_link([first, sign_head()]) is None
    assert len(read_heads()) == 2


def test_blank_lines_at_the_end_change_nothing(file: Path) -> None:
    happen(1)
    first = sign_head()
    with file.open("a") as edited:
        edited.write("\n \n")
    assert last_head() == first
    assert broken_link([first, sign_head()]) is None
    assert len(read_heads()) == 2


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        "[]",
        "{}",
        '{"seq": 1}',
        '{"seq": [1], "hash": "", "at": "", "kind": "", "prev": "", "kid": "", "sig": ""}',
    ],
)
def test_a_line_that_is_no_head_is_said(line: str, file: Path) -> None:
    file.write_text(line + "\n")
    with pytest.raises(HeadsUnavailable, match="holds a line that is not a signed head"):
        read_heads()
    with pytest.raises(CommandError, match="holds a line that is not a signed head"):
        call_command("sign_audit_head")
    with pytest.raises(CommandError, match="holds a line that is not a signed head"):
        call_command("verify_audit")
    assert file.read_text() == line + "\n"


def test_a_file_that_cannot_be_written_is_said(house: House, settings: Any, tmp_path: Path) -> None:
    (tmp_path / "a-file").write_text("")
    for place in (tmp_path, tmp_path / "a-file" / "heads.jsonl"):
        settings.AUDIT_HEADS = str(place)
        with pytest.raises(CommandError, match="AUDIT_HEADS cannot be written"):
            call_command("sign_audit_head")


def test_a_full_disk_is_said_and_leaves_a_file_that_goes_on(file: Path) -> None:
    happen(1)
    sign_head()
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 50, unlimited[1]))  # room for a part of a line
    try:
        with pytest.raises(HeadsUnavailable, match=r"AUDIT_HEADS cannot be written \(File too large\)"):
            sign_head()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert verify_trail().problem is None
    sign_head()
    assert len(read_heads()) == 2
    assert broken_link(read_heads()) is None


# --- a command -------------------------------------------------------------------------------------------------------


def test_a_command_gets_each_line_on_its_standard_input(house: House, settings: Any, tmp_path: Path) -> None:
    shipped = tmp_path / "shipped"
    ship_to(settings, f"cat >> {shipped}", tmp_path)
    happen(1)
    heads = [sign_head(), sign_head()]
    assert read_heads(shipped) == read_heads() == heads
    call_command("verify_audit", "--heads", str(shipped))


def test_lines_that_did_not_get_through_are_sent_again(house: House, settings: Any, tmp_path: Path) -> None:
    shipped, way_is_free = tmp_path / "shipped", tmp_path / "free"
    ship_to(settings, f"test -e {way_is_free} && cat >> {shipped}", tmp_path)
    happen(1)
    for _ in range(2):
        with pytest.raises(HeadsUnavailable, match=r"the command of AUDIT_HEADS failed \(CalledProcessError\)"):
            sign_head()
    assert not shipped.exists()
    way_is_free.touch()
    sign_head()
    assert len(read_heads(shipped)) == 3
    assert broken_link(read_heads(shipped)) is None
    sign_head()
    assert len(shipped.read_text().splitlines()) == 4, "what got through is not sent again"


def test_a_line_that_arrived_twice_counts_once(house: House, settings: Any, tmp_path: Path) -> None:
    """The command did its work and then failed: nobody can know, so the line is sent again."""
    shipped, healthy = tmp_path / "shipped", tmp_path / "healthy"
    ship_to(settings, f"cat >> {shipped}; test -e {healthy}", tmp_path)
    happen(1)
    with pytest.raises(HeadsUnavailable):
        sign_head()
    healthy.touch()
    sign_head()
    assert len(shipped.read_text().splitlines()) == 3
    assert len(read_heads(shipped)) == 2
    assert broken_link(read_heads(shipped)) is None


def test_what_did_not_get_through_is_sent_again_while_nothing_happens(
    house: House, settings: Any, tmp_path: Path
) -> None:
    shipped, way_is_free = tmp_path / "shipped", tmp_path / "free"
    ship_to(settings, f"test -e {way_is_free} && cat >> {shipped}", tmp_path)
    happen(1)
    with pytest.raises(HeadsUnavailable):
        tasks.sign(0)
    way_is_free.touch()
    tasks.sign(0)
    assert [head.seq for head in read_heads(shipped)] == [1]
    way_is_free.unlink()
    tasks.sign(0)  # nothing is left to be sent: nobody is called


def test_after_the_copy_became_shorter_new_lines_still_get_through(house: House, settings: Any, tmp_path: Path) -> None:
    """Somebody took the file away, or put an older one in its place, and the number of what was sent stayed."""
    shipped = tmp_path / "shipped"
    ship_to(settings, f"cat >> {shipped}", tmp_path)
    for _ in range(3):
        happen(1)
        sign_head()
    heads_path().unlink()
    happen(1)
    newest = sign_head()
    assert shipped.read_text().splitlines()[-1] == newest.line()


def test_the_trail_of_a_database_that_was_restored_is_signed_too(house: House, file: Path) -> None:
    """Its numbers begin again below the last one that was signed."""
    happen(3)
    tasks.sign(0)
    house.use(OWNER)
    Forger(file).rewrite(lambda rows: rows[:1])
    house.use(APP)
    happen(1)
    tasks.sign(0)
    assert [head.seq for head in read_heads()] == [3, 2]
    assert read_heads()[-1].hash == Event.objects.get(seq=2).hash
    tasks.sign(0)
    assert len(read_heads()) == 2, "nothing new"


def test_a_command_that_hangs_is_given_up(
    house: House, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memoryportal.audit.heads.SHIP_SECONDS", 0.2)
    ship_to(settings, "exec sleep 20", tmp_path)
    with pytest.raises(HeadsUnavailable, match="TimeoutExpired"):
        sign_head()


# --- keys ------------------------------------------------------------------------------------------------------------


def use_keys_anew() -> None:
    from memoryportal.base import keys

    keys._ring.cache_clear()  # as another process would find the folder


def test_after_a_rotation_old_lines_still_verify(house: House, settings: Any) -> None:
    happen(1)
    old = sign_head()
    new_id = add_key(Path(settings.KEY_DIR), 60)
    use_keys_anew()
    happen(1)
    new = sign_head()
    assert new.kid == new_id != old.kid
    verdict = verify_trail()
    assert (verdict.problem, verdict.heads) == (None, 2)


def test_without_the_old_key_its_lines_do_not_verify(house: House, settings: Any) -> None:
    happen(1)
    sign_head()
    for pem in Path(settings.KEY_DIR).iterdir():
        pem.rename(pem.with_suffix(".retired"))
    use_keys_anew()
    assert "line 1 of the signed heads was replaced, removed or not signed by us" in str(verify_trail().problem)


def test_a_head_signed_with_a_key_of_ones_own_is_not_ours(house: House, settings: Any, tmp_path: Path) -> None:
    happen(1)
    ours = settings.KEY_DIR
    settings.KEY_DIR = tmp_path / "own"
    sign_head()
    settings.KEY_DIR = ours
    assert "line 1 of the signed heads" in str(verify_trail().problem)


def test_a_signature_for_another_purpose_is_no_head(house: House, file: Path) -> None:
    happen(1)
    head = sign_head()
    signature = key_ring().sign("receipt", head.signed())
    file.write_text(json.dumps(json.loads(head.line()) | {"sig": signature.value}) + "\n")
    assert "line 1 of the signed heads" in str(verify_trail().problem)
