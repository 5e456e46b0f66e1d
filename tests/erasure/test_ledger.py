"""The erasure ledger: nothing in it can be changed unseen, a crash costs no line, and a restore is noticed."""

import json
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from memoryportal.base.databases import PROJECT_DIR
from memoryportal.base.readiness import NotReady
from memoryportal.erasure import ledger, ledger_file
from memoryportal.erasure.ledger import LedgerBroken, LedgerUnavailable, Line
from memoryportal.erasure.ledger_mark import LedgerMark
from memoryportal.erasure.models import Erasure, Scope
from memoryportal.erasure.states import BEGUN, ERASED, State
from memoryportal.memory import SubjectId

from .making import an_erasure

pytestmark = pytest.mark.django_db


@pytest.fixture
def file(tmp_path: Path, settings: Any) -> Path:
    settings.ERASURE_LEDGER = str(tmp_path / "ledger" / "erasures.jsonl")
    settings.KEY_DIR = tmp_path / "keys"
    return Path(settings.ERASURE_LEDGER)


def some(*subjects: str, **about: Any) -> Erasure:
    """A request that is not saved."""
    return Erasure(subjects=[*subjects], **about)


def written(count: int) -> list[Line]:
    return [ledger.append("erased", some("alice", f"u_{number}"), State.COMPLETED) for number in range(count)]


# --- lines ------------------------------------------------------------------------------------------------------------


def test_a_line_says_what_was_erased_and_names_nobody(file: Path) -> None:
    erasure = some("alice", "u_alice", scope=Scope.ASSISTANT, agent="travel_planner", keep_never=True)
    line = ledger.append("erased", erasure, State.COMPLETED_WITH_EXCEPTIONS)
    (read,) = ledger.read()
    assert read == line
    assert (line.n, line.kind, line.reference, line.agent) == (1, "erased", erasure.reference, "travel_planner")
    assert (line.scope, line.keep_never, line.state) == ("assistant", True, "completed-with-exceptions")
    assert line.subjects == sorted([ledger.name_of("alice"), ledger.name_of("u_alice")])
    assert "alice" not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


def test_names_differ_with_the_key_and_with_the_subject(file: Path, settings: Any, tmp_path: Path) -> None:
    first = ledger.name_of("alice")
    assert first != ledger.name_of("Alice")
    assert first == ledger.name_of("alice")
    settings.KEY_DIR = tmp_path / "others"
    assert first != ledger.name_of("alice")


def test_the_key_is_kept_beside_the_signing_keys(file: Path, settings: Any) -> None:
    written(1)
    (key,) = settings.KEY_DIR.iterdir()
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.read_text().strip() not in file.read_text()


def test_each_line_names_the_one_before(file: Path) -> None:
    lines = written(3)
    assert [line.n for line in lines] == [1, 2, 3]
    assert [line.prev for line in lines] == [ledger_file.START, lines[0].digest, lines[1].digest]
    assert list(ledger.read()) == lines
    assert ledger_file.last_line() == lines[-1]
    assert ledger_file.after(1, lines[0].digest) == lines[1:]
    assert ledger_file.after(3, lines[2].digest) == []


def test_without_a_file_there_are_no_lines(file: Path) -> None:
    assert list(ledger.read()) == []
    assert ledger_file.last_line() is None
    assert ledger_file.after(0, ledger_file.START) == []
    assert not file.exists()


def test_another_kind_of_line_is_refused(file: Path) -> None:
    with pytest.raises(ValueError, match="no lines of the kind 'forgotten'"):
        ledger.append("forgotten", some("alice"), "")
    assert list(ledger.read()) == []


def test_writers_at_once_make_one_chain(file: Path, settings: Any) -> None:
    """Processes of their own, as workers are."""
    code = (
        "import sys, django; django.setup()\n"
        "from django.conf import settings\n"
        "settings.ERASURE_LEDGER, settings.KEY_DIR = sys.argv[1:]\n"
        "from memoryportal.erasure import ledger\n"
        "from memoryportal.erasure.models import Erasure\n"
        "for number in range(20): ledger.append('erased', Erasure(subjects=['alice']), 'completed')\n"
    )
    command = [sys.executable, "-c", code, str(file), str(settings.KEY_DIR)]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    workers = [subprocess.Popen(command, cwd=PROJECT_DIR, env=environment) for _ in range(3)]
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0, 0]
    assert [line.n for line in ledger.read()] == [*range(1, 61)]


