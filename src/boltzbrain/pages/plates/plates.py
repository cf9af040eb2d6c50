"""Plates: the panels that the main figures of the two papers show, lettered, on one sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from boltzbrain.pages.plates.entries import Entry, slug
from boltzbrain.pages.style import house_style, text_size

LETTERS = "abcdefghijklmnopqrstuvwxyz"

Cell = tuple[str, str]
"""Anchor of a panel, and what the words of the figure hold, as `slug` writes them."""


@dataclass(frozen=True)
class Plate:
    """Which figures stand on a sheet.

    Attributes
    ----------
    name, title
        Name of its files, and what it follows.
    rows
        Figures from the left, row by row from the top.
    errors
        Whether the normalised error of a statistic stands above its figure.
    """

    name: str
    title: str
    rows: Sequence[Sequence[Cell]]
    errors: bool = False


PLATES = (
    Plate(
        "plate-neuropixels",
        "The main figures of Béreux et al. 2026, of this recording",
        (
            (("training", ""), ("population-count", ""), ("projection", "")),
            (("rates", "generated"), ("covariances", "generated"), ("triplets", "generated")),
            (("energies", ""), ("activation", ""), ("coupling-histograms", "pairs")),
            (("coupling-norms", ""), ("region-map", "abs-j-uniform")),
        ),
    ),
    Plate(
        "plate-zebrafish",
        "The main figures of van der Plas et al. 2023, of this recording",
        (
            (("rates", "generated"), ("hidden-h", "generated"), ("hidden-vh", "generated")),
            (("covariances", "generated"), ("hidden-hh", "generated"), ("reconstruction", "")),
            (("in-space", ""), ("region-map", "abs-j-uniform")),
            (("hidden-traces", ""), ("hidden-states", "")),
        ),
        errors=True,
    ),
)

_ERRORS = {"rates": "v", "covariances": "vv", "hidden-h": "h", "hidden-vh": "vh", "hidden-hh": "hh"}
"""Panel to its entry in ``statistics.nrmse`` of evaluation.json."""

_LETTER = 0.2
"""Inches that a letter takes above a row."""
_LARGER = 1.15
"""How much larger a figure may be than it is designed for, beside its text."""


def rows_of(plate: Plate, entries: Sequence[Entry]) -> list[list[Entry]]:
    """Return the figures of a plate that there are, row by row; rows without any are left out.

    A row that misses one takes the last of the next, so that no row is half empty.
    """
    found = [
        [one for cell in row if (one := _find(cell, entries)) is not None] for row in plate.rows
    ]
    for row, after, cells in zip(found, found[1:], plate.rows, strict=False):
        if row and len(row) < len(cells) and len(after) > 1:
            row.append(after.pop())
    return [row for row in found if row]


def _find(cell: Cell, entries: Sequence[Entry]) -> Entry | None:
    panel, word = cell
    mine = [one for one in entries if one.panel.removesuffix("-most-active") == panel]
    exact = [one for one in mine if slug(one.words) == word]
    return next(iter(exact or [one for one in mine if word in slug(one.words)]), None)


def draw_plate(
    plate: Plate, rows: Sequence[Sequence[Entry]], width: float, evaluation: Mapping[str, Any]
) -> Figure:
    """Draw a plate.

    Parameters
    ----------
    plate
        The plate.
    rows
        Its figures, as `rows_of` gives them.
    width
        Inches.
    evaluation
        Content of evaluation.json, for normalised errors.
    """
    whole = [width / sum(one.drawing.size[0] for one in row) for row in rows]
    # text is of one size; no figure is much larger than its text, so a short row leaves room
    text = min(*whole, 1.0)
    scales = [min(one, _LARGER * text) for one in whole]
    heights = [
        scale * max(one.drawing.size[1] for one in row) + _LETTER
        for scale, row in zip(scales, rows, strict=True)
    ]
    with house_style(text):
        figure = Figure(figsize=(width, sum(heights)), layout="constrained")
        strips = figure.subfigures(len(rows), 1, height_ratios=heights, squeeze=False)[:, 0]
        letters = iter(LETTERS)
        for strip, row, scale in zip(strips, rows, scales, strict=True):
            widths = [scale * one.drawing.size[0] for one in row]
            rest = width - sum(widths)
            widths += [rest] if rest > 0.05 * width else []
            cells = strip.subfigures(1, len(widths), width_ratios=widths, squeeze=False)[0]
            for cell, one in zip(cells, row, strict=False):
                cell.suptitle(next(letters), x=0.01, ha="left", weight="bold", size=text_size(11))
                ax = one.drawing.on(cell.add_subplot(), text)
                if plate.errors and (words := _error(one, evaluation)):
                    ax.set_title(words, loc="center", weight="normal", fontsize=text_size(8.5))
    return figure


def _error(entry: Entry, evaluation: Mapping[str, Any]) -> str:
    """Return the normalised error of a figure's statistic in words, if there is one."""
    name = _ERRORS.get(entry.panel, "")
    value = (evaluation["statistics"].get("nrmse") or {}).get(name)
    return "" if value is None else f"nRMSE = {value:.2f}".replace("-", "−")
