"""How an access ends: by hand, by time, with the role, with the account, and what a wrong clock does to it."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.core import mail
from django.test import Client
from django.utils import timezone
from procrastinate.jobs import Job

from memoryportal.accounts.models import User
from memoryportal.accounts.staff import pseudonym_of_staff
from memoryportal.audit.actions import Action
from memoryportal.memory import Item
from memoryportal.support import tasks
from memoryportal.support.grants import GrantEnded, check_open, use
from memoryportal.support.mails import note_about_grant
from memoryportal.support.models import AccessGrant
from tests.erasure.making import an_erasure

from .staffing import actions, last_event, newest, no_text_of, open_access, page_of, said, signed_in

pytestmark = pytest.mark.django_db


def test_by_hand(grant: AccessGrant, support_client: Client) -> None:
    before = newest()
    answer = support_client.post(page_of(grant, "end/"), follow=True)
    assert f"The access {grant.reference} has ended." in said(answer)
    grant.refresh_from_db()
    assert grant.ended_how == "hand"
    assert actions(before) == ["grant.ended"]
    assert last_event("grant.ended").details == {"kind": "hand", "count": 0}


def test_by_hand_twice_is_once(grant: AccessGrant, support_client: Client) -> None:
    support_client.post(page_of(grant, "end/"))
    before = newest()
    answer = support_client.post(page_of(grant, "end/"), follow=True)
    assert "had ended before" in said(answer)
    assert actions(before) == []


def test_not_by_following_a_link(grant: AccessGrant, support_client: Client) -> None:
    assert support_client.get(page_of(grant, "end/")).status_code == 405
    assert AccessGrant.objects.get().is_open


def test_by_time(grant: AccessGrant, support: User, items: list[Item]) -> None:
    start, before = grant.opened_at, newest()
    with time_machine.travel(start + timedelta(minutes=14, seconds=59), tick=False):
        client = signed_in(support)
        assert "Less than a minute left" in said(client.get(page_of(grant)))
    with time_machine.travel(start + timedelta(minutes=15), tick=False):
        answer = client.get(page_of(grant))
        assert answer.status_code == 410
        assert "its time was over" in said(answer)
        assert no_text_of(items, answer)
        assert client.get(page_of(grant)).status_code == 410
    assert actions(before).count("grant.ended") == 1


def test_with_the_role_at_the_next_use(grant: AccessGrant, support: User, support_client: Client) -> None:
    support.groups.set([Group.objects.get(name="privacy")])
    answer = support_client.get(page_of(grant))
    assert answer.status_code == 410
    assert "the role was taken away" in said(answer)
    grant.refresh_from_db()
    assert grant.ended_how == "role"


@pytest.mark.parametrize("how", ["leaves", "removed", "cleared", "emptied", "disabled"])
def test_with_the_role_at_once(
    how: str, grant: AccessGrant, support: User, django_capture_on_commit_callbacks: Any
) -> None:
    group, before = Group.objects.get(name="support"), newest()
    with django_capture_on_commit_callbacks(execute=True):
        if how == "leaves":
            support.groups.remove(group)
        elif how == "removed":
            group.user_set.remove(support)
        elif how == "cleared":
            support.groups.clear()
        elif how == "emptied":
            group.user_set.clear()
        else:
            support.is_active = False
            support.save()
    grant.refresh_from_db()
    assert grant.ended_how == "role"
    assert actions(before) == ["grant.ended"]


def test_it_stays_ended_when_the_role_comes_back(grant: AccessGrant, support: User, support_client: Client) -> None:
    support.groups.clear()
    with pytest.raises(GrantEnded):
        check_open(grant)
    support.groups.set([Group.objects.get(name="support")])
    assert support_client.get(page_of(grant)).status_code == 410


def test_another_role_changes_nothing(
    grant: AccessGrant, support: User, django_capture_on_commit_callbacks: Any
) -> None:
    support.groups.add(Group.objects.get(name="auditor"))
    with django_capture_on_commit_callbacks(execute=True):
        support.groups.remove(Group.objects.get(name="auditor"))
    grant.refresh_from_db()
    assert grant.is_open


def test_a_clock_that_is_set_back_opens_nothing(grant: AccessGrant, support: User, items: list[Item]) -> None:
    with time_machine.travel(grant.opened_at - timedelta(hours=1), tick=False):
        client = signed_in(support)
        answer = client.get(page_of(grant))
        assert answer.status_code == 410
        assert no_text_of(items, answer)
    grant.refresh_from_db()
    assert grant.ended_at is not None
    assert signed_in(support).get(page_of(grant)).status_code == 410  # and nothing comes back when it is right again


def test_an_ended_one_is_not_brought_back_by_the_clock(grant: AccessGrant, support: User) -> None:
    with time_machine.travel(grant.ends_at + timedelta(seconds=1), tick=False):
        assert signed_in(support).get(page_of(grant)).status_code == 410
    assert signed_in(support).get(page_of(grant)).status_code == 410


def test_a_small_correction_of_the_clock_disturbs_nobody(grant: AccessGrant, support: User) -> None:
    with time_machine.travel(grant.opened_at - timedelta(seconds=20), tick=False):
        assert signed_in(support).get(page_of(grant)).status_code == 200


def test_the_room_itself_refuses_what_is_over(grant: AccessGrant) -> None:
    AccessGrant.objects.update(ends_at=timezone.now() - timedelta(seconds=1))
    before = newest()
    with pytest.raises(GrantEnded):
        use(grant, Action.MEMORY_REVEALED)
    assert actions(before) == ["grant.ended"]


def test_only_known_uses_open_the_door(grant: AccessGrant) -> None:
    for action in (Action.MEMORY_DELETED, Action.GRANT_OPENED, Action.MEMORY_SEARCHED):
        with pytest.raises(ValueError, match="not a use"):
            use(grant, action)


class TestTheWorker:
    """The worker ends what nobody looks at any more, and tells the person once."""

    def work(self) -> None:
        """What the worker does each minute, and then what it was rung for."""
        tasks.end_grants(0)
        for pk in AccessGrant.objects.values_list("pk", flat=True):
            tasks.tell(str(pk))

    def test_ends_what_is_over_and_leaves_the_rest(self, grant: AccessGrant, bob: User, privacy: User) -> None:
        erasure = an_erasure(bob.subject, account=bob, state="waiting")
        other = open_access(signed_in(privacy), erasure.reference, ticket=erasure.reference)
        AccessGrant.objects.filter(pk=grant.pk).update(ends_at=timezone.now() - timedelta(seconds=1))
        self.work()
        grant.refresh_from_db()
        other.refresh_from_db()
        assert grant.ended_how == "time"
        assert other.is_open

    def test_ends_those_of_a_role_that_was_taken_in_the_database(self, grant: AccessGrant, support: User) -> None:
        User.objects.filter(pk=support.pk).update(is_active=False)  # no signal
        self.work()
        grant.refresh_from_db()
        assert grant.ended_how == "role"

    def test_sends_one_note_at_the_end(self, grant: AccessGrant, support_client: Client, items: list[Item]) -> None:
        support_client.post(page_of(grant, "reveal/"), {"id": items[0].id})
        self.work()
        assert mail.outbox == []
        support_client.post(page_of(grant, "end/"))
        self.work()
        self.work()
        assert [sent.to for sent in mail.outbox] == [["alice@example.com"]]

    def test_the_note_has_the_case_and_no_content(
        self, grant: AccessGrant, support: User, support_client: Client, items: list[Item], settings: Any
    ) -> None:
        support_client.post(page_of(grant, "reveal/"), {"id": items[0].id})
        support_client.post(page_of(grant, "end/"))
        self.work()
        note = mail.outbox[0]
        assert note.subject == f"A note about your data at {settings.CONTROLLER_NAME}"
        for fact in (
            "You asked us a question",
            "T-4711",
            "They read 1 of your memories",
            pseudonym_of_staff(support.pk),
        ):
            assert fact in note.body
        for secret in ("quillwort", "support@example.com", grant.reason, grant.subject, str(items[0].id)):
            assert secret not in note.body

    def test_nobody_gets_a_note_for_somebody_without_an_account(
        self, grant: AccessGrant, support_client: Client
    ) -> None:
        AccessGrant.objects.update(person=None)
        support_client.post(page_of(grant, "end/"))
        assert note_about_grant(str(grant.pk))
        assert mail.outbox == []
        assert not note_about_grant(str(grant.pk))

    def test_a_job_names_the_grant_and_nothing_else(self, grant: AccessGrant, support_client: Client) -> None:
        from procrastinate.contrib.django.models import ProcrastinateJob

        support_client.post(page_of(grant, "end/"))
        tasks.end_grants(0)
        tasks.end_grants(0)
        job = ProcrastinateJob.objects.get(task_name="memoryportal.support.tasks.tell")
        assert job.args == {"grant_id": str(grant.pk)}


def test_a_note_that_cannot_be_sent_is_tried_again_within_the_hour() -> None:
    """An exponent alone would wait for weeks in the end, while the person waits for the note."""
    tried, strategy = [], tasks.tell.retry_strategy
    assert strategy is not None
    with time_machine.travel(timezone.now(), tick=False):
        for attempts in range(20):
            job = Job(
                id=1, queue="default", lock=None, queueing_lock=None, task_name=tasks.tell.name, attempts=attempts
            )
            again = strategy.get_retry_exception(OSError("no route to host"), job)
            if again is not None:
                tried.append(round((again.retry_decision.retry_at - timezone.now()).total_seconds()))
    assert tried == [5, 25, 125, 625, 3125, *[3600] * 5]
