"""What a reading of the model adds to the page: drawn figures and the data of interactive ones."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from boltzbrain.interpretation.assemblies.assemblies import hidden_activity
from boltzbrain.interpretation.couplings.low_rank import LowRank
from boltzbrain.interpretation.file import Interpretation
from boltzbrain.model.rbm import RBM
from boltzbrain.report import figures
from boltzbrain.report.figures.couplings import Floats, assembly_colours, clustered
from boltzbrain.report.page import PageData
from boltzbrain.report.panels.panel import Image, draw
from boltzbrain.report.panels.tables import reading_tables

MEMBERS, TRACE_BINS, LINES, REGIONS_SHOWN = 60, 300, 300, 12
"""Members listed, bins of activity and couplings drawn in 3-D, regions with a histogram."""

_TRACE_VALUES = 150_000


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


@dataclass(frozen=True)
class Reading:
    """Everything of the page that comes from interpretation.h5.

    Attributes
    ----------
    findings
        The drawn figures.
    data
        JSON for the scripts of the page: neurons, assemblies, strongest couplings, tables.
    tables
        Anchor, heading and explanation of each table.
    positioned
        Whether neurons have positions, so that there is a plot in three dimensions.
    plotly
        The library that draws it, gzip in base64; empty if not needed.
    """

    findings: Sequence[Finding]
    data: Markup
    tables: Sequence[tuple[str, str, str]]
    positioned: bool
    plotly: str


def reading(page: PageData) -> Reading | None:
    """Return what the page shows of a reading; None if the run has not been interpreted."""
    found = page.interpretation
    if found is None or page.model is None:
        return None
    positioned = bool(found["neurons/positioned"].sum() > 1)
    tables = reading_tables(found)
    data = {
        "neurons": _neurons(found),
        "assemblies": _assemblies(found, page, page.model),
        "lines": _lines(found),
        "tables": {name: table.content() for name, table in tables.items()},
    }
    findings = [*_couplings(found, page.chosen_update), *_regions(found), *_members(found)]
    return Reading(
        findings,
        _json(data),
        [(name, table.title, table.words) for name, table in tables.items()],
        positioned,
        _plotly() if positioned else "",
    )


def _plotly() -> str:
    """Return the library as base64 of gzip: two megabytes in place of five."""
    from plotly.offline import get_plotlyjs

    packed = gzip.compress(get_plotlyjs().encode("utf-8"), mtime=0)
    return base64.b64encode(packed).decode("ascii")


def _json(data: Any) -> Markup:
    text = json.dumps(data, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _couplings(found: Interpretation, chosen_update: int) -> list[Finding]:
    summary = found.summary["couplings"]
    fields = {name: found[_at(name, "fields")] for name in ("uniform", "data")}
    pairs = {name: _some_pairs(found, name) for name in ("uniform", "data")}
    images = [
        draw(figures.coupling_histogram(fields, "field H (nats)"), "Histogram of fields", "fields"),
        draw(figures.coupling_histogram(pairs, "coupling J of a pair (nats)"),
             "Histogram of pair couplings", "pairs"),
    ]  # fmt: skip
    if "couplings/triplets/values" in found:
        values = {"uniform": found["couplings/triplets/values"]}
        images.append(
            draw(figures.coupling_histogram(values, "coupling J of a triplet (nats)"),
                 "Histogram of triplet couplings", "triplets")
        )  # fmt: skip
    changed = summary.get("strong_pairs_that_change_sign")
    share = f"{changed:.0%}" if changed else "none"
    told = "" if changed is None else (
        f"Of the {summary['strong_pairs']} strongest pairs, {share} change sign between the two "
        "references."
    )  # fmt: skip
    norms = {name: found[f"couplings/norms/{name}"] for name in
             ("update", "fields", "pairs", "triplets", "triplets_stderr")}  # fmt: skip
    last = summary["norms"]
    explained = "" if last["explained"] is None else (
        f" Orders 1 to 3 explain {last['explained']:.0%} of the variance of log P over uniform "
        "states (more than 100% is sampling error)."
    )  # fmt: skip
    return [
        Finding(
            "coupling-histograms",
            "Effective fields and couplings",
            "Coefficients of log P in spins of −1 and +1 (Ising convention), on a logarithmic "
            "axis: of single neurons, of pairs, and of triplets drawn at random. Uniform: the "
            "other neurons are active with probability 1/2, as in the Neuropixels paper; data: "
            "they are as in the training bins, as in the zebrafish paper.",
            told,
            images,
            wide=True,
        ),
        Finding(
            "coupling-norms",
            "Couplings along training",
            "Root of the sum of squared couplings of each order, uniform reference; triplets from "
            "a random sample, with their standard error. The dotted line is the chosen update.",
            f"At the chosen update: fields {last['fields']:.1f}, pairs {last['pairs']:.1f}, "
            f"triplets {last['triplets']:.1f} nats.{explained}",
            [draw(figures.coupling_norms(norms, chosen_update), "Norm of couplings per order")],
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


def _regions(found: Interpretation) -> list[Finding]:
    maps = found.maps("uniform")
    if maps is None or len(maps.names) < 2:
        return []
    order = clustered(maps.l1)
    names = [maps.names[number] for number in order.tolist()]
    counts = maps.counts[order]
    images = []
    for of, kind, words in (
        ("uniform", "mean", "mean J, uniform reference"),
        ("uniform", "l1", "mean |J|, uniform reference"),
        ("data", "l1", "mean |J|, data reference"),
        ("correlation", "mean", "mean correlation"),
    ):
        one = found.maps(of)
        if one is not None:
            values = one.of(kind)[np.ix_(order, order)]
            images.append(
                draw(
                    figures.region_map(names, counts, values, f"{words}"), f"Map of {words}", words
                )
            )
    summary = found.summary["regions"]
    test = summary["label_tests"].get("uniform", {}).get("l1")
    told = "" if test is None else (
        f"Within regions |J| is {test['within']:.4f}, between them {test['between']:.4f}; with the "
        f"neurons' labels shuffled a difference as large has p = {test['p_value']:.2g}."
    )  # fmt: skip
    result = [
        Finding(
            "region-map",
            "Couplings between regions",
            "Couplings averaged over pairs of neurons of two regions, a neuron with itself left "
            "out; number of neurons in brackets. Regions stand in the order of a clustering of "
            "their |J| profiles, the same in every map. The correlation of activity stands beside "
            "for comparison.",
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
    labels = found["neurons/region"]
    spread = found.entries.get("couplings/r_pairs")
    matrices = {"J": pairs} if spread is None else {"J": pairs, "R": spread.values}
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
                draw(figures.region_histograms(sets, words), f"Histograms of {words}", letter)
            )
    if not images:
        return []
    return [
        Finding(
            "region-histograms",
            "Couplings within each region",
            "Distribution over pairs of a region (height is the root of the count) of J and of R, "
            "the standard deviation of a pair's coupling over the states of the other neurons: how "
            "far the pair takes part in interactions of more than two. n: neurons, γ: skewness, "
            "E/I: summed positive over summed negative couplings. These are statistical couplings, "
            "not synapses, and the definitions of R and E/I are ours.",
            "",
            images,
            wide=True,
        )
    ]


def _words(one: dict[str, Any], ratio: bool) -> str:
    skew = "" if one["skewness"] is None else f", γ = {one['skewness']:.2f}"
    balance = one["strength_ratio"]
    told = f", E/I = {balance:.2f}" if ratio and balance is not None else ""
    return f"{one['name']} (n = {one['neurons']}{skew}{told})"


def _members(found: Interpretation) -> list[Finding]:
    summary = found.summary["assemblies"]
    thresholds, fraction, shuffled, deviation = (
        found[f"assemblies/embedding/{name}"]
        for name in ("thresholds", "fraction", "shuffled", "shuffled_deviation")
    )
    levels = found["assemblies/threshold"]
    shared = len(levels) > 0 and bool((levels == levels[0]).all() and levels[0] > 0)
    curve = figures.embedding_curve(
        thresholds, fraction, shuffled, deviation, chosen=float(levels[0]) if shared else None
    )
    images = [draw(curve, "Neurons with a strong weight", "embedded")]
    strongest = found["neurons/strongest_assembly"]
    labels = found["neurons/region"]
    names = [name for name in sorted(set(labels.tolist())) if name and (labels == name).sum() >= 2]
    units = found["assemblies/weights"].shape[1]
    if names:
        order = found["assemblies/order"]
        share = np.stack(
            [
                np.bincount(strongest[(labels == name) & (strongest >= 0)], minlength=units)[order]
                / (labels == name).sum()
                for name in names
            ]
        )
        images.append(
            draw(figures.region_assemblies(names[:60], share[:60]), "Strongest assembly per region",
                 "strongest assembly by region")
        )  # fmt: skip
    known = found["neurons/positioned"].astype(bool)
    if known.sum() > 1:
        xyz = found["neurons/xyz_um"][known]
        first, second = np.sort(np.argsort(-np.ptp(xyz, axis=0), kind="stable")[:2])
        drawn = figures.neuron_colours(
            xyz[:, [first, second]], strongest[known], ("xyz"[first], "xyz"[second])
        )
        images.append(draw(drawn, "Neurons in the colour of their strongest assembly", "in space"))
    return [
        Finding(
            "assemblies",
            "Assemblies",
            "Every hidden unit with the neurons that are strongly connected to it. Embedded: how "
            "many neurons have a strong weight, against what counts as strong, beside shuffled "
            "weights. Where regions are known: to which assembly the neurons of each are tied most "
            "strongly. Where positions are: every neuron in the colour of its strongest assembly.",
            f"{summary['embedded']:.0%} of the neurons belong to an assembly (rule: "
            f"{summary['rule'].replace('_', ' ')}). Members of the median assembly: "
            f"{summary['median_size']:.0f}.",
            images,
            wide=True,
        )
    ]


def _neurons(found: Interpretation) -> dict[str, Any]:
    labels = [str(name) for name in found["neurons/region"]]
    names = sorted(set(labels))
    place = {name: number for number, name in enumerate(names)}
    known = found["neurons/positioned"].astype(bool)
    positions: dict[str, Any] = {}
    if known.sum() > 1:
        xyz = found["neurons/xyz_um"].round().astype(int)
        positions = {
            "known": np.flatnonzero(known).tolist(),
            "xyz": [xyz[known, axis].tolist() for axis in range(3)],
        }
    colours = assembly_colours(np.arange(found["assemblies/weights"].shape[1]))
    shades = (255 * colours[:, :3]).round().astype(int).tolist()
    return {
        "id": [str(name) for name in found["neurons/id"]],
        "regions": names,
        "region": [place[name] for name in labels],
        "strongest": found["neurons/strongest_assembly"].tolist(),
        "colours": [f"rgb({r},{g},{b})" for r, g, b in shades],
        **positions,
    }


def _assemblies(found: Interpretation, page: PageData, model: RBM) -> dict[str, Any]:
    weights, member = found["assemblies/weights"], found["assemblies/membership"]
    units = weights.shape[1]
    bins = page.test.states if len(page.test) else page.train.states
    bins = bins[: max(20, min(TRACE_BINS, _TRACE_VALUES // max(units, 1)))]
    activity = hidden_activity(model.in_sign_gauge(), np.ascontiguousarray(bins))
    has_regions = "assemblies/region_occupancy" in found
    regions = [str(name) for name in found["assemblies/region_names"]] if has_regions else []
    listed = []
    for unit in range(units):
        mine = weights[:, unit]
        members = np.flatnonzero(member[:, unit])
        top = np.argsort(-np.abs(mine), kind="stable")[:MEMBERS]
        one: dict[str, Any] = {
            "top": top.tolist(),
            "weights": [round(float(value), 4) for value in mine[top]],
            "members": members.tolist(),
            "trace": [round(float(value), 3) for value in activity[:, unit]],
        }
        if has_regions:
            occupancy = found["assemblies/region_occupancy"][unit]
            best = np.argsort(-occupancy, kind="stable")[:REGIONS_SHOWN]
            one["regions"] = [
                (regions[number], round(float(occupancy[number]), 5))
                for number in best.tolist()
                if occupancy[number] > 0
            ]
        listed.append(one)
    return {
        "units": listed,
        "order": found["assemblies/order"].tolist(),
        "bin_width_s": page.bin_width_s,
        "fold": "test" if len(page.test) else "training",
    }


def _lines(found: Interpretation) -> list[tuple[int, int, float]]:
    """Return the strongest couplings, (first, second, coupling)."""
    if "couplings/partners" not in found:
        return []
    partners, values = found["couplings/partners"], found["couplings/partner_values"]
    rows = np.repeat(np.arange(len(partners)), partners.shape[1])
    both, size = partners.ravel(), np.abs(values.ravel())
    once = np.where(rows < both, size, -1.0)
    top = np.argsort(-once, kind="stable")[:LINES]
    top = top[once[top] > 0]
    return [(int(rows[k]), int(both[k]), round(float(values.ravel()[k]), 5)) for k in top.tolist()]
