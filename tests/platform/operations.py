"""The operations of the stand-in, one function each: (state, request) -> (status, answer)."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from .description import Asked
from .filters import ENTITIES
from .state import Row, State, similarity

Answer = tuple[int, Any]
QUEUED = "Delete in progress. This may take some time."


def ping(state: State, asked: Asked) -> Answer:
    return 200, {"status": "ok", "org_id": "org", "project_id": "project", "user_email": "owner@example.com"}


def entities(state: State, asked: Asked) -> Answer:
    """Everybody who has something, in one page."""
    now = datetime.now(UTC).isoformat()
    kinds = {"user": "user_id", "agent": "agent_id", "app": "app_id", "run": "run_id"}
    found = [
        {"id": name, "name": name, "created_at": now, "updated_at": now, "owner": "owner@example.com", "type": kind}
        for kind, column in kinds.items()
        for name in sorted({getattr(row, column) for row in state.rows.values()} - {None})
    ]
    return 200, {"count": len(found), "next": None, "previous": None, "results": found}


def add(state: State, asked: Asked) -> Answer:
    body = asked.body
    if not any(body.get(name) for name in ENTITIES):
        return 400, {"error": "At least one entity ID is required."}
    if body.get("infer", True):
        event = state.queue("ADD", lambda: [state.added(row) for row in _extract(state, body)])
        return 200, {"event_id": event.id, "status": event.status}
    rows = [_keep(state, body, message["content"], "user_id", "agent_id") for message in body["messages"]]
    return 200, {"message": "Stored.", "status": "SUCCEEDED", "results": [state.added(row) for row in rows]}


def _extract(state: State, body: dict[str, Any]) -> list[Row]:
    """A fact from each message. With both ids, what the user said is the user's and what the assistant said is not."""
    both = bool(body.get("user_id") and body.get("agent_id"))
    rows = []
    for message in body["messages"]:
        owner = "agent_id" if message["role"] == "assistant" else "user_id"
        rows.append(_keep(state, body, message["content"], *([owner] if both else ["user_id", "agent_id"])))
    return rows


def _keep(state: State, body: dict[str, Any], text: str, *owners: str) -> Row:
    ids = {name: body.get(name) for name in (*owners, "app_id", "run_id")}
    if state.odd.unattributed:
        ids = {"run_id": body.get("run_id")}
    return state.store(
        memory=text, metadata=body.get("metadata"), expiration_date=state.expiry(body.get("expiration_date")), **ids
    )


def read_event(state: State, asked: Asked) -> Answer:
    event = state.events.get(asked.path["event_id"])
    if event is None:
        return 404, {"error": "Event not found or you don't have permission to access it."}
    state.poll(event)
    return 200, {"id": event.id, "event_type": event.kind, "status": event.status, "results": event.results}


def list_rows(state: State, asked: Asked) -> Answer:
    rows = state.asked(asked.body["filters"], asked.body.get("show_expired", False))
    if state.odd.stranger:
        rows.append(state.stranger())
    page, size = asked.query.get("page", 1), asked.query.get("page_size", 100)
    more = state.odd.endless or (len(rows) > page * size and not state.odd.cut)
    following = "http://127.0.0.1/v3/memories/?" + urlencode({"page": page + 1, "page_size": size})
    answer = {
        "count": len(rows),
        "next": following if more else None,
        "previous": None,
        "results": [row.answer() for row in rows[(page - 1) * size : page * size]],
    }
    if more and state.odd.between_pages:
        state.odd.between_pages.pop(0)(state)
    return 200, answer


def search(state: State, asked: Asked) -> Answer:
    body = asked.body
    rows = state.asked(body["filters"], body.get("show_expired", False))
    scored = [(row, similarity(body["query"], _embeddable(row.memory))) for row in rows]
    best = sorted((pair for pair in scored if pair[1] >= body.get("threshold", 0.1)), key=lambda pair: -pair[1])
    found = [{**row.answer("run_id"), "score": score} for row, score in best[: body.get("top_k", 10)]]
    if state.odd.stranger:
        found.insert(0, {**state.stranger().answer("run_id"), "score": 1.0})
    return 200, {"results": found}


def _embeddable(stored: Any) -> str:
    """A test may have stored anything where a text belongs."""
    return str(stored).encode("utf-8", "replace").decode()


def read(state: State, asked: Asked) -> Answer:
    if state.odd.stranger:
        return 200, state.stranger().answer()
    row = next((row for row in state.visible() if row.id == asked.path["memory_id"]), None)
    return (200, row.answer()) if row else _missing()


def _missing() -> Answer:
    return 404, {"error": "Memory not found!"}


def update(state: State, asked: Asked) -> Answer:
    row = state.rows.get(asked.path["memory_id"])
    if row is None:
        return _missing()
    state.correct(row, asked.body["text"])
    return 200, {**row.answer(), "memory": asked.body["text"]}


def delete(state: State, asked: Asked) -> Answer:
    row = state.rows.get(asked.path["memory_id"])
    if row is None:
        return _missing()
    state.drop([row])
    return 200, {"message": "Memory deleted successfully!"}


def delete_batch(state: State, asked: Asked) -> Answer:
    wanted = [one["memory_id"] for one in asked.body["memories"]]
    state.drop([state.rows[memory_id] for memory_id in wanted if memory_id in state.rows])
    return 200, {"message": f"Successfully deleted {len(wanted)} memories"}


def delete_all(state: State, asked: Asked) -> Answer:
    """Of two entities only the first is honoured (measured); `*` is everybody (documented)."""
    given = [name for name in ENTITIES if name in asked.query]
    if not given:
        return 400, {"error": "At least one filter is required."}
    name, wanted = given[0], asked.query[given[0]]

    def act() -> list[dict[str, Any]]:
        state.drop([row for row in state.rows.values() if getattr(row, name) and wanted in ("*", getattr(row, name))])
        return []

    return 200, {"message": QUEUED, "event_id": state.queue("DELETE", act).id}


def delete_entity(state: State, asked: Asked) -> Answer:
    name = f"{asked.path['entity_type']}_id"

    def act() -> list[dict[str, Any]]:
        state.drop([row for row in state.rows.values() if getattr(row, name) == asked.path["entity_id"]])
        state.users_removed.append(asked.path["entity_id"])
        return []

    return 200, {"message": QUEUED, "event_id": state.queue("DELETE", act).id}


def history(state: State, asked: Asked) -> Answer:
    entries = state.past.get(asked.path["memory_id"])
    if entries is None:
        return _missing()
    foreign = [{**entries[0], "user_id": "somebody-else", "new_memory": "A stranger's secret."}]
    return 200, entries[::-1] + (foreign if state.odd.stranger else [])


OPERATIONS: dict[str, Callable[[State, Asked], Answer]] = {
    "ping_read": ping,
    "entities_list": entities,
    "memories_add_v3": add,
    "event_read": read_event,
    "memories_list_v3": list_rows,
    "memories_search_v3": search,
    "memories_read": read,
    "memories_update": update,
    "memories_delete": delete,
    "memories_batch_delete": delete_batch,
    "memories_delete_all": delete_all,
    "entities_delete": delete_entity,
    "memories_history_list": history,
}
