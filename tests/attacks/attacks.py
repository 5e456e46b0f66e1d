"""The attacks. Each is tried on plain mem0 and on the portal and says in a few words what it saw."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from memoryportal.memory import (
    ErasureRunning,
    MemoryRoomError,
    NotConfirmed,
    ScopedMemory,
    StoreUnavailable,
    SubjectId,
    controls,
)
from memoryportal.memory.stores import close_all, current_store
from tests.stores.planting import Planter

from .grounds import Portal
from .plain import ALICES, BOBS, Plain, Row

WORDS = "what do I like"
NOTHING = "–"


@dataclass(frozen=True, slots=True)
class Attack:
    """`plain` and `portal` return the cell of the table."""

    name: str
    plain: Callable[[Plain], str]
    portal: Callable[[Portal], str]


@dataclass(frozen=True, slots=True)
class Two:
    """Two people on the portal's store."""

    alice: ScopedMemory
    bob: ScopedMemory
    bobs: list[str]


def two() -> Two:
    tag = uuid.uuid4().hex[:8]
    alice, bob = ScopedMemory(SubjectId(f"alice-{tag}")), ScopedMemory(SubjectId(f"bob-{tag}"))
    for text in ALICES:
        alice.add(text, infer=False)
    return Two(alice, bob, [bob.add(text, infer=False)[0].id for text in BOBS])


def rows(count: int) -> str:
    return f"{count} row" if count == 1 else f"{count} rows"


def attempted(act: Callable[[], str]) -> str:
    """What `act` saw, or the name of what it raised."""
    try:
        return act()
    except MemoryRoomError as refusal:
        return "not found" if isinstance(refusal, LookupError) else f"refused ({type(refusal).__name__})"
    except Exception as error:
        return f"raises {type(error).__name__}"


# --- whose rows are read ---------------------------------------------------------------------------------------------


def leaks(found: list[Row], victim: str) -> str:
    count = sum(row.get("user_id") == victim for row in found)
    return f"leaks {rows(count)}" if count else "nothing of others"


def searching(filters: Callable[[str, str], Any]) -> Callable[[Plain], str]:
    def act(plain: Plain) -> str:
        people = plain.people()
        return leaks(plain.search(WORDS, filters(people.alice, people.bob)), people.bob)

    return act


def listing(filters: Callable[[str, str], Any]) -> Callable[[Plain], str]:
    def act(plain: Plain) -> str:
        people = plain.people()
        return leaks(plain.listed(filters(people.alice, people.bob)), people.bob)

    return act


def smuggling(filters: Callable[[str, str], Any], verb: str) -> Callable[[Portal], str]:
    """The portal has no parameter for it; it is handed in where its own filters belong."""

    def act(_: Portal) -> str:
        people = two()
        given = filters(str(people.alice.subject), str(people.bob.subject))
        if verb == "search":
            texts = [hit.item.text for hit in people.alice.search(WORDS, filters=given).hits]
        else:
            texts = [item.text for item in people.alice.page(given).items]
        return f"leaks {rows(len(texts))}" if set(texts) & set(BOBS) else "nothing of others"

    return act


def refusing(make: Callable[[], object]) -> Callable[[Portal], str]:
    def act(_: Portal) -> str:
        make()
        return "accepted"

    return act


WILDCARD = refusing(lambda: ScopedMemory(SubjectId("*")))


def other_assistants(plain: Plain) -> str:
    user = f"alice-{uuid.uuid4().hex[:8]}"
    for agent in ("planner", "coach"):
        plain.add("I like tea.", user_id=user, agent_id=agent)
    seen = len(plain.listed({"user_id": user, "agent_id": "*"}))
    return f"drops the condition: {rows(seen)} of other assistants" if seen else "nothing of other assistants"


# --- somebody else's memory by its id --------------------------------------------------------------------------------


def foreign_read(plain: Plain) -> str:
    return "reads it" if plain.mem0.get(plain.people().bobs[0]) else "nothing"


def foreign_update(plain: Plain) -> str:
    people = plain.people()
    plain.update(people.bobs[0], "I was here.")
    return "changes it" if plain.mem0.get(people.bobs[0])["memory"] == "I was here." else "nothing"


