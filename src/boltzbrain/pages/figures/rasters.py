"""Rasters: which neurons are active in which bins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from boltzbrain.pages.style import BROAD, CATEGORIES, FAINT, INK, TEST, as_text, figure, text_size

_MOST_ROWS = 2000
_LINE = 1.2
"""Height of a line of text, in sizes of the font."""


def region_order(regions: Sequence[str], rates: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the neurons sorted by region, then by falling rate; those without a region last."""
    names = np.asarray(regions, dtype=np.str_)
    return np.lexsort((-rates, names, names == "")).astype(np.int64)


DRAWS = "bin (no order in time)"
"""Label of an axis of independent draws."""


@figure(BROAD)
def raster(
    ax: Axes,
    states: NDArray[np.uint8],
    regions: Sequence[str] | None = None,
    bin_width_s: float | None = None,
    breaks: Sequence[int] = (),
    colour: str = TEST,
    columns: str = DRAWS,
) -> None:
    """Draw one dot for every active neuron and bin.

    Parameters
    ----------
    states
        (bin, neuron) uint8, neurons in the order of the rows from the top.
    regions
        (neuron,) names in that order; runs of one name are marked at the side.
    bin_width_s
        Seconds per bin, for an axis in seconds. None: bins without an order in time.
    breaks
        Bins at which a new segment begins, marked by thin lines.
    colour
        Of the dots.
    columns
        Label of the axis where it is not in seconds.
    ax
        Axes to draw on.
    """
    draw_raster(ax, states, regions, bin_width_s, breaks, colour, columns)


def draw_raster(
    ax: Axes,
    states: NDArray[np.uint8],
    regions: Sequence[str] | None = None,
    bin_width_s: float | None = None,
    breaks: Sequence[int] = (),
    colour: str = TEST,
    columns: str = DRAWS,
) -> None:
    """Draw a raster on axes that hold more than it; parameters as in `raster`."""
    neurons = states.shape[1]
    kept = np.unique(np.linspace(0, neurons - 1, min(neurons, _MOST_ROWS)).round().astype(int))
    shown = states[:, kept]
    rows = len(kept)
    time, row = np.nonzero(shown)
    scale = 1.0 if bin_width_s is None else bin_width_s
    size = float(np.clip(1.3 * _points_high(ax) / rows, 0.9, 3.0))
    ax.scatter(
        (time + 0.5) * scale, row, s=size**2, c=colour, marker="s", linewidths=0, rasterized=True
    )
    for place in breaks:
        ax.axvline(place * scale, color=INK, linewidth=0.3, alpha=0.35)
    ax.set_xlim(0, len(states) * scale)
    ax.set_ylim(rows - 0.5, -0.5)
    ax.set_xlabel(columns if bin_width_s is None else "time (s)")
    if regions is None or not any(regions):
        ax.set_ylabel("neuron")
        return
    ax.set_yticks([])
    _mark_regions(ax, [regions[one] for one in kept.tolist()])


def _points_high(ax: Axes) -> float:
    return float(ax.get_window_extent().height) * 72 / ax.figure.dpi


def _mark_regions(ax: Axes, names: list[str]) -> None:
    """Mark runs of one region by a coloured bar and, where there is room, its name."""
    starts = [
        place for place in range(len(names)) if place == 0 or names[place] != names[place - 1]
    ]
    ends = [*starts[1:], len(names)]
    along, size = ax.get_yaxis_transform(), text_size(7)
    line = len(names) * _LINE * size / _points_high(ax)
    labelled: list[float] = []
    # the largest first, so that no sliver takes the place of a name
    for number in np.argsort(np.subtract(starts, ends), kind="stable").tolist():
        first, last = starts[number], ends[number]
        ax.plot(
            [-0.018, -0.018], [first - 0.4, last - 0.6], transform=along, clip_on=False,
            color=CATEGORIES[number % len(CATEGORIES)] if names[first] else FAINT,
            linewidth=3, solid_capstyle="butt",
        )  # fmt: skip
        middle = (first + last - 1) / 2
        room = all(abs(middle - other) >= line for other in labelled)
        if room and 3 * (last - first) >= line:
            labelled.append(middle)
            ax.text(
                -0.04, middle, as_text(names[first] or "none"), transform=along,
                ha="right", va="center", fontsize=size,
            )  # fmt: skip
    ax.spines["left"].set_visible(False)
