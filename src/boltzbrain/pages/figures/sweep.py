"""Figures of a sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, ScalarFormatter
from numpy.typing import NDArray

from boltzbrain.foundations.showing.numbers import value_words
from boltzbrain.pages.style import (
    INK,
    MUTED,
    SMALL,
    TEST,
    VALIDATION,
    WIDE,
    figure,
    plain_logarithms,
    text_size,
)

BAND = 0.13
"""Opacity of a band: those of several seeds lie on one another."""

_ROW = 0.063
"""Height of a row of a legend, as a share of the axes."""


@dataclass(frozen=True)
class TrainingCurve:
    """The gain over independent neurons along one training.

    Attributes
    ----------
    update
        (point,) updates.
    gain, stderr
        (point,) nats per bin, and the standard error of each.
    taken
        Update of the model that was taken, one of `update`.
    """

    update: Sequence[float]
    gain: Sequence[float]
    stderr: Sequence[float]
    taken: float


@figure(SMALL)
def sweep_curves(
    ax: Axes, curves: Mapping[str, Sequence[TrainingCurve]], legend: bool = True
) -> None:
    """Draw gains along training for every point of a grid, with a star where the model was taken.

    After figure 2 of Bereux et al. 2026, whose stars mark the maxima. A shaded band is one standard
    error.

    Parameters
    ----------
    curves
        Label to the curves of one point of the grid, one for each seed.
    legend
        Whether to name the points.
    ax
        Axes to draw on.
    """
    colours = mpl.colormaps["viridis"](np.linspace(0.0, 0.88, max(len(curves), 1)))
    late: list[float] = [0.0]
    last = 1.0
    for colour, (label, seeds) in zip(colours, curves.items(), strict=True):
        for number, one in enumerate(seeds):
            updates, gains, errors = (
                np.asarray(values, dtype=float) for values in (one.update, one.gain, one.stderr)
            )
            ax.plot(updates, gains, color=colour, linewidth=1.1, label="" if number else label)
            ax.fill_between(
                updates, gains - errors, gains + errors, color=colour, alpha=BAND, linewidth=0
            )
            taken = gains[list(one.update).index(one.taken)]
            last = max(last, float(updates[-1]))
            late += [*gains[len(gains) // 2 :].tolist(), float(taken)]
            ax.plot(
                one.taken, taken, "*", color=colour, markersize=9,
                markeredgecolor="white", markeredgewidth=0.6, zorder=5,
            )  # fmt: skip
    ax.axhline(0.0, color=MUTED, linestyle=":", linewidth=1.0)
    # a few very bad early scores must not press the rest flat
    highest, usual = max(late), float(np.quantile(late, 0.15))
    lowest = min(0.0, max(min(late), highest - 3 * (highest - usual)))
    room = max(highest - lowest, 1e-9)
    # the legend stands above the curves
    rows = min(len(curves), 6) if legend else 0
    ax.set_ylim(lowest - 0.08 * room, highest + (0.1 + 0.1 * rows) * room)
    if last > 20:
        plain_logarithms(ax)
    ax.set_xlabel("update")
    ax.set_ylabel("gain (nats per bin)")
    ax.yaxis.set_major_locator(MaxNLocator(5))
    if legend:
        ax.legend(loc="upper left", fontsize=text_size(7))


@figure(WIDE)
def sweep_scores(
    ax: Axes,
    hidden: Sequence[float],
    validation: Mapping[str, NDArray[np.float64]],
    error: Mapping[str, NDArray[np.float64]],
    test: Mapping[str, NDArray[np.float64]],
    test_error: Mapping[str, NDArray[np.float64]],
    chosen: tuple[str, float],
) -> None:
    """Draw the gain on validation and test bins against the number of hidden units.

    Parameters
    ----------
    hidden
        Numbers of hidden units.
    validation, error, test, test_error
        Label of the other hyperparameters to (hidden,) gains over independent neurons in nats per
        bin, and their standard errors; NaN where there is none.
    chosen
        Label and number of hidden units of the chosen point.
    ax
        Axes to draw on.
    """
    place = np.arange(len(hidden), dtype=float)
    lines = ["-", "--", "-.", ":"]
    for number, label in enumerate(validation):
        shift = 0.08 * (number - (len(validation) - 1) / 2)
        line = lines[number % len(lines)]
        beside = f" ({label})" if label else ""
        ax.errorbar(
            place + shift, validation[label], error[label], color=VALIDATION, linestyle=line,
            marker="o", markersize=3.5, linewidth=1.2, elinewidth=0.8, capsize=2,
            label=f"validation{beside}",
        )  # fmt: skip
        if np.isfinite(test[label]).any():
            ax.errorbar(
                place + shift, test[label], test_error[label], color=TEST, linestyle=line,
                marker="s", markersize=3.5, linewidth=1.2, elinewidth=0.8, capsize=2,
                label=f"test{beside}",
            )  # fmt: skip
        if label == chosen[0]:
            at = list(hidden).index(chosen[1])
            ax.plot(
                at + shift, validation[label][at], "*", color=INK, markersize=12, zorder=6,
                markeredgecolor="white", markeredgewidth=0.8, linestyle="none", label="chosen",
            )  # fmt: skip
    ax.set_xticks(place, [f"{one:g}" for one in hidden])
    ax.set_xlabel("hidden units")
    ax.set_ylabel("gain over independent neurons\n(nats per bin)")
    ax.yaxis.set_major_locator(MaxNLocator(5))
    ax.grid(axis="y", color=MUTED, alpha=0.15, linewidth=0.6)
    handles, labels = ax.get_legend_handles_labels()
    # the star last, and lines long enough to tell dashes apart
    order = sorted(range(len(labels)), key=lambda at: labels[at] == "chosen")
    # room for the legend above the curves, as a share of the axes
    share = min(0.04 + _ROW * len(order), 0.6)
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + (high - low) * share / (1 - share))
    ax.legend(
        [handles[at] for at in order], [labels[at] for at in order], fontsize=text_size(7),
        handlelength=3, loc="upper left", labelspacing=0.3,
    )  # fmt: skip


@figure(SMALL)
def grid_map(
    ax: Axes,
    values: NDArray[np.float64],
    rows: Sequence[Any],
    columns: Sequence[Any],
    names: tuple[str, str],
    label: str,
    chosen: tuple[int, int] | None = None,
) -> None:
    """Draw one figure over a grid of two hyperparameters as a heat map.

    Parameters
    ----------
    values
        (row, column), NaN where there is none: the cell is left grey.
    rows, columns
        Values of the two hyperparameters.
    names
        Names of the hyperparameters of rows and columns.
    label
        What the colour stands for.
    chosen
        Row and column to frame.
    ax
        Axes to draw on.
    """
    ax.set_facecolor("#dcdce2")
    image = ax.imshow(values, aspect="auto", cmap="viridis", origin="lower")
    known = values[np.isfinite(values)]
    middle = 0.5 * float(known.min() + known.max()) if len(known) else 0.0
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            ax.text(
                column, row, f"{value:.3g}", ha="center", va="center", fontsize=text_size(7),
                color="white" if value <= middle else INK,
            )  # fmt: skip
    if chosen is not None:
        ax.add_patch(
            mpl.patches.Rectangle(
                (chosen[1] - 0.5, chosen[0] - 0.5), 1, 1, fill=False, edgecolor="#d55e00",
                linewidth=2.2, zorder=5, clip_on=False,
            )
        )  # fmt: skip
    ax.set_yticks(range(len(rows)), [value_words(one) for one in rows])
    ax.set_xticks(range(len(columns)), [value_words(one) for one in columns])
    ax.set_ylabel(names[0])
    ax.set_xlabel(names[1])
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.9, format=ScalarFormatter(useOffset=False))
    bar.outline.set_visible(False)
    ax.set_title(fill(label, 34), fontsize=text_size(8.5))
