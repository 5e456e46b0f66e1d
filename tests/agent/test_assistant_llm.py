"""The language model behind mem0's configuration: every call ends, and only words that can be shown come back."""

import gzip
import json
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from memoryportal.memory import llm
from memoryportal.memory.configuration import configuration
from memoryportal.memory.llm import MOST_BYTES, MOST_SAID, NoAnswer, answer, plain

from . import llm_server as wild
from .llm_server import LlmServer

SECRET = "quillwort-7741"
pytestmark = pytest.mark.django_db


@pytest.fixture
def server(settings: Any) -> Iterator[LlmServer]:
    with wild.running() as running:
        settings.LLM_TIMEOUT_SECONDS = 1.0
        settings.MEM0_CONFIG = running.config(embedder=False)
        yield running


def ask(text: str = SECRET) -> str:
    return answer("You are kind.", [{"role": "user", "content": text}]).text


def test_it_is_asked_once_with_what_it_is_told(server: LlmServer) -> None:
    server.says = lambda asked: " Hello\r\nthere.\x00 "
    assert ask("hi") == "Hello\nthere."
    (asked,) = server.asked
    sent = json.loads(asked.body.rpartition("\n")[2])
    assert sent["messages"] == [{"role": "system", "content": "You are kind."}, {"role": "user", "content": "hi"}]
    assert "tools" not in sent


def test_without_an_llm_block_there_is_nobody_to_talk_to() -> None:
    assert not llm.talks()
    assert not llm.extracts()
    with pytest.raises(NoAnswer):
        ask()


def test_the_platform_extracts_and_does_not_talk(settings: Any) -> None:
    settings.MEM0_API_KEY, settings.MEM0_HOST = "m0-key", "http://127.0.0.1:9"
    assert llm.extracts()
    assert not llm.talks()


ODD = {
    "html": (wild.sending(b"<html><script>alert(1)</script>", kind="text/html"), "unusable"),
    "no json": (wild.sending(b"{'choices': "), "unusable"),
    "binary": (wild.sending(bytes(range(256)) * 10), "unusable"),
    "empty": (wild.sending(b""), "unusable"),
    "a list": (wild.sending(b"[1, 2]"), "unusable"),
    "no choices": (wild.sending(b'{"choices": []}'), "unusable"),
    "null choices": (wild.sending(b'{"choices": null}'), "unusable"),
    "no message": (wild.sending(b'{"choices": [{}]}'), "unusable"),
    "null content": (wild.saying({"role": "assistant", "content": None}), "unusable"),
    "a tool call": (wild.saying({"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}), "unusable"),
    "a number": (wild.saying({"role": "assistant", "content": 5}), "unusable"),
    "parts": (wild.saying({"role": "assistant", "content": [{"type": "text", "text": "x"}]}), "unusable"),
    "nothing to see": (wild.saying({"role": "assistant", "content": " \x00\u200b\n"}), "unusable"),
    "deep": (wild.sending(b"[" * 200_000), "unusable"),
    "huge": (wild.sending(b" " * (MOST_BYTES + 1)), "unusable"),
    "endless": (wild.endless, "unusable"),
    "silent": (wild.silent(3), "slow"),
    "dripping": (wild.dripping, "slow or unusable"),
    "dripping headers": (wild.dripping_headers, "slow"),
    "hanging up": (wild.hanging_up, "unreachable"),
    "an error": (wild.sending(json.dumps({"error": {"message": f"no: {SECRET}"}}).encode(), 500), "refused"),
    "no money": (wild.sending(b"{}", 429), "refused"),
    "elsewhere": (wild.sending(b"", 307), "refused"),
}


@pytest.mark.parametrize("kind", ODD)
def test_what_it_does_instead_of_answering_ends_in_time_and_in_words(
    server: LlmServer, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.wild, why = ODD[kind]
    began = time.monotonic()
    with pytest.raises(NoAnswer) as failure:
        ask()
    assert time.monotonic() - began < 2.5
    assert failure.value.why in why
    assert len(server.asked) == 1, "it is not asked again"
    assert SECRET not in str(failure.value) + repr(failure.value.__cause__) + repr(failure.value.__context__)
    assert SECRET not in caplog.text
    server.wild = None
    assert ask("all is well") == "You are kind.\nall is well", "and the next call is not harmed"


def test_nobody_there(settings: Any, server: LlmServer) -> None:
    settings.MEM0_CONFIG = server.config(embedder=False).replace(server.url, f"http://127.0.0.1:{wild.closed_port()}")
    with pytest.raises(NoAnswer) as failure:
        ask()
    assert failure.value.why == "unreachable"


def test_no_redirect_takes_the_prompt_elsewhere(server: LlmServer) -> None:
    def away(to: Any) -> None:
        to.send_response(307)
        to.send_header("Location", f"{server.url}/elsewhere")
        to.send_header("Content-Length", "0")
        to.end_headers()

    server.wild = away
    with pytest.raises(NoAnswer):
        ask()
    assert len(server.asked) == 1


def test_a_small_parcel_that_unpacks_to_much_is_refused(server: LlmServer) -> None:
    def packed(to: Any) -> None:
        body = gzip.compress(b" " * 50_000_000)
        to.send_response(200)
        to.send_header("Content-Type", "application/json")
        to.send_header("Content-Encoding", "gzip")
        to.send_header("Content-Length", str(len(body)))
        to.end_headers()
        to.wfile.write(body)

    server.wild = packed
    with pytest.raises(NoAnswer) as failure:
        ask()
    assert failure.value.why == "unusable"


def test_a_key_that_is_missing_is_a_refusal_and_no_crash(settings: Any, server: LlmServer) -> None:
    settings.MEM0_CONFIG = server.config(embedder=False).replace('"api_key": "dummy"', '"api_key": ""')
    with pytest.raises(NoAnswer) as failure:
        ask()
    assert failure.value.why == "refused"


def test_calls_that_never_end_do_not_pile_up(server: LlmServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llm, "_calls", threading.BoundedSemaphore(2))
    server.wild = wild.dripping_headers
    for _ in range(2):
        with pytest.raises(NoAnswer):
            ask()
    began = time.monotonic()
    with pytest.raises(NoAnswer) as failure:
        ask()
    assert failure.value.why == "busy"
    assert time.monotonic() - began < 0.5


def test_a_long_answer_is_cut_and_says_so() -> None:
    said = plain("a" * (MOST_SAID + 1))
    assert (len(said.text), said.cut) == (MOST_SAID, True)
    assert plain("a" * MOST_SAID).cut is False


@pytest.mark.parametrize("text", ["<b>bold</b>", "**bold**", "[x](http://e.org)", "\u202eevil", "日本語 🙂"])
def test_markup_and_scripts_stay_what_they_are(text: str) -> None:
    assert plain(text).text == text


@pytest.mark.parametrize(
    "answered",
    [
        json.dumps({"memory": [{"text": f"fact {number}"} for number in range(101)]}),
        json.dumps({"memory": [{"text": "x" * 50_000}]}),
    ],
    ids=["a hundred and one facts", "one endless fact"],
)
def test_an_extraction_that_floods_is_refused_whole(server: LlmServer, answered: str) -> None:
    server.wild = wild.saying({"role": "assistant", "content": answered})
    model = llm.language_model(configuration())
    assert model is not None
    with pytest.raises(NoAnswer):
        model.generate_response([{"role": "user", "content": "x"}], response_format={"type": "json_object"})