# --- what was altered -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A ledger of three lines that examples copy from."""
    from django.test import override_settings

    folder = tmp_path_factory.mktemp("ledger")
    with override_settings(ERASURE_LEDGER=str(folder / "ledger.jsonl"), KEY_DIR=folder / "keys"):
        written(3)
        yield folder / "ledger.jsonl"


@given(data=st.data())
@hypothesis(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_altered_byte_is_detected(three: Path, tmp_path: Path, settings: Any, data: Any) -> None:
    whole = three.read_bytes()
    content = bytearray(whole)
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] = data.draw(st.integers(0, 255).filter(lambda byte: byte != content[at]))
    settings.KEY_DIR, settings.ERASURE_LEDGER = three.parent / "keys", str(tmp_path / "altered.jsonl")
    Path(settings.ERASURE_LEDGER).write_bytes(content)
    with pytest.raises(LedgerBroken) as broken:
        list(ledger.read())
    assert f"ine {whole[:at].count(10) + 1} of the erasure ledger" in str(broken.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: [lines[0], lines[2]], "Line 2 of the erasure ledger does not follow the line before it"),
        (lambda lines: lines[1:], "Line 1 of the erasure ledger does not follow"),
        (lambda lines: [lines[1], lines[0], lines[2]], "Line 1 of the erasure ledger does not follow"),
        (lambda lines: [lines[0], lines[0], lines[1]], "Line 2 of the erasure ledger does not follow"),
        (lambda lines: [lines[0], "", lines[1]], "Line 2 of the erasure ledger is not as it was written"),
        (lambda lines: [lines[0], " " + lines[1]], "Line 2 of the erasure ledger is not as it was written"),
        (lambda lines: [lines[0], json.dumps(json.loads(lines[1]))], "Line 2 of the erasure ledger is not as it was"),
        (lambda lines: [lines[0], "{}"], "Line 2 of the erasure ledger is not as it was written"),
        (lambda lines: [lines[0], "[" * 100_000], "Line 2 of the erasure ledger is not as it was written"),
    ],
)
def test_lines_that_were_cut_out_moved_or_rewritten_are_named(file: Path, change: Any, said: str) -> None:
    written(3)
    file.write_text("\n".join(change(file.read_text().splitlines())) + "\n")
    with pytest.raises(LedgerBroken, match=said):
        list(ledger.read())


def test_a_line_under_another_key_is_not_ours(file: Path, settings: Any, tmp_path: Path) -> None:
    written(1)
    settings.KEY_DIR = tmp_path / "others"
    for act in (lambda: list(ledger.read()), ledger_file.last_line, lambda: written(1)):
        with pytest.raises(LedgerBroken, match="or its key in KEY_DIR is another one"):
            act()
    assert file.read_text().count("\n") == 1


def test_nothing_is_written_behind_a_line_that_was_altered(file: Path) -> None:
    written(2)
    spoilt = file.read_bytes().replace(b'"n":2', b'"n":3')
    file.write_bytes(spoilt)
    with pytest.raises(LedgerBroken, match="The last line of the erasure ledger is not as it was written"):
        written(1)
    assert file.read_bytes() == spoilt


# --- crashes ----------------------------------------------------------------------------------------------------------


def test_a_crash_at_any_byte_of_a_write_costs_no_line(file: Path) -> None:
    """All the places where a write of one line can be cut off, but for the end of line, which a line may lack."""
    kept = written(2)
    before = file.read_bytes()
    cut = written(1)[0]
    whole = file.read_bytes()
    for length in range(len(before) + 1, len(whole)):
        file.write_bytes(whole[:length])
        torn = length < len(whole) - 1
        assert list(ledger.read()) == (kept if torn else [*kept, cut])
        added = written(1)[0]
        assert (added.n, added.mended) == ((3, length - len(before)) if torn else (4, 0))
        assert list(ledger.read()) == ([*kept, added] if torn else [*kept, cut, added])


def test_the_very_first_line_can_be_torn_too(file: Path) -> None:
    written(1)
    file.write_bytes(file.read_bytes()[:40])
    assert list(ledger.read()) == []
    (line,) = written(1)
    assert (line.n, line.mended) == (1, 40)
    assert list(ledger.read()) == [line]


