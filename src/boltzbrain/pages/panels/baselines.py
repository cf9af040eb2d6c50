"""The section of the page that asks whether something simpler would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.regions import Regions
from boltzbrain.foundations.random import Generator
from boltzbrain.foundations.showing.numbers import with_error
from boltzbrain.foundations.units import participation_ratio
from boltzbrain.interpretation.assemblies.membership import (
    effective_regions,
    embedding,
    region_occupancy,
)
from boltzbrain.interpretation.regions.maps import large_regions
from boltzbrain.pages import figures
from boltzbrain.pages.page import PageData
from boltzbrain.pages.panels.panel import Panel, draw
from boltzbrain.pages.verdicts import baselines as verdicts
from boltzbrain.pages.verdicts.verdict import Verdict, figure_at, reason_at

Floats = NDArray[np.float64]

_LEAST_NEURONS = 5
"""Regions of fewer neurons are left out of the occupancy."""


@dataclass(frozen=True)
class Section:
    """Scores of all models.

    Attributes
    ----------
    verdicts
        Heading and judgement, of the likelihood and of the conditional score, and of each model
        whose log Z is doubtful.
    heads, rows
        The table, as text.
    fits
        Name of a model, and how it was fitted, in words.
    panels
        Figures.
    """

    verdicts: Sequence[tuple[str, Verdict]]
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    fits: Sequence[tuple[str, str]]
    panels: Sequence[Panel]


def section(page: PageData) -> Section | None:
    """Return the section, or None where `evaluate` fitted no baselines."""
    found = page.evaluation.get("baselines")
    if not found:
        return None
    found = verdicts.without_time(found)
    scores = _scores(found)
    panels = [scores] if scores.images else []
    weights = {found[name]["title"]: one for name, one in page.assemblies.items() if name in found}
    if len(weights) > 1:
        panels.append(_tails(weights))
        panels.append(_embedding(weights))
        occupancy = None if page.atlas is None else _occupancy(weights, page.atlas)
        panels += [] if occupancy is None else [occupancy]
    doubts = [
        (f"Log-partition function of {one['title']}", verdict)
        for one in found.values()
        if (verdict := verdicts.doubted(one)) is not None
    ]
    return Section(
        [("Likelihood", verdicts.winner(found, "gain")), ("A neuron given all others",
                                                 verdicts.winner(found, "conditional")), *doubts],
        ("model", "gain (nats per bin)", "bits per spike", "given the others (bits per spike)",
         "RBM less this (nats)", "reconstruction", "covariances", "triplets"),
        [_row(one) for one in found.values()],
        [
            (one["title"], _fit(one["fit"]) + _missing(page.evaluation, name))
            for name, one in found.items()
        ],
        panels,
    )  # fmt: skip


def _with_error(value: float | None, error: float | None, digits: int, sign: str = "") -> str:
    return "—" if value is None else with_error(value, error, digits, sign)


def _row(one: Mapping[str, Any]) -> list[str]:
    gain, conditional = one["gain"], one["conditional"]
    difference = one.get("rbm_minus_this", {}).get("gain", {"value": None, "stderr": None})
    statistics = one["statistics"]
    mark = "≥ " if gain["kind"] == "lower bound" else ""
    beside = "" if verdicts.doubted(one) is None else " (doubtful)"
    return [
        one["title"],
        mark + _with_error(gain["value"], verdicts.gain_error(gain), 2, "+") + beside,
        _with_error(one["bits_per_spike"], None, 3),
        _with_error(conditional["bits_per_spike"], conditional["stderr"], 3),
        _with_error(difference["value"], difference["stderr"], 2, "+"),
        _with_error(one["reconstruction"]["median_nllh"], None, 3),
        _with_error(statistics["covariances_pearson"], None, 3),
        _with_error(statistics["triplets_most_active_pearson"], None, 3),
    ]


def _fit(fit: Mapping[str, Any]) -> str:
    chosen = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in
                       fit["chosen"].items())  # fmt: skip
    words = f"{fit['optimiser']}; {fit['updates']} updates or evaluations, {fit['seconds']:.0f} s"
    if chosen:
        words += f"; chosen: {chosen}"
    if fit["grid"]:
        names = [name for name in fit["grid"][0] if name != "score"]
        tried = {name: sorted({row[name] for row in fit["grid"] if name in row}) for name in names}
        words += "; tried " + ", ".join(
            f"{name.replace('_', ' ')} {', '.join(f'{value:g}' for value in values)}"
            for name, values in tried.items()
        )
        words += f", judged by {fit['judged_by']}"
    if fit.get("grid_edge"):
        words += "; the best lies at the edge of what was tried, so a better one may lie beyond"
    return f"{words}."


def _missing(evaluation: Mapping[str, Any], name: str) -> str:
    """Return why no model came of a baseline, or nothing."""
    path = f"baselines.{name}.conditional.bits_per_spike"
    return "" if figure_at(evaluation, path) is not None else reason_at(evaluation, path)


def _scores(found: Mapping[str, Any]) -> Panel:
    gains = [
        (one["title"], one["gain"]["value"], verdicts.gain_error(one["gain"]),
         one["gain"]["kind"] == "lower bound")
        for one in found.values()
        if one["gain"]["value"] is not None
    ]  # fmt: skip
    conditional = [
        (one["title"], one["conditional"]["bits_per_spike"], one["conditional"]["stderr"], False)
        for one in found.values()
        if one["conditional"]["bits_per_spike"] is not None
    ]
    images = [
        draw(figures.baseline_scores.later(rows, label), words, heading)
        for rows, label, words, heading in (
            (gains, "gain (nats per test bin)", "Gain of every model", "likelihood of a bin"),
            (conditional, "bits per spike given the others", "Conditional score of every model",
             "a neuron given all others"),
        )
        if len(rows) > 1
    ]  # fmt: skip
    return Panel(
        "baseline-scores",
        "Scores side by side",
        "Test bins, over independent neurons; bars are one standard error, clustered, with that of "
        "log Z. An open triangle is a lower bound on the gain of its model. The errors over bins "
        "are shared, as all models see the same bins: the differences above have smaller ones.",
        "The RBM lies to the right of all others.",
        images,
        wide=True,
        verdict=verdicts.who_wins(found),
    )


def _tails(weights: Mapping[str, Floats]) -> Panel:
    shares = {
        name: float(participation_ratio(one.reshape(1, -1))[0]) / one.size
        for name, one in weights.items()
    }
    return Panel(
        "baseline-weights",
        "Tails of the weights",
        "Sizes of all weights (loadings, decoder weights) over their standard deviation.",
        "A tail far above the Gaussian: few strong weights, so assemblies stand out. Non-sparse "
        "models follow the dotted line.",
        [draw(figures.weight_tails.later(weights), "Distribution of weights of every model")],
        verdict=verdicts.weight_tails(shares),
    )


def _embedding(weights: Mapping[str, Floats]) -> Panel:
    strong = np.geomspace(0.2, 5, 25)
    sets, embedded = {}, {}
    for name, one in weights.items():
        falling = -np.sort(-np.abs(one), axis=None)
        counts = np.clip(np.round(strong * len(one)), 1, one.size).astype(np.int64)
        thresholds = np.maximum(falling[counts - 1], np.finfo(np.float64).tiny)
        generator = Generator.from_seed(0, "presentation", "baselines", name)
        found = embedding(one, thresholds, generator, shuffles=5)
        sets[name] = found.fraction, found.shuffled
        at = int(np.argmin(np.abs(strong - 1)))
        embedded[name] = float(found.fraction[at]), float(found.shuffled[at])
    return Panel(
        "baseline-embedding",
        "Neurons in assemblies",
        "Share of neurons with at least one strong weight, less that after all weights were "
        "shuffled, against how many strong weights a neuron has on average.",
        "Above 0: strong weights spread over the neurons more evenly than by chance, so that most "
        "neurons take part. Below 0: few neurons hold them.",
        [draw(figures.embedded_neurons.later(strong, sets), "Embedded neurons of every model")],
        verdict=verdicts.embedded_neurons(embedded),
    )


def _occupancy(weights: Mapping[str, Floats], atlas: Regions) -> Panel | None:
    kept = large_regions(atlas, _LEAST_NEURONS)
    if len(kept) < 2:
        return None
    sets = {}
    for name, one in weights.items():
        used = one[:, np.abs(one).max(axis=0) > 0]
        if used.shape[1]:
            # a neuron counts in every region that it lies in: masks of an atlas overlap
            sets[name] = effective_regions(region_occupancy(used, atlas)[:, kept])
    return Panel(
        "baseline-regions",
        "Regions that assemblies occupy",
        "Effective number of regions of each assembly: participation ratio of its summed weights "
        f"per region and neuron, over the {len(kept)} regions of {_LEAST_NEURONS} neurons or more. "
        "A neuron in several regions counts in each.",
        "Steep rise on the left: assemblies keep to few regions and can be read by anatomy.",
        [draw(figures.occupied_regions.later(sets, len(kept)), "Regions occupied by assemblies")],
        verdict=verdicts.occupied_regions(
            {name: float(np.median(values)) for name, values in sets.items()}, len(kept)
        ),
    )
