"""The page of a comparison: which runs count, how far they agree, and their average maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from boltzbrain.foundations.showing.numbers import number, with_error
from boltzbrain.foundations.showing.told import counted
from boltzbrain.interpretation.animals.compare import Comparison
from boltzbrain.pages import figures
from boltzbrain.pages.figures.couplings import clustered
from boltzbrain.pages.groups import group_images, group_table, group_words
from boltzbrain.pages.html import rendered, write_html
from boltzbrain.pages.panels.panel import Image, draw

NAMES = {
    "uniform": "couplings, uniform reference",
    "data": "couplings, data reference",
    "covariance": "covariances",
    "correlation": "correlations",
    "ising": "couplings of the pairwise model",
    "graphical_lasso": "partial correlations (graphical lasso)",
}
"""Matrix of a map to its words."""
MOST_PAIRS = 40
"""Correlations of two maps that are listed one by one; of more their medians are."""


@dataclass(frozen=True)
class Table:
    """A table of text: heading, heads of its columns, rows."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


def comparison_words(summary: Mapping[str, Any]) -> list[str]:
    """Return in sentences what a comparison found, as the page and the terminal say it.

    Parameters
    ----------
    summary
        Content of comparison.json.
    """
    runs = summary["runs"]
    animals = len({one["animal"] for one in runs})
    converged = sum(one["converged"] for one in runs)
    sentences = [
        f"{counted(len(runs), 'run')} of {counted(animals, 'animal')}; "
        f"{'all' if converged == len(runs) else converged} converged"
        f"{'' if converged == len(runs) else ', and only these count below'}."
    ]
    maps = summary["maps"].get("uniform", {})
    for between, whose in (("repeats", "repeats of one animal"), ("animals", "animals")):
        values = [one["correlation"] for one in maps.get(between, [])]
        values = [one for one in values if one is not None]
        if values:
            sentences.append(
                f"The maps of couplings of two {whose} correlate at "
                f"{number(float(np.median(values)), 2)}{' in the median' if values[1:] else ''}."
            )
    matched = [one["weights"] for one in summary["assemblies"]]
    if matched:
        similarity, chance = (
            float(np.mean([one[name] for one in matched])) for name in ("mean_similarity", "chance")
        )
        sentences.append(
            f"Assemblies of two repeats, matched one to one, resemble each other at "
            f"{number(similarity, 2)} (by chance {number(chance, 2)})."
        )
    anatomy = (summary["structure"] or {}).get("uniform")
    if anatomy and anatomy["spearman"] is not None:
        sentences.append(
            f"Couplings between regions follow the structural matrix with a rank correlation of "
            f"{number(anatomy['spearman'], 2)} (p = {anatomy['mantel_p']:.2g}, regions permuted)."
        )
    return sentences + group_words(summary.get("groups"))


def write_comparison_page(found: Comparison, path: Path) -> Path:
    """Write the page of a comparison, whole or not at all.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    text = rendered(
        "comparison.html.j2",
        answer=comparison_words(found.summary),
        maps=_maps(found),
        matched=_matched(found.summary),
        groups=group_images(found.groups),
        tables=[table for table in _tables(found.summary) if table.rows],
        reasons=_reasons(found.summary["reasons"]),
    )
    return write_html(path, text)


def _maps(found: Comparison) -> list[Image]:
    """Return the average map of every matrix, all in the order of the first."""
    images: list[Image] = []
    kind = {"mean": "mean", "l1": "mean size", "rms": "root mean square"}
    words = kind[found.summary["options"]["kind"]]
    order = None
    for matrix, average in found.averages.items():
        if len(average.names) < 2:
            continue
        if order is None:
            order = {average.names[place]: rank
                     for rank, place in enumerate(clustered(average.values).tolist())}  # fmt: skip
        mine = sorted(range(len(average.names)), key=lambda k: order.get(average.names[k], k))
        known = np.where(average.animals > 0, average.values, np.nan)
        animals = np.diagonal(average.animals)[mine]
        title = NAMES[matrix]
        drawing = figures.region_map.later(
            [average.names[place] for place in mine], animals, known[np.ix_(mine, mine)], words
        )
        images.append(draw(drawing, f"Average map of {title}", title))
    return images


def _matched(summary: Mapping[str, Any]) -> list[Image]:
    """Return how similar matched assemblies are, by weights and by activity."""
    images: list[Image] = []
    for by in ("weights", "activity"):
        curves = {
            f"{one['first']} and {one['second']}": (one[by]["similarity"], one[by]["chance"])
            for one in summary["assemblies"]
        }
        if curves:
            drawing = figures.matched_assemblies.later(curves, f"similarity of {by}")
            images.append(draw(drawing, f"Similarity of matched assemblies by {by}", f"by {by}"))
    return images


def _tables(summary: Mapping[str, Any]) -> list[Table]:
    runs = [
        (
            one["folder"],
            str(one["animal"]),
            "none" if one["gain"] is None else with_error(one["gain"], one["gain_stderr"], 2, "+"),
            "yes" if one["converged"] else "no",
        )
        for one in summary["runs"]
    ]
    maps = [
        (NAMES[matrix], whose, f"{one['first']} and {one['second']}", number_of(one["correlation"]))
        for matrix, told in summary["maps"].items()
        for whose in ("repeats", "animals")
        for one in told[whose]
    ]
    if len(maps) > MOST_PAIRS:
        maps = [
            (NAMES[matrix], whose, f"median of {len(values)} pairs", number_of(_median(values)))
            for matrix, told in summary["maps"].items()
            for whose in ("repeats", "animals")
            if (values := [one["correlation"] for one in told[whose]])
        ]
    structure = [
        (NAMES[matrix], number_of(one["spearman"]), number_of(one["mantel_p"]))
        for matrix, one in (summary["structure"] or {}).items()
    ]
    return [
        Table("Two groups of animals", *group_table(summary.get("groups"))),
        Table("Runs", ("run", "animal", "gain on validation (nats per bin)", "converged"), runs),
        Table("Maps of regions", ("map", "between", "which", "correlation"), maps),
        Table("Anatomy", ("map", "Spearman", "p (regions permuted)"), structure),
    ]


def _median(values: Sequence[float | None]) -> float | None:
    known = [one for one in values if one is not None]
    return float(np.median(known)) if known else None


def number_of(value: float | None) -> str:
    """Return a correlation as text, "none" where it is undefined."""
    return "none" if value is None else number(value, 3)


def _reasons(reasons: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return why something is missing, what shares a reason together."""
    together: dict[str, list[str]] = {}
    for path, reason in reasons.items():
        matrix = path.removeprefix("maps.").removeprefix("structure.")
        together.setdefault(reason, []).append(NAMES.get(matrix, matrix))
    return [(", ".join(paths), reason) for reason, paths in together.items()]
