"""After a restore: what was erased goes again, what came later stays, and it can be repeated."""

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command

from memoryportal.accounts import links
from memoryportal.accounts.models import User
from memoryportal.audit.models import Event, SubjectKey
from memoryportal.audit.pseudonyms import known_pseudonym, pseudonym
from memoryportal.erasure import ledger, replay
from memoryportal.erasure.ledger_mark import LedgerMark
from memoryportal.erasure.models import Erasure, Scope
from memoryportal.erasure.states import State
from memoryportal.memory import ScopedMemory, SubjectId, controls
from memoryportal.memory.backdate import add_messages
from memoryportal.memory.stores import current_store

from .making import an_erasure

pytestmark = pytest.mark.django_db


def erased(*subjects: str, state: str = State.COMPLETED, **about: Any) -> ledger.Line:
    """The line of an erasure that this database has never heard of."""
    return ledger.append("erased", Erasure(subjects=[*map(str, subjects)], **about), state)


def run() -> replay.Report:
    return replay.replay(ledger.marked().number)


def texts(memory: ScopedMemory) -> set[str]:
    return {item.text for item in memory.walk()}


def paused(subject: str) -> set[str]:
    return {each.agent for each in controls.states(SubjectId(subject)) if each.state == "paused"}


def replayed() -> "list[Event]":
    return list(Event.objects.filter(action="erasure.replayed"))


# --- what goes --------------------------------------------------------------------------------------------------------


def test_what_is_older_than_the_line_goes(
    alice: User, alice_memory: ScopedMemory, bob: User, bob_memory: ScopedMemory
) -> None:
    alice_memory.add("I drink tea", infer=False)
    add_messages(alice_memory, [("user", "tea!")], datetime.now(UTC))
    bob_memory.add("I drink coffee", infer=False)
    line = erased(alice.subject)
    report = run()
    assert report.is_done
    assert (report.lines, report.people, report.changed, report.left) == (1, 1, 1, 0)
    assert report.removed["memories"] == 1
    assert set(alice_memory.held().values()) == {0}
    assert texts(bob_memory) == {"I drink coffee"}
    assert paused(alice.subject) == {""}, "as after the erasure itself: the person is asked before it begins again"
    assert paused(bob.subject) == set()
    (event,) = replayed()
    assert (event.object, event.role, event.subject) == (
        line.reference,
        "operator",
        known_pseudonym(alice_memory.subject),
    )
    assert (event.details["memories"], event.details["messages"]) == (1, 1)
    assert ledger.unknown() == []


def test_what_came_later_stays(alice: User, alice_memory: ScopedMemory) -> None:
    alice_memory.add("I drink tea", infer=False)
    erased(alice.subject)
    alice_memory.add("I drink water", infer=False)
    report = run()
    assert report.removed["memories"] == 1
    assert report.is_done
    assert texts(alice_memory) == {"I drink water"}


def test_the_newest_of_several_lines_counts(alice: User, alice_memory: ScopedMemory) -> None:
    for text in ("one", "two"):
        alice_memory.add(text, infer=False)
        erased(alice.subject)
    alice_memory.add("three", infer=False)
    assert run().removed["memories"] == 2
    assert texts(alice_memory) == {"three"}


def test_of_one_assistant_only_its_own_goes(alice: User, alice_memory: ScopedMemory) -> None:
    for agent in ("cook", "planner"):
        ScopedMemory(alice_memory.subject, agent=agent).add(f"by {agent}", infer=False)
    erased(alice.subject, scope=Scope.ASSISTANT, agent="cook")
    assert run().is_done
    assert texts(alice_memory) == {"by planner"}
    assert paused(alice.subject) == {"cook"}


def test_connected_ids_go_too_and_the_account_stays(alice: User) -> None:
    linked = ScopedMemory(SubjectId(f"u_{uuid.uuid4().hex}"))
    links.link(alice, linked.subject, reason="ticket 17")
    linked.add("I drink tea", infer=False)
    erased(alice.subject, linked.subject)
    report = run()
    assert (report.people, report.removed["memories"]) == (2, 1)
    assert linked.count() == 0
    assert User.objects.filter(pk=alice.pk).exists()
    controls.resume(linked.subject)


