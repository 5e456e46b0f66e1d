"""The one table that all measurements go into: printed at the end of the run, and kept in artefacts/bench.json."""

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .timing import Times

ARTEFACT = Path(__file__).resolve().parents[2] / "artefacts" / "bench.json"


@dataclass(frozen=True, slots=True)
class Line:
    """One measurement. `portal` and `plain` are texts for people; `numbers` has the same unrounded."""

    part: str
    what: str
    portal: str
    plain: str = ""
    ratio: str = ""
    numbers: dict[str, Any] = field(default_factory=dict)


class Report:
    """Collects lines in the order in which they were measured. All times are milliseconds."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def note(
        self,
        part: str,
        what: str,
        portal: object,
        plain: object = "",
        ratio: str = "",
        numbers: dict[str, Any] | None = None,
    ) -> None:
        """A line of words and numbers that are no pair of times."""
        self.lines.append(Line(part, what, str(portal), str(plain), ratio, numbers or {}))

    def times(self, part: str, what: str, portal: Times, plain: Times | None = None) -> None:
        """Medians, 95th percentiles and how many times as long plain mem0 takes (by the medians)."""
        numbers = {**_numbers("portal", portal), "repetitions": len(portal.values)}
        if plain is None:
            return self.note(part, what, _words(portal), numbers=numbers)
        numbers |= {**_numbers("plain", plain), "ratio": plain.p50 / portal.p50}
        return self.note(part, what, _words(portal), _words(plain), _times_as_long(numbers["ratio"]), numbers)

    def table(self) -> list[str]:
        """The lines as text in columns."""
        head = ("", "MemoryPortal", "plain mem0", "plain / portal")
        rows = [head, *((line.what, line.portal, line.plain, line.ratio) for line in self.lines)]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        shown = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        printed, part = [shown[0]], ""
        for line, text in zip(self.lines, shown[1:], strict=True):
            if line.part != part:
                printed += ["", f"-- {line.part}"]
                part = line.part
            printed.append(text)
        return printed

    def keep(self) -> None:
        """Write artefacts/bench.json: when, where, and every line with its numbers."""
        ARTEFACT.parent.mkdir(exist_ok=True)
        machine = {"cores": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()}
        whole = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine}
        ARTEFACT.write_text(json.dumps({**whole, "lines": [asdict(line) for line in self.lines]}, indent=1) + "\n")


def _numbers(who: str, times: Times) -> dict[str, float]:
    return {f"{who}_p50": times.p50, f"{who}_p95": times.p95, f"{who}_best": times.best}


def _words(times: Times) -> str:
    return f"{_ms(times.p50)} (best {_ms(times.best)}, p95 {_ms(times.p95)})"


def _ms(value: float) -> str:
    return f"{value / 1000:.1f} s" if value >= 10_000 else f"{value:.0f} ms" if value >= 100 else f"{value:.2f} ms"


def _times_as_long(ratio: float) -> str:
    return f"{ratio:.0f} x" if ratio >= 10 else f"{ratio:.1f} x"
