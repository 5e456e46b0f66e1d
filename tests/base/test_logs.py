"""What reaches a log: types, codes and places; never the text of an exception, a row or a forged line."""

import logging
import sys
from io import StringIO

import psycopg
import pytest

from memoryportal.base.logs import ContentFree, LineFormatter

CANARY = "canary-2342 was diagnosed"


@pytest.fixture
def log() -> tuple[logging.Logger, StringIO]:
    written = StringIO()
    handler = logging.StreamHandler(written)
    handler.addFilter(ContentFree())
    handler.setFormatter(LineFormatter())
    logger = logging.getLogger("memoryportal.tests.logs")
    logger.handlers, logger.propagate = [handler], False
    return logger, written


def fail() -> None:
    try:
        raise KeyError(CANARY)
    except KeyError as error:
        raise ValueError(f"bad text: {CANARY}") from error


def test_exception_is_logged_by_type_and_place(log: tuple[logging.Logger, StringIO]) -> None:
    logger, written = log
    try:
        fail()
    except ValueError:
        logger.exception("it failed")
    line = written.getvalue()
    assert CANARY not in line
    assert "it failed | ValueError at " in line
    assert "/tests/base/test_logs.py:" in line
    assert "<- KeyError at" in line
    assert line.count("\n") == 1


def test_exception_as_an_argument_or_message_loses_its_text(log: tuple[logging.Logger, StringIO]) -> None:
    logger, written = log
    logger.error("refused: %s", ValueError(CANARY))
    logger.error("refused: %(error)s", {"error": ValueError(CANARY)})
    logger.error(ValueError(CANARY))
    assert CANARY not in written.getvalue()
    assert written.getvalue().count("ValueError") == 3


def test_detail_of_a_refused_row_is_cut(log: tuple[logging.Logger, StringIO]) -> None:
    logger, written = log
    error = psycopg.errors.CheckViolation(f"violates check\nDETAIL:  Failing row contains (1, {CANARY}).")
    logger.error(f"insert failed: {error}")  # noqa: G004 - somebody will
    line = written.getvalue()
    assert "insert failed: violates check …" in line
    assert CANARY not in line


@pytest.mark.parametrize("separator", ["\n", "\r\n", "\x85", "\u2028", "\x0b", "\x1b[2K\r"])
def test_a_line_cannot_be_forged(log: tuple[logging.Logger, StringIO], separator: str) -> None:
    logger, written = log
    forged = f"harmless{separator}2030-01-01T00:00:00.000Z INFO audit: all is well"
    logger.warning("not found: %s", forged)
    assert len(written.getvalue().splitlines()) == 1
    assert "\x1b" not in written.getvalue()


def test_form_of_a_line(log: tuple[logging.Logger, StringIO]) -> None:
    logger, written = log
    logger.warning("%d of %s", 3, "ü")
    stamp, level, name, *words = written.getvalue().split()
    assert stamp.endswith("Z")
    assert stamp[10] == "T"
    assert (level, name, words) == ("WARNING", "memoryportal.tests.logs:", ["3", "of", "ü"])


def test_the_configured_handler_is_content_free() -> None:
    """The root handler of the settings, not one that a test made."""
    handlers = [handler for handler in logging.getLogger().handlers if getattr(handler, "stream", None) is not None]
    ours = [handler for handler in handlers if any(isinstance(filter_, ContentFree) for filter_ in handler.filters)]
    assert ours
    assert all(isinstance(handler.formatter, LineFormatter) for handler in ours)


def test_stack_of_a_chain_without_traceback(log: tuple[logging.Logger, StringIO]) -> None:
    logger, written = log
    logger.error("x", exc_info=psycopg.errors.UniqueViolation(CANARY))
    assert "psycopg.errors.UniqueViolation[23505]" in written.getvalue()
    assert CANARY not in written.getvalue()
    assert sys.exc_info() == (None, None, None)


def test_links_of_mails_are_logged_without_their_token(log: tuple[logging.Logger, StringIO]) -> None:
    logger, written = log
    token, known = "rC3m_" * 8 + "x-9", "5b0c2f1e-0000-4000-8000-000000000001"
    logger.warning("Method Not Allowed (POST): %s", f"/requests/link/{token}/")
    logger.warning("Not Found: /settings/address/MTc:1abc:%s/cancel/ and /erasure/%s/", token, known)
    assert token not in written.getvalue()
    assert "/requests/link/(token)/" in written.getvalue()
    assert "/settings/address/(token)/cancel/" in written.getvalue()
    assert f"/erasure/{known}/" in written.getvalue()
