"""Service keys: made, shown once, found, rotated, revoked, limited to assistants, rights and networks; all audited."""

import re
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from memoryportal.agent import keys
from memoryportal.agent.models import ServiceKey
from memoryportal.audit.models import Event
from tests.accounts.helpers import add_totp, person, signed_in, trail_shut

from .calling import Assistant, call, code, make_key, somebody

pytestmark = pytest.mark.django_db
ASK = {"subject": "alice", "agent": "kitchen_helper"}


def ask(key: str, **more: Any) -> Any:
    return call("post", "/tokens", key, {**ASK, **more})


def run(*arguments: str) -> str:
    said = StringIO()
    call_command(*arguments, stdout=said, stderr=StringIO())
    return said.getvalue().strip()


def events() -> list[tuple[str, str, str]]:
    found = Event.objects.filter(action__startswith="key.").order_by("seq")
    return list(found.values_list("action", "role", "object"))


# --- making and finding ----------------------------------------------------------------------------------------------


def test_the_table_holds_no_secret() -> None:
    key, text = make_key()
    assert re.fullmatch(r"mpk_[a-z2-7]{10}_[\w-]{43}", text)
    row = ServiceKey.objects.filter(pk=key.pk).values().get()
    secret = text.removeprefix(f"mpk_{key.prefix}_")
    assert all(secret not in str(value) for value in row.values())
    assert len({make_key()[1] for _ in range(20)}) == 20


def test_a_key_is_good_for_a_token(key: str, service_key: ServiceKey) -> None:
    assert service_key.last_used is None
    answer = ask(key)
    assert answer.status_code == 201
    assert answer.json()["expires_in"] == 600
    service_key.refresh_from_db()
    assert service_key.last_used == timezone.now().date()


@pytest.mark.parametrize(
    "bearer",
    ["mpk_", "mpk_aaaaaaaaaa_" + "a" * 43, "mpk_AAAAAAAAAA_" + "a" * 43, "mpk_a_b", "mpk_\u00e4", "mpk_" + "a" * 5000],
)
def test_what_is_no_key_opens_nothing(key: str, bearer: str) -> None:
    assert code(ask(bearer)) == "key-invalid"


def test_one_letter_more_or_less_opens_nothing(key: str) -> None:
    for wrong in (key[:-1], key + "a", key[:-1] + ("a" if key[-1] != "a" else "b"), key.upper(), "x" + key):
        assert ask(wrong).status_code == 401


@pytest.mark.parametrize("header", ["", "Basic abc", "Bearer", "Bearer ", "Token abc", "mpk_abc"])
def test_without_a_key(key: str, header: str) -> None:
    answer = call("post", "/tokens", body=ASK, **({"Authorization": header} if header else {}))
    assert code(answer) == "key-required"
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_subject_token_is_no_key(alice: Assistant) -> None:
    for path, body in (("/tokens", ASK), ("/erasures", {"subject": "alice"})):
        assert code(call("post", path, alice.token, body)) == "key-required"


def test_a_key_is_no_subject_token(key: str) -> None:
    assert code(call("get", "/memories", key)) == "token-required"


# --- what it may -----------------------------------------------------------------------------------------------------


def test_allowed_assistants() -> None:
    _, key = make_key("kitchen_helper", "travel_planner")
    assert ask(key).status_code == 201
    for other in ("Kitchen_helper", "kitchen_helper2", "kitchen"):
        assert code(ask(key, agent=other)) == "agent-refused"


def test_rights_are_those_of_the_key() -> None:
    _, key = make_key(rights=("read",))
    assert ask(key).json()["rights"] == ["read"]
    for asked in (["write"], ["read", "delete"]):
        assert code(ask(key, rights=asked)) == "right-missing"


def test_delete_is_off_unless_asked_for(key: str) -> None:
    assert ask(key).json()["rights"] == ["read", "write"]
    assert ask(key, rights=["delete"]).json()["rights"] == ["delete"]


def test_a_key_that_can_only_delete_gives_nothing_unasked() -> None:
    _, key = make_key(rights=("delete",))
    assert code(ask(key)) == "right-missing"
    assert ask(key, rights=["delete"]).status_code == 201


