"""Bins in their order: what a model with time is fitted to, and never looks beyond the edge of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity, FoldName, stretches
from boltzbrain.data.behaviour.of_bins import BehaviourOfBins
from boltzbrain.foundations.checks import has_shape, number_in


@dataclass(frozen=True, eq=False)
class Sequences:
    """States in pieces that are contiguous in time.

    Attributes
    ----------
    states
        (bin, neuron) uint8.
    label
        (bin,) whole numbers; a piece is a stretch of one number, and a number does not come back.
    bin_width_s
        Seconds per bin.
    heard
        (bin, neuron) uint8 states that later bins of a piece know of in place of its own, for
        controls; the own ones where None.
    in_segment
        (bin,) place of every bin in its segment, from 0, where some of it may lie in no piece or
        in another fold; that in its piece where None.
    epoch
        (bin,) number of the epoch of every bin, -1 where it has none; no epochs where None.
    behaviour
        Trials and covariates in these bins; None where nothing is known of them.
    """

    states: NDArray[np.uint8]
    label: NDArray[np.int64]
    bin_width_s: float
    heard: NDArray[np.uint8] | None = None
    in_segment: NDArray[np.int64] | None = None
    epoch: NDArray[np.int64] | None = None
    behaviour: BehaviourOfBins | None = None

    def __post_init__(self) -> None:
        """Refuse lengths that disagree and pieces that interleave."""
        has_shape("states", self.states, (None, None))
        for name in ("label", "in_segment", "epoch"):
            if getattr(self, name) is not None:
                has_shape(name, getattr(self, name), (len(self.states),))
        number_in("bin_width_s", self.bin_width_s, low=0.0, include_low=False)
        if self.behaviour is not None:
            has_shape("behaviour", self.behaviour.bins, (len(self.states),))
        stretches(self.label)

    @classmethod
    def of_fold(cls, activity: Activity, fold: FoldName) -> Sequences:
        """Take the bins of a fold; where some between two of them belong to none, a piece ends."""
        bins = activity.bins_of(fold)
        first, length = stretches(activity.segment)
        places = np.arange(activity.n_bins) - np.repeat(first, length)
        epoch = None if activity.epoch is None else activity.epoch[bins].astype(np.int64)
        return cls(
            activity.states[bins],
            pieces(activity, bins),
            activity.bin_width_s,
            in_segment=places[bins],
            epoch=epoch,
            behaviour=BehaviourOfBins(activity.covariates, activity.trials, bins),
        )

    @classmethod
    def of_segments(cls, activity: Activity) -> Sequences:
        """Take all bins, a piece for each segment, whatever fold they lie in."""
        epoch = None if activity.epoch is None else activity.epoch.astype(np.int64)
        label = activity.segment.astype(np.int64)
        bins = np.arange(activity.n_bins)
        behaviour = BehaviourOfBins(activity.covariates, activity.trials, bins)
        return cls(activity.states, label, activity.bin_width_s, epoch=epoch, behaviour=behaviour)

    def __len__(self) -> int:
        """Return the number of bins."""
        return len(self.states)

    @cached_property
    def edges(self) -> NDArray[np.int64]:
        """First bin of every piece, and the number of bins, (piece + 1,)."""
        first, _ = stretches(self.label)
        return np.append(first, len(self.states)).astype(np.int64)

    @property
    def begins(self) -> NDArray[np.bool_]:
        """Whether a bin is the first of its piece, (bin,)."""
        result = np.zeros(len(self.states), dtype=np.bool_)
        result[self.edges[:-1]] = True
        return result

    @property
    def place(self) -> NDArray[np.int64]:
        """Place of every bin in its piece, from 0, (bin,)."""
        sizes = np.diff(self.edges)
        return np.arange(len(self.states)) - np.repeat(self.edges[:-1], sizes)

    def taking(self, bins: NDArray[np.int64]) -> Sequences:
        """Return these pieces with the states of other bins, (bin,), in place of their own."""
        has_shape("bins", bins, (len(self.states),))
        return replace(self, states=self.states[bins])

    def hearing(self, bins: NDArray[np.int64]) -> Sequences:
        """Return these pieces with the past of other bins, (bin,), in place of their own."""
        has_shape("bins", bins, (len(self.states),))
        return replace(self, heard=self.states[bins])


def pieces(activity: Activity, bins: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of the piece, contiguous in time, of ascending bins of an activity, (bin,).

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> activity = SimpleNamespace(segment=np.array([4, 4, 4, 4, 7, 7]))
    >>> pieces(activity, np.array([0, 1, 3, 4, 5])).tolist()
    [0, 0, 1, 2, 2]
    """
    if not len(bins):
        return np.empty(0, dtype=np.int64)
    segment = activity.segment[bins]
    new = (np.diff(bins) > 1) | (np.diff(segment) != 0)
    return np.concatenate(([0], np.cumsum(new))).astype(np.int64)
