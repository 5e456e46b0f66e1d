"""By keyboard alone, in a small window, without motion, in forced colours."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect
from pytest_playwright.pytest_playwright import CreateContextCallback

from memoryportal.accounts.models import User
from memoryportal.erasure.models import ErasureStep
from memoryportal.memory import ScopedMemory
from tests.erasure.making import an_erasure
from tests.test_access import ROUTES, path_of

from .conftest import enter
from .journey import one
from .looking import is_page
from .person import SIDEWAYS, keep_picture

pytestmark = pytest.mark.django_db(transaction=True)
PRESSES = 200  # of the tabulator key until something that should be reachable is called unreachable

# What a person sees of the focus: the outline of the element, or of the words that stand in for it. The button inside
# a date field has one that the browser draws, and does not tell about.
OUTLINE = """() => {
    const element = document.activeElement;
    if (element.type === "date" && !element.matches(":focus-visible")) return 2;
    const shown = element.closest(".segmented") ? element.nextElementSibling : element;
    const {outlineStyle, outlineWidth} = getComputedStyle(shown);
    return outlineStyle === "none" ? 0 : parseFloat(outlineWidth);
}"""
# Whether the middle of the focused element is in the window and not under something else (WCAG 2.4.11).
UNCOVERED = """() => {
    const element = document.activeElement, box = element.getBoundingClientRect();
    const found = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    return Boolean(found) && (element.contains(found) || found.contains(element));
}"""


def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until the focus is on `target`; wherever it rests on the way, it can be seen."""
    for _ in range(PRESSES):
        page.keyboard.press("Tab")
        where = page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        assert page.evaluate(OUTLINE) >= 2, where
        assert page.evaluate(UNCOVERED), where
        if target.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"the keyboard does not reach {target}")