def test_somebody_whom_only_the_store_knows_is_found() -> None:
    stranger = ScopedMemory(SubjectId(f"u_{uuid.uuid4().hex}"))
    stranger.add("I drink tea", infer=False)
    erased(stranger.subject)
    assert run().removed["memories"] == 1
    assert stranger.count() == 0
    controls.resume(stranger.subject)


def test_an_account_that_had_gone_goes_again(alice: User, alice_memory: ScopedMemory) -> None:
    alice_memory.add("I drink tea", infer=False)
    erased(alice.subject, scope=Scope.ACCOUNT)
    came_later = User.objects.create_user("later@example.com", None)
    report = run()
    assert report.is_done
    assert report.removed["account"] == 2
    assert not User.objects.filter(pk=alice.pk).exists()
    assert User.objects.filter(pk=came_later.pk).exists()
    assert alice_memory.count() == 0
    assert paused(alice_memory.subject) == {""}


def test_an_account_that_cannot_go_is_said_and_stays_to_be_done(alice: User, alice_memory: ScopedMemory) -> None:
    alice_memory.add("I drink tea", infer=False)
    erased(alice.subject, scope=Scope.ACCOUNT)
    alice.groups.add(Group.objects.get(name="support"))
    report = run()
    assert report.problems == [
        "Account: this account works for us (support): an administrator has to take its roles away first"
    ]
    assert (report.is_done, report.left) == (False, 1)
    assert alice_memory.count() == 0, "the memories do not wait for that"
    assert len(ledger.unknown()) == 1
    alice.groups.clear()
    assert run().is_done
    assert ledger.unknown() == []


# --- pauses and keys --------------------------------------------------------------------------------------------------


def test_pauses_are_set_again_and_their_ends_too(alice: User, bob: User, alice_memory: ScopedMemory) -> None:
    ledger.note("paused", [SubjectId(alice.subject)], agent="cook")
    ledger.note("paused", [SubjectId(bob.subject)])
    ledger.note("paused", [SubjectId(alice.subject)], agent="planner")
    ledger.note("resumed", [SubjectId(alice.subject)], agent="planner")
    controls.pause(SubjectId(alice.subject), "planner")
    LedgerMark.objects.all().delete()
    try:
        assert run().switched == 3
        assert (paused(alice.subject), paused(bob.subject)) == ({"cook"}, {""})
        assert ledger.unknown() == []
    finally:
        controls.resume(SubjectId(bob.subject))


def test_a_pause_that_this_database_knows_is_the_persons_to_end(alice: User, alice_memory: ScopedMemory) -> None:
    ledger.note("paused", [SubjectId(alice.subject)])
    assert run().switched == 0
    assert paused(alice.subject) == set()


def test_destroyed_keys_are_destroyed_again_and_name_nobody(alice: User, alice_memory: ScopedMemory) -> None:
    alice_memory.add("I drink tea", infer=False)
    pseudonym(alice_memory.subject)
    erased(alice.subject, scope=Scope.ACCOUNT)
    ledger.note("keys-destroyed", [alice_memory.subject])
    LedgerMark.objects.all().delete()
    report = run()
    assert (report.keys, report.removed["memories"]) == (1, 1)
    assert not SubjectKey.objects.filter(subject=alice.subject).exists()
    (event,) = replayed()
    assert event.subject is None
    assert run().keys == 0


def test_the_key_of_an_id_goes_with_the_account_that_it_was_connected_to(alice: User) -> None:
    """Whoever of the two comes first in the ledger's order."""
    ids = [SubjectId(f"{first}_{uuid.uuid4().hex}") for first in ("0", "u")]
    for each in ids:
        links.link(alice, each, reason="ticket 17")
        pseudonym(each)
    erased(alice.subject, *ids, scope=Scope.ACCOUNT)
    ledger.note("keys-destroyed", ids)
    LedgerMark.objects.all().delete()
    assert run().keys == 2
    assert not SubjectKey.objects.filter(subject__in=ids).exists()


