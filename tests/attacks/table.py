"""Try every attack on every store and make a table of it."""

from pathlib import Path
from unittest.mock import patch

from tests.memory.model_server import running as models

from .attacks import ATTACKS, attempted
from .grounds import Ground

DOCS = Path(__file__).parent.parent.parent / "docs" / "attacks.md"
BEGIN, END = "<!-- attacks: begin -->", "<!-- attacks: end -->"
Column = list[str]


def _capitals(text: str) -> list[tuple[str, str]]:
    """What mem0 takes for names where spaCy is installed, near enough."""
    return [("PROPER", word.strip(".")) for word in text.split()[1:] if word[0].isupper()]


def tried(ground: Ground, folder: Path) -> tuple[Column, Column]:
    """(plain mem0, the portal), a cell for each attack."""
    with (
        patch("mem0.memory.main.extract_entities", _capitals),
        patch("mem0.memory.main.extract_entities_batch", lambda texts: [_capitals(text) for text in texts]),
        models() as model,
    ):
        model.facts = [{"text": "My sister is called Miriam.", "attributed_to": "user"}]
        with ground.plain(folder, model) as plain:
            first = [attempted(lambda attack=attack: attack.plain(plain)) for attack in ATTACKS]
        with ground.portal(folder) as portal:
            second = [attempted(lambda attack=attack: attack.portal(portal)) for attack in ATTACKS]
    return first, second


def as_markdown(columns: dict[str, tuple[Column, Column]]) -> str:
    titles = [title for name in columns for title in (f"{name}: plain mem0", f"{name}: MemoryPortal")]
    lines = [f"| attack | {' | '.join(titles)} |", f"|---{'|---' * len(titles)}|"]
    for number, attack in enumerate(ATTACKS):
        cells = [side[number] for pair in columns.values() for side in pair]
        lines.append(f"| `{attack.name}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def columns_of(table: str) -> dict[str, tuple[Column, Column]]:
    """The columns of a table that `as_markdown` made."""
    lines = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.strip().splitlines()]
    titles = lines[0][1:]
    body = [line[1:] for line in lines[2:]]
    sides = [[row[number] for row in body] for number in range(len(titles))]
    return {titles[n].rpartition(":")[0]: (sides[n], sides[n + 1]) for n in range(0, len(titles), 2)}


def current() -> str:
    """The table that docs/attacks.md shows."""
    return DOCS.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].strip()


def write(table: str) -> None:
    head, _, rest = DOCS.read_text(encoding="utf-8").partition(BEGIN)
    DOCS.write_text(f"{head}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
