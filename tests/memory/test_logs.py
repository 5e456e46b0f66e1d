"""A text that is remembered stands in no log record of any logger, at any level, whatever goes wrong."""

import logging
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from memoryportal.memory import MemoryRoomError, ScopedMemory, controls
from memoryportal.memory.prepare import prepare_store
from memoryportal.memory.rows import FOREIGN_ROWS, recheck
from memoryportal.memory.stores import current_store

from ..proxy import Proxy
from .calls import CALLS, CANARY, CHANGES, fill, rows_repeated_in_errors
from .model_server import ModelServer
from .planted import Superuser, payload


class Listener(logging.Handler):
    """Keeps everything that is logged, as a formatter and as an error collector would print it."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        said = [record.getMessage(), repr(record.args), repr(record.msg)]
        if record.exc_info and record.exc_info[1] is not None:
            said += _whole_chain(record.exc_info[1])
        self.lines.append(f"{record.name}: {' '.join(said)}")


def _whole_chain(error: BaseException) -> list[str]:
    """Suppressed contexts too: collectors print them."""
    said = traceback.format_exception(error, chain=True)
    for other in (error.__cause__, error.__context__):
        if other is not None:
            said += _whole_chain(other)
    return said


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """Everything that is logged. Loggers keep the levels that the portal gave them; the root lets everything in."""
    listener, root = Listener(), logging.getLogger()
    deaf = [logger for logger in logging.root.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    loggers = [root, *(logger for logger in deaf if not logger.propagate)]
    level, disabled = root.level, logging.root.manager.disable
    for logger in loggers:
        logger.handlers.insert(0, listener)  # before the portal's own handler, whose filter empties records
    root.setLevel(logging.DEBUG)
    logging.disable(logging.NOTSET)
    yield listener.lines
    root.setLevel(level)
    logging.disable(disabled)
    for logger in loggers:
        logger.removeHandler(listener)


def _assert_nothing_of_it(lines: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert [line for line in lines if CANARY in line] == []
    printed = capfd.readouterr()
    assert CANARY not in printed.out
    assert CANARY not in printed.err


def _try(call: Any) -> None:
    try:
        call()
    except MemoryRoomError:
        logging.getLogger("somebody").exception("a call failed")


def test_the_listener_hears(heard: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """What is looked for below would be found: in messages, arguments, errors and their contexts."""
    try:
        try:
            raise ValueError(CANARY)
        except ValueError:
            raise KeyError("x") from None
    except KeyError:
        logging.getLogger("somebody").debug("quiet", exc_info=True)
    logging.getLogger("somebody.else").debug("said %s", CANARY)
    assert sum(CANARY in line for line in heard) == 2


def test_a_whole_life_leaves_no_word(
    superuser: Superuser, alice: ScopedMemory, heard: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    for call in CALLS.values():
        call(alice, fill(superuser, alice))
        alice.search(CANARY)
        alice.search(CANARY, by="word")
        alice.erase()
        for state in ("paused", "restricted"):
            controls.reopen(current_store(), alice.subject, state)
    alice.add("x", metadata={"topic": CANARY})
    prepare_store()
    _assert_nothing_of_it(heard, capfd)


def test_refusals_leave_no_word(
    superuser: Superuser, alice: ScopedMemory, heard: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    memory_id = fill(superuser, alice)
    long = f"{CANARY} " * 2000
    controls.shut(current_store(), alice.subject, "erasing")
    for call in CALLS.values():
        _try(lambda call=call: call(alice, memory_id))
    controls.reopen(current_store(), alice.subject, "erasing")
    refused: list[Any] = [
        lambda: alice.add(long),
        lambda: alice.add([{"role": CANARY, "content": CANARY}]),
        lambda: alice.add([{"role": "user", "content": f"{CANARY}\0"}]),
        lambda: alice.add("x", metadata={"user_id": CANARY}),
        lambda: alice.add("x", metadata={"a": [CANARY]}),
        lambda: alice.add("x", expires=CANARY),
        lambda: alice.search(long),
        lambda: alice.get(CANARY),
        lambda: alice.update(memory_id, CANARY, expected=CANARY),
        lambda: alice.page(after=CANARY),
    ]
    for call in refused:
        _try(call)
    assert sum("a call failed" in line for line in heard) > len(refused)
    _assert_nothing_of_it(heard, capfd)


def test_a_store_that_fails_leaves_no_word(
    superuser: Superuser, alice: ScopedMemory, proxy: Proxy, heard: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    memory_id = fill(superuser, alice)
    with rows_repeated_in_errors(superuser):
        for name in ("add", "update"):
            _try(lambda name=name: CHANGES[name](alice, memory_id))
    for number in range(2, 12, 3):
        alice.page()
        proxy.cut_before(number)
        _try(lambda: alice.update(memory_id, f"corrected {CANARY}"))
        proxy.forward()
    assert any("a call failed" in line for line in heard)
    _assert_nothing_of_it(heard, capfd)


def test_an_embedder_and_a_model_leave_no_word(
    superuser: Superuser,
    alice: ScopedMemory,
    settings: Any,
    model_server: ModelServer,
    monkeypatch: pytest.MonkeyPatch,
    heard: list[str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    settings.MEM0_CONFIG = model_server.mem0_config()
    monkeypatch.setattr("mem0.memory.main.extract_entities", lambda text: [("PROPER", CANARY)])
    monkeypatch.setattr("mem0.memory.main.extract_entities_batch", lambda texts: [[("PROPER", CANARY)]] * len(texts))
    model_server.facts = [{"text": f"I drink tea with {CANARY}"}]
    item = alice.add(f"about {CANARY}")[0]
    alice.add(f"about {CANARY} again")
    alice.search(CANARY)
    alice.update(item.id, f"corrected {CANARY}")
    for answer in ("no JSON", '{"memory": "%s"}' % CANARY, '{"memory": ["%s"]}' % CANARY):  # noqa: UP031 - JSON has braces
        model_server.raw_answer = answer
        _try(lambda: alice.add(f"about {CANARY}"))
    model_server.chokes_on = {"extract"}
    _try(lambda: alice.add(f"about {CANARY}"))
    model_server.chokes_on = {CANARY}
    for call in (
        lambda: alice.add(f"about {CANARY}", infer=True),
        lambda: alice.add(f"about {CANARY}", infer=False),
        lambda: alice.update(item.id, f"corrected {CANARY} again"),
        lambda: alice.search(CANARY),
    ):
        _try(call)
    assert sum("a call failed" in line for line in heard) >= 5
    _assert_nothing_of_it(heard, capfd)


def test_a_foreign_row_is_reported_without_its_text(
    alice: ScopedMemory, bob: ScopedMemory, heard: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    before = FOREIGN_ROWS.count
    own = payload(alice.subject, "own")
    assert recheck(alice.scope, [("id1", payload(bob.subject, CANARY)), ("id2", own), ("id3", {})]) == [("id2", own)]
    assert FOREIGN_ROWS.count == before + 2
    assert sum("foreign row" in line for line in heard) == 2
    assert not any(str(bob.subject) in line for line in heard)
    _assert_nothing_of_it(heard, capfd)
