"""The tables of a reading, to sort on the page and to save as csv."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from boltzbrain.interpretation.assemblies.returning import RETURNS
from boltzbrain.interpretation.couplings.low_rank import LowRank
from boltzbrain.interpretation.file import Interpretation

PAIRS, NEURONS = 2000, 50_000
"""Most rows of the tables of couplings and of neurons."""
AGREEMENT = "agreement"
"""Head of the column that tells what comes back in other trainings."""


@dataclass(frozen=True)
class SortableTable:
    """A table: heading, explanation, columns and rows.

    Attributes
    ----------
    title, words
        Heading, and what the columns mean.
    heads
        Column names.
    columns
        One list of values per column; None where a figure does not exist.
    fades
        Head of the column, and the value below which a row is faded.
    """

    title: str
    words: str
    heads: Sequence[str]
    columns: Sequence[Sequence[Any]]
    fades: tuple[str, float] | None = None

    def content(self) -> dict[str, Any]:
        """Return heads and columns for the script of the page."""
        fades = None
        if self.fades is not None:
            fades = {"column": self.heads.index(self.fades[0]), "below": self.fades[1]}
        columns = [list(column) for column in self.columns]
        return {"heads": list(self.heads), "columns": columns, "fades": fades}


def interpretation_tables(found: Interpretation) -> dict[str, SortableTable]:
    """Return the tables by name: assemblies, couplings, regions and neurons."""
    tables = {"assemblies": _assemblies(found)}
    if "couplings/partners" in found:
        tables["couplings"] = _couplings(found)
    if found.maps("uniform") is not None:
        tables["regions"] = _regions(found)
    tables["neurons"] = _neurons(found)
    return tables


def _rounded(values: Any, digits: int = 4) -> list[float]:
    # significant digits: strengths span orders of magnitude
    return [float(f"{value:.{digits}g}") for value in np.asarray(values, dtype=np.float64)]


def _several_regions(found: Interpretation) -> bool:
    """Return whether a column of regions would tell anything."""
    return len(set(found["neurons/region"].tolist())) > 1


def _assemblies(found: Interpretation) -> SortableTable:
    units = found["assemblies/weights"].shape[1]
    heads = ["assembly", "members", "threshold", "mean activity"]
    columns: list[Sequence[Any]] = [
        list(range(units)),
        found["assemblies/sizes"].tolist(),
        _rounded(found["assemblies/threshold"]),
        _rounded(found["assemblies/mean_activity"]),
    ]
    if _several_regions(found):
        heads += ["effective regions", "regions it spans"]
        columns += [
            _rounded(found["assemblies/effective_regions"]),
            [str(names) for names in found["assemblies/spans"]],
        ]
    if "assemblies/compactness/assembly" in found:
        rows = {unit: row for row, unit in enumerate(found["assemblies/compactness/assembly"])}
        for name, head in (
            ("radius_um", "radius (µm)"),
            ("chance_um", "radius by chance (µm)"),
            ("p_value", "p (compact)"),
        ):
            values = _rounded(found[f"assemblies/compactness/{name}"])
            heads.append(head)
            columns.append([values[rows[unit]] if unit in rows else None for unit in range(units)])
    words = "One row per hidden unit."
    if _several_regions(found):
        words += " Regions that it spans hold a tenth of its members or more."
    if "assemblies/agreement" not in found:
        return SortableTable("All assemblies", words, heads, columns)
    heads.append(AGREEMENT)
    columns.append(_rounded(found["assemblies/agreement"], 2))
    words += " Grey: it does not come back in other trainings."
    return SortableTable("All assemblies", words, heads, columns, (AGREEMENT, RETURNS))


def _couplings(found: Interpretation) -> SortableTable:
    partners, values = found["couplings/partners"], found["couplings/partner_values"]
    rows = np.repeat(np.arange(len(partners)), partners.shape[1])
    both = partners.ravel()
    size = np.where(rows < both, np.abs(values.ravel()), -1.0)
    top = np.argsort(-size, kind="stable")[:PAIRS]
    top = top[size[top] > 0]
    one, two = rows[top], both[top]
    names, labels = found["neurons/id"], found["neurons/region"]
    heads = ["neuron"]
    columns: list[Sequence[Any]] = [[str(names[k]) for k in one]]
    named = _several_regions(found)
    if named:
        heads.append("region")
        columns.append([str(labels[k]) for k in one])
    heads.append("other neuron")
    columns.append([str(names[k]) for k in two])
    if named:
        heads.append("its region")
        columns.append([str(labels[k]) for k in two])
    heads.append("J (uniform)")
    columns.append(_rounded(values.ravel()[top]))
    data = found.pairs("data")
    if not isinstance(data, LowRank):
        heads.append("J (data)")
        columns.append(_rounded(data[one, two]))
    if "couplings/r_pairs" in found:
        heads.append("R (uniform)")
        columns.append(_rounded(found["couplings/r_pairs"][one, two]))
    words = "Pairs of largest coupling under the uniform reference, among each neuron's strongest."
    if "couplings/partner_agreement" not in found:
        return SortableTable("Strongest couplings", words, heads, columns)
    heads.append(AGREEMENT)
    columns.append(_rounded(found["couplings/partner_agreement"].ravel()[top], 2))
    words += " Agreement: share of J (data) found in other trainings, grey below a half."
    return SortableTable("Strongest couplings", words, heads, columns, (AGREEMENT, RETURNS))


def _regions(found: Interpretation) -> SortableTable:
    maps = found.maps("uniform")
    told = {one["name"]: one for one in found.summary["regions"]["distributions"]["J"]}
    spread = {one["name"]: one for one in found.summary["regions"]["distributions"].get("R", [])}
    names = [] if maps is None else list(maps.names)
    heads = ["region", "neurons", "mean J", "deviation of J", "skewness of J", "E/I (count)",
             "E/I (strength)", "mean R"]  # fmt: skip
    keys = ("neurons", "mean", "deviation", "skewness", "count_ratio", "strength_ratio")
    columns: list[Sequence[Any]] = [names]
    for key in keys:
        values = [told[name][key] for name in names]
        columns.append([None if value is None else float(f"{value:.4g}") for value in values])
    columns[1] = [told[name]["neurons"] for name in names]
    if spread:
        columns.append(_rounded([spread[name]["mean"] for name in names]))
    else:
        heads.pop()
    words = (
        "Pairs within each region, uniform reference. E/I: positive over negative couplings, by "
        "number and by summed size; empty where none is negative."
    )
    return SortableTable("Regions", words, heads, columns)


def _neurons(found: Interpretation) -> SortableTable:
    chosen = slice(0, NEURONS)
    strongest = found["neurons/strongest_assembly"][chosen]
    weights = found["assemblies/weights"][chosen]
    own = weights[np.arange(len(strongest)), np.maximum(strongest, 0)]
    heads = ["neuron"]
    columns: list[Sequence[Any]] = [[str(name) for name in found["neurons/id"][chosen]]]
    if _several_regions(found):
        heads.append("region")
        columns.append([str(name) for name in found["neurons/region"][chosen]])
    heads += ["rate per bin", "field H (uniform)", "field H (data)", "strongest assembly",
              "its weight"]  # fmt: skip
    columns += [
        _rounded(found["neurons/rate"][chosen]),
        _rounded(found["couplings/fields"][chosen]),
        _rounded(found["couplings/data/fields"][chosen]),
        [int(unit) if unit >= 0 else None for unit in strongest],
        _rounded(own),
    ]
    return SortableTable("Neurons", "One row per neuron.", heads, columns)
