"""What a model sees: binary states of every neuron in every bin, with folds and segments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from boltzbrain.data.behaviour.covariates import BinnedCovariate
from boltzbrain.data.behaviour.trials import no_trials
from boltzbrain.data.regions import Regions
from boltzbrain.data.steps import Source, Step
from boltzbrain.foundations.checks import bad_input, has_shape, number_in, one_of
from boltzbrain.foundations.doors import keeper
from boltzbrain.foundations.showing.told import SelfTold

if TYPE_CHECKING:
    import xarray as xr

TRAIN, VALIDATION, TEST, GAP = 0, 1, 2, -1
FOLDS: Mapping[str, int] = {"train": TRAIN, "validation": VALIDATION, "test": TEST}

FoldName = Literal["train", "validation", "test"]

_SUMMED = 255
"""Bins whose sum a byte holds."""


def stretches(
    segment: NDArray[Any], *, file: object = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first bin and the number of bins of every segment, in order.

    Raises
    ------
    InputError
        If a number comes back after another one: then its bins are not contiguous in time.

    Examples
    --------
    >>> first, length = stretches(np.array([7, 7, 7, 2, 2]))
    >>> first.tolist(), length.tolist()
    ([0, 3], [3, 2])
    """
    if len(segment) == 0:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    first = np.flatnonzero(np.r_[True, segment[1:] != segment[:-1]]).astype(np.int64)
    numbers, times = np.unique(segment[first], return_counts=True)
    if len(numbers) < len(first):
        raise bad_input(
            "segment",
            "hold every number in one unbroken stretch of bins",
            f"segment {numbers[times > 1][0]} in {times.max()} pieces",
            file=file,
        )
    return first, np.diff(np.r_[first, len(segment)]).astype(np.int64)


