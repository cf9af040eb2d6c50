"""What interpretation.h5 holds of time: which assemblies follow which, which couplings change."""

from __future__ import annotations

from typing import Any

import numpy as np

from boltzbrain.data.activity import Activity
from boltzbrain.foundations.progress import Teller
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.file import Entries, Entry
from boltzbrain.interpretation.in_time.chance import BeyondChance, beyond_chance
from boltzbrain.interpretation.in_time.differences import MOST_NEURONS, differences
from boltzbrain.interpretation.in_time.influence import (
    filtered_means,
    influence,
    propagator_times,
    time_constants,
)
from boltzbrain.model.context.contextual import ContextualRBM
from boltzbrain.model.context.labelled import OfEpoch
from boltzbrain.model.context.sequences import Sequences

LISTED = 10
SHORT_BINS, LONG_SHARE = 2.0, 0.1
"""Time constants below so many bins, or above this share of the longest piece, are flagged."""


def find_in_time(
    model: ContextualRBM, activity: Activity, generator: Generator, tell: Teller
) -> tuple[Entries, dict[str, Any] | None]:
    """Return what is read of time, and its summary; None of a context that tells none.

    Parameters
    ----------
    model
        The model.
    activity
        What it was trained on; its training bins are looked at, and for what is chance where
        assemblies follow each other its validation bins, if there are any.
    generator
        Moves on.
    tell
        Told how far it is.
    """
    train = Sequences.of_fold(activity, "train")
    if "assemblies" in model.contexts.names:
        held = (
            Sequences.of_fold(activity, "validation")
            if len(activity.bins_of("validation"))
            else train
        )
        return _following(model, train, held, generator, tell)
    labels = _labels(model, train)
    if labels is None or activity.n_neurons > MOST_NEURONS:
        return {}, None
    return _changing(model, train, labels, generator, tell)


def _labels(model: ContextualRBM, train: Sequences) -> tuple[np.ndarray, list[str]] | None:
    """Return how probable each label is in every bin, and their names; None without couplings.

    Bins without a label belong to none.
    """
    states = model.contexts.states
    if states is not None:
        names = [f"state {one + 1}" for one in range(len(states))]
        return (states.posterior(train, model.rbm), names) if len(states) > 1 else None
    for part in model.contexts.parts:
        if isinstance(part, OfEpoch) and part.hidden is not None:
            label = part.labels(train)
            told = (label[:, None] == np.arange(len(part.names))).astype(np.float64)
            held = told.any(axis=0)
            return told[:, held], [one for one, kept in zip(part.names, held, strict=True) if kept]
    return None


def _changing(
    model: ContextualRBM,
    train: Sequences,
    labels: tuple[np.ndarray, list[str]],
    generator: Generator,
    tell: Teller,
) -> tuple[Entries, dict[str, Any]]:
    told, names = labels
    found = differences(model.rbm, train, told, generator, tell)
    entries = {
        "in_time/couplings/labels": Entry(np.array(names, dtype=object), "(label,) their names"),
        "in_time/couplings/pairs": Entry(
            found.pairs, "(changing, 2) neurons whose coupling changes most with the label"
        ),
        "in_time/couplings/values": Entry(
            found.values,
            "(changing, label) pair coupling in spins of -1 and +1, data reference, the offsets "
            "of the labels fitted anew beside weights that rest",
            "nats",
        ),
        "in_time/couplings/change": Entry(
            found.change, "(changing,) root mean square over labels about their mean", "nats"
        ),
    }
    return entries, {
        "kind": "couplings",
        "labels": names,
        "pairs": found.compared,
        "changing": found.changing,
        "expected": found.expected,
        "threshold": found.threshold,
    }


def _following(
    model: ContextualRBM, train: Sequences, held: Sequences, generator: Generator, tell: Teller
) -> tuple[Entries, dict[str, Any]]:
    found, means = influence(model, train, generator, tell), filtered_means(model, train)
    seconds, modes = time_constants(means, train), propagator_times(means, train)
    chance = beyond_chance(model, held, found.covariance, generator.child("chance"), tell)
    (part,) = (one for one in model.contexts.parts if one.name == "assemblies")
    entries = {
        "in_time/influence": Entry(
            found.value,
            "(hidden, hidden) change of the mean of a unit (row), before its bin is seen, by that "
            "of a unit (column) in the bin before: mean over training bins of Cov(h) U",
        ),
        "in_time/influence_stderr": Entry(
            found.stderr, "(hidden, hidden) its standard error over bins, U as it is"
        ),
        "in_time/influence_clear": Entry(
            chance.clear.astype(np.uint8),
            "(hidden, hidden) 1 where, U fitted anew to validation bins, it lies beyond those of "
            "units at other times",
        ),
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
    return entries, _summary(found.value, found.stderr, chance, seconds, train)


def _summary(
    value: np.ndarray,
    stderr: np.ndarray,
    chance: BeyondChance,
    seconds: np.ndarray,
    train: Sequences,
) -> dict[str, Any]:
    units = len(value)
    off = ~np.eye(units, dtype=bool)
    clear = chance.clear
    size = np.where(off & clear, np.abs(value), 0.0)
    order = np.argsort(-size, axis=None, kind="stable")[:LISTED]
    longest = float(np.diff(train.edges).max()) * train.bin_width_s
    return {
        "kind": "assemblies",
        "pairs": units * (units - 1),
        "clear": int((clear & off).sum()),
        "expected": chance.expected,
        "threshold": chance.threshold,
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
