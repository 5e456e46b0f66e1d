"""/assistant/ without a language model: it finds, stores word for word, says which, and obeys what is switched."""

import logging
import uuid
from contextlib import ExitStack
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest
from django.test import Client
from django.urls import reverse
from psycopg.conninfo import make_conninfo

from memoryportal.accounts.models import SubjectLink
from memoryportal.agent import assistant_limits
from memoryportal.base.web import sensible_threads
from memoryportal.memory import ScopedMemory, controls
from memoryportal.memory.configuration import configuration
from memoryportal.memory.stores import current_store

from .llm_server import LlmServer, closed_port
from .talking import NAME, PAGE, REGION, Talker, shown, typed, words

pytestmark = pytest.mark.django_db
NOTHING = "I remember nothing about that."


def learned_elsewhere(talker: Talker, text: str, agent: str = "travel_planner", **more: Any) -> str:
    return ScopedMemory(talker.memory.subject, agent=agent).add(text, infer=False, **more)[0].id


# --- finding and storing ---------------------------------------------------------------------------------------------


def test_what_is_told_is_stored_word_for_word_and_found_again(alice_talks: Talker) -> None:
    told = alice_talks.says("I am vegetarian,\r\nand I live in Hamburg.")
    assert told.redirect_chain == [(PAGE + "#latest", 302)]
    assert alice_talks.told() == ["I am vegetarian,\nand I live in Hamburg."]
    (item,) = alice_talks.memory.page().items
    assert (item.agent, item.role) == (NAME, "user")
    assert item.run
    assert item.run.startswith("talk-")
    assert "Remembered: I am vegetarian, and I live in Hamburg." in words(told)
    asked = alice_talks.says("What are my food preferences?")
    assert "What are my food preferences? The assistant I remember: I am vegetarian" in words(asked)
    assert shown(asked) == [item.id, item.id], "made by the first turn, used by the second one"


def test_the_page_says_what_it_does(alice_talks: Talker) -> None:
    page = words(alice_talks.opens())
    assert "There is no language model behind it." in page
    assert "It stores that word for word; what ends with a question mark is only looked up" in page


@pytest.mark.parametrize("text", ["What do I eat?", "何を食べる？", "ماذا آكل؟", "Τι τρώω;", "Really? "])
def test_a_question_is_not_stored(alice_talks: Talker, text: str) -> None:
    said = words(alice_talks.says(text.replace(";", "\N{GREEK QUESTION MARK}")))
    assert alice_talks.told() == []
    assert NOTHING in said
    assert "Not remembered: what ends with a question mark is only looked up." in said


def test_memories_of_every_assistant_are_found_and_the_use_is_noted_under_this_one(alice_talks: Talker) -> None:
    tea = learned_elsewhere(alice_talks, "I am vegetarian.")
    learned_elsewhere(alice_talks, "My dentist is called Doctor Miller.")
    assert shown(alice_talks.says("food preferences?")) == [tea]
    assert [(use.agent, use.times) for use in alice_talks.memory.handed(tea)] == [(NAME, 1)]


def test_expired_memories_are_not_handed_to_it(alice_talks: Talker) -> None:
    expired = learned_elsewhere(alice_talks, "I am vegetarian.", expires=date.today() - timedelta(days=2))
    assert shown(alice_talks.says("food preferences?")) == []
    assert alice_talks.memory.handed(expired) == []
    assert alice_talks.memory.count() == 1


def test_each_memory_can_be_corrected_and_deleted_from_here(alice_talks: Talker) -> None:
    memory_id = learned_elsewhere(alice_talks, "I am vegetarian.")
    page = alice_talks.says("food preferences?").content.decode()
    for name in ("mydata:edit", "mydata:delete"):
        path = f"{reverse(name, args=[memory_id])}?from=assistant"
        assert f'href="{path}"' in page
        assert alice_talks.client.get(path).status_code == 200


def test_five_turns_are_shown_and_no_more(alice_talks: Talker) -> None:
    for number in range(7):
        alice_talks.says(f"Fact number {number}.")
    page = words(alice_talks.opens())
    assert [number for number in range(7) if f"You Fact number {number}." in page] == [2, 3, 4, 5, 6]
    assert len(alice_talks.buffered()) == 10