def test_zeros_that_a_crash_left_are_mended(file: Path) -> None:
    (first,) = written(1)
    with file.open("ab") as crashed:
        crashed.write(b"\0" * 300)
    assert list(ledger.read()) == [first]
    (second,) = written(1)
    assert (second.n, second.mended) == (2, 300)


def test_a_line_longer_than_the_first_look_is_found(file: Path) -> None:
    many = ledger.append("erased", some(*(f"u_{number}" for number in range(1500))), State.COMPLETED)
    assert len(many.written()) > 64 * 1024
    assert ledger_file.last_line() == many
    (next_,) = written(1)
    assert list(ledger.read()) == [many, next_]


# --- trouble ----------------------------------------------------------------------------------------------------------


def test_a_full_disk_is_said_and_leaves_the_lines_whole(file: Path) -> None:
    (first,) = written(1)
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 50, unlimited[1]))
    try:
        with pytest.raises(LedgerUnavailable, match=r"ERASURE_LEDGER cannot be written \(No space left on device\)"):
            written(1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert file.read_bytes() == first.written() + b"\n"
    assert written(1)[0].mended == 0


def test_a_place_that_cannot_be_written_is_said(file: Path, settings: Any, tmp_path: Path) -> None:
    (tmp_path / "a-file").write_text("")
    for place in (tmp_path, tmp_path / "a-file" / "ledger.jsonl"):
        settings.ERASURE_LEDGER = str(place)
        with pytest.raises(LedgerUnavailable, match="ERASURE_LEDGER cannot be written"):
            written(1)
        with pytest.raises(LedgerUnavailable, match="ERASURE_LEDGER cannot be read"):
            list(ledger.read())
    assert LedgerUnavailable.status_code == 503


def test_trouble_with_the_key_is_trouble_with_the_ledger(file: Path, settings: Any, tmp_path: Path) -> None:
    (tmp_path / "spoilt").mkdir()
    (tmp_path / "spoilt" / "secret.key").write_text("no key")
    settings.KEY_DIR = tmp_path / "spoilt"
    with pytest.raises(LedgerUnavailable, match=r"secret\.key in KEY_DIR"):
        written(1)
    assert list(ledger.read()) == []


# --- what a database knows --------------------------------------------------------------------------------------------


def ending(state: str = State.COMPLETED, mark: bool = True) -> Erasure:
    """A request that ends as the engine does it: the line first, then state and mark."""
    erasure = an_erasure("alice", state="verifying")
    ledger.append("erased", erasure, state)
    with transaction.atomic():
        Erasure.objects.filter(pk=erasure.pk).update(state=state)
        if mark:
            ledger.mark(erasure)
    return erasure


def is_ready() -> bool:
    try:
        ledger.probe()
    except NotReady:
        return False
    return True


def test_a_database_that_ended_its_erasures_is_ready(file: Path) -> None:
    assert is_ready()
    ending()
    ending(State.COMPLETED_WITH_EXCEPTIONS)
    assert (ledger.marked().number, ledger.unknown()) == (2, [])
    assert is_ready()


def test_one_that_was_restored_to_before_an_erasure_is_not(file: Path) -> None:
    ending()
    with transaction.atomic():
        before = transaction.savepoint()
        ending()
        ending()
        transaction.savepoint_rollback(before)  # what a restore does, for this purpose
    assert [line.n for line in ledger.unknown()] == [2, 3]
    assert not is_ready()
    ledger.know_all()
    assert ledger.marked().number == 3
    assert is_ready()


def test_erasing_something_else_does_not_hide_the_gap(file: Path) -> None:
    with transaction.atomic():
        before = transaction.savepoint()
        ending()
        transaction.savepoint_rollback(before)
    ending()
    ledger.note("paused", [SubjectId("bob")])
    assert [line.n for line in ledger.unknown()] == [1, 3], "the second is known by its request, the mark has not moved"
    assert ledger.marked().number == 0
    assert not is_ready()


@pytest.mark.parametrize("state", sorted(set(State.values) - {"received"}))
def test_a_line_excuses_only_requests_behind_the_gate_and_those_that_were_erased(file: Path, state: str) -> None:
    """A worker that was killed between the line and the end goes on; a request on hold would not."""
    erasure = an_erasure("alice", state=state)
    ledger.append("erased", erasure, State.COMPLETED)
    assert is_ready() == (state in BEGUN | ERASED)


def test_a_crash_between_line_and_end_heals_with_the_next_try(file: Path) -> None:
    erasure = an_erasure("alice", state="verifying")
    ledger.append("erased", erasure, State.COMPLETED)
    assert (ledger.marked().number, is_ready()) == (0, True)
    ledger.append("erased", erasure, State.COMPLETED)
    with transaction.atomic():
        Erasure.objects.filter(pk=erasure.pk).update(state=State.COMPLETED)
        ledger.mark(erasure)
    assert (ledger.marked().number, is_ready()) == (2, True)


def test_requests_that_end_at_once_in_another_order_than_their_lines(file: Path) -> None:
    first, second = an_erasure("alice", state="verifying"), an_erasure("bob", state="verifying")
    for erasure in (first, second):
        ledger.append("erased", erasure, State.COMPLETED)
    for erasure in (second, first):
        with transaction.atomic():
            Erasure.objects.filter(pk=erasure.pk).update(state=State.COMPLETED)
            ledger.mark(erasure)
        assert is_ready()
    assert ledger.marked().number == 2


def test_a_request_that_was_pruned_is_still_known(file: Path) -> None:
    ending().delete()
    assert is_ready()


def test_a_pause_is_a_line_of_its_own_and_known_at_once(file: Path) -> None:
    line = ledger.note("paused", [SubjectId("alice"), SubjectId("alice")], agent="cook")
    assert (line.kind, line.subjects, line.agent, line.reference) == ("paused", [ledger.name_of("alice")], "cook", "")
    assert ledger.marked().number == 1
    assert is_ready()
    LedgerMark.objects.all().delete()
    assert not is_ready()


@pytest.mark.parametrize("cut", [1, 2])
def test_a_ledger_that_lost_lines_is_noticed_by_the_database(file: Path, cut: int) -> None:
    ending()
    ending()
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-cut]))
    with pytest.raises(LedgerBroken, match=rf"ends at line {2 - cut}, but there was a line 2"):
        ledger.probe()
    file.unlink()
    with pytest.raises(LedgerBroken, match="ends at line 0, but there was a line 2"):
        ledger.probe()


