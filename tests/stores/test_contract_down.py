"""A store that dies, in every public call: stopped, frozen, or cut off at any message. (PostgreSQL: tests/memory.)

Never an empty answer and never a false success; and who is told that nothing was changed, finds nothing changed.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from memoryportal.base.errors import UNAVAILABLE, UNCONFIRMED
from memoryportal.memory import (
    AgentKnowledge,
    MemoryRoomError,
    NotConfirmed,
    ScopedMemory,
    StoreUnavailable,
    controls,
    readiness,
)
from memoryportal.memory.stores import current_store, qdrant_connection
from memoryportal.memory.stores.base import Store
from tests.memory.calls import CALLS, CANARY, CHANGES, assert_free_of_content
from tests.platform.helpers import QUICK, be_patient
from tests.platform.server import Platform
from tests.proxy import Proxy

from .planting import Planter
from .qdrant_server import KEY, serving
from .registry import Entry, Settings, mem0_config
from .test_contract_changes import snapshot
from .valkey_server import Server, running

if TYPE_CHECKING:
    from memoryportal.accounts.models import User

Call = Callable[[ScopedMemory, str], Any]
# These ask PostgreSQL alone, where history, messages and the gate lie; a Platform has neither of the first two.
BESIDE = {
    *("messages", "bulk.messages", "bulk.history", "bulk.histories"),
    *("handed", "handed one", "stopped", "allow_again", "history_of", "forget_traces", "bulk.handed", "bulk.uses"),
    *(name for name in CALLS if name.startswith("controls.")),
}
NO_NAMES = {"entities", "bulk.entities", "past", "purge_version"}


@dataclass(frozen=True, slots=True)
class Distant:
    """A store behind a proxy. `side`: names and messages can be planted."""

    name: str
    proxy: Proxy
    settings: Settings
    side: bool = True


@contextmanager
def _qdrant() -> Iterator[Distant]:
    with serving() as server, Proxy(server.server_port) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        yield Distant("qdrant", proxy, mem0_config("qdrant", url=url, api_key=KEY, collection_name="contract_down"))


@contextmanager
def _valkey() -> Iterator[Distant]:
    with running(Server()) as server, Proxy(int(server.server_address[1])) as proxy:
        url = f"valkey://127.0.0.1:{proxy.port}/0?socket_timeout=1&socket_connect_timeout=1"
        yield Distant("valkey", proxy, mem0_config("valkey", valkey_url=url, collection_name="contract_down"))


@contextmanager
def _platform() -> Iterator[Distant]:
    with Platform() as server, Proxy(int(server.url.rpartition(":")[2])) as proxy:
        changed = {"MEM0_CONFIG": "", "MEM0_API_KEY": server.key, "MEM0_HOST": f"http://127.0.0.1:{proxy.port}"}
        yield Distant("platform", proxy, changed, side=False)


STORES: dict[str, Callable[[], AbstractContextManager[Distant]]] = {
    "qdrant": _qdrant,
    "valkey": _valkey,
    "platform": _platform,
}


@pytest.fixture(scope="module", params=STORES)
def distant(request: pytest.FixtureRequest) -> Iterator[Distant]:
    with STORES[request.param]() as found:
        yield found


@pytest.fixture(scope="module")
def entry(distant: Distant) -> Entry:
    """In the place of those of the registry: conftest's `store` and `person` stand on it."""
    return Entry(distant.name, lambda _: nullcontext(distant.settings), side=True)