def test_htmx_gets_the_region_alone(alice_talks: Talker) -> None:
    answer = alice_talks.client.post(PAGE, {"message": "I am vegetarian."}, headers=REGION)
    text = answer.content.decode().lstrip()
    assert answer.status_code == 200
    assert text.startswith('<div id="talk"')
    assert "<html" not in text
    assert "Remembered:" in text
    assert typed(answer) == ""
    assert alice_talks.told() == ["I am vegetarian."]


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "Write something first."), (" \r\n ", "Write something first."), ("x" * 2001, "too long"), ("a\0b", "Null")],
)
@pytest.mark.parametrize("headers", [{}, REGION], ids=["page", "fragment"])
def test_what_cannot_be_used_is_refused_and_stays_in_the_field(
    alice_talks: Talker, text: str, why: str, headers: dict[str, str]
) -> None:
    answer = alice_talks.client.post(PAGE, {"message": text}, headers=headers)
    assert answer.status_code == 422
    assert why in words(answer)
    assert typed(answer) == text
    assert alice_talks.memory.held() == dict.fromkeys(alice_talks.memory.held(), 0)


def test_a_message_as_long_as_may_be(alice_talks: Talker) -> None:
    text = ("a line\r\n" * 400)[:2300].replace("\r\n", "\n")[:2000]
    assert "Remembered:" in words(alice_talks.says(text.replace("\n", "\r\n")))
    assert alice_talks.told() == [text.strip()]


# --- who -------------------------------------------------------------------------------------------------------------


def test_nobody_talks_without_signing_in() -> None:
    for answer in (Client().get(PAGE), Client().post(PAGE), Client().post(f"{PAGE}end/")):
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/accounts/login/")
    assert Client().post(PAGE, {"message": "x"}).status_code == 403  # gives it back: tests/accounts/test_typed.py


def test_no_message_without_the_form_token(alice_talks: Talker) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice_talks.user)
    for path in (PAGE, f"{PAGE}end/"):
        assert strict.post(path, {"message": "I am vegetarian."}).status_code == 403
    assert alice_talks.told() == []


def test_whatever_a_request_names_the_session_says_who_it_is(alice_talks: Talker, bob_talks: Talker) -> None:
    bobs = learned_elsewhere(bob_talks, "I am vegetarian.")
    about_bob = {name: str(bob_talks.memory.subject) for name in ("subject", "user_id", "user", "scope", "run_id")}
    answer = alice_talks.client.post(
        f"{PAGE}?user_id={bob_talks.memory.subject}",
        {"message": "I eat fish, and I am vegetarian.", "agent_id": "travel_planner", **about_bob},
        headers={"X-User-Id": str(bob_talks.memory.subject)},
        follow=True,
    )
    assert bobs not in answer.content.decode()
    assert bob_talks.told() == ["I am vegetarian."]
    assert bob_talks.memory.handed() == []
    assert alice_talks.told() == ["I eat fish, and I am vegetarian."]


def test_each_session_has_a_conversation_of_its_own(alice_talks: Talker) -> None:
    alice_talks.says("I am vegetarian.")
    elsewhere = Client()
    elsewhere.force_login(alice_talks.user)
    assert "I am vegetarian." not in words(elsewhere.get(PAGE))
    elsewhere.post(PAGE, {"message": "I live in Hamburg."})
    assert "I live in Hamburg." not in words(alice_talks.opens())
    assert len({item.run for item in alice_talks.memory.page().items}) == 2


def test_another_one_of_ones_ids_is_another_conversation(alice_talks: Talker) -> None:
    alice_talks.says("I am vegetarian.")
    linked = f"host-{uuid.uuid4().hex[:8]}"
    SubjectLink.objects.create(account=alice_talks.user, subject=linked, issuer="test", proof="operator", reason="x")
    other = Talker.__new__(Talker)
    other.memory = ScopedMemory.for_person(type(alice_talks.memory.subject)(linked))
    try:
        assert "I am vegetarian." not in words(alice_talks.opens())  # the linked one is shown first
        alice_talks.says("I live in Hamburg.")
        assert other.told() == ["I live in Hamburg."]
        assert alice_talks.told() == ["I am vegetarian."]
    finally:
        other.clears_up()


# --- where the words are ---------------------------------------------------------------------------------------------


