"""What interpretation.h5 holds of a model whose assemblies follow each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from boltzbrain.data.activity import Activity
from boltzbrain.foundations.progress import Teller
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.file import Entries, Entry
from boltzbrain.interpretation.in_time.influence import (
    filtered_means,
    influence,
    propagator_times,
    time_constants,
)
from boltzbrain.model.context.contextual import ContextualRBM
from boltzbrain.model.context.sequences import Sequences

ERRORS = 3.0
"""Standard errors beyond which an influence is counted; by chance 0.27% are."""
BY_CHANCE = 0.0027
LISTED = 10
SHORT_BINS, LONG_SHARE = 2.0, 0.1
"""Time constants below so many bins, or above this share of the longest piece, are flagged."""


def find_in_time(
    model: ContextualRBM, activity: Activity, generator: Generator, tell: Teller
) -> tuple[Entries, dict[str, Any] | None]:
    """Return influences and time constants, and their summary; nothing without `assemblies`.

    Parameters
    ----------
    model
        The model.
    activity
        What it was trained on; its training bins are looked at.
    generator
        Moves on.
    tell
        Told the sweeps.
    """
    if "assemblies" not in model.contexts.names:
        return {}, None
    train = Sequences.of_fold(activity, "train")
    found, means = influence(model, train, generator, tell), filtered_means(model, train)
    seconds, modes = time_constants(means, train), propagator_times(means, train)
    (part,) = (one for one in model.contexts.parts if one.name == "assemblies")
    entries = {
        "in_time/influence": Entry(
            found.value,
            "(hidden, hidden) change of the mean of a unit (row), before its bin is seen, by that "
            "of a unit (column) in the bin before: mean over training bins of Cov(h) U",
        ),
        "in_time/influence_stderr": Entry(found.stderr, "(hidden, hidden) its standard error"),
        "in_time/recurrence": Entry(
            part.tensors()["recurrence"].numpy().astype(np.float64),
            "(hidden, hidden) U, from the mean of a unit (column) to the field of one (row)",
            "nats",
        ),
        "in_time/time_constant_s": Entry(
            seconds, "(hidden,) decay of the autocorrelation of a unit's mean; 0 for none", "s"
        ),
        "in_time/modes_s": Entry(
            modes, "(mode, 2) time constant and period (0: none) of all units together", "s"
        ),
    }
    return entries, _summary(found.value, found.stderr, seconds, train)


def _summary(
    value: np.ndarray, stderr: np.ndarray, seconds: np.ndarray, train: Sequences
) -> dict[str, Any]:
    units = len(value)
    off = ~np.eye(units, dtype=bool)
    clear = (np.abs(value) > ERRORS * stderr) & (value != 0)
    size = np.where(off & clear, np.abs(value), 0.0)
    order = np.argsort(-size, axis=None, kind="stable")[:LISTED]
    longest = float(np.diff(train.edges).max()) * train.bin_width_s
    return {
        "pairs": units * (units - 1),
        "clear": int((clear & off).sum()),
        "expected": BY_CHANCE * units * (units - 1),
        "strongest": [
            {
                "unit": int(to),
                "follows": int(by),
                "value": float(value[to, by]),
                "stderr": float(stderr[to, by]),
            }
            for to, by in zip(*np.unravel_index(order, value.shape), strict=True)
            if size[to, by] > 0
        ],
        "median_s": float(np.median(seconds)),
        "shorter": int((seconds < SHORT_BINS * train.bin_width_s).sum()),
        "longer": int((seconds > LONG_SHARE * longest).sum()),
    }
