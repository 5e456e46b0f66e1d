"""When an event cannot be written, the act does not happen, and the page says so. Each act, each way of breaking it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client

from memoryportal.accounts.models import SubjectLink, User
from memoryportal.audit.models import Event
from memoryportal.erasure.models import Erasure
from memoryportal.memory import ScopedMemory
from tests.accounts.helpers import (
    PASSWORD,
    add_totp,
    code_now,
    copy_of,
    is_signed_in,
    links_in,
    prove,
    show_factor,
    sign_in,
)

from .breaking import WAYS, broken_trail

pytestmark = pytest.mark.django_db(transaction=True)
UNSAID = ("Nothing was changed.", "So nothing was done.")


@dataclass
class Stage:
    """Alice, signed in and just re-authenticated, with a memory that has an earlier wording."""

    alice: User
    client: Client
    memory: ScopedMemory

    @property
    def item(self) -> Any:
        return self.memory.page().items[0]

    def state(self) -> Any:
        """Everything that an act of these tests could change."""
        texts = [(item.id, item.text, item.version) for item in self.memory.walk()]
        user = User.objects.get(pk=self.alice.pk)
        return (
            (texts, self.memory.held(), list(Erasure.objects.values_list("state", flat=True))),
            (user.password, user.email, user.last_login),
            sorted(Authenticator.objects.values_list("pk", "type")),
            sorted(EmailAddress.objects.values_list("email", "primary", "verified")),
            sorted(SubjectLink.objects.values_list("subject", flat=True)),
            sorted(UserSession.objects.values_list("pk", flat=True)),
            list(Event.objects.values_list("seq", flat=True)),
        )


@pytest.fixture
def stage(alice: User, alice_client: Client, alice_memory: ScopedMemory) -> Stage:
    item = alice_memory.add("Alice likes cheese.", infer=False)[0]
    alice_memory.update(item.id, "Alice likes tea.")
    elsewhere = Client()
    elsewhere.force_login(alice)
    for client in (elsewhere, alice_client):
        client.get("/memories/")
    assert prove(alice_client).status_code == 302
    return Stage(alice, alice_client, alice_memory)


def edit(stage: Stage) -> Any:
    return stage.client.post(f"/memories/{stage.item.id}/edit/", {"text": "new", "version": stage.item.version})


def purge(stage: Stage) -> Any:
    seq = stage.memory.history(stage.item.id)[0].seq
    return stage.client.post(f"/memories/{stage.item.id}/versions/{seq}/delete/")


def delete(stage: Stage) -> Any:
    return stage.client.post(f"/memories/{stage.item.id}/delete/")


def delete_ticked(stage: Stage) -> Any:
    return stage.client.post("/memories/delete/", {"id": [stage.item.id], "confirm": "yes"})


def delete_matching(stage: Stage) -> Any:
    what = {"matching": "1", "since": "2020-01-01", "expected": "1", "confirm": "yes"}
    return stage.client.post("/memories/delete/", what)


def export(stage: Stage) -> Any:
    return stage.client.post("/export/json/")


def erase(stage: Stage) -> Any:
    return stage.client.post("/erasure/", {"word": "erase"})


def end_session(stage: Stage) -> Any:
    current = stage.client.session.session_key
    session = UserSession.objects.filter(user=stage.alice).exclude(session_key=current).get()
    return stage.client.post(f"/settings/sessions/{session.pk}/end/")


def change_password(stage: Stage) -> Any:
    new = "a-new-password-17"
    return stage.client.post(
        "/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new}
    )


def add_factor(stage: Stage) -> Any:
    secret = stage.client.get("/accounts/2fa/totp/activate/").context["form"].secret
    return stage.client.post("/accounts/2fa/totp/activate/", {"code": code_now(secret)})


ACTS: list[Callable[[Stage], Any]] = [
    *(edit, purge, delete, delete_ticked, delete_matching, export, erase, end_session, change_password, add_factor)
]


@pytest.mark.parametrize("act", ACTS)
def test_no_act_happens_without_its_event(act: Callable[[Stage], Any], stage: Stage) -> None:
    before = stage.state()
    with broken_trail():
        answer = act(stage)
    assert answer.status_code == 503
    assert any(words in answer.content.decode() for words in UNSAID)
    assert answer.headers["X-Request-ID"] in answer.content.decode(), "the reference to ask about"
    assert "cheese" not in answer.content.decode()
    assert stage.state() == before
    assert act(stage).status_code in (200, 302), "afterwards it works"
    assert stage.state() != before


@pytest.mark.parametrize("how", WAYS)
def test_whatever_the_trouble_is(how: str, stage: Stage) -> None:
    before = stage.state()
    with broken_trail(how):
        answer = delete(stage)
    assert answer.status_code == 503
    assert "that record cannot be reached. So nothing was done." in " ".join(answer.content.decode().split()).replace(
        "</p> <p>", " "
    )
    assert stage.state() == before


def test_htmx_is_told_too(stage: Stage) -> None:
    with broken_trail():
        answer = stage.client.post(f"/memories/{stage.item.id}/delete/", headers={"HX-Request": "true"})
    assert answer.status_code == 503
    assert "data-error-text" in answer.content.decode()
    assert "So nothing was done." in answer.content.decode()


def test_reading_ones_own_memories_needs_no_trail(stage: Stage) -> None:
    with broken_trail():
        for path in ("/memories/", f"/memories/{stage.item.id}/", "/held/", "/activity/", "/settings/"):
            assert stage.client.get(path).status_code == 200


# --- signing in ------------------------------------------------------------------------------------------------------


def test_nobody_signs_in_unrecorded(alice: User, client: Client) -> None:
    with broken_trail():
        assert sign_in(client, "alice@example.com").status_code == 503
        assert not is_signed_in(client)
    assert alice.pk not in {session.get_decoded().get("_auth_user_id") for session in Session.objects.all()}
    assert User.objects.get(pk=alice.pk).last_login is None
    assert not UserSession.objects.exists()
    sign_in(client, "alice@example.com")
    assert is_signed_in(client)


def test_nobody_signs_in_unrecorded_with_a_second_factor(alice: User, client: Client) -> None:
    secret = add_totp(alice)
    sign_in(client, "alice@example.com")
    with broken_trail():
        assert client.post("/accounts/2fa/authenticate/", {"code": code_now(secret)}).status_code == 503
    assert not is_signed_in(client)


def test_nobody_guesses_unrecorded(alice: User, client: Client) -> None:
    with broken_trail():
        for address in ("alice@example.com", "nobody@example.com"):
            assert sign_in(client, address, "a wrong password").status_code == 503
    assert not Event.objects.exists()


def test_a_confirmation_that_was_not_recorded_does_not_count(alice: User, alice_client: Client) -> None:
    with broken_trail():
        assert prove(alice_client).status_code == 503
    answer = alice_client.post("/export/json/")
    assert answer.status_code == 302
    assert "reauthenticate" in answer.headers["Location"]


def test_whoever_wants_to_leave_is_let_go(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    thief = copy_of(stage.client)
    with broken_trail():
        assert stage.client.post("/accounts/logout/").status_code == 302
    assert not is_signed_in(thief)
    assert "the trail has no session.ended" in caplog.text


# --- factors, addresses, links ---------------------------------------------------------------------------------------


def test_a_factor_is_not_removed_unrecorded(alice: User, client: Client) -> None:
    secret, codes = add_totp(alice), RecoveryCodes.activate(alice).generate_codes()
    sign_in(client, "alice@example.com")
    client.post("/accounts/2fa/authenticate/", {"code": codes[0]})
    assert is_signed_in(client)
    show_factor(client, secret)
    before = sorted(Authenticator.objects.values_list("pk", "type"))
    with broken_trail():
        assert client.post("/accounts/2fa/totp/deactivate/").status_code == 503
    assert sorted(Authenticator.objects.values_list("pk", "type")) == before


def test_a_passkey_is_not_stored_unrecorded(alice: User) -> None:
    from memoryportal.audit.record import AuditUnavailable

    with broken_trail(), pytest.raises(AuditUnavailable):
        Authenticator.objects.create(user=alice, type=Authenticator.Type.WEBAUTHN, data={"name": "key"})
    assert not Authenticator.objects.exists()


def test_a_new_address_does_not_count_unrecorded(stage: Stage) -> None:
    stage.client.post("/accounts/email/", {"action_add": "", "email": "new@example.com"})
    (link,) = [link for link in links_in(mail.outbox[-1].body) if "confirm-email" in link]
    before = stage.state()
    with broken_trail():
        assert stage.client.post(link).status_code == 503
    assert stage.state() == before
    stage.client.post(link)
    assert User.objects.get(pk=stage.alice.pk).email == "new@example.com"


def test_no_id_is_linked_or_unlinked_unrecorded(stage: Stage) -> None:
    arguments = ("link_subject", "alice@example.com", "customer-1")
    with broken_trail(), pytest.raises(CommandError, match="nothing was done"):
        call_command(*arguments, "--reason", "ticket 12")
    assert not SubjectLink.objects.exists()
    call_command(*arguments, "--reason", "ticket 12")
    with broken_trail(), pytest.raises(CommandError, match="nothing was done"):
        call_command(*arguments, "--remove")
    assert SubjectLink.objects.count() == 1


def test_sessions_do_not_end_from_a_shell_unrecorded(stage: Stage) -> None:
    with broken_trail(), pytest.raises(CommandError, match="nothing was done"):
        call_command("end_sessions", "alice@example.com")
    assert is_signed_in(stage.client)


# --- what had begun --------------------------------------------------------------------------------------------------


def test_what_was_done_is_said_to_be_done_though_its_end_is_not_recorded(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The trail breaks between the asking and the end: the page must not claim that nothing was changed."""
    original, broken = ScopedMemory.delete, broken_trail()

    def delete_then_break(memory: ScopedMemory, memory_id: str, **more: Any) -> Any:
        removed = original(memory, memory_id, **more)
        broken.__enter__()
        return removed

    monkeypatch.setattr(ScopedMemory, "delete", delete_then_break)
    item = stage.item
    try:
        answer = stage.client.post(f"/memories/{item.id}/delete/")
    finally:
        broken.__exit__(None, None, None)
    assert answer.status_code == 302
    assert stage.memory.count() == 0
    assert "the trail has no memory.deleted for an act that was asked for" in caplog.text
    assert Event.objects.latest("seq").action == "memory.delete-asked"


def test_an_erasure_does_not_end_unrecorded_and_goes_on_later(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    original, broken = ScopedMemory.erase, broken_trail()

    def erase_then_break(memory: ScopedMemory, **more: Any) -> Any:
        removed = original(memory, **more)
        broken.__enter__()
        return removed

    with monkeypatch.context() as patched:
        patched.setattr(ScopedMemory, "erase", erase_then_break)
        try:
            answer = erase(stage)
        finally:
            broken.__exit__(None, None, None)
    assert answer.status_code == 302
    erasure = Erasure.objects.get()
    assert erasure.state == "retrying"
    assert "Delayed" in stage.client.get(answer.headers["Location"]).content.decode()
    stage.client.post(f"{answer.headers['Location']}continue/")
    erasure.refresh_from_db()
    assert erasure.state == "completed"
    assert [event.action for event in Event.objects.filter(object=erasure.reference).order_by("seq")] == [
        "erasure.asked",
        "erasure.begun",
        "erasure.done",
    ]
