"""The page of one's assistants: pause and resume, keep and use again, for all of them and for one."""

import html
import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from memoryportal.accounts.links import link
from memoryportal.accounts.models import User
from memoryportal.audit.models import Event
from memoryportal.erasure import ledger, ledger_file
from memoryportal.memory import ScopedMemory, SubjectId, UseRestricted, WritesPaused, controls

from . import reading
from .remembered import erasing, everything, remember

pytestmark = pytest.mark.django_db
PAGE = "/settings/assistants/"
ACTS = ("pause", "resume", "restrict", "allow")


def _switched(memory: ScopedMemory) -> set[tuple[str, str]]:
    return {(control.agent, control.state) for control in controls.states(memory.subject)}


def _cook(of: ScopedMemory) -> ScopedMemory:
    """The assistant's side."""
    return ScopedMemory(of.subject, agent="cook")


def _forms(response: Any) -> dict[str, dict[str, str]]:
    """What can be pressed: the words of each button, and where its form leads with which fields."""
    found = {}
    for form in re.findall(r'<form method="post" action="/settings.*?</form>', reading.body(response), re.S):
        button = " ".join(re.sub(r"<[^>]+>", "", re.search(r"<button.*?</button>", form, re.S)[0]).split())
        fields = dict(re.findall(r'<input type="hidden" name="(agent)" value="([^"]*)"', form))
        found[html.unescape(button)] = {"action": re.search(r'action="([^"]*)"', form)[1], **fields}
    return found


def _press(client: Client, button: str) -> Any:
    form = _forms(client.get(PAGE))[button]
    return client.post(form["action"], {"agent": html.unescape(form["agent"])}, follow=True)


@pytest.fixture
def told(alice_memory: ScopedMemory, bob_memory: ScopedMemory) -> ScopedMemory:
    """Alice, with two assistants; Bob has the same."""
    for memory in (alice_memory, bob_memory):
        remember(memory, "I drink tea", "I eat rice", agent="cook")
        remember(memory, "I like trains", agent="planner")
    return alice_memory


def test_pause_and_resume_all(alice_client: Client, told: ScopedMemory, bob_memory: ScopedMemory) -> None:
    before = everything(told)
    response = _press(alice_client, "Pause remembering: all assistants")
    assert "Paused. All assistants can remember nothing new about you" in reading.words(response)
    assert re.search(r"Remembering is paused since \d+ \w+ \d{4}, \d\d:\d\d", reading.words(response))
    for agent in ("cook", "planner", None):
        with pytest.raises(WritesPaused):
            ScopedMemory(told.subject, agent=agent).add("I drink mate")
    assert everything(told) == before
    assert _cook(bob_memory).add("I drink mate")
    alice_client.post(f"/memories/{before[0][0]}/edit/", {"text": "I drink coffee", "version": ""})
    assert told.get(before[0][0]).text == "I drink coffee"
    _press(alice_client, "Let them remember again: all assistants")
    assert _switched(told) == set()
    assert _cook(told).add("I drink mate")


def test_what_holds_for_all_is_said_at_each_one(alice_client: Client, told: ScopedMemory) -> None:
    assert "so for this one too" not in reading.words(alice_client.get(PAGE))
    words = reading.words(_press(alice_client, "Pause remembering: all assistants"))
    assert words.count("Remembering is paused for all assistants, so for this one too.") == 2
    words = reading.words(_press(alice_client, "Keep my memories, do not use them: all assistants"))
    assert words.count("Using your memories is off for all assistants, so for this one too.") == 2


def test_one_assistant(alice_client: Client, told: ScopedMemory) -> None:
    response = _press(alice_client, "Pause remembering: cook")
    assert "Paused. “cook” can remember nothing new" in reading.words(response)
    _press(alice_client, "Keep my memories, do not use them: cook")
    assert _switched(told) == {("cook", "paused"), ("cook", "restricted")}
    with pytest.raises(UseRestricted):
        _cook(told).page()
    assert ScopedMemory(told.subject, agent="planner").add("I like buses")
    _press(alice_client, "Let it remember again: cook")
    _press(alice_client, "Let it use my memories again: cook")
    assert _switched(told) == set()


