"""Requests to mem0's hosted Platform: complete lists, queued changes waited for, answers that are not believed."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from ..errors import MemoryNotFound, NotConfirmed, StoreUnavailable
from .confirming import note_write, take_back_write

if TYPE_CHECKING:
    from .platform_http import QuietClient

Raw = dict[str, Any]
PAGE_SIZE = 200  # the most that the Platform gives
MAX_PAGES = 500
BATCH = 1000  # the most that one request may delete
READINGS = 3  # of a list that changes while it is read
RETRIES = 2  # of a request that the Platform asks to repeat later
LONGEST_RETRY = 2.0  # seconds; who must wait longer is told so
LONGEST_PAUSE = 1.5


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds: for an answer, a whole list, a queued change, and its effect to be seen."""

    answer: float = 10.0
    list: float = 25.0
    event: float = 30.0
    settle: float = 10.0
    pause: float = 0.15


class PlatformClient:
    """One key's way to the Platform. Nothing is imported or connected before the first request."""

    def __init__(self, key: str, host: str, patience: Patience | None = None) -> None:
        self._key, self._host, self.patience = key, host, patience or Patience()
        self._client: QuietClient | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return "<PlatformClient>"  # never the key

    def fresh(self) -> "PlatformClient":
        """The same on connections of its own: what verification reads with."""
        return PlatformClient(self._key, self._host, self.patience)

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        with self._lock:
            if self._client is not None:
                self._client.client.close()
                self._client = None

    def _connected(self) -> "QuietClient":
        with self._lock:
            if self._client is None:
                from .platform_http import connect

                self._client = connect(self._key, self._host, self.patience.answer)
            return self._client

    def _ask(self, method: str, *args: Any, writing: bool = False, **values: Any) -> Any:
        """Call a method of mem0's client."""
        return self._try(lambda client: getattr(client, method)(*args, **values), writing)

    def _try(self, action: Callable[["QuietClient"], Any], writing: bool) -> Any:
        """Do `action` and give back its answer. Raises the memory room's errors only."""
        client = self._connected()
        from .platform_http import FAILURES, refusal

        for attempt in range(RETRIES + 1):
            try:
                answer = action(client)
                if writing:
                    note_write()
                return answer
            except FAILURES as error:
                said = refusal(error, writing)
            wait = said.retry_after if isinstance(said, StoreUnavailable) else None
            if wait is None or wait > LONGEST_RETRY or attempt == RETRIES:
                break
            time.sleep(wait)
        raise said from None

    def _send(self, method: str, path: str, *, writing: bool = False) -> Any:
        """A request that mem0's client has no method for, or whose answer it throws away."""

        def action(client: "QuietClient") -> Any:
            response = client.client.request(method, path)
            response.raise_for_status()
            return response.json()

        return self._try(action, writing)

    # --- reading -------------------------------------------------------------------------------------------------

    def everything(self, filters: Raw) -> list[Raw]:
        """All memories that match, expired ones too. All, or StoreUnavailable: never a part without saying so."""
        ends = time.monotonic() + self.patience.list
        for _ in range(READINGS):
            rows, announced = self._read_through(filters, ends)
            if len(rows) == announced:
                return list(rows.values())
        raise StoreUnavailable("the Platform's list changed while it was read, or is not complete")

    def _read_through(self, filters: Raw, ends: float) -> tuple[dict[str, Raw], int]:
        """(rows by id, the number that the Platform announced; -1 when its pages did not fit together)."""
        rows: dict[str, Raw] = {}
        counts, seen = set(), 0
        for number in range(1, MAX_PAGES + 1):
            answer = self._ask("get_all", filters=filters, show_expired=True, page=number, page_size=PAGE_SIZE)
            results = _field(answer, "results", list)
            counts.add(_field(answer, "count", int))
            rows.update({str(_field(raw, "id", str)): raw for raw in results})
            seen += len(results)
            if not results or not answer.get("next"):
                # A row that went or came meanwhile has moved the others from page to page.
                return rows, max(counts) if len(counts) == 1 and len(rows) == seen and not answer.get("next") else -1
            if time.monotonic() > ends:
                raise StoreUnavailable("the Platform's list takes too long to read")
        raise StoreUnavailable(f"the Platform holds more than {MAX_PAGES * PAGE_SIZE} memories for this person")

    def get(self, memory_id: str) -> Raw | None:
        """One memory, whoever owns it."""
        try:
            raw = self._ask("get", memory_id)
        except MemoryNotFound:
            return None
        _field(raw, "id", str)
        return dict(raw)

    def search(self, words: str, filters: Raw, limit: int, floor: float) -> list[Raw]:
        """What is close to the words, best first, with a `score` of 0..1."""
        answer = self._ask("search", words, filters=filters, top_k=limit, threshold=floor, show_expired=True)
        results = _field(answer, "results", list)
        return [raw for raw in results if _field(raw, "id", str)]

    def users(self) -> list[str]:
        """The names of all users of the project."""
        path, names = "/v1/entities/", []
        for _ in range(MAX_PAGES):
            answer = self._send("GET", path)
            results = _field(answer, "results", list)
            names += [str(_field(one, "name", str)) for one in results if _field(one, "type", str) == "user"]
            if not answer.get("next"):
                return names
            parts = urlsplit(str(answer["next"]))
            path = f"{parts.path}?{parts.query}"  # never another host: the key would travel there
        raise StoreUnavailable("the Platform's list of users has no end")

    def ping(self) -> None:
        """StoreUnavailable when the Platform cannot be reached, or refuses the key."""
        self._send("GET", "/v1/ping/")

    def history(self, memory_id: str) -> list[Raw]:
        """The changes of one memory in no order. MemoryNotFound."""
        answer = self._ask("history", memory_id)
        if not isinstance(answer, list) or not all(isinstance(entry, dict) for entry in answer):
            raise _unreadable()
        return answer

    # --- changing ------------------------------------------------------------------------------------------------

    def add(self, messages: list[dict[str, str]], **values: Any) -> list[Raw]:
        """Remember, and wait for it: the `results` of the event. NotConfirmed when it does not end in time."""
        answer = self._ask("add", messages, writing=True, **values)
        if not isinstance(answer, dict):
            raise _unreadable()
        if answer.get("results") is None and answer.get("event_id"):
            answer = self.ended(str(answer["event_id"]))
        results = [raw for raw in answer.get("results") or [] if isinstance(raw, dict)]
        if answer.get("status") == "FAILED":
            if results:
                raise NotConfirmed("the Platform took the request and then failed; a part of it was remembered")
            take_back_write()
            raise StoreUnavailable("the Platform took the request and then failed; nothing was remembered")
        return results

    def update(self, memory_id: str, text: str) -> None:
        """Ask for another wording."""
        self._ask("update", memory_id, writing=True, text=text)

    def delete(self, ids: list[str]) -> None:
        """Ask for these to be deleted. What is gone already is no error."""
        with contextlib.suppress(MemoryNotFound):
            if len(ids) == 1:
                self._ask("delete", ids[0], writing=True)
                return
            for start in range(0, len(ids), BATCH):
                part = [{"memory_id": memory_id} for memory_id in ids[start : start + BATCH]]
                self._ask("batch_delete", part, writing=True)

    def delete_user(self, subject: str) -> None:
        """Ask for all memories of one user, then for the user, to be deleted, and wait for both.

        One entity per request: of two the Platform honours only one, and would delete another person's memories.
        """
        answer = self._ask("delete_all", writing=True, user_id=subject)
        self._wait(answer)
        if subject not in (".", ".."):  # no path can name these, and `..` would name something else
            try:
                answer = self._send("DELETE", f"/v2/entities/user/{quote(subject, safe='')}/", writing=True)
            except MemoryNotFound:
                return
            self._wait(answer)

    def _wait(self, answer: Any) -> None:
        if isinstance(answer, dict) and answer.get("event_id"):
            self.ended(str(answer["event_id"]))

    def ended(self, event_id: str) -> Raw:
        """The event once it has succeeded or failed. NotConfirmed when it does neither in time."""
        for _ in moments(self.patience.event, self.patience.pause):
            try:
                event = self._send("GET", f"/v1/event/{quote(event_id, safe='')}/")
            except MemoryNotFound:
                continue  # not listed yet
            if _field(event, "status", str) in ("SUCCEEDED", "FAILED"):
                return dict(event)
        raise NotConfirmed("the Platform has accepted this and not finished it; it may still happen")


def moments(seconds: float, pause: float) -> Iterator[None]:
    """Now, and again after growing pauses, until `seconds` are over."""
    ends = time.monotonic() + seconds
    while True:
        yield
        left = ends - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(pause, left, LONGEST_PAUSE))
        pause *= 1.6


def _field(answer: Any, name: str, kind: type) -> Any:
    value = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(value, kind):
        raise _unreadable()
    return value


def _unreadable() -> StoreUnavailable:
    return StoreUnavailable("the Platform answered in a form that its description does not have")