def foreign_delete(plain: Plain) -> str:
    people = plain.people()
    plain.mem0.delete(people.bobs[0])
    return "deletes it" if plain.left(people.bob) == len(BOBS) - 1 else "nothing"


def foreign_history(plain: Plain) -> str:
    count = plain.texts_of_history(plain.people().bobs[:1])
    return "reads it" if count else "nothing"


def foreign(act: Callable[[ScopedMemory, str], object]) -> Callable[[Portal], str]:
    def attempt(_: Portal) -> str:
        people = two()
        before = [people.bob.get(memory_id) for memory_id in people.bobs]
        said = attempted(lambda: str(bool(act(people.alice, people.bobs[0]))))
        return said if [people.bob.get(memory_id) for memory_id in people.bobs] == before else f"{said}, and changed it"

    return attempt


# --- ids and metadata ------------------------------------------------------------------------------------------------


def repaired(given: Any, becomes: str) -> Callable[[Plain], str]:
    def act(plain: Plain) -> str:
        plain.add("I like tea.", user_id=given)
        found = plain.left(becomes)
        return f"becomes {becomes}" if found else "kept apart"

    return act


def metadata_owner(plain: Plain) -> str:
    people = plain.people()
    plain.add("Planted.", user_id=people.alice, metadata={"user_id": people.bob})
    return "lands in Bob's list" if plain.left(people.bob) > len(BOBS) else "ignored"


def metadata_time(plain: Plain) -> str:
    people = plain.people()
    memory_id = plain.add("Planted.", user_id=people.alice, metadata={"created_at": "1999-01-01T00:00:00+00:00"})
    return "backdated" if str(plain.mem0.get(memory_id).get("created_at")).startswith("1999") else "ignored"


def metadata_expiry(plain: Plain) -> str:
    people = plain.people()
    plain.add("Planted.", user_id=people.alice, metadata={"expiration_date": "2020-01-01"})
    return "hidden from its owner" if plain.left(people.alice) == len(ALICES) else "ignored"


def metadata(key: str, value: str) -> Callable[[Portal], str]:
    def act(_: Portal) -> str:
        people = two()
        people.alice.add("Planted.", infer=False, metadata={key: value or str(people.bob.subject)})
        return "accepted"

    return act


def nul_text(plain: Plain) -> str:
    people = plain.people()
    plain.add("a\0b", user_id=people.alice)
    return "stored" if plain.left(people.alice) > len(ALICES) else "says success, stores nothing"


def nul_id(plain: Plain) -> str:
    plain.add("Planted.", user_id="a\0b")
    return "accepted"


# --- deletions -------------------------------------------------------------------------------------------------------


def delete_everybody(plain: Plain) -> str:
    people = plain.people()
    plain.delete_all(user_id="*")
    left = plain.left(people.bob)
    return f"says success, deletes {len(BOBS) - left} of Bob's {rows(len(BOBS))}" if left < len(BOBS) else "nothing"


def reset(plain: Plain) -> str:
    people = plain.people()
    plain.mem0.reset()
    return "deletes everybody's" if not plain.left(people.bob) else "nothing"


def without_store(act: Callable[[Plain, str], Any]) -> Callable[[Plain], str]:
    def attempt(plain: Plain) -> str:
        people = plain.people()
        with plain.down():
            said = attempted(
                lambda: "says success" if (found := act(plain, people.alice)) is None else rows(len(found))
            )
        return {"0 rows": "shows an empty list", "2 rows": "goes on showing 2 rows"}.get(said, said)

    return attempt


def portal_without_store(act: Callable[[ScopedMemory], Any]) -> Callable[[Portal], str]:
    def attempt(portal: Portal) -> str:
        people = two()
        with portal.down():
            try:
                act(people.alice)
            except NotConfirmed:
                return "says it is not confirmed"
            except StoreUnavailable:
                return "says it cannot be reached"
        return "says success"

    return attempt


