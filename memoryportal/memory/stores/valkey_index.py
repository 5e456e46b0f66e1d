"""The index of a collection: how it must be, what is wrong with one that is not, and what would put it right.

Why an index of our own (measured against valkey-search 1.2.1): the one that mem0 creates takes in other collections,
because its prefix has no final colon, makes one person of `Alice` and `alice`, and two of `a,b`. Here TAG is
case-sensitive and its separator is a character that no id can have. Only what is asked for is indexed, and no text.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import StoreNotPrepared, StoreRefused, StoreUnavailable
from .valkey_client import NO_MODULE, Server

SEPARATOR = "\x1f"
OLDEST = (1, 2, 1)
TOO_OLD = (
    "the Valkey server's search module is version {}; 1.2.1 is the oldest that finds ids with a brace and measures "
    "distances right"
)
TAGS = ("user_id", "agent_id", "run_id")
BUILD_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Definition:
    """What an index must be like. `approximate` asks for HNSW: quicker among very many rows, and not exact."""

    name: str
    dimensions: int
    approximate: bool = False
    hnsw: tuple[tuple[str, int], ...] = ()

    @property
    def prefix(self) -> str:
        """What the keys of its rows begin with; the final colon keeps other collections out."""
        return f"mem0:{self.name}:"

    def creation(self) -> list[str]:
        """The FT.CREATE command."""
        schema: list[str] = []
        for name in TAGS:
            schema += [name, "TAG", "SEPARATOR", SEPARATOR, "CASESENSITIVE"]
        for name in ("created_at", "updated_at"):
            schema += [name, "NUMERIC"]
        return ["FT.CREATE", self.name, "ON", "HASH", "PREFIX", "1", self.prefix, "SCHEMA", *schema, *self._vector()]

    def _vector(self) -> list[str]:
        attributes = ["TYPE", "FLOAT32", "DIM", str(self.dimensions), "DISTANCE_METRIC", "COSINE"]
        if self.approximate:
            attributes += [part for name, value in self.hnsw for part in (name, str(value))]
        return ["embedding", "VECTOR", "HNSW" if self.approximate else "FLAT", str(len(attributes)), *attributes]

    def rebuilding(self) -> list[str]:
        """What an operator types into valkey-cli. Dropping an index this way keeps every row."""
        created = " ".join(f'"{word}"'.replace(SEPARATOR, r"\x1f") for word in self.creation())
        return [f'FT.DROPINDEX "{self.name}"', created.replace('"FT.CREATE"', "FT.CREATE", 1)]


@dataclass(frozen=True, slots=True)
class State:
    """What FT.INFO says about an index. `failures` counts rows that could not be indexed as they are."""

    wrong: list[str]
    building: str | None
    failures: int


def check_module(server: Server) -> str | None:
    """Why this server's search module cannot be used, or None. A login that may not ask is given the benefit."""
    try:
        modules = server.run("MODULE", "LIST")
    except StoreUnavailable as error:
        if "may not" in str(error):
            return None
        raise
    search = next((module for module in map(pairs, modules) if text(module.get("name")) == "search"), None)
    if search is None:
        return NO_MODULE
    number = int(search.get("ver") or 0)
    version = (number >> 16, number >> 8 & 0xFF, number & 0xFF)
    return TOO_OLD.format(".".join(map(str, version))) if version < OLDEST else None


def inspect(server: Server, wanted: Definition) -> State | None:
    """The index as it is, or None when there is none."""
    try:
        said = pairs(server.run("FT.INFO", wanted.name))
    except StoreNotPrepared:
        return None
    state = text(said.get("state"))
    ready = state == "ready" or (not state and text(said.get("backfill_in_progress")) in ("0", ""))
    done = text(said.get("backfill_complete_percent")) or "?"
    return State(
        list(_differences(said, wanted)), None if ready else done, int(said.get("hash_indexing_failures") or 0)
    )


def require(server: Server, wanted: Definition) -> State:
    """The state of an index that can be relied on; else StoreNotPrepared or StoreUnavailable with the reason."""
    found = inspect(server, wanted)
    if found is None:
        raise StoreNotPrepared(f"the index {wanted.name} does not exist: run manage.py prepare_store")
    if found.wrong:
        raise StoreNotPrepared(f"the index {wanted.name} is not fit for the portal: run manage.py prepare_store")
    if found.building is not None:
        raise StoreUnavailable(f"the index {wanted.name} is still being built (done: {found.building})")
    return found


