"""What is told of neurons and bins beside the numbers: names, regions, places, segments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from boltzbrain.data.activity import stretches
from boltzbrain.data.recording import neuron_table
from boltzbrain.data.regions import Regions
from boltzbrain.foundations.checks import bad_input
from boltzbrain.readers.memory.numbers import plain_array


def told_of_neurons(
    count: int,
    neuron_id: Any,
    region: Any,
    xyz_um: Any,
    other_axis: int | None = None,
) -> tuple[pd.DataFrame, dict[str, Regions]]:
    """Return the table of neurons and their regions.

    Parameters
    ----------
    count
        Number of neurons.
    neuron_id
        (neuron,) names, numbered from 0 if None.
    region
        (neuron,) labels, an empty one for none, or a dictionary from atlas to them.
    xyz_um
        (neuron, 3) positions, NaN where unknown.
    other_axis
        Length of the axis that may have been taken for that of the neurons.

    Raises
    ------
    InputError
        If a length, a name or a position does not fit.
    """

    def fitting(name: str, given: Any) -> NDArray[Any]:
        values = plain_array(given, name)
        if len(values.shape) == 0 or values.shape[0] != count:
            turned = values.ndim and other_axis != count and values.shape[0] == other_axis
            hint = "; is the array turned round? rows are times: pass array.T" if turned else ""
            got = f"{values.shape[0]}" if values.ndim else f"{given}"
            raise bad_input(name, f"have one entry per neuron ({count})", got + hint)
        return values

    ids = [str(number) for number in range(count)]
    if neuron_id is not None:
        ids = [str(one) for one in fitting("neuron_id", neuron_id).tolist()]
        if len(set(ids)) < count:
            twice = next(one for one in ids if ids.count(one) > 1)
            raise bad_input("neuron_id", "be different for each neuron", f"{twice} twice")
    xyz = None
    if xyz_um is not None:
        xyz = fitting("xyz_um", xyz_um)
        if xyz.shape != (count, 3) or xyz.dtype.kind not in "iuf":
            raise bad_input(
                "xyz_um", f"have shape (neuron, 3), ({count}, 3), of numbers",
                f"shape {xyz.shape}, dtype {xyz.dtype}",
            )  # fmt: skip
        xyz = xyz.astype(np.float64)
        if np.isinf(xyz).any():
            raise bad_input("xyz_um", "be finite, or NaN where unknown", "infinite values")
    atlases = region if isinstance(region, Mapping) else {"region": region}
    regions = {
        str(atlas): Regions.from_labels([str(one) for one in fitting("region", labels).tolist()])
        for atlas, labels in atlases.items()
        if labels is not None
    }
    return neuron_table(ids, xyz), regions


def told_segments(segment: Any, bins: int) -> NDArray[np.int32]:
    """Return the segment of every bin: whole numbers as they are, other labels numbered.

    Parameters
    ----------
    segment
        (bin,) numbers or texts; every bin in one segment if None.
    bins
        Number of bins.

    Raises
    ------
    InputError
        If there is not one per bin, one is missing, or one comes back after another.
    """
    if segment is None:
        return np.zeros(bins, dtype=np.int32)
    values = plain_array(segment, "segment")
    if values.shape != (bins,):
        raise bad_input("segment", f"have one entry per bin ({bins})", f"shape {values.shape}")
    limit = np.iinfo(np.int32)
    if values.dtype.kind == "f" and not (values == np.floor(values)).all():
        raise bad_input("segment", "hold whole numbers or names", "numbers that are not whole")
    if values.dtype.kind in "biuf" and limit.min <= values.min() and values.max() <= limit.max:
        numbers = values.astype(np.int32)
    else:
        codes, _ = pd.factorize(values)
        if (codes < 0).any():
            raise bad_input("segment", "be told of every bin", f"none of bin {np.argmin(codes)}")
        numbers = codes.astype(np.int32)
    stretches(numbers)
    return numbers


def apart(segment: NDArray[np.int32], frame_s: float, pause_s: float) -> NDArray[np.float64]:
    """Return the seconds of every frame, (frame,), the segments apart by a pause."""
    new = np.r_[False, segment[1:] != segment[:-1]]
    return np.arange(len(segment)) * frame_s + np.cumsum(new) * pause_s
