"""Somebody in front of a browser. Whatever they are shown is looked at, and a picture of it is kept."""

import re
from pathlib import Path

from playwright.sync_api import Page, expect

ARTEFACTS = Path(__file__).resolve().parents[2] / "artefacts"
CANARY = "Only Bob knows quillwort-7741: vegetarian, flowers, order #12345, a software tester in Lisbon and Kyoto."
SECRET = "quillwort"
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def keep_picture(page: Page, album: str, name: str) -> None:
    """The whole page, as artefacts/<album>/<name>.png. Ids are left out: a picture is called the same in every run."""
    slug = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|(?<=/)\d+(?=/)", "one", name.lower())
    slug = re.sub(r"\W+", "-", slug).strip("-") or "start"
    page.screenshot(path=ARTEFACTS / album / f"{slug}.png", full_page=True, animations="disabled")


class Person:
    """Alice, as long as nothing of Bob's is in her pages. `album` is the folder of the pictures."""

    def __init__(self, page: Page, album: str) -> None:
        self.page, self.album, self.pictures = page, album, 0

    def opens(self, path: str) -> None:
        self.page.goto(path)

    def follows(self, name: str | re.Pattern[str]) -> None:
        self.page.get_by_role("link", name=name, exact=isinstance(name, str)).first.click()

    def presses(self, name: str | re.Pattern[str]) -> None:
        self.page.get_by_role("button", name=name, exact=isinstance(name, str)).click()

    def types(self, label: str, text: str) -> None:
        self.page.get_by_label(label, exact=True).fill(text)

    def arrives(self, heading: str) -> None:
        """Wait for the page with this heading, and look at it."""
        expect(self.page.get_by_role("heading", level=1, name=heading, exact=True)).to_be_visible()
        self.looks(heading)

    def looks(self, what: str) -> None:
        """Nothing of Bob's, nothing that sticks out of the window; the picture is called after `what`."""
        assert SECRET not in self.page.content(), what
        assert self.page.evaluate(SIDEWAYS) == 0, what
        self.pictures += 1
        keep_picture(self.page, self.album, f"{self.pictures:02} {what}")

    def reads(self, text: str | re.Pattern[str]) -> None:
        """Wait until the page says this."""
        expect(self.page.locator("#main")).to_contain_text(text)

    def total(self) -> int:
        """How many memories the page counts."""
        return int(self.page.locator("[data-memory-total]").get_attribute("data-memory-total") or -1)

    def ids(self) -> list[str]:
        """The memories of the page, in their order."""
        shown = self.page.locator("[data-memory-id]").all()
        return [element.get_attribute("data-memory-id") or "" for element in shown]
