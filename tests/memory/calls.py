"""Every public call of the memory room, with what an error of it may not say."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from memoryportal.memory import Filters, ScopedMemory, bulk, controls, never_again, uses
from memoryportal.memory.stores import current_store

from .planted import Superuser, plant_entity, plant_message

CANARY = "zimtstern"
Call = Callable[[ScopedMemory, str], Any]
READS: dict[str, Call] = {
    "page": lambda memory, _: memory.page(),
    "page of a filter": lambda memory, _: memory.page(Filters(agent="cook")),
    "summary": lambda memory, _: memory.summary(),
    "count": lambda memory, _: memory.count(),
    "search": lambda memory, _: memory.search("tea"),
    "search by word": lambda memory, _: memory.search("tea", by="word"),
    "get": lambda memory, memory_id: memory.get(memory_id),
    "get_many": lambda memory, memory_id: memory.get_many([memory_id]),
    "history": lambda memory, memory_id: memory.history(memory_id),
    "entities": lambda memory, _: memory.entities(),
    "messages": lambda memory, _: memory.messages(),
    "past": lambda memory, _: memory.past(),
    "held": lambda memory, _: memory.held(),
    "handed": lambda memory, _: memory.handed(),
    "handed one": lambda memory, memory_id: memory.handed(memory_id),
    "stopped": lambda memory, _: memory.stopped(),
    "known_ids": lambda memory, _: memory.known_ids(),
    "history_of": lambda memory, memory_id: memory.history_of([memory_id]),
    "walk": lambda memory, _: list(memory.walk()),
    "bulk.items": lambda memory, memory_id: bulk.items(memory, [memory_id]),
    "bulk.histories": lambda memory, memory_id: bulk.histories(memory, [memory_id]),
    "bulk.history": lambda memory, _: list(bulk.history(memory)),
    "bulk.messages": lambda memory, _: list(bulk.messages(memory)),
    "bulk.entities": lambda memory, _: bulk.entities(memory),
    "bulk.handed": lambda memory, memory_id: bulk.handed(memory, [memory_id]),
    "bulk.uses": lambda memory, _: list(bulk.uses(memory)),
    "controls.gate_states": lambda memory, _: controls.gate_states(current_store(), memory.subject),
    "controls.states": lambda memory, _: controls.states(memory.subject),
}
CHANGES: dict[str, Call] = {
    "add": lambda memory, _: memory.add([{"role": "user", "content": f"{CANARY} {n}"} for n in range(2)]),
    "update": lambda memory, memory_id: memory.update(memory_id, f"corrected {CANARY}"),
    "purge_version": lambda memory, memory_id: memory.purge_version(memory_id, 0),
    "delete": lambda memory, memory_id: memory.delete(memory_id),
    "delete for good": lambda memory, memory_id: memory.delete(memory_id, never_again=True),
    "allow_again": lambda memory, _: memory.allow_again(),
    "delete_many": lambda memory, memory_id: memory.delete_many([memory_id]),
    "delete_matching": lambda memory, _: memory.delete_matching(Filters(), 1),
    "erase": lambda memory, _: memory.erase(),
    "forget_traces": lambda memory, memory_id: memory.forget_traces([memory_id]),
    "controls.pause": lambda memory, _: controls.pause(memory.subject),
    "controls.resume": lambda memory, _: controls.resume(memory.subject),
    "controls.restrict": lambda memory, _: controls.restrict(memory.subject),
    "controls.unrestrict": lambda memory, _: controls.unrestrict(memory.subject),
    "controls.shut": lambda memory, _: controls.shut(current_store(), memory.subject, "paused"),
    "controls.reopen": lambda memory, _: controls.reopen(current_store(), memory.subject, "paused"),
}
CALLS = {**READS, **CHANGES}


def fill(superuser: Superuser, memory: ScopedMemory) -> str:
    """One memory, with something in every place; its id."""
    item = memory.add(f"I drink tea with {CANARY}")[0]
    superuser.execute("UPDATE memories_history SET old_memory = 'earlier' WHERE memory_id = %s", (item.id,))
    plant_entity(superuser, memory.subject, CANARY, [item.id])
    plant_message(superuser, memory.subject, CANARY)
    uses.note(current_store(), replace(memory.scope, by_person=False), [item.id])
    never_again.stop(current_store(), memory.scope, [f"never {CANARY}"])
    return item.id


def assert_free_of_content(error: BaseException) -> None:
    """The message, and everything that a traceback or an error collector would print with it."""
    seen: list[BaseException] = [error]
    for one in seen:
        assert CANARY not in str(one)
        assert CANARY not in repr(one)
        assert CANARY not in str(getattr(getattr(one, "diag", None), "message_detail", ""))
        seen += [other for other in (one.__cause__, one.__context__) if other is not None and other not in seen]
    assert error.__suppress_context__ or error.__context__ is None


@contextmanager
def rows_repeated_in_errors(superuser: Superuser) -> Iterator[None]:
    """Writing is refused with the whole row in the error, as a host's own trigger may do it.

    PostgreSQL's own "Failing row contains …" is left out where row-level security is on, and stands where it is off.
    """
    superuser.execute(
        "CREATE FUNCTION repeat_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'refused: %', NEW.payload USING DETAIL = NEW.payload::text; END $$"
    )
    superuser.execute(
        "CREATE TRIGGER refused BEFORE INSERT OR UPDATE ON memories FOR EACH ROW EXECUTE FUNCTION repeat_row()"
    )
    try:
        yield
    finally:
        superuser.execute("DROP FUNCTION repeat_row() CASCADE")
