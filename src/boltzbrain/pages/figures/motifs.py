"""Figures of motifs: when, in which animals, and which pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from boltzbrain.pages.style import (
    CATEGORIES,
    DIVERGING,
    INK,
    MUTED,
    TALL,
    WIDE,
    as_text,
    figure,
)

Floats = NDArray[np.float64]
_MOST_NAMES = 40
"""Nodes whose names still find room beside a matrix."""


@figure(WIDE)
def motif_course(ax: Axes, courses: Mapping[str, tuple[Floats, Floats]]) -> None:
    """Draw the strength of a motif over time, an animal above the other.

    Parameters
    ----------
    courses
        Animal to the (window,) beginnings in seconds and strengths.
    ax
        Axes to draw on.
    """
    top = max((float(values.max(initial=0.0)) for _, values in courses.values()), default=0.0)
    step = 1.1 * max(top, 1e-12)
    middles = []
    for place, (times, values) in enumerate(courses.values()):
        base = -place * step
        colour = CATEGORIES[place % len(CATEGORIES)]
        ax.fill_between(times, base, base + values, color=colour, linewidth=0, alpha=0.85)
        ax.axhline(base, color=MUTED, linewidth=0.5)
        middles.append(base + 0.4 * step)
    ax.set_yticks(middles, [as_text(name) for name in courses])
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_ylim(-(len(courses) - 1) * step - 0.05 * step, step)
    ax.set_xlabel("recorded time (s)")


@figure(WIDE)
def motif_animals(ax: Axes, names: Sequence[str], shares: Floats) -> None:
    """Draw how much of a motif lies in each animal.

    Parameters
    ----------
    names, shares
        (animal,) names, and shares of sum 1.
    ax
        Axes to draw on.
    """
    places = np.arange(len(names))
    colours = [CATEGORIES[place % len(CATEGORIES)] for place in range(len(names))]
    ax.barh(places, shares, color=colours, height=0.7)
    ax.axvline(1 / len(names), color=MUTED, linewidth=0.8, linestyle=":")
    ax.set_yticks(places, [as_text(name) for name in names])
    ax.invert_yaxis()
    ax.set_xlabel("share of the motif (dotted: equal)")


@figure(TALL)
def motif_matrix(
    ax: Axes, names: Sequence[str], values: Floats, community: NDArray[np.int64]
) -> None:
    """Draw the pairs of a motif, sorted by community.

    Parameters
    ----------
    names
        (node,) in this order.
    values
        (node, node) beyond chance.
    community
        (node,) number of its community, ascending.
    ax
        Axes to draw on.
    """
    nodes = len(names)
    most = float(np.quantile(np.abs(values), 0.995)) or 1.0
    ax.imshow(values, cmap=DIVERGING, vmin=-most, vmax=most, interpolation="nearest")
    for edge in np.flatnonzero(np.diff(community)) + 0.5:
        ax.axhline(edge, color=INK, linewidth=0.5)
        ax.axvline(edge, color=INK, linewidth=0.5)
    if nodes <= _MOST_NAMES:
        ax.set_yticks(np.arange(nodes), [as_text(name) for name in names])
        ax.tick_params(axis="y", labelsize=max(3.5, min(7.0, 160 / nodes)), length=0)
    else:
        ax.set_yticks([])
        ax.set_ylabel(f"{nodes} by community")
    ax.set_xticks([])
    ax.set_xlabel("blue: below chance, orange: beyond")