def test_the_key_of_an_id_that_was_connected_again_in_the_last_moment_stays(alice: User, bob: User) -> None:
    """The line was written, the id connected, and so its key kept: also where the database is restored later on."""
    shared = SubjectId(f"u_{uuid.uuid4().hex}")
    name = pseudonym(shared)
    erased(alice.subject, shared, scope=Scope.ACCOUNT)
    ledger.note("keys-destroyed", [shared])
    links.link(bob, shared, reason="ticket 18")
    LedgerMark.objects.all().delete()
    assert run().keys == 0
    assert known_pseudonym(shared) == name


def test_the_key_of_somebody_who_came_back_stays(alice: User, alice_memory: ScopedMemory) -> None:
    ledger.note("keys-destroyed", [alice_memory.subject])
    name = pseudonym(alice_memory.subject)
    LedgerMark.objects.all().delete()
    assert run().keys == 0
    assert known_pseudonym(alice_memory.subject) == name


def test_stopped_wordings_stay_where_the_person_wished_it(alice: User, alice_memory: ScopedMemory) -> None:
    insert = "INSERT INTO memories_never (subject, digest, salt, key_name) VALUES (%s, 'd', 's', 'k')"
    alice_memory.add("I drink tea", infer=False)
    with current_store().open(alice_memory.scope) as cursor:
        cursor.execute(insert, (alice.subject,))
    erased(alice.subject, keep_never=True)
    assert run().is_done
    assert alice_memory.held() == dict.fromkeys(alice_memory.held(), 0) | {"never": 1}
    erased(alice.subject)
    assert run().is_done
    assert alice_memory.held()["never"] == 0


def test_stopped_wordings_that_went_before_they_were_kept_go(alice: User, alice_memory: ScopedMemory) -> None:
    """They went with the first erasure; with the second one the person wished to keep those of after it."""
    insert = "INSERT INTO memories_never (subject, digest, salt, key_name, since) VALUES (%s, %s, 's', 'k', %s)"
    first = erased(alice.subject)
    alice_memory.add("I drink tea", infer=False)
    for word, since in (("before", "2020-01-01T00:00:00Z"), ("after", first.at)):
        with current_store().open(alice_memory.scope) as cursor:
            cursor.execute(insert, (alice.subject, word, since))
    erased(alice.subject, keep_never=True)
    assert run().is_done
    assert alice_memory.held() == dict.fromkeys(alice_memory.held(), 0) | {"never": 1}


# --- again and again --------------------------------------------------------------------------------------------------


def test_a_second_run_does_nothing(alice: User, alice_memory: ScopedMemory) -> None:
    alice_memory.add("I drink tea", infer=False)
    erased(alice.subject)
    run()
    controls.resume(alice_memory.subject)
    alice_memory.add("I drink water", infer=False)
    report = run()
    assert (report.changed, report.removed.total(), report.switched, report.is_done) == (0, 0, 0, True)
    assert texts(alice_memory) == {"I drink water"}
    assert paused(alice.subject) == set(), "the person has let them begin again"
    assert len(replayed()) == 1


def test_a_replay_that_was_killed_behind_the_gate_is_finished_by_the_next(
    alice: User, alice_memory: ScopedMemory
) -> None:
    alice_memory.add("I drink tea", infer=False)
    erased(alice.subject)
    controls.shut(current_store(), alice_memory.subject, "erasing")
    assert run().is_done
    assert controls.gate_states(current_store(), alice_memory.subject) == {("", "paused")}


