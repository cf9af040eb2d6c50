"""Figures of distributions over bins: the population count and the principal axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from boltzbrain.pages.figures.statistics import COLOURS
from boltzbrain.pages.style import SMALL, TEST, figure, tell


@figure(SMALL)
def population_count(
    ax: Axes,
    distributions: Mapping[str, NDArray[np.float64]],
    band: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
) -> None:
    """Draw P(K), the distribution of the number of neurons active in one bin.

    Parameters
    ----------
    distributions
        Name ("test", "generated", "train", "independent") to P(K), (K from 0,).
    band
        Lower and upper edge of the sampling error of the test fold, (K from 0,) each.
    ax
        Axes to draw on.
    """
    order = [
        name for name in ("independent", "train", "test", "generated") if name in distributions
    ]
    lines = {"independent": ":", "train": "--"}
    width = _count_bin([distributions[name] for name in order if name != "independent"])
    smallest, near, far = 1.0, np.inf, 0.0
    for name in order:
        middle, p = _coarse(distributions[name], width)
        ax.plot(
            middle, np.where(p > 0, p, np.nan), lines.get(name, "-"), color=COLOURS[name],
            linewidth=1.3, label=name,
        )  # fmt: skip
        if name != "independent":
            smallest = min(smallest, float(p.min(where=p > 0, initial=1.0)))
            far = max(far, float(middle[p > 0].max(initial=0.0)))
            near = min(near, float(middle[p > 0].min(initial=far)))
    if band is not None:
        middle, lower = _coarse(band[0], width)
        _, upper = _coarse(band[1], width)
        ax.fill_between(
            middle, np.maximum(lower, smallest / 10), upper, color=TEST, alpha=0.2, linewidth=0
        )
    ax.set_yscale("log")
    ax.set_ylim(smallest / 2, 15 * max(float(p.max()) for p in distributions.values()))
    ax.set_xlim(near - width if near > 0.25 * far else 0, 1.04 * far + width)
    ax.set_xlabel("neurons active in one bin, K")
    ax.set_ylabel("P(K)")
    ax.legend(loc="upper center", ncols=2)


def _count_bin(distributions: list[NDArray[np.float64]]) -> int:
    """Return how many K to average over, so that about 40 points span the distributions."""
    span = max(np.ptp(np.flatnonzero(p > 0)) if (p > 0).any() else 0 for p in distributions)
    return max(1, round(float(span) / 40))


def _coarse(p: NDArray[np.float64], width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the middles of runs of `width` values of K, and the mean of P(K) over each."""
    padded = np.pad(p, (0, -len(p) % width)).reshape(-1, width)
    middle = np.arange(len(padded), dtype=np.float64) * width + (width - 1) / 2
    return middle, padded.mean(axis=1)


@figure((3.4, 3.2))
def principal_components(
    ax: Axes,
    recorded: NDArray[np.float64],
    generated: NDArray[np.float64],
    fractions: NDArray[np.float64],
    *,
    reference: str = "test",
) -> None:
    """Draw activity along the first two principal axes of the training fold, with its marginals.

    Parameters
    ----------
    recorded, generated
        (bin, 2) coordinates.
    fractions
        (2,) share of the total variance along each axis.
    reference
        Which fold the recorded bins come from.
    ax
        Axes to draw on.
    """
    sets = [(reference, recorded), ("generated", generated)]
    most = max(1, min(len(recorded), len(generated), 3000))
    for name, points in sets:
        some = points[np.linspace(0, len(points) - 1, most).round().astype(int)]
        drawn = ax.scatter(
            some[:, 0], some[:, 1], s=4, c=COLOURS[name], alpha=0.4, linewidths=0, label=name,
            rasterized=True,
        )  # fmt: skip
        tell(drawn, series=name, kind="point", x=points[:, 0], y=points[:, 1])
    top = ax.inset_axes((0, 1.02, 1, 0.16), sharex=ax)
    side = ax.inset_axes((1.02, 0, 0.16, 1), sharey=ax)
    directions: tuple[Literal["vertical", "horizontal"], ...] = ("vertical", "horizontal")
    for axis, (other, direction) in enumerate(zip((top, side), directions, strict=True)):
        both = np.concatenate([points[:, axis] for _, points in sets])
        bins = np.linspace(both.min(), both.max() + 1e-9, 41).tolist()
        for name, points in sets:
            other.hist(
                points[:, axis], bins=bins, density=True, histtype="step", color=COLOURS[name],
                orientation=direction, linewidth=1,
            )  # fmt: skip
        other.axis("off")
    for line in (ax.xaxis, ax.yaxis):
        line.set_major_locator(MaxNLocator(5))
    ax.set_xlabel(f"first axis ({fractions[0]:.1%} of the variance)")
    ax.set_ylabel(f"second axis ({fractions[1]:.1%})")
    ax.legend(loc="upper right", markerscale=2.5, handletextpad=0.1)
