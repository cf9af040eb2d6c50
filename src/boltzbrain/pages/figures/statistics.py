"""Figures that compare the statistics of generated activity with those of the recording."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from boltzbrain.evaluation.statistics.agreement import (
    CELLS,
    Comparison,
    Density,
    counts_within,
    shared_limits,
)
from boltzbrain.foundations.checks import Undefined
from boltzbrain.foundations.showing.numbers import number
from boltzbrain.pages.style import (
    GENERATED,
    INDEPENDENT,
    INK,
    MUTED,
    SMALL,
    TEST,
    TRAIN,
    figure,
    power_of_ten,
    tell,
    text_size,
)

COLOURS: Mapping[str, str] = {
    "generated": GENERATED,
    "train": TRAIN,
    "test": TEST,
    "independent": INDEPENDENT,
}


def _caption_figures(ax: Axes, comparison: Comparison | Density) -> None:
    """Write correlation and slope into the upper left corner."""
    shown = [
        f"{name} = {number(value, 3)}"
        for name, value in (("r", comparison.pearson), ("slope", comparison.slope))
        if not isinstance(value, Undefined)
    ]
    ax.text(
        0.03,
        0.97,
        "\n".join(shown),
        transform=ax.transAxes,
        ha="left",
        va="top",
        fontsize=text_size(8.5),
    )


def _label(ax: Axes, quantity: str, kind: str, reference: str) -> None:
    ax.set_xlabel(f"{quantity}, {reference}")
    ax.set_ylabel(f"{quantity}, {kind}")


@figure(SMALL)
def rates(
    ax: Axes,
    comparison: Comparison,
    kind: str = "generated",
    *,
    reference: str = "test",
    floor: float | None = None,
) -> None:
    """Draw every neuron's rate against that of the test fold, on logarithmic axes.

    Parameters
    ----------
    comparison
        Rates, the probability of a spike in a bin.
    kind
        "generated" or "train": what stands on the vertical axis.
    reference
        What stands on the horizontal axis.
    floor
        Rates below are drawn here, such as those of neurons that are silent in one of the two; half
        the smallest rate above 0 where None.
    ax
        Axes to draw on.
    """
    both = np.concatenate((comparison.reference, comparison.values))
    if floor is None:
        floor = 0.5 * float(both.min(where=both > 0, initial=1.0))
    x, y = (np.maximum(one, floor) for one in (comparison.reference, comparison.values))
    high = float(max(x.max(initial=floor), y.max(initial=floor)))
    ax.plot([floor, high], [floor, high], color=MUTED, linewidth=0.8, zorder=1)
    points = ax.scatter(
        x, y, s=5, c=COLOURS[kind], alpha=0.55, linewidths=0, rasterized=len(x) > 3000, label=kind
    )
    tell(points, series=kind, kind="point", x=comparison.reference, y=comparison.values)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(floor / 1.3, high * 1.5)
    ax.set_ylim(floor / 1.3, high * 1.5)
    ax.set_aspect("equal")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(10, numticks=6))
        axis.set_minor_formatter(NullFormatter())
    _label(ax, "P(active in a bin)", kind, reference)
    _caption_figures(ax, comparison)


_FEW = 200
"""Entries up to which they are dots, and not shades that count them."""


def _density(
    ax: Axes,
    found: Comparison | Density,
    kind: str,
    reference: str,
    limits: tuple[float, float] | None,
    quantity: str,
    counted: str,
) -> None:
    """Draw how many entries lie where, as a shade on a logarithmic scale, few as dots."""
    if isinstance(found, Comparison):
        ends = limits or shared_limits(found)
        counts = counts_within(found, ends)
        found = Density(ends, counts, found.pearson, found.slope)
    low, high = found.limits
    fade = LinearSegmentedColormap.from_list("fade", ["#f1f1f4", COLOURS[kind], INK])
    power = int(np.floor(np.log10(max(-low, high))))
    low, high = low / 10.0**power, high / 10.0**power
    edges = np.linspace(low, high, CELLS + 1)
    ax.plot([low, high], [low, high], color=INK, linewidth=0.6, zorder=1)
    if found.counts.sum() <= _FEW:
        # shades of one or two would hardly be seen
        middle = (edges[1:] + edges[:-1]) / 2
        column, row = np.nonzero(found.counts)
        many = found.counts[column, row]
        ax.scatter(
            middle[column], middle[row], s=7 * many, c=COLOURS[kind], alpha=0.65, linewidths=0
        )
        ax.set_xlim(low, high)
        ax.set_ylim(low, high)
    else:
        mesh = ax.pcolormesh(
            edges,
            edges,
            np.ma.masked_less(found.counts.T.astype(np.float64), 0.5),
            cmap=fade,
            norm=LogNorm(1, max(found.counts.max(), 10)),
            rasterized=True,
            zorder=0,
        )
        bar = ax.figure.colorbar(mesh, ax=ax, shrink=0.75, pad=0.02, aspect=22)
        bar.set_label(counted, fontsize=text_size(8))
        bar.outline.set_visible(False)
    ax.set_aspect("equal")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(4))
    unit = "" if power == 0 else f" ({power_of_ten(power)})"
    _label(ax, f"{quantity}{unit}", kind, reference)
    _caption_figures(ax, found)


@figure(SMALL)
def covariances(
    ax: Axes,
    comparison: Comparison | Density,
    kind: str = "generated",
    *,
    reference: str = "test",
    limits: tuple[float, float] | None = None,
    quantity: str = "covariance",
) -> None:
    """Draw the density of pairs of neurons over their covariance (or correlation) in both sets.

    Parameters
    ----------
    comparison
        One entry per pair, or how many of them lie where.
    kind, reference
        What stands on the vertical and on the horizontal axis.
    limits
        Least and greatest value shown, e.g. to give two figures the same axes
        (`evaluation.statistics.agreement.shared_limits`); from the 0.1 and 99.9 % quantiles where
        None. A density has its own.
    quantity
        Name on the axes.
    ax
        Axes to draw on.
    """
    _density(ax, comparison, kind, reference, limits, quantity, "pairs")


@figure(SMALL)
def triplets(
    ax: Axes,
    comparison: Comparison | Density,
    kind: str = "generated",
    *,
    reference: str = "test",
    limits: tuple[float, float] | None = None,
) -> None:
    """Draw the density of triplets of neurons over their connected three-body correlation.

    Parameters are those of `covariances`.
    """
    _density(ax, comparison, kind, reference, limits, "three-body corr.", "triplets")


@figure(SMALL)
def hidden_means(
    ax: Axes, comparison: Comparison, kind: str = "generated", *, reference: str = "test"
) -> None:
    """Draw every hidden unit's mean <h> against that in the test fold.

    Parameters
    ----------
    comparison
        One entry per hidden unit.
    kind, reference
        What stands on the vertical and on the horizontal axis.
    ax
        Axes to draw on.
    """
    low, high = shared_limits(comparison)
    ax.plot([low, high], [low, high], color=MUTED, linewidth=0.8, zorder=1)
    ax.scatter(
        comparison.reference, comparison.values, s=7, c=COLOURS[kind], alpha=0.65, linewidths=0
    )
    ax.set_xlim(low, high)
    ax.set_ylim(low, high)
    ax.set_aspect("equal")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(4))
    _label(ax, "⟨h⟩", kind, reference)
    _caption_figures(ax, comparison)


@figure(SMALL)
def hidden_products(
    ax: Axes,
    comparison: Comparison | Density,
    kind: str = "generated",
    *,
    reference: str = "test",
    limits: tuple[float, float] | None = None,
) -> None:
    """Draw the density of pairs of a neuron and a hidden unit over <v h> in both sets.

    Parameters are those of `covariances`.
    """
    _density(ax, comparison, kind, reference, limits, "⟨v h⟩", "pairs")


@figure(SMALL)
def hidden_covariances(
    ax: Axes,
    comparison: Comparison | Density,
    kind: str = "generated",
    *,
    reference: str = "test",
    limits: tuple[float, float] | None = None,
) -> None:
    """Draw the density of pairs of hidden units over their covariance in both sets.

    Parameters are those of `covariances`.
    """
    _density(ax, comparison, kind, reference, limits, "covariance of h", "pairs")
