"""What figures of an evaluation are drawn from: entries and densities, kept in samples.h5."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.evaluation.statistics.agreement import (
    Comparison,
    Density,
    counts_within,
    shared_limits,
)
from boltzbrain.foundations.checks import Undefined

Kept = dict[str, NDArray[Any]]
"""Arrays by their path; names of sets of bins are train, test and generated."""

DENSITIES = ("covariances", "triplets_most_active", "vh", "hh")
"""Statistics of which a figure shows how many entries lie where."""


def keep_statistic(kept: Kept, name: str, of: Mapping[str, NDArray[np.float64]]) -> None:
    """Keep what the figure of a statistic shows; nothing of one without a figure.

    Parameters
    ----------
    kept
        Where to.
    name
        "rates", "h", or one of `DENSITIES`.
    of
        Set of bins to its (entry,) values; that of the test fold is compared with, or without one
        that of the training fold.
    """
    if name in ("rates", "h"):
        kept.update({f"{name}/{kind}": values for kind, values in of.items()})
    if name not in DENSITIES or not len(of["train"]):
        return
    base = "test" if "test" in of else "train"
    kinds = {
        kind: Comparison(of[base], of[kind]) for kind in ("generated", "train") if kind != base
    }
    limits = shared_limits(*kinds.values())
    kept[f"densities/{name}/limits"] = np.array(limits)
    for kind, one in kinds.items():
        kept[f"densities/{name}/{kind}"] = counts_within(one, limits)


def kept_density(
    kept: Mapping[str, NDArray[Any]], name: str, kind: str, told: Mapping[str, Any]
) -> Density | None:
    """Return a density that was kept, None if there is none.

    Parameters
    ----------
    kept
        From where.
    name, kind
        Of `DENSITIES`, and "generated" or "train".
    told
        What evaluation.json tells of the comparison: ``pearson`` and ``slope``.
    """
    path = f"densities/{name}/{kind}"
    if path not in kept:
        return None
    nothing = Undefined("evaluation.json does not tell it")
    pearson, slope = (
        nothing if (value := told.get(figure)) is None else value for figure in ("pearson", "slope")
    )
    low, high = kept[f"densities/{name}/limits"].tolist()
    return Density((low, high), kept[path], pearson, slope)
