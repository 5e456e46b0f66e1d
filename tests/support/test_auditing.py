"""The auditor's pages: who may see them, what a filter finds, a grant as a story, verifying, and files."""

import csv
import io
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from memoryportal.accounts.models import User
from memoryportal.audit import reading
from memoryportal.audit.actions import Action
from memoryportal.audit.heads import sign_head
from memoryportal.audit.models import Event
from memoryportal.audit.pseudonyms import pseudonym
from memoryportal.audit.reading import PAGE
from memoryportal.audit.record import Actor, record
from memoryportal.audit.verify import expected_hash
from memoryportal.memory import Item, SubjectId
from memoryportal.support.audit_filter import MOST_KEPT
from memoryportal.support.models import AccessGrant

from .staffing import actions, broken_trail, last_event, linked, newest, open_access, page_of, said, signed_in

pytestmark = pytest.mark.django_db
AUDIT = "/support/audit/"
PATHS = [AUDIT, AUDIT + "verify/", AUDIT + "export/", AUDIT + "grants/00000000-0000-4000-8000-000000000000/"]


@pytest.fixture(autouse=True)
def own_heads(settings: Any, tmp_path: Path) -> Path:
    settings.AUDIT_HEADS = str(tmp_path / "heads.jsonl")
    settings.KEY_DIR = tmp_path / "keys"
    return tmp_path / "heads.jsonl"


def look_for(client: Client, **what: str) -> Any:
    """Post the filter and follow to the list."""
    answer = client.post(AUDIT, what)
    assert answer.status_code == 302, said(answer)
    return client.get(answer.headers["Location"])


def shown(response: Any) -> list[int]:
    """The numbers of the events on a page."""
    return [int(seq.replace(",", "")) for seq in re.findall(r"· event ([\d,]+)", response.content.decode())]


def numbers(**about: Any) -> list[int]:
    return list(Event.objects.filter(**about).order_by("-seq").values_list("seq", flat=True))


def about(user: User) -> str:
    return pseudonym(SubjectId(user.subject))


# --- who ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
def test_for_everybody_else_there_is_no_such_page(
    path: str, support_client: Client, privacy_client: Client, alice_client: Client
) -> None:
    before = newest()
    for client in (support_client, privacy_client, alice_client):
        for answer in (client.get(path), client.post(path)):
            assert answer.status_code == 404
    assert Client().get(path).headers["Location"].startswith("/accounts/login/")
    # Staff who lack the role leave an event; for people without one the page does not exist.
    assert actions(before) == ["access.denied"] * 4


def test_a_second_factor_is_needed(auditor: User, auditor_client: Client) -> None:
    auditor.authenticator_set.all().delete()
    before = newest()
    answer = auditor_client.get(AUDIT)
    assert answer.status_code == 403
    assert "second factor" in said(answer)
    assert actions(before) == []


def test_a_role_that_was_taken_away_is_gone_at_once(auditor: User, auditor_client: Client) -> None:
    assert auditor_client.get(AUDIT).status_code == 200
    auditor.groups.clear()
    assert auditor_client.get(AUDIT).status_code == 404
    assert auditor_client.post(AUDIT + "export/", {"form": "csv"}).status_code == 404


# --- reading is an act -----------------------------------------------------------------------------------------------


def test_reading_is_an_event_before_anything_is_shown(auditor: User, auditor_client: Client) -> None:
    answer = auditor_client.get(AUDIT)
    read = last_event(Action.TRAIL_READ)
    assert (read.actor, read.role, read.subject) == (str(auditor.pk), "auditor", None)
    assert shown(answer)[0] == read.seq, "the reading itself is on the page"


@pytest.mark.django_db(transaction=True)
def test_nothing_is_shown_when_the_reading_cannot_be_recorded(auditor_client: Client) -> None:
    record(Action.EXPORT_ASKED, actor=Actor("77", "person"))
    before = newest()
    with broken_trail():
        answers = [auditor_client.get(AUDIT), auditor_client.post(AUDIT + "verify/")]
        answers.append(auditor_client.post(AUDIT + "export/", {"form": "json"}))
    for answer in answers:
        assert answer.status_code == 503
        assert "account 77" not in said(answer)
        assert "So nothing was done." in said(answer)
    assert newest() == before


