"""Figures of simpler models beside the RBM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullLocator
from numpy.typing import NDArray

from boltzbrain.pages.style import (
    CATEGORIES,
    GENERATED,
    INK,
    MUTED,
    WIDE,
    as_text,
    figure,
    text_size,
)

Floats = NDArray[np.float64]

_FAR = 10.0


def colours(names: Sequence[str]) -> dict[str, str]:
    """Return one colour per model: the RBM that of generated activity everywhere, others cycled."""
    others = [colour for colour in CATEGORIES if colour != GENERATED]
    rest = [name for name in names if name != "RBM"]
    found = {name: others[place % len(others)] for place, name in enumerate(rest)}
    return {**found, "RBM": GENERATED}


@figure((4.6, 2.6))
def baseline_scores(
    ax: Axes, rows: Sequence[tuple[str, float, float | None, bool]], label: str
) -> None:
    """Draw the score of every model with its standard error, best on top.

    Parameters
    ----------
    rows
        Name, value, standard error, and whether the value is a lower bound.
    label
        Words of the axis.
    ax
        Axes to draw on.
    """
    order = sorted(rows, key=lambda row: row[1])
    for place, (name, value, error, bound) in enumerate(order):
        colour = GENERATED if name.startswith("RBM") else MUTED
        ax.errorbar(
            value, place, xerr=error, color=colour, fmt=">" if bound else "o", markersize=5,
            elinewidth=1.2, markerfacecolor="white" if bound else colour,
        )  # fmt: skip
    ax.set_yticks(range(len(order)), [as_text(row[0]) for row in order])
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(-0.6, len(order) - 0.4)
    ax.axvline(0, color=MUTED, linewidth=0.7, linestyle=":")
    ax.grid(axis="x", color=MUTED, alpha=0.15, linewidth=0.6)
    ax.xaxis.set_major_locator(MaxNLocator(6))
    ax.set_xlabel(label)


@figure(WIDE)
def weight_tails(ax: Axes, sets: Mapping[str, Floats]) -> None:
    """Draw the weights of each model in units of their width (figure 2I of van der Plas et al.).

    Parameters
    ----------
    sets
        Name to (neuron, latent) weights.
    ax
        Axes to draw on.
    """
    bins = np.linspace(0, _FAR, 41)
    shades, floor = colours(list(sets)), 1.0
    for name, values in sets.items():
        size = np.abs(values).ravel() / max(float(values.std()), 1e-12)
        share, _ = np.histogram(size, bins=bins)
        density = share / len(size) / np.diff(bins)
        floor = min(floor, float(density[density > 0].min(initial=1.0)))
        ax.stairs(density, bins, color=shades[name], linewidth=1.3, label=as_text(name))
    line = np.linspace(0, _FAR, 200)
    ax.plot(
        line, np.sqrt(2 / np.pi) * np.exp(-(line**2) / 2), ":", color=INK, linewidth=1,
        label="Gaussian",
    )  # fmt: skip
    ax.set_yscale("log")
    ax.set_ylim(floor / 2, 10)
    ax.set_xlim(0, _FAR)
    ax.set_xlabel("size of a weight, in standard deviations")
    ax.set_ylabel("density")
    ax.legend(loc="upper right", fontsize=text_size(7.5))


@figure(WIDE)
def embedded_neurons(ax: Axes, strong: Floats, sets: Mapping[str, tuple[Floats, Floats]]) -> None:
    """Draw how many neurons hold a strong weight (figures 2J and 2K of van der Plas et al.).

    Parameters
    ----------
    strong
        (threshold,) strong weights per neuron on average, which sets the threshold of each model.
    sets
        Name to (threshold,) shares of neurons with a strong weight, in the model and with its
        weights shuffled.
    ax
        Axes to draw on.
    """
    shades = colours(list(sets))
    for name, (own, shuffled) in sets.items():
        ax.plot(strong, own - shuffled, color=shades[name], label=as_text(name))
    ax.axhline(0, color=MUTED, linewidth=0.8, linestyle="--")
    ax.axvline(1, color=MUTED, linewidth=0.7, linestyle=":")
    ax.set_xscale("log")
    ticks = [0.2, 0.5, 1, 2, 5]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("strong weights per neuron on average")
    ax.set_ylabel("neurons embedded,\nless those by chance")
    ax.yaxis.set_major_formatter(lambda x, _: f"{x:+.0%}".replace("-", "−") if x else "0%")
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.12 * len(sets) * (high - low))
    ax.legend(loc="upper left", fontsize=text_size(7.5))


@figure(WIDE)
def occupied_regions(ax: Axes, sets: Mapping[str, Floats], regions: int) -> None:
    """Draw over how many regions assemblies spread (figure 2, supplement 6C of the same paper).

    Parameters
    ----------
    sets
        Name to (latent,) effective number of regions of each assembly.
    regions
        Number of regions.
    ax
        Axes to draw on.
    """
    shades = colours(list(sets))
    for name, values in sets.items():
        share = np.arange(1, len(values) + 1) / len(values)
        middle = float(np.median(values))
        ax.step(
            np.concatenate(([1.0], np.sort(values))), np.concatenate(([0.0], share)), where="post",
            color=shades[name], label=as_text(f"{name}, median {middle:.1f}"),
        )  # fmt: skip
    ax.set_xlim(1, regions)
    # room for the names above the curves
    ax.set_ylim(0, 1.1 + 0.13 * len(sets))
    ticks = np.linspace(0, 1, 5)
    ax.set_yticks(ticks, [f"{tick:.0%}" for tick in ticks])
    ax.set_xlabel(f"effective number of regions, of {regions}")
    ax.set_ylabel("assemblies up to there")
    ax.legend(loc="upper left", fontsize=text_size(7.5))
