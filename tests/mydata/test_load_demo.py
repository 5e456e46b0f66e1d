"""load_demo: the story's memories, times and names; once, and in the demo only."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from memoryportal.accounts.models import User
from memoryportal.base.databases import embedded_dsn
from memoryportal.erasure.models import Erasure
from memoryportal.erasure.states import State
from memoryportal.memory import ScopedMemory, SubjectId, bulk, controls
from memoryportal.mydata import demo_data
from memoryportal.mydata.demo import load_person
from memoryportal.mydata.demo_data import PEOPLE, load, load_entities, load_messages
from memoryportal.mydata.demo_requests import CAROL, DAN

Story = dict[str, ScopedMemory]


@pytest.fixture(scope="module")
def story(django_db_setup: None) -> Iterator[Story]:
    """Both people's memories, without accounts."""
    memories = {person: ScopedMemory.for_person(SubjectId(str(uuid4()))) for person in PEOPLE}
    for person, memory in memories.items():
        assert load_person(person, memory.subject) == len(load(person))
    yield memories
    for memory in memories.values():
        memory.erase()


def test_everybody_has_their_own_memories_and_nothing_else(story: Story) -> None:
    for person, memory in story.items():
        told = sorted(str((one.text, one.agent, one.run, one.role)) for one in load(person))
        assert sorted(str((item.text, item.agent, item.run, item.role)) for item in memory.walk()) == told


def test_times_are_those_of_the_story(story: Story) -> None:
    now = datetime.now(UTC)
    told = {one.text: one for one in load("alice")}
    for item in story["alice"].walk():
        assert item.created is not None
        age = timedelta(days=told[item.text].days_ago)
        assert abs(now - age - item.created) < timedelta(minutes=2)
        days = told[item.text].expires_in_days
        assert item.expires == (None if days is None else now.date() + timedelta(days=days))
    assert story["alice"].summary().expired == 5


def test_earlier_wordings_stand_in_the_history(story: Story) -> None:
    edited = {one.text: one for one in load("alice") if one.edits}
    found = {item.text: item for item in story["alice"].walk() if item.text in edited}
    assert len(found) == 2
    for text, item in found.items():
        versions = story["alice"].history(item.id)
        assert [version.new for version in versions] == [*edited[text].edits, text]
        times = [version.at for version in versions if version.at]
        assert times == sorted(times)
        assert (times[0], times[-1]) == (item.created, item.updated)


def test_search_goes_by_the_current_wording(story: Story) -> None:
    found = [hit.item.text for hit in story["alice"].search("vegetarian food").hits]
    assert "I am vegetarian. Please remember that." in found
    assert story["alice"].search("Bremen", by="word").hits == []


def test_names_and_messages(story: Story) -> None:
    for person, memory in story.items():
        names = {entity.text: entity for entity in memory.entities()}
        for told in load_entities(person):
            linked = bulk.items(memory, names[told.text].memory_ids)
            assert sorted(item.text for item in linked.values()) == sorted(load(person)[i].text for i in told.memories)
        kept = [str((message.agent, message.run, message.role, message.text)) for message in memory.messages()]
        assert sorted(kept) == sorted(str((m.agent, m.run, m.role, m.text)) for m in load_messages(person))


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _nobody_else_is_left() -> Iterator[None]:
    yield
    for subject in (CAROL, DAN):
        ScopedMemory.for_person(subject).erase()
        controls.resume(subject)


def run() -> str:
    out = StringIO()
    call_command("load_demo", stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_again_adds_nothing_and_what_somebody_erased_does_not_come_back() -> None:
    assert run() == "Demo data: 72 memories for alice, 70 memories for bob, 3 deletion requests.\n"
    states = dict(Erasure.objects.values_list("ticket", "state"))
    assert states == {"": State.IDENTITY, "LETTER-12": State.APPROVAL, "LETTER-11": State.COMPLETED}
    assert (ScopedMemory.for_person(CAROL).count(), ScopedMemory.for_person(DAN).count()) == (3, 0)
    alice, bob = (
        ScopedMemory.for_person(SubjectId(User.objects.get(email=f"{person}@example.com").subject)) for person in PEOPLE
    )
    try:
        before = {item.id for item in bob.walk()}
        alice.erase()
        assert run() == "Demo data: everything was in place.\n"
        assert set(alice.held().values()) == {0}
        assert {item.id for item in bob.walk()} == before
        assert len(before) == 70
    finally:
        alice.erase()
        bob.erase()


@pytest.mark.django_db
def test_half_a_demo_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bob's last memory cannot be stored: neither has an account then, and no text is left without one."""
    mark = f"half a demo {uuid4()}"
    data = json.loads(demo_data.SOURCE.read_text(encoding="utf-8"))
    data["alice"]["memories"][0]["text"] = data["bob"]["memories"][0]["text"] = mark
    data["bob"]["memories"][-1]["text"] = ""
    broken = tmp_path / "demo.json"
    broken.write_text(json.dumps(data), encoding="utf-8")
    monkeypatch.setattr(demo_data, "SOURCE", broken)
    with pytest.raises(CommandError, match="cannot be empty"):
        run()
    assert not User.objects.exists()
    dsn = embedded_dsn(Path(os.environ["DATA_DIR"]), "postgres", connection.settings_dict["NAME"])
    with psycopg.connect(dsn) as everybody:
        rows = everybody.execute("SELECT count(*) FROM memories WHERE payload->>'data' = %s", (mark,)).fetchone()
    assert rows == (0,)


@pytest.mark.django_db
def test_refused_outside_demo_and_tests(settings: Settings) -> None:
    settings.TESTING = False
    with pytest.raises(CommandError, match="demo mode only"):
        run()
    assert not User.objects.exists()


@pytest.mark.django_db
def test_refused_on_a_database_that_no_demo_made(settings: Settings) -> None:
    settings.DEMO = True
    with pytest.raises(CommandError, match="not made by the demo"):
        run()
    assert not User.objects.exists()
