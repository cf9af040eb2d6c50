"""What a file holds: neurons, regions, epochs and one kind of signal, whatever the format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from boltzbrain.data.behaviour.covariates import Covariate
from boltzbrain.data.behaviour.trials import no_trials
from boltzbrain.data.regions import Regions
from boltzbrain.data.signals import Signal, SpikeTimes, Traces
from boltzbrain.data.steps import Source, Step
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.disk.files import FileFormat
from boltzbrain.foundations.doors import keeper
from boltzbrain.foundations.showing.told import SelfTold

if TYPE_CHECKING:
    from boltzbrain.data.activity import Activity

NPZ_FORMAT = FileFormat("boltzbrain recording", names=("format", "format_version"))
"""Of the npz in which recordings are kept."""


def no_epochs() -> pd.DataFrame:
    """Return an empty epochs table (start_s, stop_s in seconds, label)."""
    return pd.DataFrame(
        {
            "start_s": pd.Series(dtype=np.float64),
            "stop_s": pd.Series(dtype=np.float64),
            "label": pd.Series(dtype=object),
        }
    )


@dataclass(frozen=True, repr=False)
class Recording(SelfTold):
    """One animal's recording: a table of neurons, their regions, epochs and one signal.

    Attributes
    ----------
    neurons
        One row per neuron: ``id`` (text), ``x_um``, ``y_um``, ``z_um`` (micrometres, NaN where
        unknown) and any quality columns of the file.
    regions
        Atlas name to `Regions`; empty where the file names none.
    signal
        `SpikeTimes`, `Traces` or `Binned`.
    epochs
        Table of ``start_s``, ``stop_s``, ``label``.
    source
        Where it came from.
    steps
        What was done to the signal since it was read, in order.
    covariates
        Name to `Covariate`: what was recorded over time beside the neurons.
    trials
        Table of ``start_s``, ``stop_s``, columns of numbers or labels, and ``segment`` where the
        times of the signal start again in every segment; as `checked_trials` makes it.
    """

    neurons: pd.DataFrame
    regions: Mapping[str, Regions]
    signal: Signal
    epochs: pd.DataFrame
    source: Source
    steps: tuple[Step, ...] = ()
    covariates: Mapping[str, Covariate] = field(default_factory=dict)
    trials: pd.DataFrame = field(default_factory=no_trials)

    def __post_init__(self) -> None:
        """Refuse tables whose lengths disagree."""
        count = len(self.neurons)
        where = self.source.path
        if len(self.signal) != count:
            raise bad_input(
                "neurons",
                f"have one row per neuron of the signal ({len(self.signal)})",
                count,
                file=where,
            )
        for column in ("id", "x_um", "y_um", "z_um"):
            if column not in self.neurons.columns:
                raise bad_input(f"neurons.{column}", "be a column", "none", file=where)
        for atlas, regions in self.regions.items():
            if regions.membership.shape[0] != count:
                raise bad_input(
                    f"regions.{atlas}",
                    f"have one row per neuron ({count})",
                    regions.membership.shape[0],
                    file=where,
                )

    def __len__(self) -> int:
        """Return the number of neurons."""
        return len(self.neurons)

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row per neuron: id, positions, quality, and its region in each atlas."""
        return neurons_with_regions(self.neurons, self.regions)

    def binarize(
        self,
        *,
        bin_ms: float | None = None,
        epochs: Sequence[str] | None = None,
        min_active_bins: int | None = None,
        memory_limit_gb: float | None = None,
    ) -> Activity:
        """Return the binary activity of every neuron.

        Defaults and ranges are those of the fields of
        `boltzbrain.preparing.preparation.Preparation`; rules and errors are told by
        `boltzbrain.preparing.bins.binarize.binarize`.

        Parameters
        ----------
        bin_ms
            Width of a bin, milliseconds.
        epochs
            Labels of the epochs to keep; the whole recording if None.
        min_active_bins
            Deprecated: an option of `Activity.split`.
        memory_limit_gb
            Memory that the activity may take, GB.
        """
        activity: Activity = keeper("Recording.binarize")(
            self,
            bin_ms=bin_ms,
            epochs=epochs,
            min_active_bins=min_active_bins,
            memory_limit_gb=memory_limit_gb,
        )
        return activity

    def select(self, keep: NDArray[np.bool_]) -> Recording:
        """Return the recording of some neurons, (neuron,) bool; nothing else changes."""
        signal: Signal
        if isinstance(self.signal, SpikeTimes):
            lengths = np.diff(np.r_[0, self.signal.index])
            signal = replace(
                self.signal,
                times=self.signal.times[np.repeat(keep, lengths)],
                index=np.cumsum(lengths[keep]).astype(np.int64),
            )
        elif isinstance(self.signal, Traces):
            signal = replace(self.signal, frames=self.signal.frames[:, keep])
        else:
            signal = replace(self.signal, counts=self.signal.counts[:, keep])
        return replace(
            self,
            neurons=self.neurons[keep].reset_index(drop=True),
            regions={atlas: one.select(keep) for atlas, one in self.regions.items()},
            signal=signal,
        )

    def mend(
        self,
        *what: str,
        bin_ms: float | None = None,
        epochs: Sequence[str] | None = None,
        memory_limit_gb: float | None = None,
    ) -> Recording:
        """Return this recording with the named faults mended.

        Rules and errors are those of `boltzbrain.preparing.faults.mend.mend`.

        Parameters
        ----------
        what
            Names of faults, as ``boltzbrain info --check`` gives them.
        bin_ms, epochs, memory_limit_gb
            The bins in which they are looked for, as in `binarize`.
        """
        mended: Recording = keeper("Recording.mend")(
            self, what, bin_ms=bin_ms, epochs=epochs, memory_limit_gb=memory_limit_gb
        )
        return mended

    def deconvolve(self, **options: Any) -> Recording:
        """Return this recording with its calcium traces turned into binary states.

        Parameters
        ----------
        **options
            ``method``, ``kernel``, ``threshold`` and others of
            `boltzbrain.preparing.calcium.deconvolve.deconvolve`, which tells rules and errors.
        """
        binary: Recording = keeper("Recording.deconvolve")(self, **options)
        return binary


def neuron_table(
    ids: list[str] | NDArray[Any],
    xyz_um: NDArray[Any] | None = None,
    quality: Mapping[str, NDArray[Any]] | None = None,
) -> pd.DataFrame:
    """Build the neurons table of a `Recording`.

    Parameters
    ----------
    ids
        (neuron,) names, turned into text.
    xyz_um
        (neuron, 3) positions in micrometres; NaN where None.
    quality
        Further columns, (neuron,) each.
    """
    count = len(ids)
    xyz = np.full((count, 3), np.nan) if xyz_um is None else np.asarray(xyz_um, dtype=np.float64)
    table: dict[str, Any] = {
        "id": [str(name) for name in ids],
        "x_um": xyz[:, 0],
        "y_um": xyz[:, 1],
        "z_um": xyz[:, 2],
    }
    table.update(quality or {})
    return pd.DataFrame(table)


def neurons_with_regions(neurons: pd.DataFrame, regions: Mapping[str, Regions]) -> pd.DataFrame:
    """Return the table of neurons with their first region in each atlas, "" where they have none.

    Positions of which none is known are left out.
    """
    places = [name for name in ("x_um", "y_um", "z_um") if name in neurons]
    unknown = [name for name in places if neurons[places].isna().all(axis=None)]
    labels = {atlas: one.labels() for atlas, one in regions.items()}
    return neurons.drop(columns=unknown).assign(**labels)