def test_restricting_everybody_leaves_ones_own_pages(alice_client: Client, told: ScopedMemory) -> None:
    _press(alice_client, "Keep my memories, do not use them: all assistants")
    with pytest.raises(UseRestricted):
        _cook(told).search("tea")
    assert reading.total(alice_client.get("/memories/")) == 3
    assert reading.ids(alice_client.post("/memories/search/", {"q": "tea", "by": "word"}))
    words = reading.words(alice_client.get(PAGE))
    assert "Assistants which read the store without this portal are not bound by" in words


def test_who_is_listed(alice_client: Client, told: ScopedMemory) -> None:
    ScopedMemory(told.subject, agent="cook").page()
    controls.pause(told.subject, "<b>gone</b>")
    response = alice_client.get(PAGE)
    assert re.findall(r"<h3><bdi>(.*?)</bdi></h3>", reading.body(response)) == [
        "cook",
        "planner",
        "&lt;b&gt;gone&lt;/b&gt;",
    ]
    words = reading.words(response)
    assert "It remembers 2 things, was last handed something on" in words
    assert "It remembers 1 thing, was handed nothing lately." in words
    assert "It remembers nothing, was handed nothing lately." in words
    _press(alice_client, "Let it remember again: <b>gone</b>")
    assert _switched(told) == set()


def test_somebody_about_whom_nothing_is_remembered(alice_client: Client, alice_memory: ScopedMemory) -> None:
    words = reading.words(alice_client.get(PAGE))
    assert "No assistant that gives its name has remembered anything about you so far." in words
    _press(alice_client, "Pause remembering: all assistants")
    with pytest.raises(WritesPaused):
        _cook(alice_memory).add("I drink tea")


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("agent", ["*", "a,b", " cook", "x" * 129, "c\u200bk"])
def test_a_name_that_cannot_be_one(alice_client: Client, told: ScopedMemory, act: str, agent: str) -> None:
    controls.pause(told.subject, "cook")
    before = _switched(told), Event.objects.count()
    response = alice_client.post(f"{PAGE}{act}/", {"agent": agent})
    assert response.status_code == 422
    assert "Nothing was switched." in reading.words(response)
    assert (_switched(told), Event.objects.count()) == before


@pytest.mark.parametrize("act", ACTS)
def test_a_link_switches_nothing(alice_client: Client, told: ScopedMemory, act: str) -> None:
    assert alice_client.get(f"{PAGE}{act}/").headers["Location"] == PAGE
    assert _switched(told) == set()


@pytest.mark.parametrize("act", ACTS)
def test_nobody_switches_for_somebody_else(
    bob_client: Client, told: ScopedMemory, bob_memory: ScopedMemory, act: str
) -> None:
    for switch in (controls.pause, controls.restrict):
        switch(told.subject, "cook")
    before = _switched(told)
    bob_client.post(f"{PAGE}{act}/", {"agent": "cook", "subject": str(told.subject)})
    assert _switched(told) == before
    assert Client().post(f"{PAGE}{act}/", {"agent": "cook"}).status_code == 302
    assert _switched(told) == before
    assert "paused since" not in reading.words(bob_client.get(PAGE)) or act == "pause"


def test_the_linked_id_that_is_shown_is_switched(alice: User, alice_client: Client, alice_memory: ScopedMemory) -> None:
    link(alice, SubjectId("alice-at-work"), reason="the operator knows her")
    try:
        _press(alice_client, "Pause remembering: all assistants")
        assert {c.state for c in controls.states(SubjectId("alice-at-work"))} == {"paused"}
        assert _switched(alice_memory) == set()
    finally:
        controls.resume(SubjectId("alice-at-work"))


