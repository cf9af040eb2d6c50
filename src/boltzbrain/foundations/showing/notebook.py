"""Progress in a notebook: one output that changes, and stays as it was left in a kept notebook."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from importlib import import_module
from typing import Any

from boltzbrain.foundations.showing.signs import shown


def notebook_display() -> Callable[..., Any] | None:
    """Return IPython's `display` in a kernel, None elsewhere; IPython is not imported for it."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if getattr(shell, "kernel", None) is None:
        return None
    display: Callable[..., Any] = import_module("IPython.display").display
    return display


@dataclass(frozen=True)
class Bar:
    """What a cell shows of a piece of work.

    Attributes
    ----------
    words
        How far it is.
    note
        What to show below; may be empty.
    share
        Part that is done, None where it is not known.
    """

    words: str
    note: str = ""
    share: float | None = None

    def __repr__(self) -> str:
        return shown(f"{self.words}; {self.note}" if self.note else self.words)

    def _repr_html_(self) -> str:
        value = "" if self.share is None else f' value="{self.share:.4f}"'
        note = f'<div style="opacity:.65">{escape(shown(self.note))}</div>' if self.note else ""
        return (
            f'<div style="line-height:1.5"><progress max="1"{value} '
            'style="width:240px;vertical-align:middle;margin-right:10px"></progress>'
            f"{escape(shown(self.words))}{note}</div>"
        )
