"""Take everything away: all of it, nobody else's, and never a cut-off file that looks whole."""

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import time_machine
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo

from memoryportal.accounts.links import link
from memoryportal.accounts.subjects import mark_connected
from memoryportal.base.names import SCOPED
from memoryportal.base.spreadsheets import guard
from memoryportal.memory import ScopedMemory, StoreUnavailable, SubjectId
from memoryportal.memory.backdate import Name, Timeline, add_messages, add_names, backdate
from memoryportal.memory.configuration import configuration
from memoryportal.mydata.demo_data import load
from memoryportal.mydata.export_formats import COLUMNS
from tests.accounts.helpers import prove
from tests.memory.planted import payload, plant, plant_history, plant_message

from . import reading
from .remembered import expire, remember

pytestmark = pytest.mark.django_db
FORMS = ("json", "csv", "html")
NOWHERE = "postgresql://memoryportal_scoped@/nowhere?host=/nonexistent"


@pytest.fixture
def proven(alice_client):
    """Alice, who has just proven that it is her."""
    prove(alice_client)
    return alice_client


@pytest.fixture
def superuser(alice_memory):
    with psycopg.connect(make_conninfo(configuration().owner_dsn, user="postgres"), autocommit=True) as connection:
        yield connection


def take(client: Client, form: str) -> str:
    response = client.post(f"/export/{form}/")
    assert response.status_code == 200
    return b"".join(response.streaming_content).decode()


def rows(text: str) -> list[dict[str, str]]:
    """The lines of a CSV file, without its last one."""
    lines = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True))
    assert tuple(lines[0]) == COLUMNS
    return [dict(zip(COLUMNS, line, strict=True)) for line in lines[1:-1]]


# --- the page --------------------------------------------------------------------------------------------------------


def test_the_page_says_what_is_in_the_files(alice_client, alice_memory):
    remember(alice_memory, "I am vegetarian.", "I live in Hamburg.")
    words = reading.words(alice_client.get("/export/"))
    assert "Memories: 2" in words
    assert "Recent messages: 0" in words
    for sign in ("Complete: … memories", '"complete": true', "# complete, … memories", "gets an apostrophe in front"):
        assert sign in words


def test_the_page_says_beforehand_that_proof_is_needed(alice_client):
    assert "prove once more that it is you" in reading.words(alice_client.get("/export/"))
    ask = alice_client.get("/export/?confirm")
    assert ask.headers["Location"] == "/accounts/reauthenticate/?next=%2Fexport%2F%3Fconfirm"
    prove(alice_client)
    assert "prove once more" not in reading.words(alice_client.get("/export/"))
    assert alice_client.get("/export/?confirm").headers["Location"] == "/export/#files"


def test_an_account_that_was_never_connected_is_not_told_that_nothing_is_remembered(alice, alice_client):
    words = reading.words(alice_client.get("/export/"))
    assert "Nothing is stored under this account" in words
    assert "Nothing is remembered about you" not in words
    mark_connected(alice)
    assert "Nothing is remembered about you" in reading.words(alice_client.get("/export/"))


# --- who may ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_without_proof_nothing_is_sent(alice_client, alice_memory, form):
    remember(alice_memory, "I am vegetarian.")
    response = alice_client.post(f"/export/{form}/")
    assert (response.status_code, response.headers["Location"]) == (302, "/accounts/reauthenticate/?next=%2Fexport%2F")
    assert b"vegetarian" not in response.content


def test_proof_is_good_for_five_minutes(proven, alice_memory):
    remember(alice_memory, "I am vegetarian.")
    assert "vegetarian" in take(proven, "csv")
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=301)):
        assert proven.post("/export/csv/").status_code == 302