def test_the_person_sees_that_somebody_looked(auditor_client: Client, alice: User, alice_client: Client) -> None:
    look_for(auditor_client, person="alice@example.com")
    assert last_event(Action.TRAIL_READ).subject == about(alice)
    assert "looked at this list, not at your memories" in said(alice_client.get("/activity/"))


# --- looking for something -------------------------------------------------------------------------------------------


@pytest.fixture
def busy(alice: User, bob: User, alice_client: Client, bob_client: Client, grant: AccessGrant) -> None:
    """A trail in which every filter has something to find and something to leave out."""
    linked(alice, "alice-in-the-shop")
    for user in (alice, bob):
        record(Action.EXPORT_ASKED, actor=Actor(str(user.pk), "person"), subject=SubjectId(user.subject))
    record(Action.MEMORY_CORRECTED, actor=Actor(str(alice.pk), "person"), subject=SubjectId("alice-in-the-shop"))


def test_everything_is_listed_newest_first(busy: None, auditor_client: Client) -> None:
    answer = auditor_client.get(AUDIT)
    assert shown(answer) == numbers()
    assert "Was given access for a while" in said(answer)
    assert "support@example.com, support" in said(answer), "an auditor must know whom to ask"
    assert "alice@example.com" not in said(answer)


def test_by_action(busy: None, auditor_client: Client) -> None:
    assert shown(look_for(auditor_client, action="export.asked")) == numbers(action="export.asked")


@pytest.mark.parametrize("typed", ["support@example.com", "Support@Example.com", None])
def test_by_who_did_it(typed: str | None, busy: None, support: User, auditor_client: Client) -> None:
    found = shown(look_for(auditor_client, actor=typed or str(support.pk)))
    assert found == numbers(actor=str(support.pk))
    assert len(found) >= 3


def test_by_person_finds_all_their_ids_and_nobody_else(
    busy: None, alice: User, bob: User, auditor_client: Client
) -> None:
    names = [about(alice), pseudonym(SubjectId("alice-in-the-shop"))]
    found = shown(look_for(auditor_client, person="alice@example.com"))
    assert found == numbers(subject__in=names)
    assert not set(found) & set(numbers(subject=about(bob)))


def test_by_id_and_by_name_in_the_trail(busy: None, auditor_client: Client) -> None:
    name = pseudonym(SubjectId("alice-in-the-shop"))
    for typed in ("alice-in-the-shop", name):
        found = look_for(auditor_client, person=typed)
        assert len(shown(found)) >= 1
        assert shown(found) == numbers(subject=name)


def test_by_person_of_an_event(busy: None, bob: User, auditor_client: Client) -> None:
    event = Event.objects.filter(subject=about(bob)).first()
    answer = auditor_client.post(AUDIT, {"person_of": str(event.seq)})
    assert shown(auditor_client.get(answer.headers["Location"])) == numbers(subject=about(bob))


@pytest.mark.parametrize("typed", ["nobody@example.com", "no-such-id", "f" * 64, "a b", "*"])
def test_a_person_whom_no_event_names(typed: str, busy: None, auditor_client: Client) -> None:
    answer = look_for(auditor_client, person=typed)
    assert shown(answer) == []
    assert "No event fits." in said(answer)


def test_by_grant(busy: None, grant: AccessGrant, auditor_client: Client) -> None:
    for typed in (str(grant.pk), grant.reference, grant.reference.lower()):
        assert shown(look_for(auditor_client, grant=typed)) == numbers(grant=str(grant.pk))


def test_by_time(busy: None, auditor_client: Client) -> None:
    today = timezone.localdate()
    everything = look_for(auditor_client, since=str(today), until=str(today))
    assert shown(everything) == numbers()
    assert shown(look_for(auditor_client, until=str(today - timedelta(days=1)))) == []
    assert shown(look_for(auditor_client, since=str(today + timedelta(days=1)))) == []


