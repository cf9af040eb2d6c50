"""Figures of models that see earlier bins: what each adds, and hidden states in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from boltzbrain.pages.figures.rasters import draw_raster
from boltzbrain.pages.style import (
    CATEGORIES,
    DIVERGING,
    FAINT,
    GENERATED,
    INK,
    MUTED,
    TEST,
    as_text,
    figure,
    tell,
    text_size,
)

Floats = NDArray[np.float64]

_RIBBON = 0.3
"""Height of the ribbon over that of the raster."""


def state_colours(number: int) -> list[str]:
    """Return a colour for each state, told apart by hue as far as that goes."""
    if number <= len(CATEGORIES):
        return list(CATEGORIES[:number])
    wheel = mpl.colormaps["turbo"]
    # neighbours in number are far apart in hue: the most occupied states stand out
    order = np.argsort(np.arange(number) * 0.618034 % 1.0)
    places = np.empty(number)
    places[order] = (np.arange(number) + 0.5) / number
    return [mpl.colors.to_hex(wheel(place)) for place in places.tolist()]


@figure((5.6, 3.0))
def time_gains(
    ax: Axes,
    rows: Sequence[tuple[str, float | None, float, float | None]],
    controls: Sequence[tuple[str, float, float | None]] = (),
) -> None:
    """Draw what each model gains given the earlier bins, and without them.

    Parameters
    ----------
    rows
        Name, gain without time (None where earlier bins have no part), gain given earlier bins and
        its standard error.
    controls
        Name, gain and standard error of the controls, below.
    ax
        Axes to draw on.
    """
    order = sorted(rows, key=lambda row: row[2])
    names = [row[0] for row in order]
    for place, (name, without, given, error) in enumerate(order):
        colour = GENERATED if name.startswith("RBM") else TEST if without is not None else MUTED
        ax.barh(place, given, xerr=error, color=colour, alpha=0.85, height=0.62,
                error_kw={"elinewidth": 1.1, "ecolor": INK})  # fmt: skip
        if without is not None:
            ax.plot(without, place, "D", markersize=4.5, markerfacecolor="white",
                    markeredgecolor=INK, markeredgewidth=0.9)  # fmt: skip
    for place, (name, value, error) in enumerate(controls):
        ax.barh(-1.4 - place, value, xerr=error, color=FAINT, edgecolor=MUTED, linewidth=0.7,
                height=0.62, error_kw={"elinewidth": 1.1, "ecolor": INK})  # fmt: skip
        names.append(name)
    places = [*range(len(order)), *(-1.4 - place for place in range(len(controls)))]
    ax.set_yticks(places, [as_text(name) for name in names])
    ax.tick_params(axis="y", length=0)
    if controls:
        ax.axhline(-0.7, color=FAINT, linewidth=0.8)
    ax.axvline(0, color=INK, linewidth=0.7)
    ax.grid(axis="x", color=MUTED, alpha=0.15, linewidth=0.6)
    ax.xaxis.set_major_locator(MaxNLocator(6))
    ax.set_xlabel("gain (nats per test bin)")


@figure((4.6, 2.6))
def gain_parts(ax: Axes, parts: Sequence[tuple[str, float, float | None]]) -> None:
    """Draw what each context tells beyond those before it, and what the couplings tell beyond all.

    Parameters
    ----------
    parts
        Name, nats per test bin and standard error, the couplings last.
    ax
        Axes to draw on.
    """
    for place, (_, value, error) in enumerate(parts):
        colour = GENERATED if place == len(parts) - 1 else TEST
        ax.barh(-place, value, xerr=error, color=colour, alpha=0.85, height=0.62,
                error_kw={"elinewidth": 1.1, "ecolor": INK})  # fmt: skip
    ax.set_yticks([-place for place in range(len(parts))], [as_text(one[0]) for one in parts])
    ax.tick_params(axis="y", length=0)
    ax.axvline(0, color=INK, linewidth=0.7)
    ax.grid(axis="x", color=MUTED, alpha=0.15, linewidth=0.6)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.set_xlabel("gain beyond what stands above\n(nats per test bin)")


@figure((4.6, 3.4))
def drive_shares(ax: Axes, rows: Sequence[tuple[str, float, float, float]]) -> None:
    """Draw the sizes of couplings with and without a context, and the share that is gone.

    Parameters
    ----------
    rows
        Pair of regions, mean |J| without the context, share that is gone given it, and its error.
    ax
        Axes to draw on.
    """
    for place, (_, size, share, error) in enumerate(rows):
        ax.barh(-place, size, color=FAINT, edgecolor=MUTED, linewidth=0.7, height=0.68)
        ax.barh(-place, size * (1 - share), xerr=size * error, color=TEST, alpha=0.85, height=0.4,
                error_kw={"elinewidth": 1.1, "ecolor": INK})  # fmt: skip
    ax.set_yticks([-place for place in range(len(rows))], [as_text(one[0]) for one in rows])
    ax.tick_params(axis="y", length=0)
    ax.set_xlim(left=0)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.set_xlabel("mean |J| (nats): grey without, blue given the context")


@figure((6.4, 4.0))
def state_ribbon(
    ax: Axes,
    states: NDArray[np.uint8],
    posterior: Floats,
    regions: Sequence[str] | None,
    bin_width_s: float,
    breaks: Sequence[int] = (),
) -> None:
    """Draw a raster, and under it the probability of each hidden state as a ribbon.

    Parameters
    ----------
    states
        (bin, neuron) uint8, neurons in the order of the rows from the top.
    posterior
        (bin, state).
    regions
        (neuron,) names in that order, as in `raster`.
    bin_width_s
        Seconds per bin.
    breaks
        Bins at which a new segment begins.
    ax
        Axes to draw on.
    """
    draw_raster(ax, states, regions, bin_width_s, breaks, INK)
    bottom, _ = ax.get_ylim()
    height = _RIBBON * (bottom + 0.5)
    top, edges = bottom + 0.12 * height, np.arange(len(states) + 1) * bin_width_s
    below = np.zeros(len(states))
    middle = 0.5 * (edges[1:] + edges[:-1])
    shades = zip(state_colours(posterior.shape[1]), posterior.T, strict=True)
    for number, (colour, share) in enumerate(shades):
        above = below + share
        low, high = (top + height * np.append(one, one[-1]) for one in (below, above))
        part = ax.fill_between(edges, low, high, step="post", color=colour, linewidth=0)
        tell(part, series=f"state {number + 1}", kind="line", x=middle, value=share)
        below = above
    ax.set_ylim(top + height, -0.5)
    ax.text(-0.01, top + height / 2, "state", transform=ax.get_yaxis_transform(), ha="right",
            va="center", fontsize=text_size(8))  # fmt: skip
    if ax.get_ylabel() == "neuron":
        ax.yaxis.set_major_locator(
            FixedLocator([place for place in ax.get_yticks() if 0 <= place < bottom])
        )


@figure((3.4, 2.9))
def state_transitions(ax: Axes, transition: Floats, occupancy: Floats) -> None:
    """Draw the probability of the next state, states by how often they are held.

    Parameters
    ----------
    transition
        (state, state), a row for each present state.
    occupancy
        (state,) share of bins.
    ax
        Axes to draw on.
    """
    number = len(transition)
    shown = np.log10(np.maximum(transition, 1e-4))
    image = ax.imshow(shown, cmap="Greys", vmin=-4, vmax=0, interpolation="nearest")
    tell(image, value=transition)
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.8)
    bar.set_ticks([-4, -3, -2, -1, 0], labels=["≤0.0001", "0.001", "0.01", "0.1", "1"])
    bar.ax.tick_params(labelsize=text_size(7))
    for place, colour in enumerate(state_colours(number)):
        ax.plot([-0.045], [place], "s", color=colour, markersize=min(5.0, 90 / number),
                clip_on=False, transform=ax.get_yaxis_transform())  # fmt: skip
    every = max(1, number // 8)
    ticks = list(range(0, number, every))
    ax.set_xticks(ticks, [f"{one + 1}" for one in ticks])
    ax.set_yticks(ticks, [f"{one + 1}: {occupancy[one]:.0%}" for one in ticks])
    ax.tick_params(axis="y", length=0, pad=13)
    ax.set_xlim(-0.5, number - 0.5)
    ax.set_xlabel("next state")
    ax.set_ylabel("state: share of bins")


@figure((3.6, 2.9))
def state_profiles(ax: Axes, profile: Floats, sizes: Sequence[int]) -> None:
    """Draw how the rates of groups of neurons change over states.

    Parameters
    ----------
    profile
        (group, state), in units of each group's own change.
    sizes
        (group,) number of neurons.
    ax
        Axes to draw on.
    """
    widest = float(np.abs(profile).max(initial=1.0))
    image = ax.imshow(
        profile, cmap=DIVERGING, vmin=-widest, vmax=widest, aspect="auto", interpolation="nearest"
    )
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.8)
    bar.set_label("log-odds, in their own spread", fontsize=text_size(7.5))
    bar.ax.tick_params(labelsize=text_size(7))
    ax.set_yticks(range(len(sizes)), [f"{size} neurons" for size in sizes])
    ax.tick_params(axis="y", length=0)
    number = profile.shape[1]
    ticks = list(range(0, number, max(1, number // 8)))
    ax.set_xticks(ticks, [f"{one + 1}" for one in ticks])
    ax.set_xlabel("state")
    ax.set_ylabel("group")


@figure((3.4, 2.6))
def state_scores(ax: Axes, curves: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    """Draw the validation score against the number of states.

    Parameters
    ----------
    curves
        Name to pairs of a number of states and its score.
    ax
        Axes to draw on.
    """
    shades = [TEST, CATEGORIES[1], CATEGORIES[2], CATEGORIES[3]]
    for colour, (name, points) in zip(shades, curves.items(), strict=False):
        number, score = np.array(sorted(points)).T
        ax.plot(number, score, "o-", color=colour, label=as_text(name))
    ax.set_xscale("log", base=2)
    tried = sorted({int(number) for points in curves.values() for number, _ in points})
    ax.set_xticks(tried, [f"{one}" for one in tried])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("hidden states")
    ax.set_ylabel("nats per validation bin")
    ax.legend(fontsize=text_size(7.5))


@figure((4.2, 3.4))
def influences(ax: Axes, value: Floats, shown: NDArray[np.bool_]) -> None:
    """Draw which unit follows which, and leave white what is not to be shown.

    Parameters
    ----------
    value, shown
        (hidden, hidden), from the column to the row; the diagonal is drawn, but sets no colour.
    ax
        Axes to draw on.
    """
    clear = np.where(shown, value, 0.0)
    off = np.abs(clear[~np.eye(len(value), dtype=bool)])
    widest = float(off.max(initial=0.0)) or 1.0
    image = ax.imshow(
        clear, cmap=DIVERGING, vmin=-widest, vmax=widest, aspect="equal", interpolation="nearest"
    )
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.8)
    bar.set_label("change of the mean by that before", fontsize=text_size(7.5))
    bar.ax.tick_params(labelsize=text_size(7))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(8, integer=True))
    ax.set_xlabel("hidden unit in a bin")
    ax.set_ylabel("hidden unit in the next bin")


@figure((3.4, 2.6))
def unit_memories(ax: Axes, seconds: Floats, shortest_s: float) -> None:
    """Draw how long the activity of hidden units lasts.

    Parameters
    ----------
    seconds
        (hidden,) time constants; 0 for none.
    shortest_s
        Below it a time constant is less than the bins can tell.
    ax
        Axes to draw on.
    """
    known = seconds[seconds > 0]
    top = float(known.max(initial=shortest_s))
    ax.hist(known, bins=np.linspace(0, 1.05 * top, 25).tolist(), color=GENERATED)
    ax.axvline(shortest_s, color=MUTED, linewidth=0.8, linestyle="--")
    ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.set_xlabel("time constant (s)")
    ax.set_ylabel("hidden units")


@figure((4.2, 3.4))
def changing_pairs(ax: Axes, values: Floats, pairs: Sequence[str], labels: Sequence[str]) -> None:
    """Draw the couplings of pairs that change with a label, less their mean.

    Parameters
    ----------
    values
        (pair, label).
    pairs, labels
        Names.
    ax
        Axes to draw on.
    """
    centred = values - values.mean(axis=1, keepdims=True)
    widest = float(np.abs(centred).max(initial=0.0)) or 1.0
    image = ax.imshow(
        centred, cmap=DIVERGING, vmin=-widest, vmax=widest, aspect="auto", interpolation="nearest"
    )
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.8)
    bar.set_label("coupling less its mean (nats)", fontsize=text_size(7.5))
    bar.ax.tick_params(labelsize=text_size(7))
    ax.set_yticks(range(len(pairs)), [as_text(one) for one in pairs], fontsize=text_size(6.5))
    ax.set_xticks(range(len(labels)), [as_text(one) for one in labels], rotation=90)
    ax.set_xlabel("state or epoch")
    ax.tick_params(axis="y", length=0)
