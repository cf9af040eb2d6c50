"""Regions of a zebrafish: overlapping masks of the Z-Brain atlas, their divisions, sides."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from boltzbrain.data.atlas import hemisphere_of, merge_regions, zbrain_group
from boltzbrain.data.regions import Regions
from boltzbrain.foundations.checks import bad_input
from boltzbrain.readers.containers.hdf5 import check_size, reading
from boltzbrain.readers.containers.signatures import as_file

_BLOCK = 16


def _lines(text: str) -> tuple[str, ...]:
    """Return one name per line; "Diencephalon -", a whole division, loses its dash."""
    return tuple(line.strip().removesuffix(" -") for line in text.splitlines() if line.strip())


def region_names(
    labels: h5py.Dataset | None,
    neurons: int,
    where: str,
    names_file: str | os.PathLike[str] | None,
) -> tuple[str, ...]:
    """Return one name per mask: those of the given file, or numbers.

    Raises
    ------
    InputError
        If the masks do not fit the neurons, or the names do not fit the masks.
    """
    if labels is None:
        return ()
    with reading(where, "labels"):
        shape = tuple(labels.shape or ())
    if len(shape) != 2 or neurons not in shape:
        raise bad_input(
            "labels",
            f"have shape (region, neuron) with {neurons} neurons",
            f"shape {shape}",
            file=where,
        )
    count = shape[0] if shape[1] == neurons else shape[1]
    if names_file is not None:
        found: Path = as_file(names_file)
        try:
            names = _lines(found.read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise bad_input("labels_file", "be UTF-8 text", str(error), file=found) from error
        if len(names) != count or len(set(names)) != count:
            raise bad_input(
                "labels_file",
                f"hold {count} different names, one per line",
                f"{len(names)}, {len(set(names))} different",
                file=found,
            )
        return names
    return tuple(f"region {number}" for number in range(count))


def read_regions(
    labels: h5py.Dataset | None, neurons: int, names: tuple[str, ...], where: str
) -> dict[str, Regions]:
    """Return the masks as the atlas "zbrain" and their divisions as "zbrain_coarse".

    Raises
    ------
    InputError
        If a mask holds other values than 0 and 1, or is damaged.
    """
    if labels is None:
        return {}
    field = "labels"
    check_size(labels, where, field)
    with reading(where, field):
        if labels.dtype.kind not in "biuf":
            raise bad_input(field, "hold numbers", f"dtype {labels.dtype}", file=where)
        upright = labels.shape == (len(names), neurons)
    rows: list[NDArray[np.int64]] = []
    columns: list[NDArray[np.int64]] = []
    for first in range(0, len(names), _BLOCK):
        with reading(where, field):
            stop = min(first + _BLOCK, len(names))
            block: NDArray[Any] = np.asarray(
                labels[first:stop] if upright else labels[:, first:stop].T
            )
        if bool(((block != 0) & (block != 1)).any()):
            raise bad_input(field, "be 0 or 1", "other values", file=where)
        region, neuron = np.nonzero(block)
        rows.append(neuron)
        columns.append(region + first)
    zbrain = _membership(rows, columns, neurons, names)
    return {"zbrain": zbrain, "zbrain_coarse": coarse(zbrain)} if names else {}


def _membership(
    rows: list[NDArray[np.int64]],
    columns: list[NDArray[np.int64]],
    neurons: int,
    names: tuple[str, ...],
) -> Regions:
    row = np.concatenate(rows) if rows else np.empty(0, dtype=np.int64)
    column = np.concatenate(columns) if columns else np.empty(0, dtype=np.int64)
    ones = np.ones(len(row), dtype=np.uint8)
    membership = sparse.csr_array((ones, (row, column)), shape=(neurons, len(names)))
    return Regions(names, membership, tuple(_side(name) for name in names))


def _side(name: str) -> str:
    """Return the hemisphere that a name tells: most masks span both."""
    words = name.lower().split()
    return next((side for side in ("left", "right") if side in words), "")


def coarse(regions: Regions) -> Regions:
    """Return the divisions of the brain that the regions belong to: the name before " -".

    Examples
    --------
    >>> fine = Regions.from_labels(["Mesencephalon - Tegmentum", "Mesencephalon", "Spinal Cord"])
    >>> coarse(fine).names, coarse(fine).counts().tolist()
    (('Mesencephalon', 'Spinal Cord'), [2, 1])
    """
    both_sides = Regions(regions.names, regions.membership, ("",) * len(regions.names))
    return merge_regions(both_sides, zbrain_group)


def hemispheres(x_um: NDArray[np.float64], zbrain: Regions | None) -> NDArray[np.object_] | None:
    """Return "left" or "right" for each neuron by its x against the median, None without positions.

    Larger x lies to the right, as in the Z-Brain frame (right, anterior, superior), unless the
    neurons of the left habenula have the larger x. A neuron without position has side "".
    """
    known = np.isfinite(x_um)
    if not known.any():
        return None
    centre = {}
    for side in ("left", "right") if zbrain is not None else ():
        assert zbrain is not None
        columns = [
            number
            for number, name in enumerate(zbrain.names)
            if "Habenula" in name and zbrain.hemisphere[number] == side
        ]
        mine = np.asarray(zbrain.membership[:, columns].sum(axis=1)).ravel() > 0
        if (mine & known).any():
            centre[side] = float(x_um[mine & known].mean())
    mirrored = len(centre) == 2 and centre["left"] > centre["right"]
    return hemisphere_of(-x_um if mirrored else x_um).astype(object)
