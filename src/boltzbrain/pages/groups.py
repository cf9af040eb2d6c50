"""Two groups of animals on the page of a comparison: sentences, figures, and tables of entries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from boltzbrain.foundations.showing.numbers import number
from boltzbrain.foundations.showing.told import listed
from boltzbrain.interpretation.animals.by_group import COUPLINGS, OCCUPANCY, WHOLE, Groups
from boltzbrain.interpretation.animals.groups import LEVEL, MOST_NEEDED, GroupTest
from boltzbrain.pages import figures
from boltzbrain.pages.panels.panel import Image, draw

SHOWN, NAMED = 10, 4
"""Entries drawn of a family, and named in a sentence."""
_OF = {
    "maps.uniform": "couplings between regions, uniform reference",
    "maps.data": "couplings between regions, data reference",
    "maps.covariance": "covariances between regions",
    "maps.correlation": "correlations between regions",
    "maps.ising": "couplings of the pairwise model between regions",
    "maps.graphical_lasso": "partial correlations between regions",
    OCCUPANCY: "weights of assemblies by region",
    COUPLINGS: "couplings of named neurons",
    WHOLE: "the whole animal",
}


def group_words(told: Mapping[str, Any] | None) -> list[str]:
    """Return in sentences what differs between two groups, from comparison.json."""
    if not told:
        return []
    first, second = told["names"]
    sizes = [len(told["animals"][name]) for name in (first, second)]
    sentences = []
    for family, one in told["families"].items():
        if family not in ("maps.uniform", OCCUPANCY, COUPLINGS, WHOLE):
            continue
        names = [row["entry"] for row in one["largest"] if row["corrected"] <= LEVEL]
        more = one["differ"] - len(names[:NAMED])
        text = f"{_OF[family][0].upper()}{_OF[family][1:]}: "
        if one["differ"]:
            shown = names[:NAMED] + ([f"{more} more"] if more > 0 else [])
            text += (
                f"{one['differ']} of {one['entries']:,} "
                f"{'differs' if one['differ'] == 1 else 'differ'} between {first} and {second}: "
                f"{listed(shown)}."
            )
        else:
            text += f"none of {one['entries']:,} differs between {first} and {second}."
        sentences.append(text)
    one = next(iter(told["families"].values()), None)
    if one is None:
        return [f"{first} and {second} have nothing in common that could be compared."]
    way = "all" if one["exact"] else "of"
    sentences.append(
        f"Tests permute the animals ({sizes[0]} {first}, {sizes[1]} {second}; {way} "
        f"{one['assignments']:,} assignments), corrected over the entries of a kind "
        f"(p ≤ {LEVEL:g})."
    )
    smallest = [
        (_OF[name], each["smallest_effect"])
        for name, each in told["families"].items()
        if each["smallest_effect"] is not None
    ]
    if not smallest:
        sentences.append("So few animals cannot differ at that level, however large the effect.")
    else:
        sentences.append(
            "In four studies of five a difference would have been seen from "
            f"{number(smallest[0][1], 1)} standard deviations between animals on "
            f"({smallest[0][0]})."
        )
    return sentences


def group_images(groups: Groups | None) -> list[Image]:
    """Return a figure of each family: every animal, entry by entry."""
    if groups is None:
        return []
    return [
        draw(
            figures.group_differences.later(*_rows(one), groups.names),
            f"Two groups of animals: {_OF.get(family, family)}",
            _OF.get(family, family),
        )
        for family, one in groups.families.items()
    ]


def _rows(test: GroupTest) -> tuple[list[str], Any, Any, Any]:
    order = np.argsort(-np.abs(test.effect), kind="stable")[:SHOWN]
    values = test.values[:, order]
    within = [values[mine] - values[mine].mean(axis=0) for mine in (test.second, ~test.second)]
    spread = np.sqrt(np.square(np.concatenate(within)).sum(axis=0) / (len(values) - 2))
    scaled = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    differ = np.isin(order, test.found)
    return [test.entries[one] for one in order.tolist()], scaled, test.second, differ


def group_table(told: Mapping[str, Any] | None) -> tuple[list[str], list[tuple[str, ...]]]:
    """Return heads and rows of the largest effects of every family."""
    if not told:
        return [], []
    first, second = told["names"]
    heads = ["entry", "of", first, second, "effect (sd)", "p", "p corrected", "animals a group"]
    rows: list[tuple[str, ...]] = [
        (
            row["entry"], _OF.get(family, family), f"{row[first]:.3g}", f"{row[second]:.3g}",
            number(row["effect"], 2, "+"), f"{row['p_value']:.2g}", f"{row['corrected']:.2g}",
            f"{MOST_NEEDED} or more" if row["animals_needed"] >= MOST_NEEDED
            else str(row["animals_needed"]),
        )
        for family, one in told["families"].items()
        for row in one["largest"][:NAMED]
    ]  # fmt: skip
    return heads, rows