@pytest.fixture
def impatient(distant: Distant, store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Who waits for a frozen store waits for half a second or one."""
    monkeypatch.setattr(qdrant_connection, "STATEMENT_SECONDS", 1)
    monkeypatch.setattr(qdrant_connection, "CONNECT_SECONDS", 1)
    current_store().close()  # the time limits are a connection's own
    if distant.name == "platform":
        be_patient(replace(QUICK, answer=0.5))
    yield
    again(distant)
    monkeypatch.undo()
    current_store().close()


def again(distant: Distant) -> None:
    """The store works, on connections that are new."""
    distant.proxy.cut()
    distant.proxy.forward()


@dataclass(frozen=True, slots=True)
class Filled:
    """Somebody with one memory that was worded anew, with a name and a message where the store can have them."""

    memory: ScopedMemory
    distant: Distant

    def anew(self) -> str:
        """Everything as it was at first; the id of the memory."""
        again(self.distant)
        controls.reopen(current_store(), self.memory.subject, "paused")
        self.memory.erase()
        item = self.memory.add(f"I drink tea with {CANARY}")[0]
        self.memory.update(item.id, f"I drank tea with {CANARY}")
        if self.distant.side:
            plant = Planter(current_store(), True)
            plant.name(self.memory, CANARY, [item.id])
            plant.messages(self.memory, CANARY)
        return item.id

    def calls(self) -> dict[str, Call]:
        """Every public call that has to ask the store. An earlier wording is the first one that was noted."""
        first = self.memory.history(self.memory.page().items[0].id)[0].seq
        all_calls: dict[str, Call] = {
            **CALLS,
            "purge_version": lambda memory, memory_id: memory.purge_version(memory_id, first),
            **{f"knowledge.{name}": call for name, call in KNOWLEDGE.items()},
        }
        beside = BESIDE if self.distant.side else (BESIDE - {"bulk.histories"}) | NO_NAMES
        return {name: call for name, call in all_calls.items() if name not in beside}


MISSING = "00000000-0000-4000-8000-000000000000"
KNOWLEDGE: dict[str, Call] = {
    "page": lambda memory, _: AgentKnowledge("a_bot").page(),
    "search": lambda memory, _: AgentKnowledge("a_bot").search("tea"),
    "search by word": lambda memory, _: AgentKnowledge("a_bot").search("tea", by="word"),
    "get": lambda memory, _: AgentKnowledge("a_bot").get(MISSING),
    "add": lambda memory, _: AgentKnowledge("a_bot").add("Rule."),
    "delete": lambda memory, _: AgentKnowledge("a_bot").delete(MISSING),
}


ASKING = [name for name in (*CALLS, *(f"knowledge.{name}" for name in KNOWLEDGE)) if name not in BESIDE]


@pytest.fixture
def filled(person: Callable[..., ScopedMemory], distant: Distant) -> Iterator[Filled]:
    yield Filled(person("alice"), distant)
    again(distant)  # before the fixtures that clean up


def failures(filled: Filled, memory_id: str, calls: dict[str, Call]) -> dict[str, MemoryRoomError]:
    """What each call raises, several at a time because each may wait for a while."""

    def run(name: str) -> MemoryRoomError:
        try:
            answer = calls[name](filled.memory, memory_id)
        except MemoryRoomError as error:
            return error
        raise AssertionError(f"{name} answered {type(answer).__name__}")

    with ThreadPoolExecutor(16) as executor:
        return dict(zip(calls, executor.map(run, calls), strict=True))


@pytest.mark.parametrize("way", ["stopped", "frozen"])
def test_every_call_says_that_the_store_is_away(filled: Filled, distant: Distant, impatient: None, way: str) -> None:
    memory_id = filled.anew()
    calls, before = filled.calls(), snapshot(filled.memory)
    if way == "stopped":
        distant.proxy.refuse()
    else:
        distant.proxy.freeze()
    for name, error in failures(filled, memory_id, calls).items():
        assert isinstance(error, StoreUnavailable), (name, repr(error))
        assert not isinstance(error, NotConfirmed) or name.removeprefix("knowledge.") in CHANGES, (name, repr(error))
        assert len(str(error)) > 20, name
        assert_free_of_content(error)
    unread = {found.place for found in filled.memory.residue() if found.count is None and found.problem}
    assert unread >= {"memories"}
    again(distant)
    assert snapshot(filled.memory) == before


def test_what_asks_postgresql_alone_goes_on(filled: Filled, distant: Distant) -> None:
    """So the lists above name what they should, and nothing is left out by mistake."""
    memory_id = filled.anew()
    asking = set(filled.calls())
    everything = {name for name in CALLS if not name.startswith("controls.")} | {f"knowledge.{n}" for n in KNOWLEDGE}
    distant.proxy.refuse()
    for name in everything - asking - {"purge_version"}:
        CALLS[name](filled.memory, memory_id)
    again(distant)


def places(distant: Distant, name: str) -> Iterator[tuple[int, Callable[[int], None]]]:
    """(which message, how it is lost): before it arrives, or before it is answered; by turns but for what adds.

    A request to Qdrant or the Platform comes in two parts; the second is cut with the first.
    """
    ways = distant.proxy.cut_before, distant.proxy.cut_after
    for turn, number in enumerate(range(1, 100, 1 if distant.name == "valkey" else 2)):
        chosen = ways if name == "add" else ways[turn % 2 :][:1]
        yield from ((number, way) for way in chosen)
    pytest.fail("never came to an end")


@pytest.mark.parametrize("name", ASKING)
def test_a_connection_that_is_cut_anywhere(filled: Filled, distant: Distant, name: str) -> None:
    memory_id = filled.anew()
    call = filled.calls().get(name)
    if call is None:
        return
    changes, before = name in CHANGES, snapshot(filled.memory)
    for number, cut in places(distant, name):
        filled.memory.page()  # the connection is there: what is cut is the work, not the way to it
        cut(number)
        error = raised(call, filled.memory, memory_id)
        sent = distant.proxy.sent
        again(distant)
        if not isinstance(error, StoreUnavailable):
            assert error is None or name in ("knowledge.get", "knowledge.delete"), repr(error)  # what is not there
            if sent < number:
                break
        elif isinstance(error, NotConfirmed):
            assert changes or name == "knowledge.add", repr(error)
        else:
            assert snapshot(filled.memory) == before, (number, repr(error))
        if changes and snapshot(filled.memory) != before:
            memory_id = filled.anew()
            call, before = filled.calls()[name], snapshot(filled.memory)
    assert number > 1


def raised(call: Call, memory: ScopedMemory, memory_id: str) -> MemoryRoomError | None:
    try:
        call(memory, memory_id)
    except MemoryRoomError as error:
        assert_free_of_content(error)
        return error
    return None


# --- what a person sees -----------------------------------------------------------------------------------------------


@pytest.fixture
def carol(db: None) -> "User":
    from memoryportal.accounts.models import User

    return User.objects.create_user("carol@example.com", "demo-portal-1")


@pytest.fixture
def carols(carol: "User", store: Store) -> Iterator[ScopedMemory]:
    from memoryportal.memory import SubjectId

    memory = ScopedMemory.for_person(SubjectId(carol.subject))
    yield memory
    memory.erase()


@pytest.fixture
def client(carol: "User") -> Client:
    browser = Client()
    browser.force_login(carol)
    return browser


def words(response: Any) -> str:
    return str(response.content.decode())


@pytest.mark.parametrize("way", ["stopped", "frozen"])
def test_people_and_load_balancers_are_told_and_see_no_empty_list(
    carols: ScopedMemory,
    client: Client,
    distant: Distant,
    impatient: None,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:
    monkeypatch.setattr(readiness, "HOLDS", 0)
    item = carols.add(f"I drink tea with {CANARY}")[0]
    assert CANARY in words(client.get("/memories/"))
    assert words(client.get("/readyz")) == "ready\n"
    (distant.proxy.refuse if way == "stopped" else distant.proxy.freeze)()
    for path in ("/memories/", f"/memories/{item.id}/", "/held/", "/erasure/"):
        for headers in ({}, {"HX-Request": "true", "HX-Target": "results"}):
            response = client.get(path, headers=headers)
            assert response.status_code == 503, path
            for sentence in (UNAVAILABLE.happened, UNAVAILABLE.changed, UNAVAILABLE.what_to_do):
                assert sentence in words(response), path
            assert ("<html" in words(response)) == (not headers)
            assert CANARY not in words(response)
            assert "othing is remembered" not in words(response)
    assert words(client.get("/readyz")) == "not ready: store\n"
    again(distant)
    assert CANARY in words(client.get("/memories/"))
    assert words(client.get("/readyz")) == "ready\n"


@pytest.mark.django_db
def test_a_store_whose_tables_in_postgresql_are_away_is_not_ready(store: Store, settings: Any) -> None:
    assert words(Client().get("/readyz")) == "ready\n"
    settings.MEMORY_DATABASE_URL = "postgresql://nobody@/nowhere?host=/nonexistent"
    assert words(Client().get("/readyz")) == "not ready: store\n"


def test_people_are_told_when_a_deletion_is_not_confirmed(
    carols: ScopedMemory, client: Client, distant: Distant
) -> None:
    """Cut at each message: the page says deleted, not changed or not known, and each is true."""
    said = set()
    for number in range(1, 60):
        item = next(iter(carols.page().items), None) or carols.add(f"I drink tea with {CANARY}")[0]
        again(distant)
        carols.page()
        distant.proxy.cut_after(number)
        response = client.post(f"/memories/{item.id}/delete/")
        sent = distant.proxy.sent
        again(distant)
        left = carols.count()
        if response.status_code != 503:
            assert (response.status_code, left) == (302, 0)
            said.add("done")
            if sent < number:
                break
        elif UNCONFIRMED.changed in words(response):
            said.add("not known")
        else:
            assert UNAVAILABLE.changed in words(response)
            assert left == 1
            said.add("not changed")
    assert said == {"done", "not known", "not changed"}
