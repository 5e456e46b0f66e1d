"""A page that was opened for one of the person's ids does nothing to another one that they chose in a second tab."""

import re
from collections.abc import Iterator
from uuid import uuid4

import pytest

from memoryportal.accounts.models import Proof, SubjectLink
from memoryportal.memory import ScopedMemory, SubjectId, controls

from . import reading
from .remembered import everything, remember

pytestmark = pytest.mark.django_db
MATCHING = "/memories/delete/"


@pytest.fixture
def at_work(alice) -> Iterator[ScopedMemory]:
    """What is kept under an id that Alice has connected: as many memories as under the one that she was issued."""
    subject = SubjectId(f"work-{uuid4().hex}")
    SubjectLink.objects.create(account=alice, subject=subject, proof=Proof.OPERATOR, reason="shown on the telephone")
    memory = ScopedMemory.for_person(subject)
    remember(memory, "Cooks at work", "Bakes at work", agent="cook")
    remember(memory, "Rides a bicycle", agent="guide")
    yield memory
    memory.erase()


@pytest.fixture
def at_home(alice_memory) -> ScopedMemory:
    remember(alice_memory, "Cooks at home", "Bakes at home", agent="cook")
    remember(alice_memory, "Likes trains", agent="guide")
    return alice_memory


def choose(client, memory) -> None:
    """Look at what is kept under this id, as in a second tab."""
    link = SubjectLink.objects.filter(subject=memory.subject).first()
    client.post("/settings/subject/", {"choice": str(link.pk) if link else "issued"})


def test_all_that_fit_go_only_under_the_id_that_was_shown(alice_client, at_work, at_home):
    choose(alice_client, at_work)
    page = alice_client.post(MATCHING, {"matching": "1", "agent": "cook"})
    assert "Bakes at work" in reading.words(page)
    sent = reading.fields(page, MATCHING)
    choose(alice_client, at_home)
    answer = alice_client.post(MATCHING, sent)
    assert answer.status_code == 409
    assert "Nothing was deleted. You chose another id after you opened that page." in reading.words(answer)
    assert "Bakes at home" in reading.words(answer)
    assert (len(everything(at_home)), len(everything(at_work))) == (3, 3)
    assert alice_client.post(MATCHING, reading.fields(answer, MATCHING)).status_code == 302
    assert [text for _, text in everything(at_home)] == ["Likes trains"]
    assert len(everything(at_work)) == 3


def test_what_was_stopped_stays_stopped_under_an_id_that_was_not_shown(alice_client, at_work, at_home):
    for memory in (at_work, at_home):
        memory.delete(everything(memory)[0][0], never_again=True)
    choose(alice_client, at_work)
    sent = reading.fields(alice_client.get("/held/"), "/held/stopped/")
    choose(alice_client, at_home)
    answer = alice_client.post("/held/stopped/", sent, follow=True)
    assert "You chose another id after you opened that page. Nothing was changed" in reading.words(answer)
    assert (at_home.stopped().count, at_work.stopped().count) == (1, 1)
    alice_client.post("/held/stopped/", reading.fields(answer, "/held/stopped/"))
    assert (at_home.stopped().count, at_work.stopped().count) == (0, 1)


@pytest.mark.parametrize("agent", ["", "cook"])
@pytest.mark.parametrize("shut", [("pause", "resume", "paused"), ("restrict", "allow", "restricted")])
def test_switches_reach_only_the_id_that_was_shown(alice_client, at_work, at_home, agent, shut):
    off, on, state = (f"/settings/assistants/{shut[0]}/", f"/settings/assistants/{shut[1]}/", shut[2])
    for act, before, after in ((off, set(), {(agent, state)}), (on, {(agent, state)}, set())):
        choose(alice_client, at_work)
        sent = _switch(alice_client.get("/settings/assistants/"), act, agent)
        choose(alice_client, at_home)
        answer = alice_client.post(act, sent, follow=True)
        assert "You chose another id after you opened that page. Nothing was changed" in reading.words(answer)
        assert _shut(at_work) == _shut(at_home) == before
        for memory in (at_home, at_work):
            choose(alice_client, memory)
            alice_client.post(act, _switch(alice_client.get("/settings/assistants/"), act, agent))
            assert _shut(memory) == after


def _shut(memory: ScopedMemory) -> set[tuple[str, str]]:
    return {(control.agent, control.state) for control in controls.states(memory.subject)}


def _switch(page, act: str, agent: str) -> dict[str, str]:
    """The hidden fields of one of the page's switches."""
    forms = re.findall(rf'<form method="post" action="{act}".*?</form>', reading.body(page), re.S)
    fields = [dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form)) for form in forms]
    (found,) = [each for each in fields if each["agent"] == agent]
    return found
