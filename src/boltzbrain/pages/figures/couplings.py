"""Figures of effective couplings: histograms, norms along training, maps of regions, neurons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm, Normalize
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage

from boltzbrain.pages.style import (
    CATEGORIES,
    DIVERGING,
    FAINT,
    INK,
    MUTED,
    SMALL,
    TALL,
    WIDE,
    as_text,
    figure,
    plain_logarithms,
    tell,
    text_size,
)

Floats = NDArray[np.float64]


@figure(SMALL)
def coupling_histogram(ax: Axes, sets: Mapping[str, Floats], label: str) -> None:
    """Draw the distribution of couplings of one order (figure 4 a-c of Bereux et al. 2026).

    Parameters
    ----------
    sets
        Name, such as a reference, to (coupling,) values.
    label
        Words of the axis.
    ax
        Axes to draw on.
    """
    both = np.concatenate([one for one in sets.values() if len(one)])
    low, high = np.quantile(both, [0.0005, 0.9995])
    # from afar, where nothing varies, a bin of width 0 has no density
    room = max(0.05 * (high - low), 1e-9)
    count = max(len(one) for one in sets.values())
    bins = np.linspace(low - room, high + room, int(np.clip(2.5 * np.sqrt(count), 16, 70)))
    for (name, values), colour in zip(sets.items(), CATEGORIES, strict=False):
        if len(values):
            ax.hist(
                values, bins=bins.tolist(), density=True, histtype="step", color=colour,
                linewidth=1.3, label=as_text(name),
            )  # fmt: skip
    ax.axvline(0, color=MUTED, linewidth=0.7, linestyle=":")
    ax.set_yscale("log")
    ax.set_xlabel(label)
    ax.set_ylabel("density")
    ax.xaxis.set_major_locator(MaxNLocator(5))
    if len(sets) > 1:
        low_y, high_y = ax.get_ylim()
        ax.set_ylim(low_y, high_y * 8)
        ax.legend(loc="upper right")


@figure(WIDE)
def coupling_norms(ax: Axes, norms: Mapping[str, Floats], chosen_update: int) -> None:
    """Draw the norm of each order of coupling along training (figure 4 of Bereux et al. 2026).

    Parameters
    ----------
    norms
        ``update``, ``fields``, ``pairs``, ``triplets``, ``triplets_stderr``, (checkpoint,) each.
    chosen_update
        Marked.
    ax
        Axes to draw on.
    """
    update = np.asarray(norms["update"], dtype=np.float64)
    seen = np.concatenate([norms[name] for name in ("fields", "pairs", "triplets")])
    low = max(seen[seen > 0].min(initial=np.inf), 1e-4 * seen.max()) / 2
    lines: list[Line2D] = []
    for name, colour in zip(("fields", "pairs", "triplets"), CATEGORIES, strict=False):
        values = norms[name]
        line = ax.plot(update, values, "o-", color=colour, markersize=3, label=name)[0]
        # a curve below the axis has no place in the legend
        lines += [line] if values.max(initial=0.0) >= low else []
        if name == "triplets":
            error = norms["triplets_stderr"]
            ax.fill_between(
                update, values - error, values + error, color=colour, alpha=0.2, linewidth=0
            )
    ax.axvline(chosen_update, color=MUTED, linewidth=0.8, linestyle=":")
    if update.max(initial=1) > 20 * max(update.min(initial=1), 1):
        plain_logarithms(ax)
    if (seen > 0).any():
        ax.set_yscale("log")
        ax.set_ylim(low, 3 * seen.max())
    ax.set_xlabel("update")
    ax.set_ylabel("norm of the couplings (nats)")
    ax.legend(handles=lines, loc="upper left", ncols=3)


def clustered(values: Floats) -> NDArray[np.int64]:
    """Return the rows of a symmetric map in the order of average-linkage clustering."""
    if len(values) < 3:
        return np.arange(len(values), dtype=np.int64)
    # rows as profiles: regions that couple to the same others stand together
    return leaves_list(linkage(values, method="average")).astype(np.int64)


def _named_places(names: Sequence[str]) -> tuple[NDArray[np.int64], float]:
    """Return the rows of a map whose names can be read, all or every so many, and their size."""
    step = -(-len(names) // _MOST_REGION_NAMES)
    return np.arange(0, len(names), max(step, 1)), text_size(8 if len(names) <= 20 else 5.5)


def _region_words(places: NDArray[np.int64]) -> str:
    step = int(places[1] - places[0]) if len(places) > 1 else 1
    return "region" if step == 1 else f"region (one of {step} is named)"


_MOST_REGION_NAMES = 40
"""Most names along a map of regions."""


@figure((4.6, 3.8))
def region_map(
    ax: Axes, names: Sequence[str], counts: NDArray[np.int64], values: Floats, label: str
) -> None:
    """Draw a map between regions, in the given order (figure 4d of Bereux et al. 2026).

    Parameters
    ----------
    names, counts
        (region,) names and numbers of neurons.
    values
        (region, region); positive and negative values share one scale around 0; NaN is left empty.
    label
        Words of the colour bar.
    ax
        Axes to draw on.
    """
    signed = bool((values < 0).any())
    known = values[~np.isnan(values)]
    size = max(float(np.abs(known).max(initial=0.0)), 1e-12)
    norm = Normalize(-size if signed else 0.0, size)
    positive = values[values > 0]
    if not signed and len(positive) and positive.max() > 30 * np.median(positive):
        norm = LogNorm(positive.min(), positive.max())
    image = ax.imshow(values, cmap=DIVERGING if signed else "viridis", norm=norm)
    ax.spines[:].set_visible(False)
    places, size_of_names = _named_places(names)
    ax.set_yticks(places, [as_text(f"{names[at]} ({counts[at]})") for at in places.tolist()])
    ax.set_xticks(places, [as_text(names[at]) for at in places.tolist()], rotation=90)
    ax.tick_params(length=0, labelsize=size_of_names)
    ax.set_xlabel(_region_words(places))
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.7)
    bar.set_label(label)
    bar.outline.set_visible(False)


@figure(WIDE)
def region_histograms(ax: Axes, sets: Mapping[str, Floats], label: str) -> None:
    """Draw the distribution of the pairs of every region, one ridge each (figure 5 of the same).

    Parameters
    ----------
    sets
        Words of a region to the (pair,) values within it; at most a dozen read well.
    label
        Words of the axis.
    ax
        Axes to draw on.
    """
    both = np.concatenate(list(sets.values()))
    low, high = np.quantile(both, [0.002, 0.998])
    bins = np.linspace(low, max(high, low + 1e-9), 61)
    middle = 0.5 * (bins[1:] + bins[:-1])
    for row, (name, values) in enumerate(reversed(list(sets.items()))):
        counts = np.histogram(values, bins=bins)[0].astype(np.float64)
        height = np.sqrt(counts / max(counts.max(), 1.0))
        colour = CATEGORIES[(len(sets) - 1 - row) % len(CATEGORIES)]
        ridge = ax.fill_between(
            middle, row, row + 0.92 * height, color=colour, alpha=0.5, linewidth=0
        )
        tell(ridge, series=name, kind="histogram", x=bins[:-1], x_to=bins[1:], y=counts)
        tell(ax.plot(middle, row + 0.92 * height, color=colour, linewidth=0.9)[0])
        ax.text(
            1.01, row + 0.08, as_text(name), transform=ax.get_yaxis_transform(),
            fontsize=text_size(7.5), va="bottom",
        )  # fmt: skip
    ax.axvline(0, color=MUTED, linewidth=0.7, linestyle=":")
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_ylim(0, len(sets) + 0.05)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.set_xlabel(label)


@figure(SMALL)
def embedding_curve(
    ax: Axes, thresholds: Floats, fraction: Floats, shuffled: Floats, deviation: Floats,
    chosen: float | None = None,
) -> None:  # fmt: skip
    """Draw the fraction of neurons with a strong weight (figure 2J of van der Plas et al. 2023).

    Parameters
    ----------
    thresholds, fraction, shuffled, deviation
        (threshold,) size of a strong weight, fraction of neurons, its mean and standard deviation
        after the weights are shuffled.
    chosen
        Threshold that was used, marked.
    ax
        Axes to draw on.
    """
    ax.fill_between(
        thresholds, shuffled - 2 * deviation, shuffled + 2 * deviation, color=MUTED, alpha=0.25,
        linewidth=0,
    )  # fmt: skip
    ax.plot(thresholds, shuffled, "--", color=MUTED, label="weights shuffled")
    ax.plot(thresholds, fraction, color=CATEGORIES[0], label="model")
    if chosen is not None:
        ax.axvline(chosen, color=INK, linewidth=0.8, linestyle=":", label="threshold used")
    plain_logarithms(ax)
    ax.set_xlabel("size of a strong weight")
    ax.set_ylabel("neurons with a strong weight")
    ax.yaxis.set_major_formatter("{x:.0%}")
    ax.set_ylim(0, 1.03)
    ax.legend(loc="lower left")


@figure(TALL)
def region_assemblies(ax: Axes, names: Sequence[str], share: Floats) -> None:
    """Draw where the neurons of each region have their strongest assembly.

    Parameters
    ----------
    names
        (region,) names.
    share
        (region, hidden) fraction of the region's neurons, hidden units in the order to be drawn.
    ax
        Axes to draw on.
    """
    image = ax.imshow(
        share, aspect="auto", cmap="magma_r", interpolation="nearest", rasterized=True,
        vmin=0, vmax=max(float(np.quantile(share, 0.995)), 1e-9),
    )  # fmt: skip
    places, size = _named_places(names)
    ax.set_yticks(places, [as_text(names[at]) for at in places.tolist()])
    ax.tick_params(axis="y", length=0, labelsize=size)
    ax.set_xlabel("assembly (by similar activity)")
    if len(places) < len(names):
        ax.set_ylabel(_region_words(places))
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.7)
    bar.set_label("share of the region's neurons")
    bar.outline.set_visible(False)


@figure((4.8, 3.6))
def neuron_colours(
    ax: Axes, xy_um: Floats, assembly: NDArray[np.int64], axes: tuple[str, str]
) -> None:
    """Draw every neuron in the colour of its strongest assembly, seen along one axis.

    Parameters
    ----------
    xy_um
        (neuron, 2) micrometres.
    assembly
        (neuron,) number, -1 for none (grey).
    axes
        Names of the two axes.
    ax
        Axes to draw on.
    """
    size = float(np.clip(6000 / max(len(xy_um), 1), 0.6, 14))
    none = assembly < 0
    x, y = xy_um.T
    # a scale of colours, so that the number of the assembly stays with each point
    number = int(assembly.max(initial=0)) + 1
    # those that the viewer gives them
    scale = ListedColormap([CATEGORIES[one % len(CATEGORIES)] for one in range(number)])
    ax.scatter(x[none], y[none], s=size, color=FAINT, linewidths=0, rasterized=True)
    ax.scatter(
        x[~none], y[~none], s=size, c=assembly[~none], cmap=scale, vmin=-0.5,
        vmax=number - 0.5, linewidths=0, rasterized=True,
    )  # fmt: skip
    ax.set_aspect("equal", adjustable="datalim")
    ax.set_xlabel(f"{axes[0]} (µm)")
    ax.set_ylabel(f"{axes[1]} (µm)")


MOST_NAMED = 5
"""Most curves that a legend names."""


@figure(SMALL)
def matched_assemblies(
    ax: Axes, curves: Mapping[str, tuple[Sequence[float], float]], label: str
) -> None:
    """Draw how similar matched hidden units of two trainings are, the most similar first.

    Parameters
    ----------
    curves
        Name of the two trainings to the similarity of each matched pair and the mean by chance.
    label
        Of the vertical axis.
    ax
        Axes to draw on.
    """
    for number, (name, (similarity, chance)) in enumerate(curves.items()):
        colour = CATEGORIES[number % len(CATEGORIES)]
        ax.plot(-np.sort(-np.asarray(similarity)), color=colour, label=as_text(name))
        ax.axhline(chance, color=colour, linestyle=":", linewidth=1)
    ax.set_ylim(min(0.0, ax.get_ylim()[0]), 1.02)
    ax.set_xlabel("pair of hidden units")
    ax.set_ylabel(label)
    if len(curves) <= MOST_NAMED:
        ax.legend(fontsize=7)
