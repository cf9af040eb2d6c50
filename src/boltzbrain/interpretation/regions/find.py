"""The region maps of a model as they are kept in interpretation.h5."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from boltzbrain.data.regions import Regions
from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.progress import Teller
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.choices import Choices
from boltzbrain.interpretation.couplings.low_rank import Couplings
from boltzbrain.interpretation.file import Entries, Entry, map_entries
from boltzbrain.interpretation.marginal import Floats
from boltzbrain.interpretation.references import States
from boltzbrain.interpretation.regions.functional import (
    correlation,
    covariance,
    graphical_lasso,
    pairwise,
)
from boltzbrain.interpretation.regions.maps import (
    Distribution,
    large_regions,
    log_normality,
    region_distributions,
    region_maps,
)
from boltzbrain.interpretation.regions.significance import STATISTICS, LabelTest, label_test

_TITLES = {
    "uniform": ("Ising couplings J_ij, uniform reference,", "nats"),
    "data": ("Ising couplings J_ij, data reference,", "nats"),
    "covariance": ("covariances over training bins", "1"),
    "correlation": ("correlations over training bins", "1"),
    "ising": ("couplings of the pairwise model, by pseudo-likelihood,", "nats"),
    "graphical_lasso": ("partial correlations by the graphical lasso", "1"),
}


def find_region_maps(
    pairs: Mapping[str, Couplings],
    spread: Floats | None,
    regions: Regions,
    states: States,
    choices: Choices,
    generator: Generator,
    tell: Teller,
) -> tuple[Entries, dict[str, Any], dict[str, str]]:
    """Return the maps, their summary, and why figures are missing.

    Parameters
    ----------
    pairs
        Couplings by reference.
    spread
        R of all pairs under the uniform reference, if known.
    regions
        Membership.
    states
        (bin, neuron) training bins.
    choices, generator, tell
        As in `couplings.find.find_couplings`.
    """
    kept = large_regions(regions, choices.min_neurons)
    if len(kept) == 0:
        return {}, {}, {"regions": f"no region has {choices.min_neurons} neurons"}
    entries: Entries = {}
    matrices: dict[str, Couplings] = dict(pairs)
    dense = all(isinstance(one, np.ndarray) for one in pairs.values())
    if dense:
        together = covariance(states)
        matrices |= {"covariance": together, "correlation": correlation(states, together)}
    reasons: dict[str, str] = {}
    if choices.pairwise:
        fitting = tell.phase("models of pairs")
        for name, fit in (("ising", pairwise), ("graphical_lasso", graphical_lasso)):
            fitting(int(name == "graphical_lasso"), 2)
            try:
                matrices[name] = fit(states)
            except InputError as error:
                reasons[f"regions.{name}"] = str(error)
        fitting(2, 2)
    total = len(matrices) + 1
    tell = tell.phase("regions")
    summary: dict[str, Any] = {}
    for number, (name, matrix) in enumerate(matrices.items()):
        tell(number, total)
        maps = region_maps(matrix, regions, min_neurons=choices.min_neurons)
        if name == "uniform":
            entries["regions/names"] = Entry(np.array(maps.names, dtype=object), "(region,) names")
            entries["regions/counts"] = Entry(maps.counts, "(region,) neurons")
            entries["regions/pairs"] = Entry(
                maps.pairs, "(region, region) ordered pairs of different neurons"
            )
            try:
                summary["log_normality"] = asdict(log_normality(maps.l1))
            except InputError as error:
                reasons["regions.log_normality"] = str(error)
        entries.update(map_entries(maps, name, *_TITLES[name]))
    tell(total - 1, total)
    summary["distributions"] = {
        name: [_plain(one) for one in region_distributions(
            matrix, regions, min_neurons=choices.min_neurons
        )]
        for name, matrix in (("J", pairs["uniform"]), ("R", spread))
        if matrix is not None
    }  # fmt: skip
    summary["label_tests"] = {}
    for name in pairs if dense else ():
        try:
            summary["label_tests"][name] = {
                statistic: _test(
                    label_test(
                        np.asarray(pairs[name]), regions, generator.child("labels", statistic),
                        statistic=statistic, shuffles=choices.shuffles,
                    )
                )
                for statistic in STATISTICS
            }  # fmt: skip
        except InputError as error:
            reasons["regions.label_tests"] = str(error)
    if not dense:
        reasons["regions.label_tests"] = "the couplings are kept in factors"
    tell(total, total)
    return entries, summary, reasons


def _plain(one: Distribution) -> dict[str, Any]:
    """Return a distribution without its histogram."""
    return {name: value for name, value in vars(one).items() if name not in ("edges", "counts")}


def _test(one: LabelTest) -> dict[str, Any]:
    return {name: value for name, value in vars(one).items() if name != "null"}
