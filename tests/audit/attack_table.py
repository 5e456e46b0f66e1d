"""`python -m tests.audit.attack_table` tries every attack and writes both tables of docs/audit.md."""

import os
import sys
import tempfile
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()  # does nothing within a test run

from django.conf import settings  # noqa: E402

from memoryportal.audit.actions import Action  # noqa: E402
from memoryportal.base.embedded import EmbeddedPostgres  # noqa: E402

from .attacks import WHO, Outcome, furnish, outcomes, rows_of  # noqa: E402
from .house import House, run_data_dir  # noqa: E402

DOCS = Path(__file__).parent.parent.parent / "docs" / "audit.md"


def try_everything() -> list[tuple[str, dict[str, Outcome]]]:
    house = House(run_data_dir())
    house.build()
    try:
        furnish(house)
        return rows_of(outcomes(house))
    finally:
        house.tear_down()


def as_markdown(rows: list[tuple[str, dict[str, Outcome]]]) -> str:
    lines = [f"| What somebody does | {' | '.join(WHO.values())} |", "|---|---|---|---|"]
    for name, by in rows:
        cells = [_cell(by.get(who)) for who in WHO]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(outcome: Outcome | None) -> str:
    if outcome is None:
        return "–"
    if outcome.kind == "detected":
        return f"detected: {outcome.said}"
    return "**neither**" if outcome.kind == "neither" else outcome.kind


def actions() -> str:
    lines = ["| action | |", "|---|---|", *(f"| `{action.value}` | {action.label} |" for action in Action)]
    return "\n".join(lines)


def current(section: str) -> str:
    """What docs/audit.md shows between the marks of this section."""
    return DOCS.read_text().partition(_mark(section, "begin"))[2].partition(_mark(section, "end"))[0].strip()


def write(section: str, new: str) -> None:
    head, begin, rest = DOCS.read_text().partition(_mark(section, "begin"))
    _, end, tail = rest.partition(_mark(section, "end"))
    DOCS.write_text(f"{head}{begin}\n{new}\n{end}{tail}")


def _mark(section: str, which: str) -> str:
    return f"<!-- {section}: {which} -->"


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(run_data_dir(), durable=False):
        settings.AUDIT_HEADS, settings.KEY_DIR = str(Path(folder) / "heads.jsonl"), Path(folder) / "keys"
        write("attacks", as_markdown(try_everything()))
    write("actions", actions())
    print(f"{DOCS} is current.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