def test_no_text_in_the_session_an_address_or_a_log(alice_talks: Talker, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answer = alice_talks.says("quillwort-7741 is my word.")
    alice_talks.says("what about quillwort-7741?")
    assert "quillwort" in words(answer)
    assert "quillwort" not in caplog.text
    assert "quillwort" not in str(answer.redirect_chain)
    assert "quillwort" not in alice_talks.stored_session()
    (item,) = alice_talks.memory.page().items
    assert item.id in alice_talks.stored_session(), "ids are there"
    assert "quillwort" not in str(answer.headers)


def test_ending_removes_what_was_said_and_no_memory(alice_talks: Talker) -> None:
    alice_talks.says("I am vegetarian.")
    answer = alice_talks.client.post(f"{PAGE}end/", follow=True)
    assert answer.redirect_chain == [(PAGE, 302)]
    assert alice_talks.buffered() == []
    assert alice_talks.told() == ["I am vegetarian."]
    assert "You I am" not in words(answer)
    assert alice_talks.client.get(f"{PAGE}end/").status_code == 405


def test_signing_out_ends_the_conversation(alice_talks: Talker) -> None:
    alice_talks.says("I am vegetarian.")
    alice_talks.client.post(reverse("account_logout"))
    assert alice_talks.buffered() == []
    assert alice_talks.told() == ["I am vegetarian."]


def test_signing_out_works_while_the_store_is_down(alice_talks: Talker, settings: Any) -> None:
    alice_talks.says("I am vegetarian.")
    settings.MEMORY_DATABASE_URL, working = "postgresql://x@/nowhere?host=/nonexistent", settings.MEMORY_DATABASE_URL
    assert alice_talks.client.post(reverse("account_logout")).status_code == 302
    assert alice_talks.opens().status_code == 302
    settings.MEMORY_DATABASE_URL = working


def test_what_an_ended_session_left_goes_with_the_next_conversation(
    alice_talks: Talker, bob_talks: Talker, settings: Any
) -> None:
    for talker in (alice_talks, bob_talks):
        talker.says("I am vegetarian.")
    ScopedMemory(alice_talks.memory.subject, agent="cook", run="r").add("a dish", infer=False)
    for older, left in ((False, 4), (True, 2)):
        if older:  # than any session can be
            age_messages(settings.SESSION_ABSOLUTE_SECONDS + 1)
        another = Client()
        another.force_login(alice_talks.user)
        another.post(PAGE, {"message": "I live in Hamburg."})
        assert len(alice_talks.buffered()) == left
    assert len(bob_talks.buffered()) == 2, "his goes when he talks again"


def age_messages(seconds: int) -> None:
    with psycopg.connect(make_conninfo(configuration().owner_dsn, user="postgres"), autocommit=True) as superuser:
        superuser.execute("UPDATE memories_messages SET created_at = created_at - %s", (timedelta(seconds=seconds),))


# --- deleting --------------------------------------------------------------------------------------------------------


def test_a_deleted_memory_takes_what_was_said_with_it(alice_talks: Talker, bob_talks: Talker) -> None:
    diabetes = learned_elsewhere(alice_talks, "I have diabetes.")
    alice_talks.says("I like long walks.")
    assert shown(alice_talks.says("do I have diabetes?"))[-1] == diabetes
    bob_talks.says("I like tea.")
    alice_talks.client.post(reverse("mydata:delete", args=[diabetes]))
    assert alice_talks.buffered() == []
    assert len(bob_talks.buffered()) == 2
    page = words(alice_talks.opens())
    assert "diabetes" not in page
    assert "What was said here before went together with a memory that was deleted." in page
    assert diabetes not in alice_talks.stored_session()
    assert "What was said here before" not in words(alice_talks.opens()), "once"
    assert alice_talks.told() == ["I like long walks."]


def test_a_corrected_memory_is_shown_as_it_reads_now(alice_talks: Talker) -> None:
    memory_id = learned_elsewhere(alice_talks, "I am vegetarian.")
    alice_talks.says("food preferences?")
    alice_talks.memory.update(memory_id, "I am vegan.")
    page = words(alice_talks.opens())
    assert "I remember: I am vegan." in page
    assert "vegetarian" not in page


# --- pause, restriction, erasure, stopped wordings -------------------------------------------------------------------


@pytest.mark.parametrize("agent", ["", NAME])
def test_a_pause_lets_it_answer_and_keeps_everything_out(alice_talks: Talker, agent: str) -> None:
    memory_id = learned_elsewhere(alice_talks, "I am vegetarian.")
    before = alice_talks.memory.held()
    controls.pause(alice_talks.memory.subject, agent)
    answer = alice_talks.says("I like vegetarian food preferences.")
    page = words(answer)
    assert answer.status_code == 200
    assert answer.redirect_chain == []
    assert "Remembering is paused." in page
    assert "I remember: I am vegetarian." in page
    assert shown(answer) == [memory_id]
    assert "Not remembered: you have paused remembering." in page
    assert "This is shown once and kept nowhere" in page
    assert alice_talks.memory.held() == {**before, "uses": 1}
    assert "like vegetarian food" not in words(alice_talks.opens())
    controls.resume(alice_talks.memory.subject, agent)
    assert "Remembered: I like vegetarian" in words(alice_talks.says("I like vegetarian food preferences."))


def test_a_pause_of_another_assistant_is_not_about_this_one(alice_talks: Talker) -> None:
    controls.pause(alice_talks.memory.subject, "travel_planner")
    controls.restrict(alice_talks.memory.subject, "travel_planner")
    page = words(alice_talks.says("I am vegetarian."))
    assert "paused" not in page
    assert "restricted" not in page
    assert shown(alice_talks.says("food preferences?"))
    assert alice_talks.told() == ["I am vegetarian."]


@pytest.mark.parametrize("agent", ["", NAME])
def test_a_restriction_leaves_it_without_memories_and_says_why(alice_talks: Talker, agent: str) -> None:
    learned_elsewhere(alice_talks, "I am vegetarian.")
    controls.restrict(alice_talks.memory.subject, agent)
    answer = alice_talks.says("food preferences?")
    page = words(answer)
    assert shown(answer) == []
    assert "You have restricted the use of your memories, so I may not look at them." in page
    assert "I remember nothing" not in page
    assert "The use of your memories is restricted." in page
    assert alice_talks.memory.handed() == []
    controls.unrestrict(alice_talks.memory.subject, agent)
    assert shown(alice_talks.says("food preferences?"))


@pytest.mark.parametrize("headers", [{}, REGION], ids=["page", "fragment"])
def test_during_an_erasure_it_says_so(alice_talks: Talker, headers: dict[str, str]) -> None:
    learned_elsewhere(alice_talks, "I am vegetarian.")
    controls.shut(current_store(), alice_talks.memory.subject, "erasing")
    before = alice_talks.memory.held()
    answer = alice_talks.client.post(PAGE, {"message": "I live in Hamburg."}, headers=headers)
    assert answer.status_code == (200 if headers else 409)
    assert "Your memories are being erased right now. Nothing of it was remembered." in words(answer)
    assert typed(answer) == "I live in Hamburg."
    assert shown(answer) == []
    assert alice_talks.memory.held() == before


def test_a_stopped_wording_is_neither_remembered_nor_kept(alice_talks: Talker) -> None:
    memory_id = learned_elsewhere(alice_talks, "I have diabetes.")
    alice_talks.memory.delete(memory_id, never_again=True)
    page = words(alice_talks.says("  i have DIABETES "))
    assert "1 wording was not remembered: you said that it is never to be learned again." in page
    assert "kept nowhere" in page
    assert alice_talks.told() == []
    assert alice_talks.buffered() == []


# --- limits and outages ----------------------------------------------------------------------------------------------


def test_too_many_messages_in_a_minute(alice_talks: Talker, bob_talks: Talker, settings: Any) -> None:
    settings.ASSISTANT_PER_MINUTE = 2
    for number in range(2):
        assert alice_talks.says(f"Fact {number}.").status_code == 200
    answer = alice_talks.says("Fact 2.")
    assert answer.status_code == 429
    assert "You have sent many messages in a short time." in words(answer)
    assert typed(answer) == "Fact 2."
    assert len(alice_talks.told()) == 2
    assert bob_talks.says("Fact.").status_code == 200


def test_an_embedder_that_is_down_costs_nothing_that_was_typed(alice_talks: Talker, settings: Any) -> None:
    with LlmServer() as server:
        settings.MEM0_CONFIG = server.config().replace(server.url, f"http://127.0.0.1:{closed_port()}/v1")
    answer = alice_talks.says("I am vegetarian.")
    assert answer.status_code == 503
    assert "the service that makes texts findable does not answer" in words(answer)
    assert "Nothing of it was remembered. What you wrote is still below." in words(answer)
    assert typed(answer) == "I am vegetarian."
    assert alice_talks.told() == []


def test_a_store_that_is_down_is_said(alice_talks: Talker, settings: Any) -> None:
    settings.MEMORY_DATABASE_URL, working = "postgresql://x@/nowhere?host=/nonexistent", settings.MEMORY_DATABASE_URL
    for answer in (alice_talks.opens(), alice_talks.says("I am vegetarian.")):
        assert answer.status_code == 503
        assert "The place where memories are stored does not answer. Nothing was changed." in words(answer)
    settings.MEMORY_DATABASE_URL = working
    assert alice_talks.told() == []


def test_those_who_wait_for_the_model_leave_room_for_others() -> None:
    with ExitStack() as stack:
        for _ in range(sensible_threads() - 2):
            stack.enter_context(assistant_limits.place(wanted=True))
        with pytest.raises(assistant_limits.TooBusy):
            stack.enter_context(assistant_limits.place(wanted=True))
        stack.enter_context(assistant_limits.place(wanted=False))
    with assistant_limits.place(wanted=True):
        pass
