"""What would chance give? Shuffled labels, shifted neurons, resampled segments, repeated fits."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray
from scipy import sparse

from boltzbrain.data.activity import TRAIN, Activity, stretches
from boltzbrain.data.regions import Regions
from boltzbrain.data.steps import Step
from boltzbrain.foundations.checks import bad_input, has_shape, one_of, whole_number_in
from boltzbrain.foundations.compiling.cache import kept
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.marginal import Floats

STATISTICS = ("mean", "l1", "rms")


@dataclass(frozen=True, eq=False)
class LabelTest:
    """Couplings within regions against couplings between them, under shuffled labels.

    Attributes
    ----------
    statistic
        "mean" of J, "l1" (mean of |J|) or "rms".
    within, between
        The statistic over pairs that share a region, and over the other pairs of labelled neurons.
    difference
        within - between.
    null
        (shuffle,) the difference with the labels of the neurons permuted.
    p_value
        (1 + shuffles with a difference of at least this size) / (1 + shuffles), one-sided.
    """

    statistic: str
    within: float
    between: float
    difference: float
    null: Floats
    p_value: float


def label_test(
    couplings: Floats,
    regions: Regions,
    generator: Generator,
    *,
    statistic: str = "l1",
    shuffles: int = 1000,
) -> LabelTest:
    """Test whether couplings are stronger within regions than between them.

    Parameters
    ----------
    couplings
        (neuron, neuron); the diagonal is not counted.
    regions
        Membership; neurons without a region take no part, and a pair is within if it shares one.
    generator
        Moves on.
    statistic
        See `LabelTest`.
    shuffles
        Permutations of the labels over the labelled neurons, at least 10.

    Raises
    ------
    InputError
        If there is no pair within or none between regions.
    """
    one_of("statistic", statistic, STATISTICS)
    whole_number_in("shuffles", shuffles, low=10)
    neurons = regions.membership.shape[0]
    has_shape("couplings", couplings, (neurons, neurons))
    labelled = np.flatnonzero(np.diff(regions.membership.indptr))
    chosen = couplings[np.ix_(labelled, labelled)]
    values = {"mean": chosen, "l1": np.abs(chosen), "rms": np.square(chosen)}[statistic].copy()
    np.fill_diagonal(values, 0.0)
    member = regions.membership[labelled].astype(np.float64)
    together = (member @ member.T).tocsr()
    together.data[:] = 1.0
    together.setdiag(0.0)
    together.eliminate_zeros()
    inside, everyone = float(together.sum()), float(len(labelled)) * (len(labelled) - 1)
    if inside == 0 or inside == everyone:
        raise bad_input(
            "regions",
            "have pairs of neurons within a region and between regions",
            "none within" if inside == 0 else "none between",
        )
    blocks = _single_labels(member)
    if blocks is not None:
        labels = np.empty((shuffles + 1, len(labelled)), dtype=np.int32)
        labels[0] = blocks
        for number in range(shuffles):
            labels[number + 1] = blocks[generator.permutation(len(labelled))]
        held = _held_within(values, labels)
    else:
        rows, columns = together.nonzero()
        held = np.empty(shuffles + 1)
        held[0] = values[rows, columns].sum()
        for number in range(shuffles):
            order = generator.permutation(len(labelled))
            held[number + 1] = values[order[rows], order[columns]].sum()
    one, two = held / inside, (float(values.sum()) - held) / (everyone - inside)
    if statistic == "rms":
        one, two = np.sqrt(one), np.sqrt(two)
    within, between, null = float(one[0]), float(two[0]), (one - two)[1:]
    difference = within - between
    # the sums of a shuffle that changes nothing differ by rounding
    ties = null >= difference - 1e-12 * max(abs(within), abs(between))
    return LabelTest(
        statistic,
        within,
        between,
        difference,
        null,
        float((1 + ties.sum()) / (1 + shuffles)),
    )


@functools.partial(kept, parallel=True, fastmath={"reassoc", "contract"})
def _sum_within(values: Any, labels: Any, held: Any) -> None:
    for row in prange(len(values)):
        mine = values[row]
        for shuffle in range(len(labels)):
            given = labels[shuffle]
            label, total = given[row], 0.0
            for column in range(len(mine)):
                total += mine[column] if given[column] == label else 0.0
            held[row, shuffle] = total


def _held_within(values: Floats, labels: NDArray[np.int32]) -> Floats:
    """Return the sum of values over pairs of one label, for many ways to label, (way,).

    Parameters
    ----------
    values
        (neuron, neuron).
    labels
        (way, neuron).
    """
    held = np.empty((len(values), len(labels)))
    _sum_within(values, labels, held)
    result: Floats = held.sum(axis=0)
    return result


def _single_labels(member: sparse.csr_array) -> NDArray[np.int64] | None:
    """Return each neuron's one region, or None if some neuron has several."""
    if (np.diff(member.indptr) != 1).any():
        return None
    return member.indices.astype(np.int64)


