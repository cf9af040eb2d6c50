"""Panels of the training, and of generated beside recorded activity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from boltzbrain.evaluation.bins import BinSet
from boltzbrain.evaluation.statistics.agreement import Comparison
from boltzbrain.evaluation.statistics.kept import kept_density
from boltzbrain.evaluation.statistics.population import independent_distribution
from boltzbrain.pages import figures
from boltzbrain.pages.figures.rasters import DRAWS, region_order
from boltzbrain.pages.page import PageData
from boltzbrain.pages.panels.panel import Panel, check_panel, draw
from boltzbrain.pages.style import GENERATED, TEST, Drawing

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
    drawn = (
        "Each sample is drawn given the recorded context of a training bin, in their order."
        if page.in_context
        else "The samples are independent draws, so their columns have no order in time."
    )
    columns = "training bin, given its context" if page.in_context else DRAWS
    made = figures.raster.later(
        generated[:bins][:, order], names, None, colour=GENERATED, columns=columns
    )
    return Panel(
        "rasters",
        "Recorded and generated activity",
        f"{bins} bins of the recording and {bins} samples of the model, neurons in the same order, "
        f"by region and then by rate. Thin lines separate segments. {drawn}",
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
    kinds = ["generated", "train"] if reference.name == "test" else ["generated"]
    found = page.details
    rates = {
        kind: Comparison(found[f"rates/{reference.name}"], found[f"rates/{kind}"]) for kind in kinds
    }
    drawn = {
        kind: figures.rates.later(rates[kind], kind, reference=reference.name) for kind in kinds
    }
    result = [_compared("rates", drawn, reference.name)]
    for name in ("covariances", "triplets_most_active"):
        drawn = {}
        for kind in kinds:
            one = kept_density(found, name, kind, _told(page, name, kind, reference.name))
            if one is not None:
                draws = figures.covariances if name == "covariances" else figures.triplets
                drawn[kind] = draws.later(one, kind, reference=reference.name)
        if drawn:
            result.append(_compared(name, drawn, reference.name))
    return result


def _told(page: PageData, name: str, kind: str, reference: str) -> Mapping[str, Any]:
    """Return what the evaluation tells of a comparison."""
    told = page.evaluation["statistics"]
    if reference == "train":
        told = told["generated_vs_train"]
    elif kind == "train":
        told = told["ceiling"]
    found: Mapping[str, Any] = told.get(name) or {}
    return found


def _compared(name: str, drawn: Mapping[str, Drawing], reference: str) -> Panel:
    words = name.replace("_", " ")
    images = [draw(one, f"{words}, {kind} against {reference}") for kind, one in drawn.items()]
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
            f"two million pairs); the shade counts pairs, few are dots. {against} Both have the "
            "same axes, which leave out the outermost 0.1% of values.",
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
    found = page.details
    distributions = {
        name: found[f"counts/{name}"]
        for name in ("train", "test", "generated")
        if f"counts/{name}" in found
    }
    longest = max(len(one) for one in distributions.values()) - 1
    distributions["independent"] = independent_distribution(found["rates/train"], longest)
    band = (found["counts/low"], found["counts/high"]) if "counts/low" in found else None
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
    recorded, generated, fractions = (
        page.details[f"projection/{name}"] for name in ("recorded", "generated", "fractions")
    )
    drawn = figures.principal_components.later(
        recorded, generated, fractions, reference=reference.name
    )
    return check_panel(
        "projection",
        "Bins along the two directions in which the training fold varies most, and the "
        "distribution along each.",
        "The two clouds cover the same places equally densely, clusters included.",
        [draw(drawn, "Projection on the first two principal axes")],
    )
