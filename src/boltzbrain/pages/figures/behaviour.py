"""Figures of what assemblies do: trials in order of a column, averages, tuning, decoding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, to_hex
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from boltzbrain.pages.style import (
    CATEGORIES,
    DIVERGING,
    FAINT,
    GENERATED,
    INK,
    MUTED,
    TEST,
    TRAIN,
    WIDE,
    as_text,
    figure,
    tell,
    text_size,
)

Floats = NDArray[np.float64]

_UNITS = {"hidden": ("hidden units", GENERATED), "neurons": ("neurons", TEST),
          "components": ("components", TRAIN)}  # fmt: skip
_MOST_CURVES = 6


def level_colours(number: int) -> list[str]:
    """Return a colour for each level: of two or three their own, of more a scale in their order."""
    if number <= 3:
        return list((TEST, GENERATED, "#009e73")[:number])
    scale = colormaps["viridis"]
    return [to_hex(scale(place)) for place in np.linspace(0.0, 0.92, number)]


@figure((6.4, 2.9))
def tuning_map(ax: Axes, names: Sequence[str], effect: Floats, tuned: NDArray[np.bool_]) -> None:
    """Draw how strongly each assembly is tuned to each name; pale where it is not, else a dot.

    Parameters
    ----------
    names
        (name,) columns of the trials and covariates.
    effect
        (name, assembly) share of variance with the sign of the direction, assemblies in the order
        in which they are shown.
    tuned
        (name, assembly) whether it is called tuned.
    ax
        Axes to draw on.
    """
    size = max(float(np.abs(effect).max(initial=0.0)), 1e-6)
    image = ax.imshow(
        np.sign(effect) * np.sqrt(np.abs(effect)), cmap=DIVERGING, aspect="auto",
        norm=Normalize(-np.sqrt(size), np.sqrt(size)), interpolation="nearest",
        alpha=np.where(tuned, 1.0, 0.35),
    )  # fmt: skip
    tell(image, value=effect)
    row, column = np.nonzero(tuned)
    dot = float(np.clip(900 / max(effect.shape[1], 1), 0.6, 6))
    dots = ax.scatter(column, row, s=dot, color=INK, linewidths=0)
    tell(dots, series="tuned", kind="point", x=column, y=row)
    ax.set_yticks(np.arange(len(names)), [as_text(name) for name in names])
    ax.tick_params(axis="y", length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("assembly, by what it is tuned to most")
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.9, aspect=16)
    marks = np.array([-size, -size / 4, 0.0, size / 4, size])
    bar.set_ticks(
        (np.sign(marks) * np.sqrt(np.abs(marks))).tolist(),
        labels=[f"{mark:.2g}".replace("-", "−") for mark in marks],
    )
    bar.set_label("share of variance\n(− falls, + rises)")
    bar.outline.set_visible(False)


@figure((3.4, 3.6))
def trial_raster(
    ax: Axes, single: NDArray[np.float32], level: NDArray[np.int64], levels: Sequence[str],
    seconds: Floats,
) -> None:  # fmt: skip
    """Draw one assembly in every trial, the trials sorted by a column.

    Parameters
    ----------
    single
        (trial, place) mean of the hidden unit, below 0 beyond the end of a trial.
    level
        (trial,) level of each, ascending.
    levels
        Their names.
    seconds
        (place,) since the trial began.
    ax
        Axes to draw on.
    """
    step = float(seconds[1] - seconds[0]) if len(seconds) > 1 else 2 * float(seconds[0])
    right = float(seconds[-1]) + step / 2
    shown = np.ma.masked_less(single, 0)
    # by its own range: one that never falls to 0 would be dark throughout
    low, high = np.quantile(shown.compressed(), (0.005, 0.995)) if shown.count() else (0.0, 1.0)
    high = max(high, low + 1e-6)
    ax.imshow(
        shown, aspect="auto", cmap="Greys", vmin=low, vmax=high, interpolation="nearest",
        extent=(0.0, right, float(len(single)), 0.0),
    )  # fmt: skip
    colours = level_colours(len(levels))
    along = ax.get_yaxis_transform()
    for number, name in enumerate(levels):
        mine = np.flatnonzero(level == number)
        if not len(mine):
            continue
        first, stop = int(mine[0]), int(mine[-1]) + 1
        bar = ax.plot([-0.02, -0.02], [first + 0.5, stop - 0.5], transform=along, clip_on=False,
                      color=colours[number], linewidth=4, solid_capstyle="butt")[0]  # fmt: skip
        tell(bar, series=name, kind="band", y_low=[first], y_high=[stop])
        if first:
            ax.axhline(first, color=colours[number], linewidth=0.7)
        if stop - first >= 0.04 * len(level):
            ax.text(-0.05, (first + stop) / 2, as_text(name), transform=along, ha="right",
                    va="center", fontsize=text_size(7.5))  # fmt: skip
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_xlabel("seconds since the trial began")


@figure((3.4, 2.8))
def trial_average(
    ax: Axes, mean: Floats, stderr: Floats, levels: Sequence[str], seconds: Floats
) -> None:
    """Draw the mean course of one assembly at each level, with a band of one standard error.

    Parameters
    ----------
    mean, stderr
        (level, place), NaN where there are too few trials.
    levels
        Their names.
    seconds
        (place,) since the trial began.
    ax
        Axes to draw on.
    """
    for name, colour, one, error in zip(
        levels, level_colours(len(levels)), mean, stderr, strict=True
    ):
        ax.fill_between(seconds, one - error, one + error, color=colour, alpha=0.2, linewidth=0)
        ax.plot(seconds, one, color=colour, label=as_text(name))
    least, most = float(np.nanmin(mean - stderr)), float(np.nanmax(mean + stderr))
    # a small change of a large mean would be a line without its foot
    ax.set_ylim(bottom=min(0.0, least) if least < 0.6 * most else least - 0.1 * (most - least))
    ax.yaxis.set_major_locator(MaxNLocator(5))
    ax.set_xlabel("seconds since the trial began")
    ax.set_ylabel("mean of the hidden unit")
    columns = 2 if len(levels) > 3 else 1
    ax.legend(loc="upper left", bbox_to_anchor=(0.0, 1.02), ncols=columns)
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.11 * (high - low) * -(-len(levels) // columns))


@figure(WIDE)
def tuning_curves(ax: Axes, centres: Floats, curves: Mapping[str, Floats], label: str) -> None:
    """Draw the mean of assemblies at each eighth of a covariate.

    Parameters
    ----------
    centres
        (piece,) mean of the covariate there.
    curves
        Name of an assembly to its (piece,) mean; at most six are drawn.
    label
        Words of the axis.
    ax
        Axes to draw on.
    """
    for (name, curve), colour in zip(list(curves.items())[:_MOST_CURVES], CATEGORIES, strict=False):
        ax.plot(centres, curve, "o-", markersize=3, color=colour, label=as_text(name))
    ax.set_xlabel(as_text(label))
    ax.set_ylabel("mean of the hidden unit")
    ax.xaxis.set_major_locator(MaxNLocator(5))
    if curves:
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


@figure((5.0, 2.9))
def decoding_scores(
    ax: Axes,
    names: Sequence[str],
    scores: Mapping[str, Sequence[tuple[float, float, float, float]]],
    label: str,
) -> None:
    """Draw how well hidden units, neurons and components tell behaviour, beside chance.

    Parameters
    ----------
    names
        (name,) what is told.
    scores
        "hidden", "neurons" or "components" to score, standard error, mean and 95th percentile of
        chance, for each name.
    label
        Words of the axis.
    ax
        Axes to draw on.
    """
    height = 0.8 / max(len(scores), 1)
    top = len(names) - 1
    for number, (kind, rows) in enumerate(scores.items()):
        words, colour = _UNITS.get(kind, (kind, MUTED))
        places = top - np.arange(len(names)) + 0.4 - (number + 0.5) * height
        value, error, mean, high = np.array(rows, dtype=np.float64).reshape(-1, 4).T
        bars = ax.barh(places, value, xerr=error, height=0.86 * height, color=colour, alpha=0.85,
                       label=words, error_kw={"elinewidth": 1.0, "ecolor": INK})  # fmt: skip
        at = {"kind": "bar", "y": top - np.arange(len(names))}
        tell(bars, series=words, x=value, x_low=value - error, x_high=value + error, **at)
        tell_chance = {"series": f"{words}, chance", "x": mean, "x_high": high, **at}
        chance = "chance: mean and 95 %" if number == 0 else None
        for row, place in enumerate(places):
            low = place - 0.3 * height
            line, = ax.plot([mean[row], high[row]], [low, low], color=INK, linewidth=2.6,
                            alpha=0.55, solid_capstyle="butt",
                            label=chance if row == 0 else None)  # fmt: skip
            tell(line, **(tell_chance if row == 0 else {}))
            ax.plot([mean[row]] * 2, [low - 0.12 * height, low + 0.12 * height], color=INK,
                    linewidth=1.1)  # fmt: skip
    ax.set_yticks(top - np.arange(len(names)), [as_text(name) for name in names])
    ax.tick_params(axis="y", length=0)
    ax.axvline(0, color=INK, linewidth=0.7)
    ax.grid(axis="x", color=MUTED, alpha=0.15, linewidth=0.6)
    ax.set_xlabel(label)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


@figure((4.6, 3.4))
def tuned_regions(
    ax: Axes, regions: Sequence[str], shares: Mapping[str, Floats], label: str
) -> None:
    """Draw which share of each region is tuned to each name.

    Parameters
    ----------
    regions
        (region,) words of each.
    shares
        Name to (region,).
    label
        Words of the axis.
    ax
        Axes to draw on.
    """
    names = list(shares)[: len(CATEGORIES)]
    height = 0.8 / max(len(names), 1)
    places = np.arange(len(regions))[::-1].astype(np.float64)
    for number, name in enumerate(names):
        bars = ax.barh(places + 0.4 - (number + 0.5) * height, shares[name], height=0.9 * height,
                       color=CATEGORIES[number], label=as_text(name))  # fmt: skip
        tell(bars, series=name, kind="bar", x=shares[name], y=places)
    ax.set_yticks(places, [as_text(name) for name in regions])
    ax.tick_params(axis="y", length=0, labelsize=text_size(8 if len(regions) <= 20 else 5.5))
    ax.grid(axis="x", color=FAINT, linewidth=0.6)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g}%"))
    ax.set_xlabel(label)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


@figure((4.6, 2.6))
def explained_shares(
    ax: Axes, names: Sequence[str], alone: Floats, unique: Floats, together: Floats
) -> None:
    """Draw what each name explains of the assemblies, alone and beyond the others.

    Parameters
    ----------
    names
        (name,) what explains.
    alone, unique
        (name, assembly) shares of variance.
    together
        (assembly,) explained by all.
    ax
        Axes to draw on.
    """
    places = np.arange(len(names), 0, -1).astype(np.float64)
    for table, colour, shift, words in (
        (alone, TRAIN, 0.17, "alone"), (unique, GENERATED, -0.17, "lost without it"),
    ):  # fmt: skip
        middle = np.median(table, axis=1)
        low, high = np.quantile(table, (0.05, 0.95), axis=1)
        tell(ax.hlines(places + shift, low, high, color=colour, linewidth=1.1))
        dots = ax.plot(middle, places + shift, "o", color=colour, label=words)[0]
        tell(dots, series=words, kind="point", x=middle, x_low=low, x_high=high, y=places)
    low, middle, high = np.quantile(together, (0.05, 0.5, 0.95))
    tell(ax.hlines(0, low, high, color=INK, linewidth=1.1))
    dot = ax.plot(middle, 0, "o", color=INK)[0]
    tell(dot, series="all together", kind="point", x=[middle], x_low=low, x_high=high, y=0.0)
    ax.set_yticks([*places, 0.0], [*(as_text(name) for name in names), "all together"])
    ax.tick_params(axis="y", length=0)
    ax.axvline(0, color=MUTED, linewidth=0.7, linestyle=":")
    ax.set_xlabel("share of the variance of an assembly (median, 5 to 95 %)")
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    ax.set_xlim(left=max(ax.get_xlim()[0], -0.5))
