"""A console on which text is text, whatever a name from a file holds."""

from __future__ import annotations

from collections.abc import Iterable

from rich.box import SIMPLE_HEAD, Box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from boltzbrain.foundations.showing.signs import shown

_PLAIN_HEAD = Box(str(SIMPLE_HEAD).replace("─", "-"), ascii=True)


class Terminal(Console):
    """A console for which text is text: no markup, no emoji names, no control sequence.

    Parameters
    ----------
    stderr
        Write to stderr, not to stdout.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False)

    def shown(self, text: object, *, lines: bool = False) -> str:
        """Return text as this console can show it."""
        return shown(text, self.encoding, lines=lines)

    def sentence(self, text: str) -> None:
        """Print one line, however long."""
        self.print(self.shown(text), soft_wrap=True)

    def pairs(self, rows: Iterable[tuple[str, str]], *, soft_wrap: bool = False) -> None:
        """Print a table of names and values, without a head."""
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for row in rows:
            table.add_row(*self._cells(row))
        self.print(table, soft_wrap=soft_wrap)

    def columns(self, heads: Iterable[str], rows: Iterable[tuple[str, ...]]) -> None:
        """Print a table with a head; every column but the first holds numbers."""
        box = _PLAIN_HEAD if self.options.ascii_only else SIMPLE_HEAD
        table = Table(box=box, pad_edge=False)
        for number, head in enumerate(heads):
            table.add_column(
                Text(self.shown(head, lines=True)),
                justify="right" if number else "left",
                no_wrap=bool(number),
            )
        for row in rows:
            table.add_row(*self._cells(row))
        self.print(table)

    def _cells(self, row: Iterable[str]) -> list[Text]:
        # the signs are chosen before the table is laid out, so that its columns stand straight
        return [Text(self.shown(cell)) for cell in row]