@pytest.mark.parametrize("form", FORMS)
def test_anonymous_people_go_to_the_login(client, alice_memory, form):
    remember(alice_memory, "I am vegetarian.")
    for response in (client.post(f"/export/{form}/"), client.get(f"/export/{form}/"), client.get("/export/")):
        assert response.status_code == 302
        assert response.headers["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("form", FORMS)
def test_a_get_goes_to_the_page(proven, alice_memory, form):
    remember(alice_memory, "I am vegetarian.")
    response = proven.get(f"/export/{form}/")
    assert (response.status_code, response.headers["Location"]) == (302, "/export/")


@pytest.mark.parametrize("form", ["xml", "JSON", "json.exe", "memories"])
def test_an_unknown_form_is_missing(proven, form):
    assert proven.get(f"/export/{form}/").status_code == 404
    assert proven.post(f"/export/{form}/").status_code == 404


def test_other_methods_are_refused(proven):
    assert proven.put("/export/json/").status_code == 405
    assert proven.post("/export/").status_code == 405


@pytest.mark.parametrize("form", FORMS)
def test_nothing_of_anybody_else_is_in_it(proven, alice_memory, bob_memory, form):
    remember(alice_memory, "I am vegetarian.", agent="support_bot")
    item = remember(bob_memory, "I always want a window seat.", agent="bobs_planner", run="trip-oslo")[0]
    bob_memory.update(item.id, "I always want an aisle seat.")
    add_names(bob_memory, [Name("Oslo", "PLACE", [item.id])])
    add_messages(bob_memory, [("user", "The night train, please.")], datetime.now(UTC))
    assert bob_memory.held() == {"memories": 1, "entities": 1, "history": 2, "messages": 1, "uses": 0, "never": 0}
    text = take(proven, form)
    assert "vegetarian" in text
    assert (
        re.search(r"window|aisle|bobs_planner|oslo|night train|bob@|" + bob_memory.subject, text, re.IGNORECASE) is None
    )


# --- headers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "content_type"),
    [("json", "application/json"), ("csv", "text/csv; charset=utf-8"), ("html", "text/html; charset=utf-8")],
)
def test_headers(alice, alice_client, form, content_type):
    alice.time_zone = "Pacific/Auckland"
    alice.save()
    with time_machine.travel("2026-11-19T22:30:00+00:00"):  # where Alice is, it is tomorrow
        prove(alice_client)
        response = alice_client.post(f"/export/{form}/")
        assert response.headers["Content-Disposition"] == f'attachment; filename="memoryportal-2026-11-20.{form}"'
        assert response.headers["Content-Type"] == content_type
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"


# --- JSON ------------------------------------------------------------------------------------------------------------


def test_json_holds_everything(alice, proven, alice_memory):
    old = remember(alice_memory, "Lives in Bremen.", agent="support_bot", run="moving-house")[0]
    alice_memory.update(old.id, "Lives in Hamburg.")
    backdate(
        alice_memory, [Timeline(old.id, [datetime(2026, 3, 10, 12, tzinfo=UTC), datetime(2026, 5, 4, 9, tzinfo=UTC)])]
    )
    alice_memory.add("I am vegetarian.", infer=False, metadata={"source": "chat", "stars": 5})
    expire(alice_memory, alice_memory.get(old.id), datetime(2026, 1, 1, tzinfo=UTC).date())
    backdate(
        alice_memory, [Timeline(old.id, [datetime(2026, 3, 10, 12, tzinfo=UTC), datetime(2026, 5, 4, 9, tzinfo=UTC)])]
    )
    add_names(alice_memory, [Name("Hamburg", "PLACE", [old.id])])
    add_messages(alice_memory, [("user", "Which tram?")], datetime(2026, 6, 1, tzinfo=UTC))
    file = json.loads(take(proven, "json"))
    assert list(file)[-1] == "complete"
    assert file["complete"] is True
    assert (file["format"], file["version"]) == ("memoryportal-export", 1)
    assert (file["account"], file["subject"]) == ("alice@example.com", alice.subject)
    assert file["counts"] == {"memories": 2, "entities": 1, "history": 3, "messages": 1, "uses": 0, "never": 0}
    assert file["written"] == {"memories": 2, "entities": 1, "messages": 1, "uses": 0, "history_of_gone_memories": 0}
    first, second = file["memories"]
    history = first.pop("history")
    assert first == {
        "id": old.id,
        "memory": "Lives in Hamburg.",
        "agent_id": "support_bot",
        "run_id": "moving-house",
        "role": "user",
        "actor_id": None,
        "created_at": "2026-03-10T12:00:00+00:00",
        "updated_at": "2026-05-04T09:00:00+00:00",
        "expiration_date": "2026-01-01",
        "expired": True,
        "metadata": {},
    }
    assert [(one["event"], one["old_memory"], one["new_memory"], one["at"]) for one in history] == [
        ("ADD", None, "Lives in Bremen.", "2026-03-10T12:00:00+00:00"),
        ("UPDATE", "Lives in Bremen.", "Lives in Hamburg.", "2026-05-04T09:00:00+00:00"),
    ]
    assert (second["memory"], second["metadata"]) == ("I am vegetarian.", {"source": "chat", "stars": 5})
    assert file["entities"] == [
        {"entity": "Hamburg", "entity_type": "PLACE", "agent_id": None, "run_id": None, "linked_memory_ids": [old.id]}
    ]
    assert [(one["role"], one["content"], one["created_at"]) for one in file["messages"]] == [
        ("user", "Which tram?", "2026-06-01T00:00:00+00:00")
    ]


def test_json_keeps_every_text_as_it_is(proven, alice_memory):
    told = [one.text for one in load("alice")]
    remember(alice_memory, *told)
    assert [one["memory"] for one in json.loads(take(proven, "json"))["memories"]] == told