def shifted_activity(activity: Activity, generator: Generator) -> Activity:
    """Return a null recording: each neuron's training bins turned around a circle by a random step.

    Every neuron keeps its rate and, but for one cut, its own time course; what neurons have in
    common is lost. Where segments are trials, what all neurons do at a given time of the trial is
    lost too. Bins of the other folds stay as they are.

    Parameters
    ----------
    activity
        What a model would be trained on; a model trained on the result shows how strong couplings
        get by chance.
    generator
        Moves on.
    """
    bins = activity.bins_of("train")
    if len(bins) < 2:
        raise bad_input("activity", "hold at least 2 training bins", len(bins))
    states = activity.states.copy()
    train = states[bins]
    steps = 1 + generator.integers(len(bins) - 1, train.shape[1])
    for neuron, step in enumerate(steps.tolist()):
        states[bins, neuron] = np.roll(train[:, neuron], step)
    return replace(
        activity, states=states, steps=(*activity.steps, Step("circular shift per neuron"))
    )


def resampled_activity(activity: Activity, generator: Generator) -> Activity:
    """Return a bootstrap recording: whole training segments drawn with replacement.

    The result has training bins only, as many segments as before, numbered anew. Neurons and
    regions stay.

    Parameters
    ----------
    activity
        At least 2 training segments.
    generator
        Moves on.
    """
    bins = activity.bins_of("train")
    first, length = stretches(activity.segment[bins])
    if len(first) < 2:
        raise bad_input("activity", "hold at least 2 training segments", len(first))
    drawn = generator.integers(len(first), len(first)).tolist()
    chosen = np.concatenate([bins[first[one] : first[one] + length[one]] for one in drawn])
    segment = np.repeat(np.arange(len(drawn)), length[drawn]).astype(np.int32)
    return replace(
        activity,
        states=np.ascontiguousarray(activity.states[chosen]),
        segment=segment,
        fold=np.full(len(chosen), TRAIN, dtype=np.int8),
        epoch=None if activity.epoch is None else activity.epoch[chosen],
        steps=(*activity.steps, Step("bootstrap over segments", {"segments": len(drawn)})),
    )


@dataclass(frozen=True, eq=False)
class Repeats:
    """The same quantity from several fits: bootstrap draws, seeds or halves.

    Attributes
    ----------
    mean, deviation
        Entry by entry, shape of one fit; the deviation is the standard error where the fits are
        bootstrap draws.
    same_sign
        Fraction of fits whose sign is that of the mean.
    correlation
        (fit, fit) Pearson correlation of the entries, one triangle of square symmetric arrays; None
        where an array is constant.
    """

    mean: Floats
    deviation: Floats
    same_sign: Floats
    correlation: Floats | None

    def strong(self, deviations: float = 2.0) -> NDArray[np.bool_]:
        """Return where the mean is at least this many deviations away from 0."""
        result: NDArray[np.bool_] = np.abs(self.mean) > deviations * self.deviation
        return result


def repeats(arrays: Sequence[Floats]) -> Repeats:
    """Summarise the same array from several fits.

    Parameters
    ----------
    arrays
        At least 2 of one shape, e.g. couplings or region maps of models trained on resampled
        segments or with other seeds.
    """
    if len(arrays) < 2:
        raise bad_input("arrays", "hold at least 2 fits", len(arrays))
    for number, array in enumerate(arrays[1:], start=1):
        has_shape(f"arrays[{number}]", array, tuple(arrays[0].shape))
    stack = np.stack([np.asarray(array, dtype=np.float64) for array in arrays])
    mean = stack.mean(axis=0)
    flat = stack.reshape(len(stack), -1)
    shape = stack.shape[1:]
    if len(shape) == 2 and shape[0] == shape[1]:
        first, second = np.triu_indices(shape[0], 1)
        flat = stack[:, first, second]
    varies = flat.shape[1] > 1 and bool((flat.std(axis=1) > 0).all())
    return Repeats(
        mean,
        stack.std(axis=0, ddof=1),
        (np.sign(stack) == np.sign(mean)).mean(axis=0),
        np.corrcoef(flat) if varies else None,
    )
