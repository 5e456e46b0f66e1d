"""The list in a real browser: searching while typing, ticking, and what stays behind."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.mydata.remembered import remember

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def signed_in(page: Any, live_server: Any, alice_client: Any, alice_memory: Any, bob_memory: Any) -> Any:
    """Alice's browser, on her list of thirty memories."""
    remember(bob_memory, "Bob is vegetarian.")
    remember(
        alice_memory, *[f"Thing {n}" for n in range(28)], "I am vegetarian.", '<div hx-get="/x" hx-trigger="load">'
    )
    page.context.add_cookies(
        [{"name": "session", "value": alice_client.cookies["session"].value, "url": live_server.url}]
    )
    page.goto(f"{live_server.url}/memories/")
    return page


def test_results_appear_while_typing_and_are_announced_once(signed_in, live_server):
    page, posted = signed_in, []
    page.on("request", lambda request: posted.append((request.method, request.url)))
    page.check("#search-by input[value=word]")
    expect(page.locator("#live")).to_have_text("25 of 30 memories shown")
    page.locator("#id_q").press_sequentially("vegetarian", delay=20)
    expect(page.locator("#live")).to_have_text("1 result")
    expect(page.locator("[data-memory-id]")).to_have_count(1)
    expect(page.locator("#id_q")).to_be_focused()
    assert page.url == f"{live_server.url}/memories/"
    asked = {one for one in posted if "/static/" not in one[1]}  # the icon of the page may come late
    assert asked == {("POST", f"{live_server.url}/memories/search/")}
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="1 result")).to_be_focused()
    page.fill("#id_q", "")
    expect(page.locator("[data-memory-id]")).to_have_count(25)


def test_nothing_stays_in_the_browser(signed_in):
    page = signed_in
    page.fill("#id_q", "vegetarian")
    expect(page.locator("#live")).not_to_be_empty()
    page.click("text=Back to the list")
    page.click("a[rel=next]")
    page.wait_for_url("**after=**")
    kept = page.evaluate("[Object.keys(localStorage), Object.keys(sessionStorage), document.cookie]")
    assert kept == [[], [], ""]
    assert "vegetarian" not in page.evaluate("JSON.stringify([location.href, history.state])")


def test_a_text_with_htmx_in_it_asks_for_nothing(signed_in, live_server):
    page, asked = signed_in, []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    page.wait_for_load_state("networkidle")
    assert page.get_by_text('<div hx-get="/x" hx-trigger="load">').count() == 1
    assert f"{live_server.url}/x" not in asked


def test_all_on_a_page_are_ticked_at_once(signed_in):
    page = signed_in
    page.check("[data-select-all]")
    assert page.locator("input[name=id]:checked").count() == 25
    page.click("text=Delete selected")
    page.get_by_role("heading", name="Delete 25 memories?").wait_for()
    page.click("text=Delete all 25 now")
    page.wait_for_url("**/memories/")
    expect(page.locator("[data-memory-id]")).to_have_count(5)


def test_an_ended_session_leads_to_the_login(signed_in):
    page = signed_in
    page.context.clear_cookies(name="session")
    page.fill("#id_q", "vegetarian")
    page.wait_for_url("**/accounts/login/?next=%2Fmemories%2F")


def test_everything_works_without_javascript(browser, signed_in, live_server):
    page = browser.new_context(java_script_enabled=False, storage_state=signed_in.context.storage_state()).new_page()
    page.goto(f"{live_server.url}/memories/")
    page.fill("#id_q", "vegetarian")
    page.check("#search-by input[value=word]")
    page.click("#search button")
    assert page.get_by_role("heading", name="1 result").count() == 1
    assert page.input_value("#id_q") == "vegetarian"
    page.click("text=Correct")
    page.fill("[name=text]", "I eat fish now.")
    page.click("main form button")
    assert page.get_by_text("Corrected.").count() == 1
    page.click("text=Delete it…")
    page.click("text=Delete it now")
    assert page.get_by_text("Deleted: 1 memory, 2 entries in its history.").count() == 1
    page.context.close()
