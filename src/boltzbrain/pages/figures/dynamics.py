"""Figures of activity in time: how it forgets, and what the hidden units do."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from boltzbrain.evaluation.dynamics.curves import Curve
from boltzbrain.pages.style import (
    DIVERGING,
    FAINT,
    GENERATED,
    INDEPENDENT,
    INK,
    MUTED,
    SMALL,
    TEST,
    TRAIN,
    figure,
    plain_logarithms,
    text_size,
)

_LINES: Mapping[str, tuple[str, str, str]] = {
    "gibbs": (GENERATED, "-", "model, block Gibbs"),
    "glauber": (GENERATED, "--", "model, single sites"),
    "independent_gibbs": (INDEPENDENT, "-", "independent, block Gibbs"),
    "independent_glauber": (INDEPENDENT, ":", "independent, single sites"),
    "time_shuffled": (MUTED, ":", "bins shuffled"),
    "trial_shuffled": (MUTED, "-.", "trials shuffled"),
}

_MOST_LINES = 60
"""Most segments that are separated by lines across the traces."""


_WIDEST_BAND = 1.0
"""Width of a 95 % band, in units of the curve at lag 0, beyond which a curve tells nothing."""


def _known_lags(curve: Curve) -> int:
    """Return how many times, from 0, have an error that is known and leaves something to see."""
    error = curve.stderr[1:]
    if not (error > 0).any():
        return len(curve.times)
    # a lag that a single stretch reaches has no error
    bad = np.flatnonzero((error <= 0) | (2 * 1.96 * error > _WIDEST_BAND))
    return int(max(bad[0], 2)) + 1 if len(bad) else len(curve.times)


def _memory(ax: Axes, recorded: Curve, others: Mapping[str, Curve], quantity: str) -> None:
    ax.axhline(0, color=FAINT, linewidth=0.8, zorder=0)
    seen = _known_lags(recorded)
    times, values, error = (
        one[1:seen] for one in (recorded.times, recorded.values, recorded.stderr)
    )
    ax.fill_between(
        times, values - 1.96 * error, values + 1.96 * error, color=TEST, alpha=0.2, linewidth=0
    )
    ax.plot(times, values, "o-", color=TEST, markersize=2.6, linewidth=1.1, label="recording")
    low, high = float(values.min()), float(values.max())
    for name, curve in others.items():
        colour, line, label = _LINES[name]
        shown = (
            (curve.times > 0) & (curve.times >= times[0] / 1.5) & (curve.times <= 1.2 * times[-1])
        )
        if shown.any():
            drawn, error = curve.values[shown], curve.stderr[shown]
            if name == "gibbs":
                ax.fill_between(
                    curve.times[shown], drawn - 1.96 * error, drawn + 1.96 * error, color=colour,
                    alpha=0.15, linewidth=0,
                )  # fmt: skip
            # a lone point has no line
            marker = "D" if shown.sum() == 1 else ""
            ax.plot(
                curve.times[shown], drawn, line, color=colour, linewidth=1.3, label=label,
                marker=marker, markersize=3.5,
            )  # fmt: skip
            low, high = min(low, float(drawn.min())), max(high, float(drawn.max()))
    ax.set_xlim(times[0] / 1.15, times[-1] * 1.15)
    plain_logarithms(ax)
    room = max(high - min(low, 0.0), 1e-3)
    ax.set_ylim(min(low, 0.0) - 0.08 * room, high + 0.5 * room)
    ax.set_xlabel("lag (s)")
    ax.set_ylabel(quantity)
    ax.yaxis.set_major_locator(MaxNLocator(5))
    ax.legend(loc="upper right", fontsize=text_size(7), ncols=2 if len(others) > 3 else 1)


@figure(SMALL)
def autocorrelation(
    ax: Axes,
    recorded: Curve,
    others: Mapping[str, Curve],
    *,
    quantity: str = "autocorrelation of count",
) -> None:
    """Draw how activity in equilibrium resembles what it was, over the lag on a logarithmic scale.

    Parameters
    ----------
    recorded
        Curve of the recording in seconds; the band holds 95%. Lag 0, where it is 1, has no place.
    others
        Curves of the model ("gibbs", "glauber") and of controls ("time_shuffled", ...), in seconds.
    quantity
        Name on the vertical axis.
    ax
        Axes to draw on.
    """
    _memory(ax, recorded, others, quantity)


@figure(SMALL)
def relaxation(
    ax: Axes, recorded: Curve, others: Mapping[str, Curve], *, quantity: str = "relaxation of count"
) -> None:
    """Draw how activity returns from chosen bins to the mean.

    Parameters are those of `autocorrelation`.
    """
    _memory(ax, recorded, others, quantity)


@figure((7.6, 3.2))
def hidden_traces(
    ax: Axes,
    activity: NDArray[np.floating],
    transition: NDArray[np.float64],
    bin_width_s: float,
    breaks: NDArray[np.int64] | None = None,
) -> None:
    """Draw the activity of hidden units in time (figure 4A of van der Plas et al. 2023).

    Parameters
    ----------
    activity
        (bin, hidden), units in the order of the rows from the top.
    transition
        (hidden,) activity at which a unit changes state, subtracted; a unit's scale is its own.
    bin_width_s
        Seconds per bin.
    breaks
        Bins at which a new segment begins, marked by thin lines, and of more than 60 by their ends
        above the colours.
    ax
        Axes to draw on.
    """
    shifted = activity - transition
    width = shifted.std(axis=0)
    shown = shifted / np.where(width > 0, width, 1.0)
    mesh = ax.imshow(
        shown.T, aspect="auto", cmap=DIVERGING, vmin=-2.5, vmax=2.5, interpolation="nearest",
        extent=(0, len(activity) * bin_width_s, activity.shape[1] - 0.5, -0.5), rasterized=True,
    )  # fmt: skip
    if breaks is not None:
        # above the colours they are seen whatever these are; many lines would hide the colours
        low = 0.0 if len(breaks) <= _MOST_LINES else 1.0
        ax.vlines(
            breaks * bin_width_s, low, 1.035, transform=ax.get_xaxis_transform(), color=INK,
            linewidth=0.6, clip_on=False,
        )  # fmt: skip
    bar = ax.figure.colorbar(mesh, ax=ax, shrink=0.8, pad=0.02, aspect=22)
    bar.set_label("above transition (s.d.)", fontsize=text_size(8))
    bar.outline.set_visible(False)
    ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.set_xlabel("time (s)")
    ax.set_ylabel("hidden unit, sorted")


@figure(SMALL)
def hidden_correlations(
    ax: Axes, correlation: NDArray[np.float64], order: NDArray[np.int64]
) -> None:
    """Draw correlations of hidden units over time, sorted (figure 4C of van der Plas et al. 2023).

    Parameters
    ----------
    correlation
        (hidden, hidden) Pearson correlation.
    order
        (hidden,) order of rows and columns, of Ward's clustering.
    ax
        Axes to draw on.
    """
    mesh = ax.imshow(
        correlation[np.ix_(order, order)], cmap=DIVERGING, vmin=-1, vmax=1, rasterized=True,
        interpolation="nearest",
    )  # fmt: skip
    bar = ax.figure.colorbar(mesh, ax=ax, shrink=0.8, pad=0.02, aspect=22)
    bar.set_label("correlation", fontsize=text_size(8))
    bar.outline.set_visible(False)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(5, integer=True))
    ax.set_xlabel("hidden unit, sorted")
    ax.set_ylabel("hidden unit, sorted")


@figure(SMALL)
def hidden_states(
    ax: Axes,
    activity: NDArray[np.floating],
    transition: NDArray[np.float64],
    bimodal: NDArray[np.bool_],
) -> None:
    """Draw the distribution of hidden activity around its transition (after figure 4E).

    Parameters
    ----------
    activity
        (bin, hidden).
    transition
        (hidden,) subtracted; each unit is divided by its own standard deviation.
    bimodal
        (hidden,) which units have two peaks.
    ax
        Axes to draw on.
    """
    width = activity.std(axis=0)
    shown = (activity - transition) / np.where(width > 0, width, 1.0)
    bins = np.linspace(-4, 4, 61).tolist()
    parts = [("two peaks", bimodal, GENERATED, "-"), ("one peak", ~bimodal, MUTED, "--")]
    for name, units, colour, line in parts:
        if units.any():
            ax.hist(
                np.clip(shown[:, units], -4, 4).reshape(-1), bins=bins, density=True,
                histtype="step", color=colour, linestyle=line, linewidth=1.3,
                label=f"{name}: {int(units.sum())} unit{'' if units.sum() == 1 else 's'}",
            )  # fmt: skip
    ax.axvline(0, 0, 0.8, color=MUTED, linewidth=0.6)  # below the legend
    ax.set_yscale("log")
    ax.set_ylim(1e-4, 30)
    ax.set_xlabel("activity above transition (s.d.)")
    ax.set_ylabel("density")
    ax.legend(loc="upper right")


@figure(SMALL)
def time_constants(ax: Axes, hidden_s: NDArray[np.float64], neurons_s: NDArray[np.float64]) -> None:
    """Draw the time constants of hidden units and of neurons (figure 4F of van der Plas et al.).

    Parameters
    ----------
    hidden_s, neurons_s
        Median periods in seconds, one per hidden unit or neuron, none of them NaN; at least one of
        the two holds any.
    ax
        Axes to draw on.
    """
    sets = [("hidden units", hidden_s, GENERATED), ("neurons", neurons_s, TEST)]
    both = np.concatenate((hidden_s, neurons_s))
    bins = np.geomspace(both.min() / 1.1, both.max() * 1.1, 31).tolist()
    for name, values, colour in sets:
        if len(values):
            weights = np.full(len(values), 1 / len(values))
            ax.hist(
                values, bins=bins, weights=weights, histtype="step", color=colour, linewidth=1.3,
                label=f"{len(values)} {name}, median {np.median(values):.2g} s",
            )  # fmt: skip
    plain_logarithms(ax)
    ax.set_ylim(0, 1.35 * max(ax.get_ylim()[1], 1e-3))
    ax.set_xlabel("median period (s)")
    ax.set_ylabel("share")
    ax.legend(loc="upper right", fontsize=text_size(7.5))


@figure(SMALL)
def hidden_variance(ax: Axes, explained: NDArray[np.float64]) -> None:
    """Draw the share of the hidden units' variance that few components hold (figure 4D).

    Parameters
    ----------
    explained
        (component,) cumulated shares, the largest component first.
    ax
        Axes to draw on.
    """
    number = np.arange(1, len(explained) + 1)
    ax.plot(number, explained, "o-", color=GENERATED, markersize=2.6)
    for wanted in (3, 10, 25):
        if wanted <= len(explained):
            value = float(explained[wanted - 1])
            ax.plot([wanted, wanted], [0, value], color=MUTED, linewidth=0.6)
            # below the curve, which rises to the right
            ax.text(
                wanted + 0.015 * len(explained), 0.9 * value - 0.05, f"{wanted}: {value:.0%}",
                fontsize=text_size(7.5), ha="left", va="top",
            )  # fmt: skip
    ax.set_ylim(0, 1.08)
    ax.set_xlim(0, len(explained) + 1)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.set_xlabel("principal components")
    ax.set_ylabel("variance captured")


@figure(SMALL)
def active_units(ax: Axes, sets: Mapping[str, NDArray[np.float64]], hidden: int) -> None:
    """Draw how many hidden units are active at once, m(t) (figure 2-supplement 3).

    Parameters
    ----------
    sets
        "test" and "generated", or the like, to (bin,) effective numbers of active units.
    hidden
        Number of hidden units.
    ax
        Axes to draw on.
    """
    colours = {"test": TEST, "train": TRAIN, "generated": GENERATED}
    far = max(float(np.quantile(values, 0.999)) for values in sets.values())
    bins = np.linspace(0, max(far, 1.0), 51).tolist()
    for name, values in sets.items():
        ax.hist(
            values, bins=bins, density=True, histtype="step", color=colours[name], linewidth=1.3,
            label=f"{name}, median {np.median(values):.1f}",
        )  # fmt: skip
    ax.set_ylim(0, 1.3 * ax.get_ylim()[1])
    ax.yaxis.set_major_locator(MaxNLocator(4))
    ax.set_xlabel(f"active hidden units at once, of {hidden}")
    ax.set_ylabel("density")
    ax.legend(loc="upper right")