def test_several_conditions_hold_together(busy: None, alice: User, auditor_client: Client) -> None:
    found = shown(look_for(auditor_client, person="alice@example.com", action="export.asked", actor=str(alice.pk)))
    assert found == numbers(subject=about(alice), action="export.asked")
    assert len(found) == 1


def test_what_is_looked_for_never_stands_in_a_url(busy: None, alice: User, auditor_client: Client) -> None:
    address = auditor_client.post(AUDIT, {"person": "alice@example.com"}).headers["Location"]
    page = auditor_client.get(address).content.decode()
    links = " ".join([address, *re.findall(r'(?:href|action)="([^"]*)"', page)])
    for secret in ("alice", about(alice), about(alice)[:8], alice.subject):
        assert secret not in links


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ({"since": "yesterday"}, "Enter a valid date."),
        ({"since": "0001-01-01"}, "Enter a day of this century."),
        ({"since": "2026-02-02", "until": "2026-02-01"}, "This day is before the day in “From”."),
        ({"actor": "nobody@example.com"}, "No account has this e-mail address."),
        ({"actor": "robert"}, "Enter an e-mail address, the number of an account, or operator, system, anonymous."),
        ({"action": "memory.eaten"}, "Select a valid choice."),
        ({"grant": "MP-0000-0000"}, "No grant has this reference."),
        ({"grant": "7"}, "Enter a grant's reference or id."),
    ],
)
def test_what_cannot_be_looked_for_is_said_and_nothing_is_shown(
    what: dict[str, str], says: str, busy: None, auditor_client: Client
) -> None:
    before = newest()
    answer = auditor_client.post(AUDIT, what)
    assert answer.status_code == 422
    assert says in said(answer)
    assert shown(answer) == []
    assert newest() == before


def test_a_filter_of_another_session_is_not_known(busy: None, auditor: User, auditor_client: Client) -> None:
    address = auditor_client.post(AUDIT, {"action": "export.asked"}).headers["Location"]
    other = signed_in(auditor)
    answer = other.get(address, follow=True)
    assert "narrowed down in another session" in said(answer)
    assert len(shown(answer)) > 2


def test_two_tabs_keep_their_filters_and_old_ones_are_forgotten(busy: None, auditor_client: Client) -> None:
    one = auditor_client.post(AUDIT, {"action": "export.asked"}).headers["Location"]
    two = auditor_client.post(AUDIT, {"action": "grant.opened"}).headers["Location"]
    assert shown(auditor_client.get(one)) == numbers(action="export.asked")
    assert shown(auditor_client.get(two)) == numbers(action="grant.opened")
    for _ in range(MOST_KEPT):
        auditor_client.post(AUDIT, {"action": "session.begun"})
    assert auditor_client.get(one).status_code == 302


def test_pages_show_every_event_once(auditor_client: Client) -> None:
    for _ in range(2 * PAGE + 5):
        record(Action.EXPORT_ASKED, actor=Actor("77", "person"))
    url, found = auditor_client.post(AUDIT, {"actor": "77"}).headers["Location"], []
    while url:
        page = auditor_client.get(url)
        found += shown(page)
        following = re.search(r'href="([^"]*)" rel="next"', page.content.decode())
        url = following[1].replace("&amp;", "&") if following else ""
    assert found == numbers(actor="77")


def test_a_page_costs_the_same_for_one_and_for_many(
    busy: None, auditor_client: Client, django_assert_num_queries: Any
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    auditor_client.get(AUDIT)
    with CaptureQueriesContext(connection) as few:
        auditor_client.get(AUDIT)
    for number in range(40):
        record(Action.MEMORY_LISTED, actor=Actor(str(number), "support"), subject=SubjectId(f"somebody-{number}"))
    with CaptureQueriesContext(connection) as many:
        auditor_client.get(AUDIT)
    assert len(many) == len(few)


def test_what_somebody_planted_is_shown_as_it_is(auditor_client: Client) -> None:
    """Whoever has the portal's login can append any event: a page must survive it."""
    from django.db import connection

    evil = "<script>alert(1)</script>"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT audit_append(%s, %s, %s, NULL, %s, %s, %s, '', '[1]')", [evil, evil, "no.such", evil, evil, evil]
        )
    page = auditor_client.get(AUDIT)
    assert page.status_code == 200
    assert evil not in page.content.decode()
    assert "&lt;script&gt;" in page.content.decode()


