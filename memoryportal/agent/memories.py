"""What an assistant does with a subject token. Person, assistant and conversation come from the token, nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Path, Query, Router
from ninja.responses import Status
from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from memoryportal.accounts.trail import CORRECTION, DELETION
from memoryportal.memory import Item, MemoryNotFound, llm

from .assistant_limits import TooBusy, place
from .door import SubjectToken, Visit
from .idempotency import OnceKey, Outcome, Writer, once
from .problems import Problem
from .schemas import Add, Added, Correct, Deleted, Found, Listed, Memory, Overview, Results, Search, Stored
from .statuses import answers
from .trail import changing

router = Router(tags=["memories"])
MemoryId = Annotated[str, Path(description="The id of a memory.")]
Known = Memory | Stored
READ, WRITE, DELETE = SubjectToken("read"), SubjectToken("write"), SubjectToken("delete")


def _plain_number(text: object) -> object:
    """pydantic would take "5.0", "+5" and " 5" for 5."""
    if isinstance(text, str) and not (text.isascii() and text.isdecimal() and len(text) <= 3):
        raise PydanticCustomError("number", "a whole number in digits")
    return text


class TokenRequest(HttpRequest):
    """For annotations: a request that came through SubjectToken."""

    auth: Visit


@router.post("/memories", url_name="memories", auth=WRITE, response=answers(201, Added), operation_id="add")
def add(request: TokenRequest, body: Add, idempotency_key: OnceKey = None) -> Status[Added]:
    """Remember something. Refused while the person has paused remembering."""
    visit, told, fresh = request.auth, body.told(), list[Item]()

    def act() -> Outcome:
        with _place(body.infer is not False and llm.extracts()):
            added = visit.memory.add(told, infer=body.infer, metadata=body.metadata, expires=body.expires)
        fresh.extend(added)
        return Outcome([item.id for item in fresh], {"stopped": added.stopped})

    outcome = once(request, _writer(visit, "add"), act)
    return Status(201, Added(memories=_told(visit, outcome, fresh), stopped=outcome.counts["stopped"]))


@router.post("/memories/search", url_name="search", auth=READ, response=answers(200, Results), operation_id="search")
def search(request: TokenRequest, body: Search) -> Results:
    """Find memories. What has expired is not handed to assistants."""
    found = request.auth.memory.search(body.query, by=body.by, limit=body.limit)
    return Results(memories=[Found.of_hit(hit) for hit in found.hits], more=found.more)


@router.get("/memories", url_name="memories", auth=READ, response=answers(200, Listed), operation_id="list")
def page(
    request: TokenRequest,
    after: Annotated[str | None, Query(max_length=1000, description="`next` of the page before.")] = None,
    # The default stands twice: ninja sets the second too late for pydantic where a validator stands beside it.
    limit: Annotated[int, BeforeValidator(_plain_number), Query(25, ge=1, le=100)] = 25,
    order: Literal["newest", "oldest"] = "newest",
) -> Listed:
    """All memories in pages. What has expired is not handed to assistants, so a page may be shorter than `limit`."""
    found = request.auth.memory.page(after=after, limit=limit, order=order)
    return Listed(memories=[Memory.of(item) for item in found.items], next=found.next, total=found.total)


@router.get("/memories/{memory_id}", url_name="memory", auth=READ, response=answers(200, Memory), operation_id="get")
def get(request: TokenRequest, memory_id: MemoryId) -> Memory:
    """One memory. Somebody else's, another assistant's and one that never was are the same 404."""
    return Memory.of(request.auth.memory.get(memory_id))


@router.patch(
    "/memories/{memory_id}", url_name="memory", auth=WRITE, response=answers(200, Known), operation_id="correct"
)
def correct(request: TokenRequest, memory_id: MemoryId, body: Correct, idempotency_key: OnceKey = None) -> Known:
    """Give a memory another wording. The person sees in their list of acts that an assistant did.

    A token without the right `read`, and a repeated request, get the id alone.
    """
    visit, known, fresh = request.auth, _id(memory_id), list[Item]()

    def act() -> Outcome:
        with changing(visit, CORRECTION, known):
            fresh.append(visit.memory.update(known, body.text, expected=body.expected))
        return Outcome([known])

    outcome = once(request, _writer(visit, "correct"), act)
    return _told(visit, outcome, fresh)[0]


@router.delete(
    "/memories/{memory_id}", url_name="memory", auth=DELETE, response=answers(200, Deleted), operation_id="delete"
)
def delete(request: TokenRequest, memory_id: MemoryId, idempotency_key: OnceKey = None) -> Deleted:
    """Delete one memory in every place. Needs the right `delete`, which tokens have only when it was asked for."""
    visit, known = request.auth, _id(memory_id)

    def act() -> Outcome:
        with changing(visit, DELETION, known) as counts:
            counts |= visit.memory.delete(known).counts
        return Outcome([known], counts)

    outcome = once(request, _writer(visit, "delete"), act)
    return Deleted(id=outcome.ids[0], removed=outcome.counts)


@router.get("/summary", url_name="summary", auth=READ, response=answers(200, Overview), operation_id="summary")
def summary(request: TokenRequest) -> Overview:
    """How much is remembered in this token's scope."""
    return Overview.of(request.auth.memory.summary())


@contextmanager
def _place(wanted: bool) -> Iterator[None]:
    """A place among those who wait for the language model. Raises Problem."""
    try:
        with place(wanted):
            yield
    except TooBusy:
        raise Problem("model-busy", retry_after=2) from None


def _id(text: str) -> str:
    """The id of a memory as a UUID's text. Raises MemoryNotFound: what is none belongs to no memory."""
    try:
        return str(UUID(text))
    except ValueError:
        raise MemoryNotFound("no such memory") from None


def _writer(visit: Visit, route: str) -> Writer:
    return Writer(visit.key, visit.subject, route, visit.agent, visit.run)


def _told(visit: Visit, outcome: Outcome, fresh: list[Item]) -> list[Known]:
    """What the one who wrote is told: ids, and with the right to read the memories as this request left them, unless
    they have expired.

    A repeated request reads nothing. What stands there by now may be somebody else's wording, and whether this token
    may be told that, a restriction included, is a question of its own.
    """
    if outcome.replayed or not visit.reads:
        return [Stored(id=memory_id) for memory_id in outcome.ids]
    return [Stored(id=item.id) if item.expired else Memory.of(item) for item in fresh]
