"""An auditor at work, with and without a script: look for something, open a grant, verify, take a file."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from memoryportal.accounts.models import User
from memoryportal.audit.actions import Action
from memoryportal.audit.heads import sign_head
from memoryportal.audit.record import Actor, record
from memoryportal.memory import SubjectId
from tests.support.staffing import staff_member

from .conftest import enter
from .looking import Looking

pytestmark = pytest.mark.django_db(transaction=True)
GRANT = "5b0c2f1e-0000-4000-8000-000000000001"
AUDIT = "/support/audit/"


@pytest.fixture(autouse=True)
def trail(settings: Any, tmp_path: Path, alice: User) -> None:
    settings.AUDIT_HEADS, settings.KEY_DIR = str(tmp_path / "heads.jsonl"), tmp_path / "keys"
    support, subject = Actor("77", "support"), SubjectId(alice.subject)
    opened = {"minutes": 15, "category": "question", "kind": "support"}
    record(
        Action.GRANT_OPENED,
        actor=support,
        subject=subject,
        object="ticket:T-4711",
        reason="She asked",
        grant=GRANT,
        details=opened,
    )
    record(Action.MEMORY_REVEALED, actor=support, subject=subject, grant=GRANT, details={"ids": ["a"], "count": 1})
    sign_head()


@pytest.fixture(params=[True, False], ids=["script", "no script"])
def auditors_page(request: pytest.FixtureRequest, browser: Browser, base_url: str) -> Iterator[Page]:
    context = browser.new_context(base_url=base_url, java_script_enabled=request.param, accept_downloads=True)
    enter(context, staff_member("auditor", "auditor"), base_url)
    yield context.new_page()
    context.close()


def test_an_auditors_work(auditors_page: Page) -> None:
    page = auditors_page
    page.goto(AUDIT)
    expect(page.get_by_text("The trail has never been verified.")).to_be_visible()
    page.get_by_role("button", name="Verify now").click()
    expect(page.get_by_text("events and 1 signed head, all intact.")).to_be_visible()
    expect(page.get_by_text("Intact: 5 events, verified")).to_be_visible()

    page.get_by_text("Look for…").click()
    page.get_by_label("Whose data: e-mail or id").fill("alice@example.com")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("Was given access for a while")).to_have_count(2)  # the event, and the list of actions
    assert "alice" not in page.url

    with page.expect_download() as taken:
        page.get_by_role("button", name="JSON").click()
    file = json.loads(Path(taken.value.path()).read_text())
    assert {event["action"] for event in file["events"]} >= {"grant.opened", "memory.revealed", "trail.exported"}
    assert "session.begun" not in {event["action"] for event in file["events"]}

    page.get_by_role("link", name="its grant").first.click()
    expect(page.get_by_role("heading", name="One grant, from start to end")).to_be_visible()
    expect(page.get_by_text("Reason given: She asked")).to_be_visible()


def test_the_auditors_pages_are_for_everybody(page: Page, looking: Looking, base_url: str) -> None:
    enter(page.context, staff_member("auditor", "auditor"), base_url)
    looking.opens(AUDIT, 200, "audit")
    page.get_by_text("All fields").first.click()
    looking.at("audit-fields")
    page.get_by_text("Look for…").click()
    page.get_by_label("Who did it: e-mail or number").fill("robert")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", name="There is a problem")).to_be_visible()
    looking.at("audit-errors")
    page.get_by_label("Who did it: e-mail or number").fill("4242")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", name="No event fits.")).to_be_visible()
    looking.at("audit-empty")
    looking.opens(f"{AUDIT}grants/{GRANT}/", 200, "audit-grant")
    page.set_viewport_size({"width": 375, "height": 700})
    looking.opens(AUDIT, 200, "audit-phone")
    assert looking.problems == []


def test_a_persons_activity_is_for_everybody(alices_page: Page, looking: Looking) -> None:
    looking.opens("/activity/", 200, "activity")
    expect(alices_page.get_by_text("read 1 memory")).to_be_visible()
    alices_page.get_by_role("link", name="Only what others did").click()
    expect(alices_page.get_by_text("You signed in")).to_have_count(0)
    looking.at("activity-others")
    looking.opens("/activity/?before=1", 200, "activity-empty")
    assert looking.problems == []
