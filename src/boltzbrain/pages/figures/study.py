"""Figures of a study: pairs of animals, their controls, and assemblies at their places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from boltzbrain.foundations.showing.numbers import number
from boltzbrain.pages.style import (
    DIVERGING,
    FAINT,
    INK,
    MUTED,
    SMALL,
    TEST,
    WIDE,
    as_text,
    figure,
    text_size,
)

Floats = NDArray[np.float64]
Figure = tuple[float | None, float | None]
"""A value and its standard error, None where there is none."""

_MAP = (1.9, 1.9)


@figure(SMALL)
def pair_matrix(ax: Axes, names: Sequence[str], values: Mapping[tuple[str, str], Figure]) -> None:
    """Draw a score of every ordered pair, teachers in rows, receivers in columns.

    Parameters
    ----------
    ax
        Where to draw.
    names
        Animals.
    values
        Teacher and receiver to the score and its error.
    """
    table = np.full((len(names), len(names)), np.nan)
    for (one, other), (value, _) in values.items():
        if value is not None:
            table[names.index(one), names.index(other)] = value
    known = np.abs(table[np.isfinite(table)])
    top = float(known.max()) if known.size and known.max() > 0 else 1.0
    ax.imshow(np.ma.masked_invalid(table), cmap=DIVERGING, vmin=-top, vmax=top)
    for (one, other), (value, error) in values.items():
        if value is None:
            continue
        words = number(value, 2) + ("" if error is None else f"\n±{error:.2f}")
        dark = abs(value) > 0.7 * top
        ax.text(
            names.index(other), names.index(one), words, ha="center", va="center",
            color="white" if dark else INK, fontsize=text_size(7.5),
        )  # fmt: skip
    ticks = range(len(names))
    shown = [as_text(one) for one in names]
    ax.set_xticks(ticks, shown, rotation=30, ha="right")
    ax.set_yticks(ticks, shown)
    ax.set_xlabel("receiver")
    ax.set_ylabel("teacher")
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)


@figure(WIDE)
def pair_controls(
    ax: Axes, scores: Mapping[str, Mapping[str, Figure]], first: str, label: str
) -> None:
    """Draw a score of every pair, and of its controls in grey.

    Parameters
    ----------
    ax
        Where to draw.
    scores
        Pair to name to score and error.
    first
        The name that is no control.
    label
        What the score is.
    """
    kinds = list(dict.fromkeys(name for one in scores.values() for name in one))
    greys = np.linspace(0.35, 0.85, max(len(kinds) - 1, 1))
    width = 0.8 / len(kinds)
    for place, kind in enumerate(kinds):
        found = [(x, *one[kind]) for x, one in enumerate(scores.values()) if kind in one]
        x, values, errors = (
            np.array([np.nan if one is None else one for one in column], dtype=np.float64)
            for column in zip(*found, strict=True)
        )
        colour = TEST if kind == first else str(greys[min(place - 1, len(greys) - 1)])
        ax.bar(
            x + (place - (len(kinds) - 1) / 2) * width, values, width, color=colour, label=kind,
            yerr=np.nan_to_num(errors), error_kw={"ecolor": INK, "elinewidth": 0.7},
        )  # fmt: skip
    ax.axhline(0, color=MUTED, linewidth=0.7)
    ax.set_xticks(range(len(scores)), [as_text(one) for one in scores], rotation=30, ha="right")
    ax.set_ylabel(label)
    ax.legend(fontsize=text_size(6.5), ncols=2, loc="upper left", bbox_to_anchor=(0, 1.25))


@figure(_MAP)
def at_places(
    ax: Axes, xy: Floats, values: Floats, top: float, limits: tuple[Floats, Floats]
) -> None:
    """Draw values of neurons at their places.

    Parameters
    ----------
    ax
        Where to draw.
    xy
        (neuron, 2) micrometres.
    values
        (neuron,).
    top
        Value of the full colour.
    limits
        Lowest and highest place of all animals, (2,) each.
    """
    order = np.argsort(np.abs(values))
    ax.scatter(
        xy[order, 0], xy[order, 1], c=values[order], cmap=DIVERGING, vmin=-top, vmax=top, s=9,
        edgecolors=FAINT, linewidths=0.2,
    )  # fmt: skip
    margin = 0.03 * (limits[1] - limits[0])
    ax.set_xlim(limits[0][0] - margin[0], limits[1][0] + margin[0])
    ax.set_ylim(limits[0][1] - margin[1], limits[1][1] + margin[1])
    ax.set_aspect("equal")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


@figure((1.9, 2.4))
def at_names(ax: Axes, names: Sequence[str], values: Floats, top: float) -> None:
    """Draw values of named neurons or regions as bars, NaN where an animal lacks one."""
    places = np.arange(len(names))
    known = np.isfinite(values)
    ax.barh(places[known], values[known], color=TEST)
    ax.plot(np.zeros((~known).sum()), places[~known], "x", color=MUTED, markersize=3)
    ax.set_yticks(places, [as_text(one) for one in names], fontsize=text_size(6.5))
    ax.set_xlim(-top, top)
    ax.axvline(0, color=MUTED, linewidth=0.7)
    ax.invert_yaxis()


@figure((3.8, 3.2))
def group_differences(
    ax: Axes,
    entries: Sequence[str],
    values: Floats,
    second: NDArray[np.bool_],
    differ: NDArray[np.bool_],
    groups: tuple[str, str],
) -> None:
    """Draw every animal of two groups, entry by entry, and the means of the groups.

    Parameters
    ----------
    ax
        Where to draw.
    entries
        Names; in black those that differ.
    values
        (animal, entry), each entry in units of its own spread within a group about the common mean.
    second
        (animal,) whether it is of the second group.
    differ
        (entry,) whether it differs, corrected over all entries.
    groups
        Their names.
    """
    for row in range(len(entries)):
        for side, (mine, colour) in enumerate(((~second, MUTED), (second, TEST))):
            # a little apart, and animals of one group beside each other
            place = -row + (0.16 if side == 0 else -0.16)
            spread = np.linspace(-0.1, 0.1, int(mine.sum()))
            ax.scatter(values[mine, row], place + spread, s=11, color=colour, alpha=0.75,
                       linewidths=0, label=as_text(groups[side]) if row == 0 else None)  # fmt: skip
            mean = float(values[mine, row].mean())
            ax.plot([mean, mean], [place - 0.15, place + 0.15], color=colour, linewidth=2.0)
    ax.set_yticks([-row for row in range(len(entries))], [as_text(one) for one in entries])
    for label, black in zip(ax.get_yticklabels(), differ.tolist(), strict=True):
        label.set_color(INK if black else MUTED)
        label.set_fontweight("bold" if black else "normal")
    ax.tick_params(axis="y", length=0)
    ax.axvline(0, color=FAINT, linewidth=0.8)
    ax.set_xlabel("each animal (sd within a group)")
    ax.legend(loc="upper left", bbox_to_anchor=(0.0, 1.13), ncols=2, frameon=False,
              fontsize=text_size(8), handletextpad=0.2)  # fmt: skip