# --- one grant -------------------------------------------------------------------------------------------------------


def test_a_grant_is_told_from_start_to_end(
    support_client: Client, auditor_client: Client, items: list[Item], alice: User, alice_client: Client
) -> None:
    grant = open_access(support_client)
    support_client.get(page_of(grant))
    support_client.post(page_of(grant, "reveal/"), {"id": [items[0].id, items[1].id]})
    support_client.post(page_of(grant, "end/"))
    answer = auditor_client.get(f"{AUDIT}grants/{grant.pk}/")
    told = re.findall(r"<p><strong>([^<]*)</strong>", answer.content.decode())
    assert told == ["Was given access for a while", "Saw the list, masked", "Read memories", "Access ended"]
    words = said(answer)
    for fact in (grant.reference, "support@example.com", "T-4711", "The person asked what is stored", items[0].id):
        assert fact in words
    assert items[0].text not in words
    read = last_event(Action.TRAIL_READ)
    assert (read.object, read.subject, read.grant) == (f"grant:{grant.pk}", about(alice), "")
    assert "looked at this list, not at your memories" in said(alice_client.get("/activity/"))


def test_a_grant_that_never_was_is_not_found(auditor_client: Client) -> None:
    before = newest()
    assert auditor_client.get(PATHS[-1]).status_code == 404
    assert newest() == before


# --- the chain -------------------------------------------------------------------------------------------------------


def test_the_state_of_the_chain_stands_on_top(auditor_client: Client) -> None:
    assert "The trail has never been verified." in said(auditor_client.get(AUDIT))
    answer = auditor_client.post(AUDIT + "verify/", follow=True)
    verified = last_event(Action.TRAIL_VERIFIED)
    assert f"Intact: {verified.details['count']} events, verified" in said(answer)
    assert "1 event since." in said(answer), "the reading of this page"
    assert "No head has been signed yet" in said(answer)
    signed = sign_head()
    assert f"Signed up to event {signed.seq}; 1 newer one is not signed yet." in said(auditor_client.get(AUDIT))


def test_verifying_is_an_event_of_the_auditor(auditor: User, auditor_client: Client) -> None:
    sign_head()
    answer = auditor_client.post(AUDIT + "verify/")
    assert answer.status_code == 302
    event = last_event(Action.TRAIL_VERIFIED)
    assert (event.actor, event.role) == (str(auditor.pk), "auditor")
    assert event.details["state"] == "intact"
    assert event.details["count"] == event.seq - 1
    assert event.details["heads"] == 1
    assert auditor_client.get(AUDIT + "verify/").status_code == 405


def test_a_broken_trail_is_said_loudly(auditor_client: Client, own_heads: Path) -> None:
    sign_head()
    own_heads.write_text(own_heads.read_text().replace('"kind": "head"', '"kind": "prune"'))
    answer = auditor_client.post(AUDIT + "verify/", follow=True)
    assert "The trail is NOT intact: line 1 of the signed heads was replaced" in said(answer)
    assert "NOT intact, as verified" in said(auditor_client.get(AUDIT))
    assert last_event(Action.TRAIL_VERIFIED).details["state"] == "broken"


def test_heads_that_cannot_be_read_are_said(auditor_client: Client, own_heads: Path) -> None:
    own_heads.write_text("this is no head\n")
    assert "AUDIT_HEADS holds a line that is not a signed head." in said(auditor_client.get(AUDIT))
    before = newest()
    answer = auditor_client.post(AUDIT + "verify/", follow=True)
    assert "Nothing was verified." in said(answer)
    assert "trail.verified" not in actions(before)


