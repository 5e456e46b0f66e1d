"""What some program stored where a text belongs, whatever type it has. Other programs may store anything there."""

import json
import re
from typing import Any

_UNFIT = re.compile("[\0\ud800-\udfff]")  # what neither a page nor PostgreSQL takes
_MEM0_READS = ("data", "hash", "created_at", "updated_at")


def as_text(value: object) -> str | None:
    """A name, a wording or a time as a text: what is none becomes one, the same as PostgreSQL's `->>` gives."""
    if value is None:
        return None
    return _UNFIT.sub("\ufffd", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def fit(value: Any) -> Any:
    """`value`, as it came out of JSON, with all texts in it such that a page takes them."""
    stored = json.dumps(value, ensure_ascii=False)
    clean = _UNFIT.sub("\ufffd", stored)
    return value if clean == stored else json.loads(clean)


def for_mem0(payload: dict[str, Any]) -> dict[str, Any]:
    """A found row's payload as mem0's pipeline can read it: it raises for what is no text, and nothing is found."""
    return {**payload, **{name: as_text(payload[name]) for name in _MEM0_READS if name in payload}}