@pytest.mark.parametrize(
    ("networks", "address", "allowed"),
    [
        (["192.0.2.0/24"], "192.0.2.7", True),
        (["192.0.2.0/24"], "192.0.3.7", False),
        (["192.0.2.0/24"], "2001:db8::1", False),
        (["192.0.2.0/24", "2001:db8::/32"], "2001:db8::1", True),
        (["192.0.2.0/24"], "::ffff:192.0.2.7", True),
        (["192.0.2.0/24"], "::ffff:192.0.3.7", False),
        (["192.0.2.0/24"], "", False),
        ([], "198.51.100.1", True),
    ],
)
def test_networks(networks: list[str], address: str, allowed: bool) -> None:
    _, key = make_key(networks=networks)
    answer = Client().post(
        "/api/v1/tokens", ASK, "application/json", headers={"Authorization": f"Bearer {key}"}, REMOTE_ADDR=address
    )
    assert answer.status_code == (201 if allowed else 403)
    if not allowed:
        assert code(answer) == "network-refused"


@pytest.mark.parametrize(("proxies", "allowed"), [(0, False), (1, True)])
def test_the_client_s_address_is_believed_of_our_own_proxy_alone(settings: Any, proxies: int, allowed: bool) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    _, key = make_key(networks=["192.0.2.0/24"])
    answer = call("post", "/tokens", key, ASK, X_Forwarded_For="192.0.2.7")
    assert (answer.status_code == 201) is allowed


def test_a_browser_is_refused(key: str, service_key: ServiceKey, caplog: Any) -> None:
    for path, body in (("/tokens", ASK), ("/erasures", {"subject": "alice"}), ("/memories", {"text": "x"})):
        for origin in ("https://app.example.com", "null", "http://testserver"):
            answer = call("post", path, key, body, Origin=origin)
            assert code(answer) == "key-in-browser"
            assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    assert service_key.prefix in caplog.text
    assert key not in caplog.text


# --- its end ---------------------------------------------------------------------------------------------------------


def test_a_revoked_key_ends_with_all_its_tokens(key: str, service_key: ServiceKey, alice: Assistant) -> None:
    alice.add("I am vegetarian.")
    keys.revoke(service_key)
    assert code(ask(key)) == "key-invalid"
    for verb, path, body in (
        ("get", "/memories", None),
        ("post", "/memories", {"text": "I eat meat.", "infer": False}),
    ):
        assert code(alice.call(verb, path, body)) == "token-revoked"
    assert alice.memory.count() == 1
    with pytest.raises(keys.KeyRefused):
        keys.revoke(service_key)
    with pytest.raises(keys.KeyRefused):
        keys.rotate(service_key, timedelta(days=1))


def test_rotation_lets_the_old_secret_live_for_a_while(key: str, service_key: ServiceKey, alice: Assistant) -> None:
    new = keys.rotate(service_key, timedelta(days=7))
    assert new != key
    assert ask(new).status_code == ask(key).status_code == 201
    assert alice.call("get", "/memories").status_code == 200, "tokens live on"
    with time_machine.travel(timezone.now() + timedelta(days=7, minutes=1)):
        assert code(ask(key)) == "key-invalid"
        assert ask(new).status_code == 201


def test_a_second_rotation_ends_the_oldest_secret(key: str, service_key: ServiceKey) -> None:
    second = keys.rotate(service_key, timedelta(days=7))
    third = keys.rotate(service_key, timedelta(0))
    assert [ask(text).status_code for text in (key, second, third)] == [401, 401, 201]


# --- commands, the trail, the administration -------------------------------------------------------------------------


def test_commands_from_start_to_end() -> None:
    key = run("create_service_key", "shop", "--agents", "kitchen_helper", "--rights", "read", "write")
    row = ServiceKey.objects.get(name="shop")
    assert (row.agents, row.rights, row.created_by) == (["kitchen_helper"], ["read", "write"], None)
    assert ask(key).status_code == 201
    listed = run("list_service_keys")
    assert row.prefix in listed
    assert "shop" in listed
    assert key not in listed
    new = run("rotate_service_key", row.prefix, "--days", "0")
    assert (ask(key).status_code, ask(new).status_code) == (401, 201)
    run("revoke_service_key", row.prefix)
    assert ask(new).status_code == 401
    assert "revoked" in run("list_service_keys")
    name = f"key:{row.prefix}"
    assert events() == [(action, "operator", name) for action in ("key.created", "key.rotated", "key.revoked")]


