"""Ids change hands while a request waits: nothing of somebody else's goes, and nobody is shown another's request."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections, transaction
from django.test import Client
from django.utils import timezone

from memoryportal.accounts import links
from memoryportal.accounts.models import Letter, Proof, SubjectBusy, SubjectLink, User
from memoryportal.audit.models import Event
from memoryportal.erasure import decisions, engine, identity, intake, lease, services
from memoryportal.erasure.models import Channel, Erasure, IdentityLink, Scope
from memoryportal.erasure.moves import NotNow
from memoryportal.erasure.states import State
from memoryportal.memory import ScopedMemory, SubjectId
from tests.accounts.helpers import person, prove, sign_in
from tests.erasure.making import an_erasure

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("superuser")]
SHARED = SubjectId("shared-9")
WHY = "we looked whose id it is"


@pytest.fixture(autouse=True)
def grace(settings: Any) -> None:
    settings.ERASURE_GRACE_HOURS_OWN = settings.ERASURE_GRACE_HOURS = 72


@pytest.fixture
def alices(alice: User) -> SubjectId:
    """An id that is connected to Alice, with a memory."""
    links.link(alice, SHARED, reason=WHY)
    ScopedMemory(SHARED).add("I like the window seat.", infer=False)
    return SHARED


def left() -> int:
    return ScopedMemory.for_person(SHARED).count()


def move_to(account: User, subject: SubjectId = SHARED) -> None:
    for link in SubjectLink.objects.filter(subject=subject):
        links.remove(link, reason=WHY)
    links.link(account, subject, reason=WHY)


def time_is_over(erasure: Erasure) -> Erasure:
    Erasure.objects.filter(pk=erasure.pk).update(grace_until=timezone.now(), next_at=timezone.now())
    return engine.run(erasure)


def was_sent_back(erasure: Erasure) -> bool:
    """To a second person, who is told by mail, with an event, nothing removed and nothing approved any more."""
    found = Erasure.objects.get(pk=erasure.pk)
    assert (found.state, found.began_at, found.approved_at, found.lease_until) == (State.APPROVAL, None, None, None)
    assert Event.objects.filter(action="request.sent-back", object=found.reference).count() == 1
    assert not Event.objects.filter(action="erasure.begun", object=found.reference).exists()
    return Letter.objects.filter(kind="request_sent_back", about__reference=found.reference).count() == 1


class TestBegin:
    def test_not_when_an_id_is_somebody_elses_by_now(self, alice: User, bob: User, alices: SubjectId) -> None:
        erasure = services.ask(alice, alices, SubjectId(alice.subject))
        move_to(bob)
        time_is_over(erasure)
        assert was_sent_back(erasure)
        assert left() == 1

    def test_not_when_an_id_was_disconnected(self, alice: User, alices: SubjectId) -> None:
        erasure = services.ask(alice, alices)
        links.unlink(alice, alices, reason=WHY)
        time_is_over(erasure)
        assert was_sent_back(erasure)
        assert left() == 1

    def test_not_on_an_approval_of_before(self, alice: User, alices: SubjectId, bob: User) -> None:
        erasure = services.file(Channel.HOST, [alices], account=alice, vouched=True)
        decisions.approve(erasure.pk, bob)
        links.unlink(alice, alices, reason=WHY)
        time_is_over(erasure)
        assert was_sent_back(erasure)
        assert left() == 1

    def test_not_when_nobodys_id_became_somebodys(self, alice: User, bob: User) -> None:
        """Approved anew, with what is known by now, it begins."""
        ScopedMemory(SHARED).add("I like the window seat.", infer=False)
        erasure = services.file(Channel.HOST, [SHARED], vouched=True)
        decisions.approve(erasure.pk, bob)
        links.link(alice, SHARED, reason=WHY)
        time_is_over(erasure)
        assert was_sent_back(erasure)
        assert left() == 1
        again = decisions.approve(erasure.pk, bob)
        assert again.grace_until is not None
        assert again.grace_until > timezone.now() + timedelta(hours=71)
        assert time_is_over(again).state == State.COMPLETED
        assert left() == 0

    def test_when_everything_is_as_it_was(self, alice: User, alices: SubjectId) -> None:
        erasure = services.ask(alice, alices, SubjectId(alice.subject))
        assert time_is_over(erasure).state == State.COMPLETED
        assert left() == 0

    def test_after_a_hold_too(self, alice: User, bob: User, alices: SubjectId) -> None:
        erasure = services.ask(alice, alices)
        until = timezone.localdate() + timedelta(days=9)
        decisions.hold(erasure.pk, bob, "a court has asked for this", until)
        links.unlink(alice, alices, reason=WHY)
        assert decisions.release(erasure.pk, bob).state == State.APPROVAL
        assert left() == 1

    def test_nobody_approves_what_is_somebody_elses(self, alice: User, bob: User, alices: SubjectId) -> None:
        officer = person("officer@example.com")
        erasure = services.ask(alice, alices)
        move_to(bob)
        time_is_over(erasure)
        with pytest.raises(decisions.Unfit, match="another account"):
            decisions.approve(erasure.pk, officer)
        assert Erasure.objects.get(pk=erasure.pk).state == State.APPROVAL
        assert left() == 1


class TestAccount:
    def test_an_id_that_came_later_keeps_it(self, alice: User, alices: SubjectId) -> None:
        """However it came: a shell asks nobody."""
        links.unlink(alice, alices)
        erasure = services.ask(alice, SubjectId(alice.subject), scope=Scope.ACCOUNT)
        SubjectLink.objects.bulk_create([SubjectLink(account=alice, subject=SHARED, proof=Proof.OPERATOR)])
        time_is_over(erasure)
        assert was_sent_back(erasure)
        assert User.objects.filter(pk=alice.pk).exists()
        with pytest.raises(decisions.Unfit, match="more ids"):
            decisions.approve(erasure.pk, person("officer@example.com"))
        assert Erasure.objects.get(pk=erasure.pk).state == State.APPROVAL
        assert left() == 1

    def test_no_id_is_connected_to_one_that_is_to_go(self, alice: User) -> None:
        erasure = services.ask(alice, SubjectId(alice.subject), scope=Scope.ACCOUNT)
        with pytest.raises(SubjectBusy, match="to be erased"):
            links.link(alice, SHARED, reason=WHY)
        assert not SubjectLink.objects.exists()
        assert not Letter.objects.filter(kind="link_made").exists()
        decisions.cancel(erasure.pk, identity.NOBODY)
        links.link(alice, SHARED, reason=WHY)
        assert SubjectLink.objects.get().account == alice

    def test_what_nobody_confirmed_keeps_nobody_out(self, alice: User) -> None:
        services.file(Channel.SUPPORT, [SubjectId(alice.subject)], account=alice, scope=Scope.ACCOUNT)
        links.link(alice, SHARED, reason=WHY)
        assert SubjectLink.objects.get().account == alice


class TestConnect:
    @pytest.mark.parametrize("state", ["erasing", "retrying", "watching", "needs-attention"])
    def test_not_while_it_is_erased_for_somebody_else(self, state: str, alice: User, bob: User) -> None:
        an_erasure(SHARED, state=state, account=alice)
        with pytest.raises(SubjectBusy, match="being erased"):
            links.link(bob, SHARED, reason=WHY)
        assert not SubjectLink.objects.exists()

    def test_ones_own_can_be(self, alice: User) -> None:
        an_erasure(SHARED, state="retrying", account=alice)
        links.link(alice, SHARED, reason=WHY)
        assert SubjectLink.objects.get().account == alice

    def test_when_it_has_ended(self, alice: User, bob: User) -> None:
        an_erasure(SHARED, state="refused", account=alice)
        links.link(bob, SHARED, reason=WHY)
        assert SubjectLink.objects.get().account == bob


class TestAtTheSameMoment:
    def test_erasing_waits_for_a_connection_that_is_being_made(self, alice: User, bob: User) -> None:
        ScopedMemory(SHARED).add("I like the window seat.", infer=False)
        erasure = an_erasure(SHARED, state="waiting", grace_until=timezone.now())
        run = threading.Thread(target=in_a_thread(lambda: engine.run(erasure)))
        with transaction.atomic():
            links.link(bob, SHARED, reason=WHY)
            run.start()
            run.join(timeout=1)
            assert run.is_alive()
        run.join(timeout=20)
        assert was_sent_back(erasure)
        assert left() == 1

    def test_a_connection_waits_for_erasing_to_begin(self, alice: User, bob: User) -> None:
        erasure = an_erasure(SHARED, state="waiting", grace_until=timezone.now())
        refused: list[Exception] = []
        connect = threading.Thread(target=in_a_thread(lambda: links.link(bob, SHARED, reason=WHY), refused))
        with transaction.atomic():
            assert lease.claim(erasure.pk) is not None
            connect.start()
            connect.join(timeout=1)
            assert connect.is_alive()
        connect.join(timeout=20)
        assert [type(error) for error in refused] == [SubjectBusy]
        assert not SubjectLink.objects.exists()


def in_a_thread(act: Any, refused: list[Exception] | None = None) -> Any:
    def run() -> None:
        try:
            act()
        except SubjectBusy as error:
            assert refused is not None
            refused.append(error)
        finally:
            connections.close_all()

    return run


class TestSomebodyElsesRequest:
    @pytest.fixture
    def hers(self, alice: User, bob: User, alices: SubjectId) -> Erasure:
        """Alice's, for her account; one of its ids is Bob's by now."""
        erasure = services.ask(alice, alices, SubjectId(alice.subject), scope=Scope.ACCOUNT)
        move_to(bob)
        return erasure

    @pytest.mark.parametrize("scope", ["everything", "account"])
    def test_is_not_shown_to_whoever_asks_for_their_own(self, scope: str, hers: Erasure, bob: User) -> None:
        client = Client()
        sign_in(client, bob.email)
        prove(client)
        answer = client.post("/erasure/", {"word": "erase", "scope": scope})
        own = Erasure.objects.get(account=bob)
        assert answer.headers["Location"] == f"/erasure/{own.id}/"
        assert client.get(f"/requests/{hers.reference}/").status_code == 404
        assert client.post(f"/requests/{hers.reference}/cancel/").status_code == 404
        assert client.get(f"/erasure/{hers.id}/").status_code == 404
        assert was_sent_back(hers)
        assert own.state == State.WAITING

    def test_theirs_is_carried_out_and_hers_waits_for_it(self, hers: Erasure, alice: User, bob: User) -> None:
        own = services.ask(bob, SHARED)
        with pytest.raises(decisions.Unfit, match="another account"):
            decisions.approve(hers.pk, person("officer@example.com"))
        assert time_is_over(own).state == State.COMPLETED
        assert left() == 0
        assert was_sent_back(hers)
        assert User.objects.filter(pk=alice.pk).exists()

    def test_is_not_shown_to_whoever_confirms_by_mail(self, hers: Erasure, bob: User) -> None:
        found = confirmed(bob.email)
        assert found.account == bob
        assert found.state == State.WAITING
        assert set(found.subjects) == {SHARED, bob.subject}
        assert was_sent_back(hers)

    def test_what_is_being_erased_stays_so(self, alice: User, bob: User) -> None:
        """No connection can be made meanwhile; one that a shell made opens nothing."""
        theirs = an_erasure(SHARED, state="retrying", account=alice)
        services.occupy(theirs)
        SubjectLink.objects.bulk_create([SubjectLink(account=bob, subject=SHARED, proof=Proof.OPERATOR)])
        with pytest.raises(NotNow, match="being erased"):
            services.ask(bob, SHARED)
        assert not Erasure.objects.filter(account=bob).exists()
        assert Erasure.objects.get(pk=theirs.pk).state == State.RETRYING

    def test_one_for_ids_of_two_people_begins_only_after_theirs(self, alice: User, bob: User) -> None:
        """Two officers said so, without an account. The holder of one of the ids is not made to wait."""
        officer = person("officer@example.com")
        both = services.file(Channel.HOST, [SubjectId(alice.subject), SubjectId(bob.subject)], vouched=True)
        decisions.approve(both.pk, officer)
        own = services.ask(alice, SubjectId(alice.subject))
        assert was_sent_back(both)
        with pytest.raises(decisions.Unfit, match="Another request"):
            decisions.approve(both.pk, officer)
        assert time_is_over(own).state == State.COMPLETED
        assert decisions.approve(both.pk, officer).state == State.WAITING

    def test_what_the_host_filed_is_taken_up(self, alice: User) -> None:
        filed = services.file(Channel.HOST, [SubjectId(alice.subject)], vouched=True)
        assert filed.state == State.APPROVAL
        own = services.ask(alice, SubjectId(alice.subject))
        assert (own.pk, own.account, own.state) == (filed.pk, alice, State.WAITING)

    def test_what_came_with_another_address_is_not_taken_up(self, alice: User) -> None:
        """Its mails, with the link to its page, go to somebody who may not be her."""
        filed = services.file(Channel.SUPPORT, [SubjectId(alice.subject)], address="mallory@example.org")
        own = services.ask(alice, SubjectId(alice.subject))
        assert own.pk != filed.pk
        assert Erasure.objects.get(pk=filed.pk).account is None


def confirmed(address: str) -> Erasure:
    intake.file(address, Scope.EVERYTHING)
    erasure = Erasure.objects.latest("asked_at")
    IdentityLink.objects.create(
        erasure=erasure, digest=identity.digest("token"), until=timezone.now() + timedelta(days=1)
    )
    return intake.confirm("token")


# --- which account ---------------------------------------------------------------------------------------------------


def of_a_letter(*subjects: SubjectId, by: User) -> Erasure:
    """Everything and the account, asked for by somebody without a login; an officer found the ids."""
    erasure = services.file(Channel.FORM, address="somebody@elsewhere.example", scope=Scope.ACCOUNT)
    decisions.check_identity(erasure.pk, by, "called back, and asked for the contract")
    return decisions.attach(erasure.pk, by, subjects)


def test_an_account_that_is_to_go_is_one(alice: User, bob: User) -> None:
    """With the ids of two accounts both would stay, under a receipt that says nothing of it."""
    first, second = person("first@example.com"), person("second@example.com")
    ids = [SubjectId(alice.subject), SubjectId(bob.subject)]
    erasure = of_a_letter(*ids, by=first)
    with pytest.raises(decisions.Unfit, match="it is open which one"):
        decisions.approve(erasure.pk, second)
    assert Erasure.objects.get(pk=erasure.pk).state == State.APPROVAL
    decisions.attach(erasure.pk, first, ids[:1])
    decisions.approve(erasure.pk, second)
    assert time_is_over(erasure).state == State.COMPLETED
    assert not User.objects.filter(pk=alice.pk).exists()
    assert User.objects.filter(pk=bob.pk).exists()


def test_an_id_that_somebody_connects_meanwhile_names_the_account_first(alice: User) -> None:
    first, second = person("first@example.com"), person("second@example.com")
    ScopedMemory(SHARED).add("I like the window seat.", infer=False)
    erasure = of_a_letter(SHARED, by=first)
    decisions.approve(erasure.pk, second)
    links.link(alice, SHARED, reason=WHY)
    time_is_over(erasure)
    assert was_sent_back(erasure)
    with pytest.raises(decisions.Unfit, match="it is open which one"):
        decisions.approve(erasure.pk, second)
    assert left() == 1
    assert User.objects.filter(pk=alice.pk).exists()