def prepare(server: Server, wanted: list[Definition]) -> list[str]:
    """Create the indexes that are missing. StoreRefused, and nothing is created, when one is there and not fit."""
    problem = check_module(server)
    if problem:
        raise StoreRefused(f"{problem[0].upper()}{problem[1:]}.")
    found = {definition.name: inspect(server, definition) for definition in wanted}
    unfit = [(definition, state) for definition in wanted if (state := found[definition.name]) and state.wrong]
    if unfit:
        raise StoreRefused("\n".join(_explain(definition, state) for definition, state in unfit))
    done = []
    for definition in wanted:
        if found[definition.name] is None:
            server.run(*definition.creation())
            done.append(f"created the index {definition.name} for keys that begin with {definition.prefix}")
        _wait(server, definition)
    return done


def missing(server: Server, wanted: list[Definition]) -> list[str]:
    """What `prepare` would create, or refuse, in sentences."""
    problem = check_module(server)
    return [problem] if problem else [sentence for definition in wanted for sentence in _missing(server, definition)]


def _missing(server: Server, wanted: Definition) -> Iterator[str]:
    found = inspect(server, wanted)
    if found is None:
        yield f"the index {wanted.name} does not exist: nobody's memories can be listed"
    elif found.wrong:
        yield _explain(wanted, found)
    elif found.building is not None:
        yield f"the index {wanted.name} is still being built (done: {found.building}): wait"


def _wait(server: Server, wanted: Definition) -> None:
    """Until rows that were there before are in the index; a list is not complete earlier."""
    until = time.monotonic() + BUILD_SECONDS
    while True:
        found = inspect(server, wanted)
        if found is not None and found.building is None:
            return
        if time.monotonic() > until:
            raise StoreUnavailable(f"the index {wanted.name} is still being built: wait, and run prepare_store again")
        time.sleep(0.05)


def _explain(wanted: Definition, state: State) -> str:
    whose = "mem0's own index" if any("final colon" in reason for reason in state.wrong) else "an index"
    return "\n".join(
        [
            f"{wanted.name} is {whose}, and isolation cannot be promised on it:",
            *(f"  - {reason}" for reason in state.wrong),
            "The portal does not change it. Stop the agents, type this into valkey-cli, and run prepare_store again.",
            "No memory is touched, and plain mem0 works with the new index. Never add DD: it deletes the rows.",
            *(f"  {command}" for command in wanted.rebuilding()),
        ]
    )


def _differences(said: dict[str, Any], wanted: Definition) -> Iterator[str]:
    definition = pairs(said.get("index_definition"))
    prefixes = [text(prefix) for prefix in definition.get("prefixes") or []]
    if prefixes == [wanted.prefix.removesuffix(":")]:
        yield f"its prefix {prefixes[0]} has no final colon: collections whose names begin alike are taken in too"
    elif prefixes != [wanted.prefix]:
        yield f"its prefix is not {wanted.prefix}"
    if text(definition.get("key_type")).upper() != "HASH":
        yield "it is not an index of hashes"
    fields = {text(field.get("identifier")): field for field in map(pairs, said.get("attributes") or [])}
    for name in TAGS:
        yield from _tag_differences(name, fields.get(name))
    if text((fields.get("created_at") or {}).get("type")).upper() != "NUMERIC":
        yield "created_at is not NUMERIC: lists cannot be sorted"
    yield from _vector_differences(fields.get("embedding"), wanted)


def _tag_differences(name: str, field: dict[str, Any] | None) -> Iterator[str]:
    if field is None or text(field.get("type")).upper() != "TAG":
        yield f"{name} is not TAG: nobody's rows can be told apart"
        return
    if text(field.get("SEPARATOR")) != SEPARATOR:
        yield f"{name} has the separator {text(field.get('SEPARATOR'))!r}: an id with it belongs to several people"
    if text(field.get("CASESENSITIVE")) != "1":
        yield f"{name} does not tell capitals apart: Alice and alice are one person"


def _vector_differences(field: dict[str, Any] | None, wanted: Definition) -> Iterator[str]:
    if field is None or text(field.get("type")).upper() != "VECTOR":
        yield "embedding is not VECTOR: nothing can be searched by meaning"
        return
    vectors = pairs(field.get("index"))
    dimensions = text(vectors.get("dimensions"))
    if dimensions != str(wanted.dimensions):
        yield f"its vectors have {dimensions} dimensions, and MEM0_CONFIG says {wanted.dimensions}"
    if text(vectors.get("distance_metric")).upper() != "COSINE":
        yield "its vectors are not compared by cosine"
    if text(pairs(vectors.get("algorithm")).get("name")).upper() == "HNSW" and not wanted.approximate:
        yield 'it searches approximately (HNSW): set "index_type": "hnsw" in MEM0_CONFIG if that is wanted'


def pairs(reply: Any) -> dict[str, Any]:
    """A dictionary from a flat list of names and values, as RESP2 has them."""
    flat = reply if isinstance(reply, list) else []
    return {text(name): value for name, value in zip(flat[::2], flat[1::2], strict=False)}


def text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else "" if value is None else str(value)