def active_bins(states: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return in how many bins every neuron is active, (neuron,), from (bin, neuron) in {0, 1}."""
    bins, neurons = states.shape
    whole = bins - bins % _SUMMED
    # bytes hold the sum of 255 bins, and are added many at a time
    blocks = states[:whole].reshape(-1, _SUMMED, neurons).sum(axis=1, dtype=np.uint8)
    rest = states[whole:].sum(axis=0, dtype=np.int64)
    counts: NDArray[np.int64] = blocks.sum(axis=0, dtype=np.int64) + rest
    return counts


@dataclass(frozen=True, repr=False)
class Activity(SelfTold):
    """Binary activity of simultaneously recorded neurons.

    Attributes
    ----------
    states
        (bin, neuron) uint8 in {0, 1}.
    bin_width_s
        Seconds per bin.
    segment
        (bin,) int32; bins with one number are contiguous in time, and numbers never interleave.
    fold
        (bin,) int8: 0 train, 1 validation, 2 test, -1 gap.
    neurons
        Table, one row per neuron, as in `Recording`.
    regions
        Atlas name to `Regions`.
    steps
        Every preprocessing step with its options, in order.
    source
        The file that it came from.
    epoch
        (bin,) int32 number of the epoch that holds the middle of the bin, the last to begin where
        several do, -1 where none does; None where the recording has no epochs.
    epoch_names
        Their labels, by number.
    covariates
        Name to `BinnedCovariate`: what was recorded over time beside the neurons.
    trials
        Table of the trials of which bins are there: ``start_s``, ``stop_s``, ``first_bin`` and
        ``stop_bin`` (the bins whose middle lies in the trial, the last not included), columns of
        numbers or labels.
    """

    states: NDArray[np.uint8]
    bin_width_s: float
    segment: NDArray[np.int32]
    fold: NDArray[np.int8]
    neurons: pd.DataFrame
    regions: Mapping[str, Regions]
    steps: tuple[Step, ...]
    source: Source
    epoch: NDArray[np.int32] | None = None
    epoch_names: tuple[str, ...] = ()
    covariates: Mapping[str, BinnedCovariate] = field(default_factory=dict)
    trials: pd.DataFrame = field(default_factory=no_trials)

    def __post_init__(self) -> None:
        """Refuse shapes that disagree and states other than 0 and 1."""
        where = self.source.path
        has_shape("states", self.states, (None, None), file=where)
        number_in("bin_width_s", self.bin_width_s, low=0.0, include_low=False, file=where)
        bins, neurons = self.states.shape
        if bins == 0 or neurons == 0:
            raise bad_input(
                "states",
                "hold at least one bin and one neuron",
                f"shape {self.states.shape}",
                file=where,
            )
        if self.states.dtype != np.uint8:
            raise bad_input("states", "be uint8", str(self.states.dtype), file=where)
        if int(self.states.max()) > 1:
            raise bad_input("states", "be 0 or 1", int(self.states.max()), file=where)
        has_shape("segment", self.segment, (bins,), file=where)
        has_shape("fold", self.fold, (bins,), file=where)
        for name in ("segment", "fold"):
            if getattr(self, name).dtype.kind not in "iu":
                raise bad_input(
                    name, "hold whole numbers", str(getattr(self, name).dtype), file=where
                )
        stretches(self.segment, file=where)
        if int(self.fold.min()) < GAP or int(self.fold.max()) > TEST:
            raise bad_input(
                "fold",
                "be 0 (train), 1 (validation), 2 (test) or -1 (gap)",
                sorted(set(self.fold.tolist()) - {GAP, TRAIN, VALIDATION, TEST})[0],
                file=where,
            )
        if len(self.neurons) != neurons:
            raise bad_input("neurons", f"have {neurons} rows", len(self.neurons), file=where)
        if self.epoch is not None:
            has_shape("epoch", self.epoch, (bins,), file=where)
            if int(self.epoch.min()) < -1 or int(self.epoch.max()) >= len(self.epoch_names):
                must = f"be -1 or the number of one of {len(self.epoch_names)} names"
                raise bad_input("epoch", must, int(self.epoch.max()), file=where)
        for name, one in self.covariates.items():
            has_shape(f"covariates.{name}", one.values, (bins,), file=where)
        if len(self.trials):
            last = int(self.trials["stop_bin"].max())
            if last > bins or int(self.trials["first_bin"].min()) < 0:
                must = f"end at one of the {bins} bins"
                raise bad_input("trials.stop_bin", must, last, file=where)

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row per neuron: id, positions, quality, and its region in each atlas."""
        table: pd.DataFrame = keeper("Activity.to_dataframe")(self.neurons, self.regions)
        return table

    def to_xarray(self) -> xr.DataArray:
        """Return the states, (bin, neuron), with segment, fold and what is known of each neuron.

        Raises
        ------
        InputError
            If xarray is not installed.
        """
        array: xr.DataArray = keeper("Activity.to_xarray")(self)
        return array

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return int(self.states.shape[0])

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return int(self.states.shape[1])

    def bins_of(self, fold: FoldName) -> NDArray[np.int64]:
        """Return the indices of the bins of one fold, ascending."""
        one_of("fold", fold, FOLDS)
        return np.flatnonzero(self.fold == FOLDS[fold])

    def states_of(self, fold: FoldName) -> NDArray[np.uint8]:
        """Return the states of one fold, (bin, neuron) uint8, a copy."""
        return self.states[self.bins_of(fold)]

    def with_fold(self, fold: NDArray[np.int8], step: Step) -> Activity:
        """Return this activity with other folds, the step appended."""
        return replace(self, fold=fold.astype(np.int8), steps=(*self.steps, step))

    def step(self, name: str) -> Step | None:
        """Return the last preprocessing step of this name, None if there was none."""
        return next((step for step in reversed(self.steps) if step.name == name), None)

    def split(
        self,
        *,
        by: str | None = None,
        validation: float | None = None,
        test: float | None = None,
        folds: str | Path | None = None,
        gap_s: float | None = None,
        seed: int = 0,
        min_active_bins: int | None = None,
    ) -> Activity:
        """Return this activity divided into train, validation and test folds, rare neurons dropped.

        Defaults, for None, and ranges are those of the fields of
        `boltzbrain.preparing.preparation.Preparation`; rules, warnings and errors are told by
        `boltzbrain.preparing.folds.split.split`.

        Parameters
        ----------
        by
            How the bins are divided: auto, segments, blocks, statistics, shuffled or none.
        validation, test
            Shares of the bins that choose and that score the model.
        folds
            ``FILE.csv:COLUMN``, the folds themselves.
        gap_s
            Seconds left out between two folds.
        seed
            Seed of the draw.
        min_active_bins
            Neurons active in fewer training bins are dropped.
        """
        divided: Activity = keeper("Activity.split")(
            self,
            by=by,
            validation=validation,
            test=test,
            folds=folds,
            gap_s=gap_s,
            seed=seed,
            min_active_bins=min_active_bins,
        )
        return divided

    def select_neurons(self, keep: NDArray[Any], step: Step) -> Activity:
        """Return this activity with the given neurons only (indices or mask), the step appended."""
        index = np.flatnonzero(keep) if keep.dtype == bool else keep
        return replace(
            self,
            # taken along the neurons, the result is contiguous without a second copy
            states=np.take(self.states, index, axis=1),
            neurons=self.neurons.iloc[index].reset_index(drop=True),
            regions={atlas: regions.select(keep) for atlas, regions in self.regions.items()},
            steps=(*self.steps, step),
        )
