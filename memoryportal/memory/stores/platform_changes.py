"""Adding, correcting and deleting on the Platform: asked for, waited for, and then read again."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING, Any, cast

from .. import controls
from ..errors import (
    BadQuery,
    CountMoved,
    MemoryChanged,
    MemoryNotFound,
    MemoryRoomError,
    NotConfirmed,
)
from ..never_again import Screen
from ..pool import fresh_transaction
from ..rows import Row, version_of
from ..scope import AnyScope, Filters, Scope
from ..types import Removed, Residue
from . import fence
from .platform_client import PlatformClient, moments
from .platform_rows import NOTES, matching
from .side import Gone, SideTables

if TYPE_CHECKING:
    from .base import Store


class ChangesMixin(SideTables):
    """What changes a project of the Platform."""

    client: PlatformClient

    def own(self, scope: Scope, client: PlatformClient | None = None) -> list[Row]:
        raise TypeError("a store reads its own rows")

    def get(self, scope: Scope, memory_id: str) -> Row | None:
        raise TypeError("a store reads its own rows")

    def admit(self, scope: Scope) -> None:
        """Raise WritesPaused or ErasureRunning. There is no trigger behind it that would have the last word."""
        controls.require_open(cast("Store", self), scope)

    @contextmanager
    def _writing(self, scope: Scope, *, alone: bool) -> Iterator[None]:
        """Hold what an eraser waits for (controls.drain) while the Platform is asked, and what other changes wait for.

        On a connection of its own: waiting for the Platform must not use up the pool.
        """
        with fresh_transaction(self.dsn, str(scope.subject)) as cursor:
            subject = str(scope.subject)
            cursor.execute(
                "SELECT pg_advisory_xact_lock_shared(%s, hashtext(%s) & 1023)", (controls.LOCK_SPACE, subject)
            )
            if alone:
                fence.alone(cursor, scope)
            yield

    # --- adding and correcting -----------------------------------------------------------------------------------

    def add(
        self,
        scope: Scope,
        messages: list[dict[str, str]],
        infer: bool,
        metadata: dict[str, Any] | None,
        expires: Any,
        screen: Screen | None = None,
    ) -> list[str]:
        """What the Platform makes of the messages; without `infer` each one as it is, but for those of the system."""
        # Under the person alone: with an assistant beside, parts would be kept under the assistant only.
        values = {"user_id": str(scope.subject), "run_id": scope.run, "infer": infer, "expiration_date": _day(expires)}
        with self._writing(scope, alone=False):
            self.admit(scope)
            added = self._sent(scope, messages, metadata, values)
        return self._seen(scope, added)

    def _sent(
        self, scope: AnyScope, messages: list[dict[str, str]], metadata: dict[str, Any] | None, values: dict[str, Any]
    ) -> list[str]:
        """The ids of what the Platform has made of the messages: of all of them, or of none."""
        if reserved := NOTES.keys() & (metadata or {}):
            raise BadQuery(f"The metadata key {min(reserved)!r} is kept by the store and cannot be set.")
        added: list[str] = []
        for notes, sent in _requests(scope, messages, values["infer"]):
            try:
                results = self.client.add(sent, metadata={**(metadata or {}), **notes} or None, **values)
            except MemoryRoomError:
                self.client.delete(added)
                raise
            added += [_id(raw) for raw in results if raw.get("event", "ADD") == "ADD"]
        return added

    def _seen(self, scope: AnyScope, added: list[str]) -> list[str]:
        """These ids, once all of them can be read as the scope's own."""
        for _ in moments(self.client.patience.settle, self.client.patience.pause):
            if len(self.get_many(scope, added)) == len(set(added)):
                return added
        raise NotConfirmed("the Platform says that it has stored this, and does not show it")

    def correct(self, scope: Scope, memory_id: str, text: str, version: str) -> None:
        with self._writing(scope, alone=True):
            row = self.get(scope, memory_id)
            if row is None or not scope.owns(row[1]):
                raise MemoryNotFound("no such memory")
            controls.require_open(cast("Store", self), scope.down_to(row[1]), correcting=True)
            if version_of(row[1]) != version:
                raise MemoryChanged("the memory was changed meanwhile; nothing was written")
            self.client.update(memory_id, text)
            self._reads(scope, memory_id, text)

    def _reads(self, scope: Scope, memory_id: str, text: str) -> None:
        """Wait until a memory has this wording."""
        for _ in moments(self.client.patience.settle, self.client.patience.pause):
            row = self.get(scope, memory_id)
            if row is not None and row[1]["data"] == text:
                return
        raise NotConfirmed("the Platform took the correction, and does not show it")

    # --- deleting ------------------------------------------------------------------------------------------------

    def delete(self, scope: Scope, ids: list[str]) -> Removed:
        wanted = set(ids)
        with self._writing(scope, alone=True):
            rows = self.get_many(scope, sorted(wanted))
            if len(rows) != len(wanted):
                raise MemoryNotFound("no such memory")
            return self._removed_with_traces(scope, rows)

    def delete_matching(self, scope: Scope, filters: Filters, expected: int) -> Removed:
        with self._writing(scope, alone=True):
            rows = matching(self.own(scope), filters)
            if len(rows) != expected:
                raise CountMoved(expected, len(rows))
            return self._removed_with_traces(scope, rows)

    def _removed_with_traces(self, scope: Scope, rows: list[Row]) -> Removed:
        """The memories first: what tells of them goes when they are gone."""
        removed = self._removed(scope, {row[0] for row in rows})
        with self.open(scope) as cursor:
            side = self.delete_side(cursor, scope, _gone(rows))
        return Removed({**removed.counts, "messages": side["messages"], "uses": side["uses"]})

    def _removed(self, scope: AnyScope, wanted: set[str]) -> Removed:
        """Delete these, all of which are the scope's own, and say so only when they are seen to be gone."""
        if wanted:
            self.client.delete(sorted(wanted))
        left = self._left(lambda: {row[0] for row in self.get_many(scope, sorted(wanted))})
        if left:
            raise NotConfirmed(f"the Platform was asked to delete {len(wanted)} memories, and still shows {len(left)}")
        return Removed({"memories": len(wanted), "entities": 0, "history": 0, "messages": 0})

    def _left(self, read: Callable[[], set[str]]) -> set[str]:
        """What is still read after waiting for it to go."""
        left = read()
        for _ in moments(self.client.patience.settle, self.client.patience.pause) if left else ():
            left = read()
            if not left:
                break
        return left

    def erase(self, scope: Scope, keep: frozenset[str] = frozenset(), behind: str | None = None) -> Removed:
        """All of the scope. A deletion by assistant or conversation would be everybody's: these go by their ids."""
        with self.open(scope) as cursor:
            self.require_shut(cursor, scope, behind)

        def ids() -> set[str]:
            return {row[0] for row in self.own(scope)}

        rows, whole = self.own(scope), scope.agent is None and scope.run is None
        found = {row[0] for row in rows}
        if whole:
            self.client.delete_user(str(scope.subject))
            rest = self._left(ids)
        else:
            rest = found
        found |= rest
        if rest:
            self.client.delete(sorted(rest))
            if left := self._left(ids):
                raise NotConfirmed(f"the Platform was asked to delete everything, and still shows {len(left)} memories")
        with self.open(scope) as cursor:
            if whole:
                side = self.erase_side(cursor, scope, keep)
            else:
                side = self.delete_narrowed(cursor, scope, _gone(rows))
        return Removed({"memories": len(found), "entities": 0, **side})

    def _memories_again(self, scope: Scope) -> Residue:
        client = self.client.fresh()
        try:
            return Residue("memories", len(self.own(scope, client)))
        except MemoryRoomError as error:
            return Residue("memories", None, str(error))
        finally:
            client.close()