def history_after(plain: Plain) -> str:
    people = plain.people()
    plain.delete_all(user_id=people.alice)
    kept = plain.texts_of_history(people.alices)
    return f"keeps {kept} texts" if kept else "nothing kept"


def portal_history_after(_: Portal) -> str:
    people = two()
    ids = [item.id for item in people.alice.page().items]
    people.alice.erase()
    kept = people.alice.past()
    shown = [said for said in (attempted(lambda m=m: str(people.alice.history(m))) for m in ids) if said != "not found"]
    return f"keeps {len(kept) + len(shown)} texts" if kept or shown else "nothing kept"


def messages_after(plain: Plain) -> str:
    if plain.hosted:
        return NOTHING
    people = plain.people()
    plain.mem0.add([{"role": "user", "content": "My PIN is 4711."}], user_id=people.alice, infer=True)
    plain.delete_all(user_id=people.alice)
    kept = plain.mem0.db.get_last_messages(f"user_id={people.alice}", limit=10)
    return f"keeps {rows(len(kept))}, for the next prompt" if kept else "nothing kept"


def portal_messages_after(_: Portal) -> str:
    people = two()
    if not current_store().abilities.keeps_history:
        return NOTHING
    Planter(current_store(), True).messages(people.alice, "My PIN is 4711.")
    people.alice.erase()
    kept = people.alice.messages()
    return f"keeps {rows(len(kept))}" if kept else "nothing kept"


def names_after(plain: Plain) -> str:
    """By a process that only deletes, as a nightly job would."""
    if plain.hosted:
        return NOTHING
    people = plain.people()
    plain.mem0.add([{"role": "user", "content": "My sister is called Miriam."}], user_id=people.alice, infer=True)
    noted, plain.mem0._entity_store = plain.mem0.entity_store, None
    plain.delete_all(user_id=people.alice)
    kept = noted.list(filters={"user_id": people.alice})[0]
    plain.mem0._entity_store = noted
    return f"leaves {rows(len(kept))} of names" if kept else "nothing left"


def portal_names_after(_: Portal) -> str:
    people = two()
    if not current_store().abilities.keeps_history:
        return NOTHING
    Planter(current_store(), True).name(people.alice, "Miriam", [people.alice.page().items[0].id])
    close_all()
    people.alice.erase()
    kept = people.alice.entities()
    return f"leaves {rows(len(kept))} of names" if kept else "nothing left"


def racing(plain: Plain) -> str:
    """An agent adds while the deletion is at it: here right behind its last look at what there is to delete."""
    if plain.hosted:
        return NOTHING
    people = plain.people()
    listing_of = plain.mem0.vector_store.list

    def and_then(*args: Any, **kwargs: Any) -> Any:
        found = listing_of(*args, **kwargs)
        if not found[0]:
            plain.add("I am late.", user_id=people.alice)
        return found

    plain.mem0.vector_store.list = and_then
    try:
        plain.delete_all(user_id=people.alice)
    finally:
        plain.mem0.vector_store.list = listing_of
    left = plain.left(people.alice)
    return f"says success, {rows(left)} left" if left else "nothing left"


def portal_racing(_: Portal) -> str:
    """The erasure's gate is shut; an agent adds through the portal."""
    people = two()
    store, subject = current_store(), people.alice.subject
    controls.shut(store, subject, "erasing")
    try:
        said = "accepted"
        try:
            people.alice.add("I am late.", infer=False)
        except ErasureRunning as refusal:
            said = f"writer refused ({type(refusal).__name__})"
        people.alice.erase()
        left = sum(found.count or 0 for found in people.alice.residue())
        return f"{said}, {rows(left)} left" if left else f"{said}, nothing left"
    finally:
        controls.reopen(store, subject, "erasing")


def portal_racing_beside(portal: Portal) -> str:
    """The same, past the portal, right after everything was erased."""
    if portal.beside is None:
        return NOTHING
    people = two()
    store, subject = current_store(), people.alice.subject
    controls.shut(store, subject, "erasing")
    try:
        people.alice.erase()
        try:
            portal.beside(str(subject), "I am late.")
        except Exception as error:
            return f"writer refused by the database ({getattr(error, 'sqlstate', None) or type(error).__name__})"
        left = sum(found.count or 0 for found in people.alice.residue())
        people.alice.erase()
        gone = not ScopedMemory.for_person(subject).count()  # assistants are handed nothing meanwhile
        return "found when read again, and erased" if left and gone else "not noticed"
    finally:
        controls.reopen(store, subject, "erasing")