def test_an_empty_file_is_complete_too(proven):
    file = json.loads(take(proven, "json"))
    assert file["memories"] == file["entities"] == file["messages"] == []
    assert file["complete"] is True
    assert take(proven, "csv").endswith("# complete, 0 memories\r\n")
    assert "Complete: 0 memories." in take(proven, "html")


def test_places_larger_than_a_page_are_whole(proven, alice_memory, superuser):
    """Beyond 500 rows: messages, names, and history that outlived its memories."""
    subject = str(alice_memory.subject)
    gone = "11111111-1111-4111-8111-111111111111"
    for number in range(600):
        plant_message(superuser, subject, f"message {number}")
        plant_history(superuser, subject, gone, None, f"wording {number}")
    add_names(alice_memory, [Name(f"name {number:03}", "PLACE", []) for number in range(600)])
    file = json.loads(take(proven, "json"))
    assert [one["content"] for one in file["messages"]] == [f"message {number}" for number in range(600)]
    assert [one["entity"] for one in file["entities"]] == [f"name {number:03}" for number in range(600)]
    assert [one["new_memory"] for one in file["history_of_gone_memories"]] == [f"wording {n}" for n in range(600)]
    assert {one["memory_id"] for one in file["history_of_gone_memories"]} == {gone}
    assert "wording 599" in take(proven, "html")


@pytest.mark.parametrize("form", FORMS)
def test_1200_memories_all_and_in_order(proven, alice_memory, superuser, form):
    began = datetime(2026, 1, 1, tzinfo=UTC)
    texts = [f"memory number {number:04}." for number in range(1200)]
    plant(
        superuser,
        [
            payload(str(alice_memory.subject), text, created_at=(began + timedelta(minutes=number)).isoformat())
            for number, text in enumerate(texts)
        ],
    )
    assert re.findall(r"memory number \d{4}\.", take(proven, form)) == texts


# --- CSV -------------------------------------------------------------------------------------------------------------


def test_csv_has_a_line_for_each_memory(proven, alice_memory):
    first = remember(alice_memory, "Lives in Bremen.", agent="support_bot", run="moving-house")[0]
    alice_memory.update(first.id, "Lives in Hamburg.")
    alice_memory.add('A "quoted" text,\r\nwith two lines; äöü ∑', infer=False, metadata={"stars": 5})
    text = take(proven, "csv")
    assert text.startswith('\ufeff"id","memory"')
    assert text.endswith("\r\n# complete, 2 memories\r\n")
    one, two = rows(text)
    assert (one["id"], one["memory"], one["agent_id"], one["run_id"]) == (
        first.id,
        "Lives in Hamburg.",
        "support_bot",
        "moving-house",
    )
    assert (one["created_at"], one["expired"], one["role"]) == ("2026-03-10T12:00:00+00:00", "no", "user")
    assert json.loads(one["earlier_wordings"]) == ["Lives in Bremen."]
    assert two["memory"] == 'A "quoted" text,\r\nwith two lines; äöü ∑'
    assert json.loads(two["metadata"]) == {"stars": 5}


def test_csv_guards_the_hostile_texts_of_the_demo_and_changes_no_other(proven, alice_memory):
    told = [one.text for one in load("alice")]
    remember(alice_memory, *told)
    kept = [row["memory"] for row in rows(take(proven, "csv"))]
    guarded = [text for text in kept if text not in told]
    assert {text[1:] for text in guarded} >= {"=cmd|' /C calc'!A0", "+1234", "-2+3", "@SUM(1+1)*cmd|' /C calc'!A0"}
    assert [text.removeprefix("'") if text in guarded else text for text in kept] == told


def test_csv_guards_every_column(proven, alice_memory):
    remember(alice_memory, "harmless", agent="=1+1", run="@SUM(A1)", role="user")
    row = rows(take(proven, "csv"))[0]
    assert (row["agent_id"], row["run_id"]) == ("'=1+1", "'@SUM(A1)")


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        "+1",
        "-1",
        "@A1",
        "\t=1",
        "\r=1",
        "\n=1",
        "\0=1",
        "＝1",
        "＋1",
        "－1",
        "＠A1",
        "−1",
        " =1",
        "\u200b=1",
        "\u202e=1",
    ],
)
def test_formulas_are_guarded(cell):
    assert guard(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "a=1", "1-1", "I am vegetarian.", "'quoted'", "ab\t=1", "مرحبا", "#1"])
def test_other_cells_are_left_alone(cell):
    assert guard(cell) == cell


@given(st.text())
def test_no_guarded_cell_begins_like_a_formula(cell):
    kept = guard(cell)
    assert kept in (cell, f"'{cell}")
    assert not kept.lstrip().startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠"))


# --- the page to read ------------------------------------------------------------------------------------------------