def _gone(rows: list[Row]) -> Gone:
    return [(str(row[0]), row[1].get("agent_id"), row[1].get("run_id")) for row in rows]


def _requests(
    scope: AnyScope, messages: list[dict[str, str]], infer: bool
) -> Iterator[tuple[dict[str, str], list[dict[str, str]]]]:
    """(notes, messages) of each request. Who spoke is noted with the row, so each speaker's turn is one request.

    Names of speakers are not sent beside the messages: the Platform's description has no place for them.
    """

    def speaker(message: dict[str, str]) -> dict[str, str | None]:
        told = {} if infer else {"memoryportal_role": message["role"], "memoryportal_name": message.get("name")}
        return {"memoryportal_agent": scope.agent, **told}

    kept = [message for message in messages if infer or message["role"] != "system"]
    for notes, turn in groupby(kept, speaker):
        sent = [{"role": message["role"], "content": message["content"]} for message in turn]
        yield {note: value for note, value in notes.items() if value is not None}, sent


def _day(expires: Any) -> str | None:
    """YYYY-MM-DD. Raises BadQuery."""
    if expires is None:
        return None
    try:
        return (expires if isinstance(expires, date) else date.fromisoformat(str(expires))).isoformat()[:10]
    except ValueError:
        raise BadQuery("The last day of a memory is a date, as in 2030-12-31.") from None


def _id(raw: dict[str, Any]) -> str:
    try:
        return str(uuid.UUID(str(raw.get("id") or raw.get("memory_id"))))
    except ValueError:
        raise NotConfirmed("the Platform has stored something, and does not say under which id") from None