def test_a_ledger_of_another_portal_is_noticed(file: Path) -> None:
    ending()
    file.unlink()
    written(2)
    for length in (1, 2):
        file.write_text("".join(file.read_text().splitlines(keepends=True)[:length]))
        with pytest.raises(LedgerBroken, match="Line 1 of the erasure ledger is not the one that this database knows"):
            ledger.probe()


def test_writing_the_mark_is_part_of_the_transaction(file: Path) -> None:
    erasure = an_erasure("alice", state="verifying")
    ledger.append("erased", erasure, State.COMPLETED)
    with transaction.atomic():
        ledger.mark(erasure)
        transaction.set_rollback(True)
    assert ledger.marked().number == 0


@pytest.mark.django_db(transaction=True)
def test_a_pause_that_is_being_noted_is_no_restore(file: Path) -> None:
    """The probe sees the line before the mark is committed, and waits for the writer."""
    ledger.note("paused", [SubjectId("bob")])
    answers: list[bool] = []

    def ask() -> None:
        try:
            answers.append(is_ready())
        finally:
            connection.close()

    with ledger_file.held() as open_file:
        line = ledger_file.write(
            open_file, kind="paused", reference="", at="", subjects=[], agent="", scope="", keep_never=False, state=""
        )
        asking = threading.Thread(target=ask)
        asking.start()
        asking.join(timeout=0.3)
        assert asking.is_alive(), "it has seen the line and waits"
        LedgerMark.objects.update(number=line.n, digest=line.digest)
    asking.join(timeout=10)
    assert answers == [True]


def test_readyz_names_the_part(file: Path, client: Client) -> None:
    from memoryportal.base import readiness

    readiness.register("erasures", ledger.probe)  # as the room does at start-up
    assert client.get("/readyz").status_code == 200
    written(1)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.content) == (503, b"not ready: erasures\n")
    file.write_text("spoilt\n")
    assert client.get("/readyz").status_code == 503