def test_a_request_that_is_being_carried_out_keeps_its_gate(alice: User, alice_memory: ScopedMemory) -> None:
    alice_memory.add("I drink tea", infer=False)
    an_erasure(alice.subject, state="erasing")
    controls.shut(current_store(), alice_memory.subject, "erasing")
    erased(alice.subject)
    run()
    assert ("", "erasing") in controls.gate_states(current_store(), alice_memory.subject)
    assert alice_memory.count() == 0


def test_lines_of_this_database_are_looked_at_too(alice: User, alice_memory: ScopedMemory) -> None:
    """A memory store can be restored without the portal's own database, whose mark is then right."""
    alice_memory.add("I drink tea", infer=False)
    erased(alice.subject)
    ledger.know_all()
    report = run()
    assert (report.unknown, report.removed["memories"], report.switched) == (0, 1, 0)
    assert replay.replay(0).switched == 1
    assert paused(alice.subject) == {""}


def test_a_broken_ledger_stops_it_before_anything_is_done(
    alice: User, alice_memory: ScopedMemory, settings: Any
) -> None:
    alice_memory.add("I drink tea", infer=False)
    erased(alice.subject)
    erased("bob")
    path = Path(settings.ERASURE_LEDGER)
    path.write_bytes(path.read_bytes().replace(b'"n":1', b'"n":5'))
    for check in (True, False):
        with pytest.raises(CommandError, match="Line 1 of the erasure ledger is not as it was written"):
            call_command("replay_erasures", check=check)
    assert alice_memory.count() == 1


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_says_what_is_to_do_does_it_and_says_so(
    alice: User, alice_memory: ScopedMemory, capsys: pytest.CaptureFixture[str]
) -> None:
    alice_memory.add("I drink tea", infer=False)
    erased(alice.subject)
    with pytest.raises(CommandError, match=r"2 rows that were erased are here: run manage.py replay_erasures\."):
        call_command("replay_erasures", check=True)
    assert "1 lines in the ledger, 1 unknown to this database; 1 of their people are here." in capsys.readouterr().out
    assert alice_memory.count() == 1, "looking changes nothing"
    call_command("replay_erasures")
    said = capsys.readouterr().out
    assert "  memories: 1 erased again" in said
    assert "  1 pauses set again or ended, 0 keys destroyed again" in said
    assert said.endswith("Everything is erased again.\n")
    call_command("replay_erasures", check=True)
    assert capsys.readouterr().out.endswith("Nothing is left to be erased again.\n")


def test_without_a_ledger_there_is_nothing_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("replay_erasures")
    assert "0 lines in the ledger, all known to this database" in capsys.readouterr().out


def test_lines_that_are_lost_for_good_have_to_be_accepted(
    alice: User, alice_memory: ScopedMemory, settings: Any, tmp_path: Path
) -> None:
    alice_memory.add("I drink tea", infer=False)
    erased(alice.subject)
    erased("bob")
    ledger.know_all()
    path = Path(settings.ERASURE_LEDGER)
    path.write_text(path.read_text().splitlines(keepends=True)[0])
    with pytest.raises(CommandError, match="The erasure ledger ends at line 1, but there was a line 2"):
        call_command("replay_erasures")
    assert alice_memory.count() == 1
    call_command("replay_erasures", accept_lost_lines=True)
    assert alice_memory.count() == 0
    assert ledger.marked().number == 1
    ledger.probe()
    assert replayed()[0].details == {"state": "lines-lost"}


def test_a_store_that_cannot_be_reached_is_said(alice: User, settings: Any) -> None:
    erased(alice.subject)
    settings.MEMORY_OWNER_URL = "postgresql://nobody@127.0.0.1:9/none"
    with pytest.raises(CommandError, match="the owners of the rows could not be read"):
        call_command("replay_erasures")
    assert len(ledger.unknown()) == 1


def test_an_id_that_is_refused_is_nobodys(alice: User, alice_memory: ScopedMemory) -> None:
    """An older database may hold such ids; no erasure ever reached them, and the replay does not fail on them."""
    erased(alice.subject)
    Erasure.objects.create(subjects=["a, b"])
    assert run().is_done
