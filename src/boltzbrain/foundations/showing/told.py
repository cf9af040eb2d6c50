"""How an object says what it is: a few lines of text, and a small table with a picture in HTML."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from html import escape
from typing import Any

import pandas as pd

from boltzbrain.foundations.doors import keeper, keeps
from boltzbrain.foundations.showing.signs import shown

MOST_ROWS, LONGEST_NAME, LONGEST_VALUE = 14, 20, 92
"""Rows of an object, signs of a name and of a value: no object fills more than a screen."""


def shortened(text: str, longest: int = LONGEST_VALUE) -> str:
    """Return a text of at most so many signs, its middle left out where it has more.

    Examples
    --------
    >>> shortened("abcdefghij", 7)
    'abc...j'
    """
    if len(text) <= longest:
        return text
    tail = (longest - 3) // 4
    return f"{text[: longest - 3 - tail]}...{text[len(text) - tail :]}"


def counted(number: int, noun: str) -> str:
    """Return a number of things.

    Examples
    --------
    >>> counted(1, "neuron"), counted(1200, "neuron")
    ('1 neuron', '1,200 neurons')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(names: Mapping[str, Any] | list[str], most: int = 6) -> str:
    """Return names in one line, each with its value where it has one, the last left out.

    Examples
    --------
    >>> listed({"CA1": 3, "VISp": 2, "LP": 1}, most=2)
    'CA1 3, VISp 2 and 1 more'
    """
    words = [f"{one} {names[one]}" for one in names] if isinstance(names, Mapping) else names
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more


@dataclass(frozen=True)
class Told:
    """What an object tells of itself.

    Attributes
    ----------
    title
        What it is, in one line.
    rows
        Name and value of what matters of it; rows without a value are left out.
    picture
        Makes SVG or PNG as a ``data:`` address, None where none helps.
    """

    title: str
    rows: tuple[tuple[str, str], ...] = ()
    picture: Callable[[], str] | None = None

    def _shown(self) -> list[tuple[str, str]]:
        rows = [
            (shortened(shown(name), LONGEST_NAME), shortened(shown(value)))
            for name, value in self.rows
            if value
        ]
        more = len(rows) - MOST_ROWS
        return [*rows[:MOST_ROWS], ("...", f"{more:,} more")] if more > 0 else rows

    def text(self) -> str:
        """Return a few lines of text."""
        rows = self._shown()
        wide = max((len(name) for name, _ in rows), default=0)
        lines = [
            shortened(shown(self.title)),
            *(f"  {name:<{wide}}  {value}" for name, value in rows),
        ]
        return "\n".join(lines)

    def html(self) -> str:
        """Return a table, and the picture beside it; colours are those of the notebook."""
        cell = 'style="text-align:left;vertical-align:top;padding:1px 10px 1px 0;{}"'
        rows = "".join(
            f"<tr><td {cell.format('opacity:.65;white-space:nowrap')}>{escape(name)}</td>"
            f"<td {cell.format('overflow-wrap:anywhere')}>{escape(value)}</td></tr>"
            for name, value in self._shown()
        )
        picture = ""
        if self.picture is not None:
            style = "max-width:400px;max-height:280px;background:white;border-radius:4px"
            picture = f'<img src="{self.picture()}" alt="" style="{style}">'
        return (
            '<div style="display:flex;flex-wrap:wrap;gap:20px;align-items:flex-start">'
            f'<div style="max-width:600px"><div style="font-weight:600;padding-bottom:3px">'
            f"{escape(shortened(shown(self.title)))}</div>"
            f'<table style="border:none;margin:0"><tbody>{rows}</tbody></table></div>'
            f"{picture}</div>"
        )


class SelfTold:
    """An object that tells itself; who knows how is hung as ``Class.told``."""

    def _told(self) -> Told:
        kind = next(one for one in type(self).__mro__ if keeps(f"{one.__name__}.told"))
        told: Told = keeper(f"{kind.__name__}.told")(self)
        return told

    def __repr__(self) -> str:
        return self._told().text()

    def _repr_html_(self) -> str:
        return self._told().html()


class Brief:
    """A dataclass of arrays that shows their sizes and not their numbers."""

    def __repr__(self) -> str:
        parts = [f"{one.name}={brief(getattr(self, one.name))}" for one in fields(self)]  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(parts)})"


def brief(value: Any) -> str:
    """Return a value in a few signs: of an array its type and shape.

    Examples
    --------
    >>> import numpy as np
    >>> brief(np.zeros((3, 2))), brief(list(range(100))), brief("CA1")
    ('float64 (3, 2)', 'list of 100', "'CA1'")
    """
    if isinstance(value, pd.DataFrame):
        return f"table of {len(value)} rows"
    if hasattr(value, "shape") and hasattr(value, "dtype") and len(value.shape):
        kind = str(value.dtype).removeprefix("torch.")
        return f"{kind} {tuple(value.shape)}"
    text = repr(value)
    if len(text) <= 60:
        return text
    if isinstance(value, (Mapping, list, tuple, set, frozenset)):
        return f"{type(value).__name__} of {len(value)}"
    return shortened(text.partition("\n")[0], 60)