ATTACKS = (
    Attack('search with user_id="*"', searching(lambda a, b: {"user_id": "*"}), WILDCARD),
    Attack('list with user_id="*"', listing(lambda a, b: {"user_id": "*"}), WILDCARD),
    Attack('delete_all with user_id="*"', delete_everybody, WILDCARD),
    Attack(
        "search with a second owner under AND",
        searching(lambda a, b: {"user_id": a, "AND": [{"user_id": b}]}),
        smuggling(lambda a, b: {"user_id": a, "AND": [{"user_id": b}]}, "search"),
    ),
    Attack(
        'search with "*" under AND',
        searching(lambda a, b: {"user_id": a, "AND": [{"user_id": "*"}]}),
        smuggling(lambda a, b: {"user_id": a, "AND": [{"user_id": "*"}]}, "search"),
    ),
    Attack(
        "list with a second owner under OR",
        listing(lambda a, b: {"user_id": a, "OR": [{"user_id": b}]}),
        smuggling(lambda a, b: {"user_id": a, "OR": [{"user_id": b}]}, "list"),
    ),
    Attack(
        "list with a second owner under $or",
        listing(lambda a, b: {"user_id": a, "$or": [{"user_id": b}]}),
        smuggling(lambda a, b: {"user_id": a, "$or": [{"user_id": b}]}, "list"),
    ),
    Attack("get by Bob's memory id", foreign_read, foreign(lambda memory, target: memory.get(target))),
    Attack("update by Bob's memory id", foreign_update, foreign(lambda memory, target: memory.update(target, "Ha."))),
    Attack("delete by Bob's memory id", foreign_delete, foreign(lambda memory, target: memory.delete(target))),
    Attack("history by Bob's memory id", foreign_history, foreign(lambda memory, target: memory.history(target))),
    Attack(
        'agent_id="*" beside a user', other_assistants, refusing(lambda: ScopedMemory(SubjectId("alice"), agent="*"))
    ),
    Attack("user_id=' tim '", repaired(" tim ", "tim"), refusing(lambda: SubjectId(" tim "))),
    Attack("user_id=1", repaired(1, "1"), refusing(lambda: SubjectId(1))),  # type: ignore[arg-type]
    Attack("user_id=['tim']", repaired(["tim"], "['tim']"), refusing(lambda: SubjectId(["tim"]))),  # type: ignore[arg-type]
    Attack("metadata names another owner", metadata_owner, metadata("user_id", "")),
    Attack("metadata sets created_at", metadata_time, metadata("created_at", "1999-01-01T00:00:00+00:00")),
    Attack("metadata sets an expiry that is past", metadata_expiry, metadata("expiration_date", "2020-01-01")),
    Attack("NUL in a text", nul_text, lambda _: str(bool(two().alice.add("a\0b", infer=False)))),
    Attack("NUL in a user id", nul_id, refusing(lambda: SubjectId("a\0b"))),
    Attack("reset()", reset, lambda _: "no such call" if not hasattr(ScopedMemory, "reset") else "accepted"),
    Attack(
        "list while the store is down",
        without_store(lambda plain, user: plain.listed({"user_id": user})),
        portal_without_store(lambda memory: memory.page()),
    ),
    Attack(
        "delete everything while the store is down",
        without_store(lambda plain, user: plain.delete_all(user_id=user)),
        portal_without_store(lambda memory: memory.erase()),
    ),
    Attack("history after delete_all", history_after, portal_history_after),
    Attack("recent messages after delete_all", messages_after, portal_messages_after),
    Attack("noted names after delete_all", names_after, portal_names_after),
    Attack("an agent adds during delete_all", racing, portal_racing),
    Attack("the same past the portal, with mem0", lambda _: NOTHING, portal_racing_beside),
)
