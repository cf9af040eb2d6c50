"""Writer of the package's own recording file; `readers.formats.npz` tells its layout."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity
from boltzbrain.data.behaviour.by_segment import behaviour_by_segment
from boltzbrain.data.behaviour.covariates import Covariate
from boltzbrain.data.behaviour.trials import is_labels
from boltzbrain.data.recording import NPZ_FORMAT, Recording
from boltzbrain.data.regions import Regions
from boltzbrain.data.signals import Binned
from boltzbrain.data.steps import steps_text
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.disk.files import atomic_write

_POSITION = ("x_um", "y_um", "z_um")


def write_npz(
    path: str | os.PathLike[str], data: Recording | Activity, *, overwrite: bool = False
) -> Path:
    """Write binned data in the package's own format, without pickle.

    Parameters
    ----------
    path
        Where to write; the name is taken as it is.
    data
        A recording that is `Binned`, or an `Activity` (its states; folds are not written).
    overwrite
        Whether a file at `path` may be replaced.

    Returns
    -------
    Path
        The file, whole: it is written beside `path` and renamed.

    Raises
    ------
    InputError
        If there is a file already, the recording is not binned, a column cannot be stored without
        pickle, or the disk refuses.
    """
    target = Path(path)
    if target.exists() and not overwrite:
        raise bad_input(
            "the file", "not be there yet, or overwrite=True be given", "a file", file=target
        )
    arrays = _arrays(data, target)
    with atomic_write(target) as temporary, temporary.open("wb") as handle:
        np.savez_compressed(handle, allow_pickle=False, **arrays)
    return target


def _arrays(data: Recording | Activity, where: Path) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    if isinstance(data, Activity):
        arrays["states"], segment = data.states, data.segment
        width = data.bin_width_s
        # folds are not written, so neither is how they were made
        steps = [step for step in data.steps if step.name != "split"]
    elif isinstance(data.signal, Binned):
        signal = data.signal
        binary = str(data.source.options.get("signal")) == "states" or int(signal.counts.max()) <= 1
        arrays["states" if binary else "counts"] = signal.counts
        segment, width = signal.segment, signal.bin_width_s
        arrays["time_s"] = signal.times
        steps = list(data.steps)
        if signal.saturated:
            arrays["saturated"] = np.int64(signal.saturated)  # type: ignore[assignment]
    else:
        raise bad_input(
            "the recording",
            "be binned (or an Activity: binarize it first)",
            type(data.signal).__name__,
            file=where,
        )
    arrays["bin_width_s"] = np.float64(width)  # type: ignore[assignment]
    arrays["segment"] = segment
    arrays |= {name: np.array(value) for name, value in NPZ_FORMAT.told.items()}
    if steps:
        arrays["steps"] = np.array(steps_text(steps), dtype=np.str_)
    arrays["neuron_id"] = _text(data.neurons["id"].tolist())
    xyz = data.neurons[list(_POSITION)].to_numpy(dtype=np.float64)
    if np.isfinite(xyz).any():
        arrays["xyz_um"] = xyz
    for column in data.neurons.columns:
        if column not in ("id", *_POSITION):
            values = data.neurons[column].to_numpy()
            arrays[f"neurons/{column}"] = values if values.dtype.kind in "biuf" else _text(values)
    for atlas, regions in data.regions.items():
        arrays.update(_atlas(atlas, regions))
    if isinstance(data, Recording) and len(data.epochs):
        for column in ("start_s", "stop_s"):
            arrays[f"epochs/{column}"] = data.epochs[column].to_numpy(dtype=np.float64)
        arrays["epochs/label"] = _text(data.epochs["label"].tolist())
    if isinstance(data, Activity):
        return arrays | _behaviour(*behaviour_by_segment(data))
    return arrays | _behaviour(data.covariates, data.trials)


def _behaviour(series: Mapping[str, Covariate], trials: pd.DataFrame) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    for number, (name, one) in enumerate(series.items()):
        base = f"covariates/{number:03d}"
        arrays[f"{base}/told"] = _text([name, one.unit, one.rule])
        arrays |= {f"{base}/times": one.times, f"{base}/values": one.values}
        if one.segment is not None:
            arrays[f"{base}/segment"] = one.segment
    if len(trials):
        arrays["trials/names"] = _text(trials.columns)
        for number, name in enumerate(trials.columns):
            column = trials[name]
            values = _text(column.tolist()) if is_labels(column) else column.to_numpy()
            arrays[f"trials/{number:03d}"] = values
    return arrays


def _atlas(atlas: str, regions: Regions) -> dict[str, NDArray[Any]]:
    """Return one label per neuron where that says it all, else the sparse membership."""
    simple = Regions.from_labels(regions.labels())
    if (
        atlas == "region"
        and simple.names == regions.names
        and not any(regions.hemisphere)
        and simple.membership.nnz == regions.membership.nnz
    ):
        return {"region": _text(regions.labels())}
    base = f"atlas/{atlas}"
    return {
        f"{base}/names": _text(regions.names),
        f"{base}/hemisphere": _text(regions.hemisphere),
        f"{base}/indptr": regions.membership.indptr.astype(np.int64),
        f"{base}/indices": regions.membership.indices.astype(np.int64),
    }


def _text(values: Any) -> NDArray[np.str_]:
    """Return text as an array without objects; missing entries become ""."""
    words = ["" if value is None or value != value else str(value) for value in list(values)]
    return np.array(words or [""], dtype=np.str_)[: len(words)]