@pytest.mark.parametrize(
    "arguments",
    [
        ("create_service_key", " "),
        ("create_service_key", "x" * 81),
        ("create_service_key", "shop", "--agents", "a,b"),
        ("create_service_key", "shop", "--networks", "192.0.2.1/24"),
        ("create_service_key", "shop", "--networks", "anywhere"),
        ("create_service_key", "shop", "--subjects-per-hour", "0"),
        ("create_service_key", "shop", "--rights", "everything"),
        ("create_service_key", "shop", "--by", "nobody@example.com"),
        ("rotate_service_key", "aaaaaaaaaa"),
        ("rotate_service_key", "aaaaaaaaaa", "--days", "1000"),
        ("revoke_service_key", "aaaaaaaaaa"),
    ],
)
def test_commands_refuse_in_words_and_change_nothing(service_key: ServiceKey, arguments: tuple[str, ...]) -> None:
    before = list(ServiceKey.objects.values())
    with pytest.raises(CommandError):
        run(*arguments)
    assert list(ServiceKey.objects.values()) == before


@pytest.mark.django_db(transaction=True)
def test_nothing_happens_that_the_trail_does_not_take() -> None:
    key, _ = make_key()
    before = list(ServiceKey.objects.values())
    with trail_shut():
        for arguments in (
            ("create_service_key", "shop"),
            ("rotate_service_key", key.prefix),
            ("revoke_service_key", key.prefix),
        ):
            with pytest.raises(CommandError):
                run(*arguments)
    assert list(ServiceKey.objects.values()) == before


@pytest.fixture
def admin_client(db: None) -> Client:
    user = person("admin@example.com", is_superuser=True)
    add_totp(user)
    return signed_in(user)


def page(key: ServiceKey, rest: str = "change/") -> str:
    return f"/admin/agent/servicekey/{key.pk}/{rest}"


def test_an_administrator_sees_keys_and_changes_nothing(admin_client: Client, service_key: ServiceKey) -> None:
    for path in ("/admin/agent/servicekey/", page(service_key), page(service_key, "revoke/")):
        text = admin_client.get(path).content.decode()
        assert service_key.prefix in text
        assert service_key.digest not in text
        assert not re.findall(r"<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=|<style", text), path
    before = ServiceKey.objects.filter(pk=service_key.pk).values().get()
    for path in (page(service_key), page(service_key, "delete/"), "/admin/agent/servicekey/add/"):
        assert admin_client.post(path, {"name": "mine", "post": "yes", "rights": "read"}).status_code == 403
    assert ServiceKey.objects.filter(pk=service_key.pk).values().get() == before
    assert admin_client.get(page(service_key, "history/")).status_code == 404


def test_an_administrator_revokes_a_key(admin_client: Client, key: str, service_key: ServiceKey) -> None:
    admin_client.get(page(service_key, "revoke/"))
    assert ask(key).status_code == 201, "looking at the page revokes nothing"
    answer = admin_client.post(page(service_key, "revoke/"), follow=True)
    assert "Revoked." in answer.content.decode()
    assert ask(key).status_code == 401
    assert events()[-1] == ("key.revoked", "admin", f"key:{service_key.prefix}")
    again = admin_client.post(page(service_key, "revoke/"), follow=True)
    assert "Nothing was changed" in again.content.decode()


def test_who_is_no_administrator_revokes_nothing(client: Client, service_key: ServiceKey) -> None:
    assert client.post(page(service_key, "revoke/")).status_code == 302
    client.force_login(person("somebody@example.com"))
    assert client.post(page(service_key, "revoke/")).status_code == 404
    service_key.refresh_from_db()
    assert service_key.revoked_at is None


def test_a_token_needs_no_account(key: str) -> None:
    assert ask(key, subject=somebody("never-seen")).status_code == 201
