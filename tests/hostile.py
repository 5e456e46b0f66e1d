"""Ids that somebody could try, each marked *refused* or *kept apart*: the one list for every test that needs one.

Refused is what the design refuses and nothing more. Kept apart: both are stored and neither sees the other, on every
store, however much a parser, a pattern or a query language takes the one for the other.
"""

import unicodedata
from typing import Any, Literal

Mark = Literal["refused", "kept apart"]

REFUSED: dict[str, str] = {
    "wildcard": "*",
    "wildcard at the end": "al*",
    "wildcard at the beginning": "*ice",
    "escaped wildcard": "al\\*",
    "two people": "a,b",
    "empty": "",
    "outer spaces": " a ",
    "inner space": "john smith",
    "only a space": " ",
    "a condition": 'alice" OR user_id="bob',
    "tab": "a\tb",
    "new line": "a\n",
    "carriage return": "a\rb",
    "no-break space": "a\u00a0b",
    "narrow no-break space": "a\u202fb",
    "em space": "a\u2003b",
    "ideographic space": "a\u3000b",
    "line separator": "a\u2028b",
    "paragraph separator": "a\u2029b",
    "next line": "a\u0085b",
    "NUL": "a\0b",
    "NUL at the end": "alice\0",
    "escape": "a\x1bb",
    "unit separator": "a\x1fb",
    "delete": "a\x7fb",
    "zero-width space": "a\u200bb",
    "zero-width joiner": "a\u200db",
    "zero-width non-joiner": "a\u200cb",
    "word joiner": "a\u2060b",
    "byte order mark": "\ufeffa",
    "soft hyphen": "a\u00adb",
    "left-to-right mark": "a\u200e",
    "right-to-left mark": "a\u200f",
    "Arabic letter mark": "a\u061cb",
    "right-to-left override": "a\u202eb",
    "isolate": "a\u2066b\u2069",
    "Mongolian vowel separator": "a\u180eb",
    "tag": "a\U000e0041",
    "interlinear annotation": "a\ufff9b",
    "private use": "a\ue000",
    "decomposed": unicodedata.normalize("NFD", "élise"),
    "Kelvin sign": "\u212a",
    "Angstrom sign": "\u212b",
    "129 characters": "a" * 129,
    "100,000 characters": "a" * 100_000,
}
UNSTORABLE: dict[str, str] = {"lone surrogate": "a\ud800", "surrogate pair": "\ud83d\ude00"}
# mem0 turns each of these into a text that may be somebody's id.
NO_TEXT: dict[str, Any] = {
    "int": 1,
    "float": 1.5,
    "bool": True,
    "None": None,
    "bytes": b"a",
    "list": ["a"],
    "tuple": ("a",),
    "dict": {"a": 1},
    "set": {"a"},
    "operator": {"$or": [{"user_id": "a"}, {"user_id": "b"}]},
    "object": object(),
    "class": str,
}
# Groups of ids that some store, parser or query language has taken for one another.
APART: tuple[tuple[str, ...], ...] = (
    ("alice", "Alice", "ALICE", "alice}", "{alice}", "alice|bob", "alice'", 'alice"', "alice%", "ali_e", "ali%e"),
    (
        *("u1", "u11", "1", "01", "1.0", "u1:", ":u1", "u1&agent_id=a1", "u1%26", "(u1)", "u1-", "-u1", "@u1", "~u1"),
        "u1\\",
    ),
    (
        *("jörg", "jorg", "joerg", "JÖRG", "ＪＯＲＧ", "йорг", "straße", "strasse", "null", "None", "true", "[]"),
        *("$or", "a/b", "NULL"),
    ),
    (
        *("a", "A", "aa", "a|b", "'a'", '"a"', "['a']", "a'--", "a%", "a_", "ab", "a&user_id=b", "user_id=a", "a=b"),
        *("a.b", "axb", "a\\", "a\\b", "а", "á", "{a|b}", "@user_id:{a}", "a;b", "a+b", "a%20b", "a%2Cb", "a?", "a#b"),
    ),
    (
        *("$1", "%s", "s", "{}", "{0}", "OR", "AND", '{"$or":1}', "true=true", "ß", "ss", "İ", "i", "ı", "李", "李李"),
        *("😀", "😁", "..", ".", "a@example.com", "A@example.com", "a" * 128, "a" * 127),
        *("123e4567-e89b-12d3-a456-426614174000", "123E4567-E89B-12D3-A456-426614174000"),
    ),
)
# Pairs out of these, and a few more, of which the one looks most like the other.
TWINS: tuple[tuple[str, str], ...] = (
    ("alice", "Alice"),
    ("alice", "alice2"),
    ("u1", "u11"),
    ("a|b", "a"),
    ("alice}", "alice"),
    ("{alice}", "alice"),
    ("'a'", "a"),
    ('"a"', "a"),
    ("a'--", "a"),
    ("a%", "ab"),
    ("a_", "ab"),
    ("a&user_id=b", "a"),
    ("user_id=a", "a"),
    ("a=b", "a"),
    ("a.b", "axb"),
    ("a\\", "a"),
    ("$1", "1"),
    ("%s", "s"),
    ("null", "NULL"),
    ("['a']", "a"),
    ("ß", "ss"),
    ("İ", "i"),
    ("é", "e"),
    ("а", "a"),  # the first is Cyrillic
    ("李", "李李"),
    ("😀", "😁"),
    ("a@example.com", "A@example.com"),
    ("123e4567-e89b-12d3-a456-426614174000", "123E4567-E89B-12D3-A456-426614174000"),
    ("a" * 128, "a" * 127),
)


def smuggled(other: str) -> dict[str, Any]:
    """What could be handed in where something else is expected, to reach the rows of `other`."""
    owner = {"user_id": other}
    return {
        "AND": {"AND": [owner]},
        "OR": {"OR": [owner, {"user_id": "*"}]},
        "NOT": {"NOT": [{"user_id": "nobody"}]},
        "$or": {"$or": [owner]},
        "$not": {"$not": [owner]},
        "operator value": {"user_id": {"in": [other, "*"]}},
        "owner": owner,
        "wildcard": {"user_id": "*"},
        "empty dict": {},
        "list": [owner],
        "tuple": (other,),
        "as text": f'{{"AND": [{{"user_id": "{other}"}}]}}',
        "as SQL": f"' OR payload->>'user_id' = '{other}' --",
        "as a tag": f"@user_id:{{{other}}}",
        "star": "*",
        "bytes": other.encode(),
        "number": 7,
        "truth": True,
        "object": object(),
    }


def corpus() -> list[tuple[str, Any, Mark]]:
    """(name, value, mark) of every entry."""
    refused = {**REFUSED, **UNSTORABLE, **NO_TEXT}
    kept = sorted({value for group in (*APART, *TWINS) for value in group})
    return [(name, value, "refused") for name, value in refused.items()] + [(v, v, "kept apart") for v in kept]
