"""CSV for spreadsheet programs, a line at a time."""

import csv
import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import Any

BYTE_ORDER_MARK = "\ufeff"  # by which spreadsheet programs know UTF-8
# White space and invisible characters do not keep a spreadsheet program from seeing the formula behind them.
_FORMULA = ("=", "+", "-", "@", "\N{MINUS SIGN}")
_LEADING = re.compile(r"^[\s\x00-\x20\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]*")


def guard(cell: str) -> str:
    """The cell, with a leading apostrophe if a spreadsheet program would take it for a formula (CSV injection)."""
    first = unicodedata.normalize("NFKC", _LEADING.sub("", cell)[:1])
    return f"'{cell}" if first.startswith(_FORMULA) or cell.startswith(("\t", "\r", "\n", "\0")) else cell


class _Echo:
    """A file for csv.writer that hands back what is written."""

    def write(self, line: str) -> str:
        return line


def line_writer() -> Callable[[Iterable[Any]], str]:
    """A function that makes a line of RFC 4180 of some cells, every one quoted."""
    writer = csv.writer(_Echo(), quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    return lambda cells: str(writer.writerow(cells))
