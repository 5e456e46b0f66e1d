"""Looking at a page as axe does, in both themes, and for words that run out of the window."""

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import APIResponse, Page

from .person import SIDEWAYS, keep_picture

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = "rules => axe.run({runOnly: rules, resultTypes: ['violations']}).then(found => found.violations)"
THEMES = ("light", "dark")


class Looking:
    """Collects in `problems` what is wrong with pages, one line each: page, theme, rule and place."""

    def __init__(self, page: Page) -> None:
        self.page, self.problems, self.seen = page, list[str](), set[str]()

    def opens(self, path: str, status: int, name: str) -> None:
        """Open a page and look at it. Another status than expected is a problem of its own."""
        response = self.page.goto(path)
        if response is None or response.status != status:
            self.problems.append(f"{path}: {response and response.status}")
        self.at(name)

    def at(self, name: str) -> None:
        """Look at the page that is open; the pictures are called after `name`."""
        self.seen.add(name)
        self.page.evaluate(AXE_SCRIPT)  # the content policy would stop a script tag
        for theme in THEMES:
            self.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            self.problems += [f"{name}, {theme}: {line}" for line in self._wrong()]
            keep_picture(self.page, f"pages/{theme}", name)

    def _wrong(self) -> list[str]:
        violations: list[dict[str, Any]] = self.page.evaluate(RUN, RULES)
        lines = [f"{one['id']}: {node['target']} {node['html'][:120]}" for one in violations for node in one["nodes"]]
        return lines + (["runs out of the window"] if self.page.evaluate(SIDEWAYS) else [])


def is_page(response: APIResponse) -> bool:
    """Whether this is one of the portal's pages, and not a redirect, a file, or the answer to a wrong method."""
    return response.status in (200, 401) and response.headers["content-type"] == "text/html; charset=utf-8"
