"""Panels of the training, and of generated beside recorded activity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from boltzbrain.evaluation.bins import BinSet
from boltzbrain.evaluation.statistics.agreement import Comparison
from boltzbrain.evaluation.statistics.compare import statistics_to_compare
from boltzbrain.evaluation.statistics.population import (
    count_band,
    count_distribution,
    independent_distribution,
)
from boltzbrain.evaluation.statistics.projection import principal_axes
from boltzbrain.foundations.random import Generator
from boltzbrain.pages import figures
from boltzbrain.pages.figures.rasters import region_order
from boltzbrain.pages.figures.statistics import shared_limits
from boltzbrain.pages.page import PageData
from boltzbrain.pages.panels.panel import Image, Panel, check_panel, draw
from boltzbrain.pages.style import GENERATED, TEST

RASTER_BINS = 250


@dataclass(frozen=True)
class Reference:
    """What generated activity is compared with: the test fold, or the training fold without one."""

    name: str
    bins: BinSet


def reference_of(page: PageData) -> Reference:
    """Choose the fold to compare with."""
    if len(page.test):
        return Reference("test", page.test)
    return Reference("train", page.train)


def training(page: PageData) -> Panel:
    """Return the training curve."""
    tried = dict(page.plan).get("l1 choices", "none")
    stages = (
        ""
        if tried == "none"
        else f" The first points end stages that try the L1 penalties {tried} one after the other; "
        "the training goes on from the stage that was chosen."
    )
    return check_panel(
        "training",
        "Log-likelihood of a bin along training, on the bins that were trained on (dashed) and on "
        "validation bins (solid, with its standard error). The star is the update whose model is "
        f"used here. The test bins had no part in this.{stages}",
        "The validation curve climbs well above the dotted line of independent neurons and has "
        "flattened or turned by the end.",
        [draw(figures.training_curve.later(page.log, page.chosen_update), "Training curve")],
        wide=True,
    )


def rasters(page: PageData, reference: Reference) -> Panel:
    """Return a raster of recorded and one of generated activity."""
    recorded, generated = reference.bins.states, page.generated.states
    order = region_order(page.regions, recorded.mean(axis=0))
    names = [page.regions[one] for one in order.tolist()]
    bins = min(RASTER_BINS, len(recorded), len(generated))
    breaks: list[int] = []
    if len(page.test):
        breaks = (np.flatnonzero(np.diff(page.test_segment[:bins])) + 1).tolist()
    real = figures.raster.later(
        recorded[:bins][:, order], names, page.bin_width_s, breaks, colour=TEST
    )
    made = figures.raster.later(generated[:bins][:, order], names, None, colour=GENERATED)
    return Panel(
        "rasters",
        "Recorded and generated activity",
        f"{bins} bins of the recording and {bins} samples of the model, neurons in the same order, "
        "by region and then by rate. Thin lines separate segments. The samples are independent "
        "draws, so their columns have no order in time.",
        "The same neurons are busy, and columns in which many neurons of a region fire together "
        "are as common in the samples as in the recording.",
        [
            draw(real, f"Raster of {bins} recorded bins", "recorded"),
            draw(made, f"Raster of {bins} generated samples", "generated"),
        ],
        wide=True,
    )


_SAME = "Both look alike: the orange {what} lean along the diagonal as much as the grey ones."


def comparisons(page: PageData, reference: Reference) -> list[Panel]:
    """Return rates, covariances and triplets, generated beside training activity."""
    mean = page.train.states.mean(axis=0, dtype=np.float64)
    chosen = {one.name: one for one in statistics_to_compare(mean, 0)}
    wanted = [name for name in ("rates", "covariances", "triplets_most_active") if name in chosen]
    kinds = {"generated": page.generated, "train": page.train}
    if reference.name == "train":
        del kinds["train"]
    result = []
    for name in wanted:
        base = chosen[name].of(reference.bins.packed)
        compared = {
            kind: Comparison(base, chosen[name].of(bins.packed)) for kind, bins in kinds.items()
        }
        result.append(_compared(page, name, compared, reference.name))
    return result


def _compared(page: PageData, name: str, compared: dict[str, Comparison], reference: str) -> Panel:
    limits = shared_limits(*compared.values())
    images: list[Image] = []
    for kind, one in compared.items():
        if name == "rates":
            drawing = figures.rates.later(one, kind, reference=reference)
        elif name == "covariances":
            drawing = figures.covariances.later(one, kind, reference=reference, limits=limits)
        else:
            drawing = figures.triplets.later(one, kind, reference=reference, limits=limits)
        images.append(draw(drawing, f"{name.replace('_', ' ')}, {kind} against {reference}"))
    against = (
        f"Orange: generated against {reference}. Grey: training against test fold, the best that "
        "can be expected."
        if reference == "test"
        else "Generated against training fold."
    )
    texts = {
        "rates": (
            f"Probability that a neuron is active in a bin; one dot per neuron. {against}",
            _SAME.format(what="dots"),
        ),
        "covariances": (
            "Covariance of every pair of neurons (of a uniform sample where there are more than "
            f"two million pairs); the shade counts pairs. {against} Both have the same axes, which "
            "leave out the outermost 0.1% of values.",
            _SAME.format(what="shades")
            + " Their width is mostly the sampling error of the test fold.",
        ),
        "triplets_most_active": (
            "Connected three-body correlation of all triplets among the 60 neurons that are most "
            f"active in training. {against}",
            _SAME.format(what="shades")
            + " Nothing in the training looks at triplets: to have them is to generalise.",
        ),
    }
    return check_panel(name.replace("_", "-"), *texts[name], images, wide=True)


def population_count(page: PageData) -> Panel:
    """Return the distribution of the population count."""
    sets = {"train": page.train, "test": page.test, "generated": page.generated}
    distributions = {name: count_distribution(one.states) for name, one in sets.items() if len(one)}
    longest = max(len(one) for one in distributions.values()) - 1
    rates = page.train.states.mean(axis=0, dtype=np.float64)
    distributions["independent"] = independent_distribution(rates, longest)
    band = None
    if page.test.clusters > 1:
        band = count_band(page.test, Generator.from_seed(0, "presentation", "count band"))
    return check_panel(
        "population-count",
        "How often K neurons are active in the same bin, with the 95% bootstrap band of the test "
        "fold, and the same for independent neurons of the same rates.",
        "The generated curve stays in the band down both flanks, far from the dotted one: bins of "
        "much and of little activity are as frequent as in the recording.",
        [
            draw(
                figures.population_count.later(distributions, band),
                "Distribution of the population count",
            )
        ],
    )


def projection(page: PageData, reference: Reference) -> Panel:
    """Return the projection on the principal axes of the training fold."""
    axes = principal_axes(page.train.states)
    recorded, generated = (axes.project(one.states) for one in (reference.bins, page.generated))
    drawn = figures.principal_components.later(
        recorded, generated, axes.fractions, reference=reference.name
    )
    return check_panel(
        "projection",
        "Bins along the two directions in which the training fold varies most, and the "
        "distribution along each.",
        "The two clouds cover the same places equally densely, clusters included.",
        [draw(drawn, "Projection on the first two principal axes")],
    )
