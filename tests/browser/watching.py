"""What a browser does behind a person's back: whom it asks, what it complains about, what it keeps."""

from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request

KEPT = """async () => ({
    local: {...localStorage},
    session: {...sessionStorage},
    databases: await indexedDB.databases(),
    caches: await caches.keys(),
    workers: (await navigator.serviceWorker.getRegistrations()).length,
    cookies: document.cookie,
})"""
NOTHING: dict[str, Any] = {"local": {}, "session": {}, "databases": [], "caches": [], "workers": 0, "cookies": ""}
TELL = "addEventListener('securitypolicyviolation', e => console.error('POLICY', e.violatedDirective, e.blockedURI))"


class Watch:
    """`complaints` are errors of the console and of scripts, `strangers` addresses that are not the portal's."""

    def __init__(self, context: BrowserContext, base_url: str) -> None:
        self.base_url = base_url
        self.complaints: list[str] = []
        self.strangers: list[str] = []
        self.requests: list[tuple[str, str]] = []
        context.add_init_script(TELL)
        context.on("request", self._asked)
        context.on("console", self._said)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))

    def _asked(self, request: Request) -> None:
        self.requests.append((request.method, request.url.removeprefix(self.base_url)))
        # data: is a picture that came with the page; nobody is asked for it.
        if not request.url.startswith((f"{self.base_url}/", "data:")):
            self.strangers.append(request.url)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def count(self, method: str, path: str) -> int:
        """How many requests of this kind there were so far."""
        return self.requests.count((method, path))


def kept(page: Page) -> dict[str, Any]:
    """Everything that the browser keeps for the portal and that scripts could read."""
    found: dict[str, Any] = page.evaluate(KEPT)
    return found