def test_the_page_is_inert_and_whole(proven, alice_memory):
    told = [one.text for one in load("alice")]
    items = remember(alice_memory, *told)
    add_names(alice_memory, [Name("<b>Hamburg</b>", "<i>", [items[0].id])])
    add_messages(alice_memory, [("user", "<script>alert(2)</script>")], datetime.now(UTC))
    text = take(proven, "html")
    assert re.findall(r"<(?:script|img|svg|iframe|link|form|b|i)\b", text) == []
    assert re.findall(r"\b(?:src|href|on\w+|hx-\w+)=", re.sub(r"<bdi[^>]*>.*?</bdi>", "", text, flags=re.S)) == []
    assert "default-src &#x27;none&#x27;" in text or "default-src 'none'" in text
    assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;" in text
    assert text.endswith(f"<p>Complete: {len(told)} memories.</p>\n  </body>\n</html>\n")


def test_the_page_is_in_the_persons_time(alice, proven, alice_memory):
    alice.time_zone = "Asia/Tokyo"
    alice.save()
    item = remember(alice_memory, "Lives in Bremen.", at=datetime(2026, 3, 10, 20, 0, tzinfo=UTC))[0]
    alice_memory.update(item.id, "Lives in Hamburg.")
    text = take(proven, "html")
    assert "11 March 2026, 05:00" in text
    assert "Times are in the time zone Asia/Tokyo." in text
    assert "Lives in Bremen." in text


# --- when the store goes away ----------------------------------------------------------------------------------------


def test_a_store_that_is_down_is_an_error_page_and_no_file(proven, alice_memory, settings):
    remember(alice_memory, "I am vegetarian.")
    settings.MEMORY_DATABASE_URL = NOWHERE
    response = proven.post("/export/json/")
    assert response.status_code == 503
    assert "Content-Disposition" not in response.headers
    assert proven.get("/export/").status_code == 503


@pytest.fixture
def much(alice_memory, superuser):
    """More than an export makes before it sends its first byte."""
    subject = str(alice_memory.subject)
    plant(superuser, [payload(subject, f"canary {number} " + "x" * 4000) for number in range(1500)])


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_was_cut_off_does_not_look_complete(proven, much, settings, caplog, form):
    response = proven.post(f"/export/{form}/")
    assert "Content-Length" not in response.headers
    received: list[bytes] = []
    settings.MEMORY_DATABASE_URL = NOWHERE
    with pytest.raises(StoreUnavailable):
        received.extend(response.streaming_content)
    text = b"".join(received).decode()
    assert "canary 0 " in text
    assert re.search(r'"complete"|# complete|Complete: \d', text) is None
    assert text.endswith("# NOT COMPLETE: this download was cut off. Take it again.\r\n")
    assert "an export was broken off" in caplog.text
    assert "canary" not in caplog.text


@pytest.fixture
def countable_history(superuser):
    """The history can be counted, and not read."""
    table = "memories_history"
    superuser.execute(f"REVOKE SELECT ON {table} FROM {SCOPED}")
    superuser.execute(f"GRANT SELECT (subject, memory_id, seq) ON {table} TO {SCOPED}")
    yield
    superuser.execute(f"GRANT SELECT ON {table} TO {SCOPED}")


@pytest.mark.parametrize("form", FORMS)
def test_a_store_that_fails_before_the_first_byte_is_an_error_page(proven, alice_memory, countable_history, form):
    alice_memory.add("I am vegetarian.", infer=False)
    assert alice_memory.held()["history"] == 1
    response = proven.post(f"/export/{form}/")
    assert response.status_code == 503
    assert "Content-Disposition" not in response.headers
    assert "vegetarian" not in reading.body(response)


def test_a_small_file_says_how_long_it_is(proven, alice_memory):
    remember(alice_memory, "I am vegetarian.")
    response = proven.post("/export/json/")
    assert int(response.headers["Content-Length"]) == len(b"".join(response.streaming_content))


# --- several ids -----------------------------------------------------------------------------------------------------


def test_the_file_is_about_the_id_that_is_shown(alice, proven, alice_memory):
    linked = ScopedMemory.for_person(SubjectId("alice-at-work"))
    remember(alice_memory, "I am vegetarian.")
    remember(linked, "I chair the budget round.")
    try:
        entry = link(alice, linked.subject, reason="test")
        words = reading.words(proven.get("/export/"))
        assert "You have 2 ids" in words
        assert "alice-at-work" in words
        assert [one["memory"] for one in json.loads(take(proven, "json"))["memories"]] == ["I chair the budget round."]
        proven.post("/settings/subject/", {"choice": "issued"})
        assert [one["memory"] for one in json.loads(take(proven, "json"))["memories"]] == ["I am vegetarian."]
        assert entry.account == alice
    finally:
        linked.erase()
