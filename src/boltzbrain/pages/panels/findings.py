"""The figures of interpretation.h5 on the page: couplings, regions, assemblies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from boltzbrain.foundations.showing.numbers import digits_of, number
from boltzbrain.interpretation.couplings.low_rank import LowRank
from boltzbrain.interpretation.file import Interpretation
from boltzbrain.pages import figures
from boltzbrain.pages.figures.couplings import Floats, clustered
from boltzbrain.pages.panels.panel import Image, draw

REGIONS_SHOWN = 12
"""Regions with a histogram, the largest."""


@dataclass(frozen=True)
class Finding:
    """One figure of the reading.

    Attributes
    ----------
    name, title, caption
        Anchor, heading, what is shown.
    found
        What it shows here, with figures.
    images
        One or more figures.
    wide
        Whether it takes the whole width.
    """

    name: str
    title: str
    caption: str
    found: str
    images: Sequence[Image]
    wide: bool = False


def coupling_findings(found: Interpretation, chosen_update: int) -> list[Finding]:
    """Return the figures of fields, pairs, triplets and norms."""
    summary = found.summary["couplings"]
    fields = {name: found[_at(name, "fields")] for name in ("uniform", "data")}
    pairs = {name: _some_pairs(found, name) for name in ("uniform", "data")}
    images = [
        draw(figures.coupling_histogram.later(fields, "field H (nats)"),
             "Histogram of fields", "fields"),
        draw(figures.coupling_histogram.later(pairs, "coupling J of a pair (nats)"),
             "Histogram of pair couplings", "pairs"),
    ]  # fmt: skip
    told = []
    changed = summary.get("strong_pairs_that_change_sign")
    if changed is not None:
        share = f"{changed:.0%}" if changed else "none"
        told.append(
            f"Of the {summary['strong_pairs']} strongest pairs, {share} change sign between the "
            "two references."
        )
    triplets = ""
    if "couplings/triplets/values" in found:
        values = {"uniform": found["couplings/triplets/values"]}
        if _matters(values["uniform"], pairs["uniform"]):
            triplets = ", and of triplets drawn at random"
            images.append(
                draw(figures.coupling_histogram.later(values, "coupling J of a triplet (nats)"),
                     "Histogram of triplet couplings", "triplets")
            )  # fmt: skip
        else:
            told.append("Couplings of triplets are below a thousandth of those of pairs.")
    norms = {name: found[f"couplings/norms/{name}"] for name in
             ("update", "fields", "pairs", "triplets", "triplets_stderr")}  # fmt: skip
    last = summary["norms"]
    of_triplets = f"{last['triplets']:.2g}"
    if last["triplets"] < _SEEN * last["pairs"]:
        of_triplets = f"below {_SEEN * last['pairs']:.1g}"
    explained = ""
    if last["explained"] is not None:
        share = f"{last['explained']:.0%}"
        more = " (more than 100% is sampling error)" if last["explained"] >= 1.005 else ""
        explained = (
            f" Orders 1 to 3 explain {share} of the variance of log P over uniform states{more}."
        )
    return [
        Finding(
            "coupling-histograms",
            "Effective fields and couplings",
            "Coefficients of log P in spins of −1 and +1 (Ising convention), on a logarithmic "
            f"axis: of single neurons{', and' if not triplets else ','} of pairs{triplets}. "
            "Uniform: the other neurons are active with probability 1/2, as in the Neuropixels "
            "paper; data: they are as in the training bins, as in the zebrafish paper.",
            " ".join(told),
            images,
            wide=True,
        ),
        Finding(
            "coupling-norms",
            "Couplings along training",
            "Root of the sum of squared couplings of each order, uniform reference; triplets from "
            "a random sample, with their standard error. The dotted line is the chosen update.",
            f"At the chosen update: fields {last['fields']:,.1f}, pairs {last['pairs']:.2g}, "
            f"triplets {of_triplets} nats.{explained}",
            [
                draw(
                    figures.coupling_norms.later(norms, chosen_update),
                    "Norm of couplings per order",
                )
            ],
            wide=True,
        ),
    ]


def _at(reference: str, name: str) -> str:
    return f"couplings/{name}" if reference == "uniform" else f"couplings/{reference}/{name}"


def _some_pairs(found: Interpretation, reference: str, most: int = 2_000_000) -> Floats:
    """Return the couplings of all pairs, or of evenly spread rows where there are too many."""
    pairs = found.pairs(reference)
    if isinstance(pairs, LowRank):
        rows = np.linspace(0, len(pairs) - 1, max(1, most // len(pairs))).round().astype(int)
        parts = [np.delete(pairs.row_block(row, row + 1)[0], row) for row in rows.tolist()]
        return np.concatenate(parts).astype(np.float64)
    return pairs[np.triu_indices(len(pairs), 1)].astype(np.float64)


def region_findings(found: Interpretation) -> list[Finding]:
    """Return the figures of couplings between and within regions, if there are regions."""
    maps = found.maps("uniform")
    if maps is None or len(maps.names) < 2:
        return []
    order = clustered(maps.l1)
    names = [maps.names[number] for number in order.tolist()]
    counts = maps.counts[order]
    images = []
    beside = ""
    if found.maps("correlation") is not None:
        beside = " The correlation of activity stands beside for comparison."
    for of, kind, words in (
        ("uniform", "mean", "mean J, uniform reference"),
        ("uniform", "l1", "mean |J|, uniform reference"),
        ("data", "l1", "mean |J|, data reference"),
        ("correlation", "mean", "mean correlation"),
    ):
        one = found.maps(of)
        if one is not None:
            values, mean = one.of(kind)[np.ix_(order, order)], words.partition(",")[0]
            images.append(
                draw(
                    figures.region_map.later(
                        names, counts, values, words if of == "correlation" else f"{mean} (nats)"
                    ),
                    f"Map of {words}",
                    words,
                )
            )
    summary = found.summary["regions"]
    test = summary["label_tests"].get("uniform", {}).get("l1")
    told = ""
    if test is not None:
        digits = digits_of(min(test["within"], test["between"]), 2) + 1
        within, between = (number(test[name], digits) for name in ("within", "between"))
        told = (
            f"Within regions |J| is {within} nats, between them {between}; with the neurons' "
            f"labels shuffled a difference as large has p = {test['p_value']:.2g}."
        )
    result = [
        Finding(
            "region-map",
            "Couplings between regions",
            "Couplings averaged over pairs of neurons of two regions, a neuron with itself left "
            "out; number of neurons in brackets. Regions stand in the order of a clustering of "
            f"their |J| profiles, the same in every map; each map has a scale of its own.{beside}",
            told,
            images,
            wide=True,
        )
    ]
    return result + _within(found)


def _within(found: Interpretation) -> list[Finding]:
    pairs = found.pairs("uniform")
    if isinstance(pairs, LowRank):
        return []
    told = found.summary["regions"]["distributions"]
    shown = sorted(told["J"], key=lambda one: -one["neurons"])[:REGIONS_SHOWN]
    largest = f" The {len(shown)} largest regions." if len(shown) < len(told["J"]) else ""
    labels = found["neurons/region"]
    spread = found.entries.get("couplings/r_pairs")
    matrices = {"J": pairs}
    of_r, ours = "", "the definition of E/I is ours"
    if spread is not None and _matters(spread.values, pairs):
        matrices["R"] = spread.values
        of_r = (
            " and of R, the standard deviation of a pair's coupling over the states of the other "
            "neurons: how far the pair takes part in interactions of more than two"
        )
        ours = "the definitions of R and E/I are ours"
    images = []
    for letter, matrix in matrices.items():
        words = f"{letter} within the region (nats)"
        of = {one["name"]: one for one in told[letter]}
        sets = {}
        for one in shown:
            mine = np.flatnonzero(labels == one["name"])
            if len(mine) < 3:
                continue
            values = matrix[np.ix_(mine, mine)][np.triu_indices(len(mine), 1)]
            sets[_words(of[one["name"]], letter == "J")] = values.astype(np.float64)
        if sets:
            images.append(
                draw(figures.region_histograms.later(sets, words), f"Histograms of {words}", letter)
            )
    if not images:
        return []
    return [
        Finding(
            "region-histograms",
            "Couplings within each region",
            f"Distribution over pairs of a region (height is the root of the count) of J{of_r}. n: "
            "neurons, γ: skewness, E/I: summed positive over summed negative couplings. These are "
            f"statistical couplings, not synapses, and {ours}.{largest}",
            "" if spread is None or "R" in matrices else _NO_R,
            images,
            wide=True,
        )
    ]


_SEEN = 1e-3
"""Share of the couplings of pairs below which others cannot be seen beside them."""
_NO_R = (
    "The couplings hardly depend on the states of the other neurons (R below a thousandth of |J|): "
    "all interactions are of two."
)


def _matters(spread: Floats, pairs: Floats) -> bool:
    """Return whether R is of a size to be seen beside J."""
    sizes = [float(np.quantile(np.abs(np.asarray(one)), 0.99)) for one in (spread, pairs)]
    return sizes[0] > _SEEN * sizes[1]


def _words(one: dict[str, Any], ratio: bool) -> str:
    skew = "" if one["skewness"] is None else f", γ = {one['skewness']:.2f}"
    balance = one["strength_ratio"]
    told = f", E/I = {balance:.2f}" if ratio and balance is not None else ""
    return f"{one['name']} (n = {one['neurons']}{skew}{told})"


def in_space(found: Interpretation) -> Finding | None:
    """Return the figure of neurons at their places, or None where two positions are not known."""
    known = found["neurons/positioned"].astype(bool)
    if known.sum() < 2:
        return None
    xyz, strongest = found["neurons/xyz_um"], found["neurons/strongest_assembly"]
    first, second = np.sort(np.argsort(-np.ptp(xyz, axis=0), kind="stable")[:2])
    drawn = figures.neuron_colours.later(
        xyz[:, [first, second]], strongest[known], ("xyz"[first], "xyz"[second])
    )
    words = "Neurons at their places, in the colour of the assembly that each is tied to most"
    return Finding(
        "in-space", "Assemblies in space", f"{words} (grey: none).", "", [draw(drawn, words)]
    )


def assembly_findings(found: Interpretation) -> list[Finding]:
    """Return the figures of members of assemblies and of the neurons that have one."""
    summary = found.summary["assemblies"]
    thresholds, fraction, shuffled, deviation = (
        found[f"assemblies/embedding/{name}"]
        for name in ("thresholds", "fraction", "shuffled", "shuffled_deviation")
    )
    levels = found["assemblies/threshold"]
    shared = len(levels) > 0 and bool((levels == levels[0]).all() and levels[0] > 0)
    curve = figures.embedding_curve.later(
        thresholds, fraction, shuffled, deviation, chosen=float(levels[0]) if shared else None
    )
    images = [draw(curve, "Neurons with a strong weight", "embedded")]
    strongest = found["neurons/strongest_assembly"]
    labels = found["neurons/region"]
    names = [name for name in sorted(set(labels.tolist())) if name and (labels == name).sum() >= 2]
    units = found["assemblies/weights"].shape[1]
    several = len(names) > 1
    if several:
        order = found["assemblies/order"]
        share = np.stack(
            [
                np.bincount(strongest[(labels == name) & (strongest >= 0)], minlength=units)[order]
                / (labels == name).sum()
                for name in names
            ]
        )
        images.append(
            draw(figures.region_assemblies.later(names[:60], share[:60]),
                 "Strongest assembly per region", "strongest assembly by region")
        )  # fmt: skip
    return [
        Finding(
            "assemblies",
            "Assemblies",
            "Every hidden unit with the neurons that are strongly connected to it. Embedded: how "
            "many neurons have a strong weight, against what counts as strong, beside shuffled "
            "weights."
            + (
                " By region: to which assembly the neurons of each are tied most strongly."
                if several
                else ""
            ),
            f"{summary['embedded']:.0%} of the neurons belong to an assembly (rule: "
            f"{summary['rule'].replace('_', ' ')}). Members of the median assembly: "
            f"{summary['median_size']:.0f}.",
            images,
            wide=True,
        )
    ]