def test_a_very_long_trail_is_left_to_the_command(auditor_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memoryportal.support.auditing.MOST_ON_A_PAGE", 2)
    for _ in range(4):
        auditor_client.get(AUDIT)
    answer = auditor_client.post(AUDIT + "verify/", follow=True)
    assert "run “manage.py verify_audit”" in said(answer)
    assert not Event.objects.filter(action=Action.TRAIL_VERIFIED).exists()


# --- files -----------------------------------------------------------------------------------------------------------


def taken(client: Client, form: str, f: str = "") -> str:
    answer = client.post(AUDIT + "export/", {"form": form, "f": f})
    assert answer.status_code == 200
    assert re.search(
        rf'attachment; filename="memoryportal-audit-\d{{4}}-\d\d-\d\d\.{form}"', answer.headers["Content-Disposition"]
    )
    return b"".join(answer.streaming_content).decode()


def test_json_holds_every_field_and_its_hashes_can_be_computed_again(busy: None, auditor_client: Client) -> None:
    file = json.loads(taken(auditor_client, "json"))
    assert file["complete"] is True
    assert file["written"] == len(file["events"]) == file["newest"] == newest()
    assert [row["seq"] for row in file["events"]] == sorted(numbers())
    assert file["events"][-1]["action"] == "trail.exported", "the file holds its own making"
    for before, row in zip(file["events"], file["events"][1:], strict=False):
        assert row["prev_hash"] == before["hash"]
    last = file["events"][-1]
    stored = Event.objects.get(seq=last["seq"])
    micros = round(stored.at.timestamp() * 1_000_000)
    fields = [last[name] for name in ("actor", "role", "action", "subject", "object", "reason", "grant", "request_id")]
    details = '{"form": "json"}'
    assert expected_hash((last["seq"], micros, *fields, details, last["prev_hash"])) == last["hash"]


def test_csv_holds_the_list_that_was_narrowed_down(busy: None, auditor_client: Client) -> None:
    key = auditor_client.post(AUDIT, {"action": "export.asked"}).headers["Location"].partition("f=")[2]
    lines, end, _ = taken(auditor_client, "csv", key).removeprefix("\ufeff").rpartition("# complete, 2 events\r\n")
    rows = list(csv.DictReader(io.StringIO(lines)))
    assert [int(row["seq"]) for row in rows] == sorted(numbers(action="export.asked"))
    assert end


def test_a_reason_that_would_be_a_formula_is_guarded(auditor_client: Client) -> None:
    record(Action.GRANT_OPENED, actor=Actor("1", "support"), reason="=HYPERLINK(1)")
    assert '"\'=HYPERLINK(1)"' in taken(auditor_client, "csv")
    assert '"=HYPERLINK(1)"' in taken(auditor_client, "json")


def test_a_file_is_taken_in_pieces(auditor_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BATCH", 3)
    for _ in range(10):
        record(Action.EXPORT_ASKED, actor=Actor("77", "person"))
    answer = auditor_client.post(AUDIT + "export/", {"form": "json"})
    pieces = list(answer.streaming_content)
    assert len(pieces) > 4
    assert [row["seq"] for row in json.loads(b"".join(pieces))["events"]] == sorted(numbers())


def test_taking_it_is_an_event_about_the_person_it_is_about(busy: None, alice: User, auditor_client: Client) -> None:
    key = auditor_client.post(AUDIT, {"person": "alice@example.com"}).headers["Location"].partition("f=")[2]
    taken(auditor_client, "json", key)
    event = last_event(Action.TRAIL_EXPORTED)
    assert event.subject == about(alice)
    assert event.details == {"form": "json"}


@pytest.mark.parametrize("data", [{"form": "xml"}, {}, {"form": "csv", "f": "unknown"}])
def test_a_file_of_another_kind_is_refused(data: dict[str, str], auditor_client: Client) -> None:
    before = newest()
    answer = auditor_client.post(AUDIT + "export/", data)
    assert answer.status_code == 302
    assert actions(before) == []
    assert auditor_client.get(AUDIT + "export/").status_code == 405