def test_finding_and_correcting_a_memory_without_a_mouse(alices_page: Page, remembered: ScopedMemory) -> None:
    page = alices_page
    page.goto("/memories/")
    tab_to(page, page.get_by_role("searchbox"))
    page.keyboard.type("a pet")
    expect(page.locator("#memories h2").first).to_contain_text("result")
    tab_to(page, page.locator("article", has_text="grey cat").get_by_role("link", name=re.compile("^Open")))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("One memory")
    tab_to(page, page.get_by_role("link", name="Correct it"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Correct a memory")
    tab_to(page, page.get_by_label("New wording"))
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("Has a grey cat named Voxel.")
    tab_to(page, page.get_by_role("button", name="Save", exact=True))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("One memory")
    assert one(remembered, "Has a grey cat").text == "Has a grey cat named Voxel."


def test_the_kind_of_search_is_chosen_by_arrow(alices_page: Page, remembered: ScopedMemory) -> None:
    found = sum("vegetarian" in item.text.lower() for item in remembered.walk())
    alices_page.goto("/memories/")
    tab_to(alices_page, alices_page.get_by_role("searchbox"))
    alices_page.keyboard.type("vegetarian")
    tab_to(alices_page, alices_page.get_by_label("By meaning"))
    alices_page.keyboard.press("ArrowRight")
    expect(alices_page.get_by_label("By exact word")).to_be_checked()
    expect(alices_page.locator("#live")).to_have_text(f"{found} results")


def test_mistakes_are_where_the_keyboard_is(alices_page: Page, remembered: ScopedMemory) -> None:
    """The summary of what is wrong has the focus, and its line leads to the field."""
    item = one(remembered, "Has a grey cat")
    alices_page.goto(f"/memories/{item.id}/edit/")
    alices_page.get_by_label("New wording").fill("")
    alices_page.get_by_role("button", name="Save", exact=True).press("Enter")
    expect(alices_page.locator("#error-summary")).to_be_focused()
    tab_to(alices_page, alices_page.get_by_role("link", name=re.compile("^New wording: ")))
    alices_page.keyboard.press("Enter")
    expect(alices_page.get_by_label("New wording")).to_be_focused()


def test_the_way_past_the_menu_is_the_first_stop(alices_page: Page, remembered: ScopedMemory) -> None:
    alices_page.goto("/memories/")
    skip = alices_page.get_by_role("link", name="Skip to the content")
    alices_page.keyboard.press("Tab")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    alices_page.keyboard.press("Enter")
    expect(alices_page.locator("#main")).to_be_focused()
    tab_to(alices_page, alices_page.get_by_role("searchbox"))


def test_the_bar_that_sticks_covers_nothing(alices_page: Page, remembered: ScopedMemory) -> None:
    """With something ticked a bar stays at the top; the keyboard, on its way up, does not get under it."""
    alices_page.goto("/memories/")
    alices_page.locator("input[name=id]").last.check()
    for _ in range(20):
        alices_page.keyboard.press("Shift+Tab")
        assert alices_page.evaluate(UNCOVERED), alices_page.evaluate("document.activeElement.outerHTML.slice(0, 200)")


# --- small windows, large letters ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "letters"), [(320, 100), (640, 200)])
def test_nothing_runs_out_of_a_small_window(
    width: int, letters: int, new_context: CreateContextCallback, alice: User, remembered: ScopedMemory, base_url: str
) -> None:
    """320 pixels are what a window of 1280 leaves at 400 % (WCAG 1.4.10); letters may be twice as large (1.4.4)."""
    context = new_context(viewport={"width": width, "height": 256}, bypass_csp=True)
    enter(context, alice, base_url)
    page, item, wide = context.new_page(), one(remembered, "Wants to stay four nights"), list[str]()
    ids = {"memory_id": item.id, "seq": remembered.history(item.id)[0].seq}
    paths = [path_of(route, ids) for route in ROUTES if not route.startswith("accounts/")]
    for path in [*paths, "/memories/?run=form-testing", "/accounts/login/", "/accounts/sessions/"]:
        if is_page(context.request.get(path, max_redirects=0)):
            page.goto(path)
            page.add_style_tag(content=f"html {{ font-size: {letters * 1.0625}% !important }}")
            wide += [path] if page.evaluate(SIDEWAYS) else []
            keep_picture(page, f"narrow/{width}", path)
    assert wide == []


# --- people's own settings -------------------------------------------------------------------------------------------


MOVING = """() => [...document.querySelectorAll("*")].flatMap(element => ["", "::before"].map(part => {
    const {animationName, transitionDuration} = getComputedStyle(element, part || null);
    const still = animationName === "none" && /^[0s, ]+$/.test(transitionDuration);
    return still ? "" : element.tagName + part;
})).filter(Boolean)"""


def test_nothing_moves_for_who_asked_for_that(alices_page: Page, alice: User, remembered: ScopedMemory) -> None:
    erasure = an_erasure("somebody", state="erasing", account=alice)
    ErasureStep.objects.create(erasure=erasure, place="memories", order=0, found=1)
    alices_page.goto(f"/erasure/{erasure.pk}/")
    assert "LI::before" in alices_page.evaluate(MOVING)
    alices_page.emulate_media(reduced_motion="reduce")
    assert alices_page.evaluate(MOVING) == []
    alices_page.goto("/memories/")
    assert alices_page.evaluate(MOVING) == []


# Where forced colours take the backgrounds away, a border has to say where a button is.
BORDERLESS = """() => [...document.querySelectorAll(".button, .tag, .segmented, .memory, input:not([type=hidden])")]
    .filter(element => element.checkVisibility() && !element.closest(".segmented label"))
    .filter(element => getComputedStyle(element).borderTopStyle === "none")
    .filter(element => !element.matches("[type=checkbox], [type=radio]"))
    .map(element => element.outerHTML.slice(0, 100))"""


def test_forced_colours_leave_everything_recognisable(alices_page: Page, remembered: ScopedMemory) -> None:
    alices_page.emulate_media(forced_colors="active")
    for path in ("/memories/?agent=support_bot", "/erasure/", "/held/"):
        alices_page.goto(path)
        assert alices_page.evaluate(BORDERLESS) == []
        keep_picture(alices_page, "forced-colours", path)
    current, other = alices_page.locator(".nav [aria-current]"), alices_page.locator(".nav a:not([aria-current])").first
    colours = [link.evaluate("link => getComputedStyle(link).borderBottomColor") for link in (current, other)]
    assert colours[0] != colours[1], "where one is can be seen"
