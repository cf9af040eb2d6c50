"""Figures of what a model assigns to activity: energies, probabilities, its weights."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray

from boltzbrain.evaluation.calibration import Calibration
from boltzbrain.pages.figures.statistics import COLOURS
from boltzbrain.pages.style import (
    GENERATED,
    INDEPENDENT,
    INK,
    MUTED,
    SMALL,
    TEST,
    figure,
    text_size,
)


def _steps(
    ax: Axes, values: NDArray[np.float64], bins: NDArray[np.float64], colour: str, label: str,
    line: str = "-",
) -> None:  # fmt: skip
    """Draw a histogram as an outline, normalised to 1; of values that all lie outside, none."""
    if not ((values >= bins[0]) & (values <= bins[-1])).any():
        ax.plot([], [], color=colour, linestyle=line, linewidth=1.3, label=label)
        return
    ax.hist(
        values, bins=bins.tolist(), density=True, histtype="step", color=colour, linestyle=line,
        linewidth=1.3, label=label,
    )  # fmt: skip


@figure(SMALL)
def energies(ax: Axes, sets: Mapping[str, NDArray[np.float64]]) -> None:
    """Draw the distribution of the free energy of bins (figure 3f of Bereux et al. 2026).

    Parameters
    ----------
    sets
        Name ("train", "test", "generated") to (bin,) energies in nats.
    ax
        Axes to draw on.
    """
    both = np.concatenate(list(sets.values()))
    low, high = np.quantile(both, [0.001, 0.999])
    bins = np.linspace(low, max(high, low + 1e-9), 41)
    for name in ("train", "test", "generated"):
        if name in sets:
            line = "--" if name == "train" else "-"
            _steps(ax, sets[name], bins, COLOURS[name], name, line)
    ax.xaxis.set_major_locator(MaxNLocator(5 if abs(low) < 10_000 else 3))
    ax.set_xlabel("energy F(v) (nats)")
    ax.set_ylabel("density")
    ax.yaxis.set_major_locator(MaxNLocator(4))
    ax.set_ylim(0, 1.25 * ax.get_ylim()[1])
    ax.legend(loc="upper right")


@figure(SMALL)
def activation_curve(ax: Axes, calibration: Calibration) -> None:
    """Draw P(active | effective field) and the logistic curve (figure 3g of Bereux et al. 2026).

    Parameters
    ----------
    calibration
        Of test bins; the bars are one clustered standard error.
    ax
        Axes to draw on.
    """
    shown = (calibration.observed > 0) & (calibration.observed < 1)
    fields, observed = calibration.fields[shown], calibration.observed[shown]
    error = calibration.stderr[shown]
    # a bar that leaves the interval (0, 1) has no place on this axis
    least = float(np.min(observed, initial=0.5))
    lower = np.minimum(error, observed - least / 3)
    upper = np.minimum(error, (1 - observed) * 0.9)
    line = np.linspace(*_ends(fields), 200)
    ax.plot(line, 1 / (1 + np.exp(-line)), color=INK, linewidth=0.8, label="logistic curve")
    ax.errorbar(
        fields, observed, yerr=np.clip([lower, upper], 0, None), fmt="o", color=TEST,
        markersize=2.8, elinewidth=0.8, label="test bins",
    )  # fmt: skip
    ax.set_yscale("logit")
    ticks = [0.0001, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999]
    ax.yaxis.set_major_locator(FixedLocator(ticks))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_locator(NullLocator())
    low, high = (1 / (1 + np.exp(-end)) for end in _ends(fields))
    ax.set_ylim(low / 2, 1 - (1 - high) / 2)
    ax.set_xlabel("effective field")
    ax.set_ylabel("P(active | effective field)")
    ax.legend(loc="upper left")


def _ends(fields: NDArray[np.float64]) -> tuple[float, float]:
    """Return the ends of the axis of effective fields, with a margin."""
    if not len(fields):
        return -1.0, 1.0
    return float(fields.min()) - 0.3, float(fields.max()) + 0.3


@figure(SMALL)
def reconstruction(
    ax: Axes, rbm: NDArray[np.float64], glm: NDArray[np.float64] | None = None
) -> None:
    """Draw the quality of reconstructed neurons (figure 2H of van der Plas et al. 2023).

    Parameters
    ----------
    rbm
        (neuron,) by the model: 0 as good as a constant rate, 1 perfect.
    glm
        (chosen,) by logistic regression on all other neurons.
    ax
        Axes to draw on.
    """
    sets = [(f"RBM, {len(rbm)} neurons", rbm, GENERATED)]
    if glm is not None and len(glm):
        sets.append((f"GLM, {len(glm)} neurons", glm, INDEPENDENT))
    both = np.concatenate([values for _, values, _ in sets])
    low, high = np.quantile(both, [0.005, 0.995])
    bins = np.linspace(low, max(high, low + 1e-6), 31)
    for name, values, colour in sets:
        _steps(ax, values, bins, colour, f"{name}, median {np.median(values):.3f}")
        # below the legend
        ax.axvline(float(np.median(values)), 0, 0.8, color=colour, linewidth=0.9, linestyle=":")
    ax.axvline(0, 0, 0.8, color=MUTED, linewidth=0.6)
    ax.set_xlabel("normalised log-likelihood of a neuron")
    ax.set_ylabel("density")
    ax.yaxis.set_major_locator(MaxNLocator(4))
    ax.set_ylim(0, 1.35 * ax.get_ylim()[1])
    ax.legend(loc="upper right", fontsize=text_size(7.5))


@figure(SMALL)
def weights(ax: Axes, values: NDArray[np.float64]) -> None:
    """Draw the distribution of the weights on a logarithmic axis, beside a Gaussian of its width.

    Parameters
    ----------
    values
        (neuron, hidden) weights; exact zeros are counted in the legend and left out.
    ax
        Axes to draw on.
    """
    kept = values[values != 0]
    zeros = 1 - len(kept) / values.size
    if not len(kept):
        kept = np.zeros(1)
    far = max(float(np.abs(kept).max()), 1e-9)
    bins = np.linspace(-far, far, 80)
    label = "weights" if zeros == 0 else f"weights ({zeros:.0%} are exactly 0)"
    counts, _ = np.histogram(kept, bins=bins, density=True)
    _steps(ax, kept, bins, GENERATED, label)
    width = max(float(kept.std()), 1e-9)
    line = np.linspace(-far, far, 300)
    ax.plot(
        line, np.exp(-((line / width) ** 2) / 2) / width / np.sqrt(2 * np.pi), ":", color=MUTED,
        linewidth=1, label="Gaussian of the same width",
    )  # fmt: skip
    ax.set_yscale("log")
    seen = counts[counts > 0]
    ax.set_ylim(seen.min() / 2, seen.max() * 20)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.set_xlabel("weight")
    ax.set_ylabel("density")
    ax.legend(loc="upper right", fontsize=text_size(7.5))


@figure(SMALL)
def strongest_weights(
    ax: Axes, strongest: NDArray[np.float64], shuffled: NDArray[np.float64]
) -> None:
    """Draw each neuron's strongest weight, beside that in a shuffled weight matrix.

    After figure 2J of van der Plas et al. 2023: do few neurons hold all strong weights, or is every
    neuron tied to some hidden unit?

    Parameters
    ----------
    strongest
        (neuron,) largest |weight|.
    shuffled
        (neuron,) the same where the entries of the matrix were permuted.
    ax
        Axes to draw on.
    """
    both = np.concatenate((strongest, shuffled))
    bins = np.linspace(0, max(float(both.max()), 1e-9), 41)
    _steps(ax, strongest, bins, GENERATED, "model")
    _steps(ax, shuffled, bins, MUTED, "shuffled weights", "--")
    ax.set_xlabel("strongest |weight| of a neuron")
    ax.set_ylabel("density")
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.yaxis.set_major_locator(MaxNLocator(4))
    ax.set_ylim(0, 1.25 * ax.get_ylim()[1])
    ax.legend(loc="upper right")


_LONG_TAIL = 12
"""Strong weights of one neuron from which on the shares are logarithmic."""


@figure(SMALL)
def strong_weights(
    ax: Axes, counts: NDArray[np.int64], shuffled: NDArray[np.int64], threshold: float
) -> None:
    """Draw how many strong weights a neuron has, beside a shuffled weight matrix.

    Figure 2J of van der Plas et al. 2023: the threshold leaves one strong weight per neuron on
    average.

    Parameters
    ----------
    counts
        (neuron,) weights above the threshold in absolute value.
    shuffled
        (neuron,) the same where the entries of the matrix were permuted.
    threshold
        The threshold.
    ax
        Axes to draw on.
    """
    most = int(max(counts.max(initial=0), shuffled.max(initial=0)))
    place = np.arange(most + 2) - 0.5
    least = 1.0
    for values, colour, name, line in (
        (counts, GENERATED, "model", "-"),
        (shuffled, MUTED, "shuffled weights", "--"),
    ):
        share = np.bincount(values, minlength=most + 1) / max(len(values), 1)
        least = min(least, float(share[share > 0].min(initial=1.0)))
        ax.stairs(share, place, color=colour, linestyle=line, linewidth=1.3, label=name)
    ax.set_xlim(-0.5, most + 0.5)
    if most > _LONG_TAIL:
        # a few neurons with very many would hardly be seen
        ax.set_yscale("log")
        ax.set_ylim(least / 2, 8)
    else:
        ax.set_ylim(0, 1.3 * ax.get_ylim()[1])
        ax.yaxis.set_major_locator(MaxNLocator(4))
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.set_xlabel(f"weights of a neuron beyond {threshold:.2g}")
    ax.set_ylabel("share of neurons")
    ax.legend(loc="upper right")