def test_the_list_says_so_quietly(alice_client: Client, told: ScopedMemory) -> None:
    assert f'<a href="{PAGE}">pause remembering</a>' in reading.body(alice_client.get("/memories/"))
    controls.pause(told.subject)
    controls.restrict(told.subject, "cook")
    response = alice_client.get("/memories/")
    words = reading.words(response)
    assert re.search(r"Remembering is paused for all assistants since \d+ \w+ \d{4}, \d\d:\d\d\. Switch it back", words)
    assert "Using your memories is off for the assistant “cook” since" in words
    assert reading.body(response).count(f'href="{PAGE}"') == 2


def test_while_everything_is_erased_the_page_says_so(alice_client: Client, told: ScopedMemory) -> None:
    sentence = "Everything is being erased since"
    assert sentence not in reading.words(alice_client.get(PAGE))
    with erasing(told):
        assert sentence in reading.words(alice_client.get(PAGE))
        _press(alice_client, "Pause remembering: all assistants")
        assert ("", "paused") in _switched(told)


def test_the_trail_says_what_and_not_whom(alice: User, alice_client: Client, told: ScopedMemory) -> None:
    before = Event.objects.order_by("-seq").first().seq
    for act, agent in (("pause", "cook"), ("resume", "cook"), ("restrict", ""), ("allow", "")):
        alice_client.post(f"{PAGE}{act}/", {"agent": agent})
    events = Event.objects.filter(seq__gt=before).order_by("seq")
    done = ["memory.paused", "memory.resumed", "use.restricted", "use.allowed"]
    assert [event.action for event in events] == [action for each in done for action in ("setting.change-asked", each)]
    assert [event.object for event in events] == ["one"] * 4 + ["all"] * 4
    assert {(event.actor, event.role) for event in events} == {(str(alice.pk), "person")}
    assert not any("cook" in repr(event.__dict__) for event in events)
    words = reading.words(alice_client.get("/activity/"))
    for sentence in (
        "You paused remembering.",
        "You let assistants remember again.",
        "You kept assistants from using your memories.",
        "You let assistants use your memories again.",
    ):
        assert sentence in words
    assert "You asked to switch" not in words


def test_a_store_that_is_down_switches_nothing(alice_client: Client, told: ScopedMemory, settings: Any) -> None:
    away = "postgresql://memoryportal_scoped@/nowhere?host=/nonexistent"
    there, settings.MEMORY_DATABASE_URL = settings.MEMORY_DATABASE_URL, away
    for response in (alice_client.get(PAGE), alice_client.post(f"{PAGE}pause/", {"agent": ""})):
        assert response.status_code == 503
    settings.MEMORY_DATABASE_URL = there
    assert _switched(told) == set()
    assert Event.objects.order_by("-seq").first().action == "setting.change-failed"


def test_every_switch_is_a_form_that_works_without_a_script(alice_client: Client, told: ScopedMemory) -> None:
    response = alice_client.get(PAGE)
    body = reading.body(response)
    assert len(_forms(response)) == 6
    assert "hx-post" not in body.partition("<main")[2].partition("</main>")[0]
    for form in re.findall(r"<form method=\"post\" action=\"/settings.*?</form>", body, re.S):
        assert "csrfmiddlewaretoken" in form
        assert "<button" in form
    assert "/settings/assistants/" in reading.body(alice_client.get("/settings/"))


def test_a_pause_outlives_a_restored_backup(alice_client: Client, told: ScopedMemory) -> None:
    """It stands in the ledger, outside of the database; what cannot be written down is not switched."""
    _press(alice_client, "Pause remembering: all assistants")
    _press(alice_client, "Let them remember again: all assistants")
    lines = [line for line in ledger.read() if ledger_file.name_of(str(told.subject)) in line.subjects]
    assert [line.kind for line in lines] == [ledger.PAUSED, ledger.RESUMED]


def test_a_pause_that_cannot_be_written_down_is_not_made(
    alice_client: Client, told: ScopedMemory, settings: Any, tmp_path: Path
) -> None:
    settings.ERASURE_LEDGER = str(tmp_path)  # a folder
    assert alice_client.post(f"{PAGE}pause/", {"agent": ""}).status_code == 503
    assert _switched(told) == set()
