"""`python -m tests.audit.attack_table` tries every attack and writes the table into docs/audit.md."""

import os
import sys
import tempfile
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()  # does nothing within a test run

from django.conf import settings  # noqa: E402

from memoryportal.base.embedded import EmbeddedPostgres  # noqa: E402

from .attacks import WHO, Outcome, furnish, outcomes, rows_of  # noqa: E402
from .house import House, run_data_dir  # noqa: E402

DOCS = Path(__file__).parent.parent.parent / "docs" / "audit.md"
BEGIN, END = "<!-- attacks: begin -->", "<!-- attacks: end -->"


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
    return (
        f"{outcome.kind}: {outcome.said}"
        if outcome.kind == "detected"
        else outcome.kind.replace("neither", "**neither**")
    )


def current() -> str:
    """The table that docs/audit.md shows."""
    return DOCS.read_text().partition(BEGIN)[2].partition(END)[0].strip()


def write(new: str) -> None:
    head, _, rest = DOCS.read_text().partition(BEGIN)
    DOCS.write_text(f"{head}{BEGIN}\n{new}\n{END}{rest.partition(END)[2]}")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(run_data_dir(), durable=False):
        settings.AUDIT_HEADS, settings.KEY_DIR = str(Path(folder) / "heads.jsonl"), Path(folder) / "keys"
        write(as_markdown(try_everything()))
    print(f"{DOCS} is current.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
