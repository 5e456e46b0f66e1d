"""The part of valkey-search that the stand-in server plays. See valkey_server.py for what it is and is not.

Written from what valkey-search 1.2.1 was seen to do, its documentation and its open issues, the unpleasant parts
included: a tag that ends in `*` is a prefix match even when the star is escaped; the first `=>` of a query begins the
vector part; matches come in no order; SORTBY does nothing beside NOCONTENT or without its field in RETURN; numbers that
come from the index alone have six digits; an empty range is an error; a vector of another length is silently left out.
"""

import hashlib
import math
import re
import struct
from dataclasses import dataclass, field

Hash = dict[bytes, bytes]
Keyspace = dict[bytes, Hash]
SPACES = " \t\n\r\v\f"
MOST = 100_000


class Refusal(Exception):
    """An error reply."""


@dataclass
class Field:
    """One attribute of an index; only what belongs to its type is set."""

    kind: str
    separator: str = ","
    case_sensitive: bool = False
    algorithm: str = ""
    dimensions: int = 0
    metric: str = ""


@dataclass
class Index:
    name: str
    prefixes: list[bytes]
    fields: dict[str, Field] = field(default_factory=dict)
    failures: int = 0
    building: bool = False
    left_out: set[bytes] = field(default_factory=set)  # keys that a test wants missing in the index
    everywhere: set[bytes] = field(default_factory=set)  # keys that a test wants found for everybody

    def covers(self, key: bytes) -> bool:
        return any(key.startswith(prefix) for prefix in self.prefixes)

    def keys(self, keyspace: Keyspace) -> list[bytes]:
        """Every key of the index, in an order that is nobody's wish."""
        own = [key for key in keyspace if self.covers(key) and key not in self.left_out]
        return sorted(own, key=lambda key: hashlib.md5(key).digest())

    def written(self, value: Hash) -> None:
        """Count a row that cannot be indexed as it is."""
        for name, indexed in self.fields.items():
            stored = value.get(name.encode())
            if indexed.kind == "VECTOR" and stored is not None and len(stored) != 4 * indexed.dimensions:
                self.failures += 1


# --- FT.CREATE and FT.INFO --------------------------------------------------------------------------------------------


def create(words: list[str]) -> Index:
    """The index of FT.CREATE's arguments."""
    name, rest = words[0], words[1:]
    schema = rest.index("SCHEMA")
    options, definition = rest[:schema], rest[schema + 1 :]
    index = Index(name, _prefixes(options))
    while definition:
        attribute, kind = definition.pop(0), definition.pop(0).upper()
        index.fields[attribute] = _field(kind, definition)
    return index


def _prefixes(options: list[str]) -> list[bytes]:
    if "PREFIX" not in options:
        return [b""]
    at = options.index("PREFIX")
    prefixes = options[at + 2 : at + 2 + int(options[at + 1])]
    if any(re.search(r"\{.+\}", prefix) for prefix in prefixes):
        raise Refusal("PREFIX argument(s) must not contain a hash tag")
    return [prefix.encode() for prefix in prefixes]


def _field(kind: str, words: list[str]) -> Field:
    if kind == "TAG":
        found = Field("TAG")
        while words and words[0].upper() in ("SEPARATOR", "CASESENSITIVE"):
            if words.pop(0).upper() == "CASESENSITIVE":
                found.case_sensitive = True
            else:
                found.separator = words.pop(0)
                if len(found.separator) != 1:
                    raise Refusal("The separator must be a single character")
        return found
    if kind == "VECTOR":
        algorithm, count = words.pop(0).upper(), int(words.pop(0))
        given = {words.pop(0).upper(): words.pop(0) for _ in range(count // 2)}
        return Field("VECTOR", algorithm=algorithm, dimensions=int(given["DIM"]), metric=given["DISTANCE_METRIC"])
    if kind in ("NUMERIC", "TEXT"):
        return Field(kind)
    raise Refusal(f"Unknown argument `{kind}`")


def info(index: Index, keyspace: Keyspace) -> list[object]:
    """FT.INFO as RESP2 has it: names and values in one flat list."""
    return [
        *("index_name", index.name),
        *("index_definition", ["key_type", "HASH", "prefixes", list(index.prefixes), "default_score", "1"]),
        *("attributes", [_describe(name, indexed) for name, indexed in index.fields.items()]),
        *("num_docs", len(index.keys(keyspace))),
        *("hash_indexing_failures", str(index.failures)),
        *("backfill_in_progress", "1" if index.building else "0"),
        *("backfill_complete_percent", "0.25" if index.building else "1"),
        *("mutation_queue_size", "0"),
        *("state", "backfill_in_progress" if index.building else "ready"),
    ]


def _describe(name: str, indexed: Field) -> list[object]:
    described: list[object] = ["identifier", name, "attribute", name, "type", indexed.kind]
    if indexed.kind == "TAG":
        described += [
            "SEPARATOR",
            indexed.separator,
            "CASESENSITIVE",
            "1" if indexed.case_sensitive else "0",
            "size",
            "0",
        ]
    if indexed.kind == "VECTOR":
        vectors = ["capacity", 1024, "dimensions", indexed.dimensions, "distance_metric", indexed.metric, "size", "0"]
        described += ["index", [*vectors, "data_type", "FLOAT32", "algorithm", ["name", indexed.algorithm]]]
    return described


# --- FT.SEARCH --------------------------------------------------------------------------------------------------------


@dataclass
class Options:
    """What stands behind the query."""

    limit: tuple[int, int] = (0, 10)
    fields: list[str] | None = None
    nocontent: bool = False
    sort: tuple[str, bool] | None = None  # field, descending
    params: dict[str, bytes] = field(default_factory=dict)


def parse_options(arguments: list[bytes]) -> Options:
    options, words = Options(), list(arguments)
    while words:
        word = words.pop(0).decode().upper()
        if word == "NOCONTENT":
            options.nocontent = True
        elif word == "LIMIT":
            options.limit = (int(words.pop(0)), int(words.pop(0)))
        elif word == "RETURN":
            options.fields = [words.pop(0).decode() for _ in range(int(words.pop(0)))]
        elif word == "SORTBY":
            name = words.pop(0).decode()
            descending = bool(words) and words[0].upper() == b"DESC"
            if words and words[0].upper() in (b"ASC", b"DESC"):
                words.pop(0)
            options.sort = (name, descending)
        elif word == "PARAMS":
            count = int(words.pop(0))
            options.params = {words.pop(0).decode(): words.pop(0) for _ in range(count // 2)}
        elif word in ("TIMEOUT", "DIALECT"):
            words.pop(0)
        elif word not in ("ALLSHARDS", "SOMESHARDS", "CONSISTENT", "INCONSISTENT"):
            raise Refusal(f"Unexpected argument `{word}`")
    return options


def search(index: Index, keyspace: Keyspace, query: str, options: Options, *, trims: bool) -> list[object]:
    """The reply to FT.SEARCH. `trims`: only a part of the matches is sorted, as up to valkey-search 1.2."""
    text, arrow, vector = query.partition("=>")
    matches = [
        key for key in index.keys(keyspace) if _matches(index, keyspace[key], text.strip()) or key in index.everywhere
    ]
    distances: dict[bytes, float] = {}
    named = ""
    if arrow:
        matches, distances, named = _nearest(index, keyspace, matches, vector.strip(), options)
    elif options.params:
        raise Refusal("Parameter not used.")
    total, (offset, count) = len(matches), options.limit
    matches = matches[:MOST]
    if options.sort and not arrow:
        matches = _sorted(index, keyspace, matches, options, trims=trims)
    reply: list[object] = [total]
    for key in matches[offset : offset + count]:
        reply.append(key)
        if not options.nocontent:
            reply.append(_content(index, keyspace[key], options, named, distances.get(key)))
    return reply


def _sorted(index: Index, keyspace: Keyspace, matches: list[bytes], options: Options, *, trims: bool) -> list[bytes]:
    assert options.sort is not None
    name, descending = options.sort
    if name not in index.fields:
        raise Refusal(f"Index field `{name}` does not exist")
    if options.nocontent or (options.fields is not None and name not in options.fields):
        return matches
    if trims:
        matches = matches[: math.ceil(sum(options.limit) * 1.5)]
    values = {key: _value(index, keyspace[key], name, options.fields) for key in matches}
    numbers = {key: _number(value) for key, value in values.items()}
    there = [key for key in matches if numbers[key] is not None]
    ordered = sorted(there, key=lambda key: numbers[key], reverse=descending)  # type: ignore[arg-type,return-value]
    return ordered + [key for key in matches if numbers[key] is None]


def _content(index: Index, value: Hash, options: Options, named: str, distance: float | None) -> list[object]:
    wanted = options.fields if options.fields is not None else [name.decode() for name in value]
    reply: list[object] = []
    for name in wanted:
        if named and name == named:
            reply += [name, f"{distance:.12g}"]
        elif (stored := _value(index, value, name, options.fields)) is not None:
            reply += [name, stored]
    if named and options.fields is None:
        reply = [named, f"{distance:.12g}", *reply]
    return reply


def _value(index: Index, value: Hash, name: str, asked: list[str] | None) -> bytes | None:
    """From the index alone when every field that is asked for is in it: then numbers have six digits."""
    stored = value.get(name.encode())
    if stored is not None and asked and all(field in index.fields for field in asked):
        number = _number(stored) if index.fields[name].kind == "NUMERIC" else None
        return stored if number is None else f"{number:g}".encode()
    return stored


def _number(stored: bytes | None) -> float | None:
    try:
        number = float(stored or b"")
    except ValueError:
        return None
    return None if math.isnan(number) else number


def _nearest(
    index: Index, keyspace: Keyspace, matches: list[bytes], vector: str, options: Options
) -> tuple[list[bytes], dict[bytes, float], str]:
    found = re.fullmatch(r"\[\s*KNN (\d+) @(\w+) \$(\w+)(?: EF_RUNTIME \d+)?(?: AS (\w+))?\s*\]", vector)
    if found is None:
        raise Refusal("Error parsing vector similarity parameters")
    count, name, parameter, alias = int(found[1]), found[2], found[3], found[4] or f"__{found[2]}_score"
    if options.params.keys() != {parameter}:
        raise Refusal("Parameter not found or not used.")
    indexed = index.fields.get(name)
    if indexed is None or indexed.kind != "VECTOR":
        raise Refusal(f"Index field `{name}` is not a Vector index")
    wanted = options.params[parameter]
    if len(wanted) != 4 * indexed.dimensions:
        raise Refusal("query vector blob size does not match index's expected size")
    stored = {key: keyspace[key].get(name.encode(), b"") for key in matches}
    distances = {key: _cosine(wanted, blob) for key, blob in stored.items() if len(blob) == len(wanted)}
    nearest = sorted(distances, key=lambda key: distances[key])[:count]
    return nearest, distances, alias


def _cosine(one: bytes, other: bytes) -> float:
    a, b = (struct.unpack(f"<{len(blob) // 4}f", blob) for blob in (one, other))
    lengths = math.hypot(*a) * math.hypot(*b)
    return 1.0 - (sum(x * y for x, y in zip(a, b, strict=True)) / lengths if lengths else 0.0)


# --- the query language -----------------------------------------------------------------------------------------------


def _matches(index: Index, value: Hash, query: str) -> bool:
    """Whether a row matches clauses that stand side by side, perhaps in brackets; `*` alone is every row."""
    text = query.strip(SPACES)
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1].strip(SPACES)
    if text == "*":
        return True
    if not text:
        raise Refusal("Empty query")
    position, kept = 0, True
    while position < len(text):
        clause = re.compile(r"\s*@([^:\s]+):\s*").match(text, position)
        if clause is None:
            raise Refusal(f"Unexpected character at position {position + 1}")
        position = clause.end()
        indexed = index.fields.get(clause[1])
        stored = value.get(clause[1].encode())
        if text[position : position + 1] == "{":
            body, position = _braced(text, position)
            if indexed is None or indexed.kind != "TAG":
                raise Refusal(f"`{clause[1]}` is not indexed as a tag field")
            kept = kept and _tag_matches(indexed, stored, body)
        elif text[position : position + 1] == "[":
            end = text.index("]", position)
            if indexed is None or indexed.kind != "NUMERIC":
                raise Refusal(f"`{clause[1]}` is not indexed as a numeric field")
            kept = _in_range(stored, text[position + 1 : end]) and kept
            position = end + 1
        else:
            raise Refusal(f"Unexpected character at position {position + 1}")
    return kept


def _braced(text: str, start: int) -> tuple[str, int]:
    """The inside of {…} and the position behind it; an escaped brace does not end it."""
    position = start + 1
    while position < len(text):
        if text[position] == "\\":
            position += 1
        elif text[position] == "}":
            return text[start + 1 : position], position + 1
        position += 1
    raise Refusal("Missing closing TAG bracket, '}'")


def _tag_matches(indexed: Field, stored: bytes | None, body: str) -> bool:
    if stored is None:
        return False
    text = stored.decode("utf-8", "surrogateescape")
    tags = {tag for part in text.split(indexed.separator) if (tag := part.strip(SPACES))}
    asked = {_unescape(tag) for part in _split(body) if (tag := part.strip(SPACES))}
    if not indexed.case_sensitive:
        tags, asked = {tag.lower() for tag in tags}, {tag.lower() for tag in asked}
    whole = {tag for tag in asked if not tag.endswith("*")}
    prefixes = tuple(tag[:-1] for tag in asked if tag.endswith("*"))
    return bool(tags & whole) or (bool(prefixes) and any(tag.startswith(prefixes) for tag in tags))


def _split(body: str) -> list[str]:
    """At every bar that is not escaped."""
    return re.findall(r"(?:\\.|[^|\\])+", body, re.DOTALL)


def _unescape(tag: str) -> str:
    return re.sub(r"\\(.)", r"\1", tag, flags=re.DOTALL)


def _in_range(stored: bytes | None, body: str) -> bool:
    bounds = re.fullmatch(r"\s*(\(?)([^\s,(]+)[ ,]\s*(\(?)([^\s,(]+)\s*", body)
    if bounds is None:
        raise Refusal("Expected space or `,` between start and end values of a numeric field")
    low, high = float(bounds[2]), float(bounds[4])
    open_low, open_high = bool(bounds[1]), bool(bounds[3])
    if low > high or (low == high and (open_low or open_high)):
        raise Refusal("Start and end values of a numeric field indicate an empty range")
    number = _number(stored)
    if number is None:
        return False
    return (number > low if open_low else number >= low) and (number < high if open_high else number <= high)
