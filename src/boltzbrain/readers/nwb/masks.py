"""Where regions of interest lie in the image: the centres of their masks in an NWB file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from boltzbrain.readers.containers.hdf5 import check_size, reading
from boltzbrain.readers.nwb.table import DynamicTable

MASKS = ("pixel_mask", "voxel_mask", "image_mask")
"""The columns that tell where a region of interest lies; a file has one of them or more."""


def centres(table: DynamicTable, rows: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Return the centre of mass of each region of interest in pixels, by its mask; {} if none."""
    for name in MASKS[:2]:
        masks, ends = table.dataset(name), table.ends(name)
        if masks is None or ends is None:
            continue
        with reading(table.where, f"{table.name}.{name}"):
            named = masks.dtype.names or ()
        if not {"x", "y", "weight"} <= set(named):
            continue
        check_size(masks, table.where, f"{table.name}.{name}")
        with reading(table.where, f"{table.name}.{name}"):
            whole = masks[()]
            x, y, weight = (
                np.asarray(whole[one], dtype=np.float64) for one in ("x", "y", "weight")
            )
        unit = np.repeat(np.arange(table.rows), np.diff(np.r_[0, ends]))
        return _means(unit, x, y, weight, table.rows, rows)
    image = table.dataset("image_mask")
    if image is None:
        return {}
    with reading(table.where, f"{table.name}.image_mask"):
        shape = tuple(image.shape or ())
        usable = len(shape) == 3 and shape[0] == table.rows and image.dtype.kind in "biuf"
    if not usable:
        return {}
    check_size(image, table.where, f"{table.name}.image_mask")
    found = np.full((table.rows, 2), np.nan)
    for row in np.unique(rows).tolist():
        with reading(table.where, f"{table.name}.image_mask"):
            mask = np.asarray(image[row], dtype=np.float64)
        with np.errstate(all="ignore"):
            weight = mask / mask.sum()
            # stored (roi, x, y), as NWB says
            found[row] = (
                (weight.sum(axis=1) * np.arange(shape[1])).sum(),
                (weight.sum(axis=0) * np.arange(shape[2])).sum(),
            )
    found[~np.isfinite(found)] = np.nan
    return {"x_pixel": found[rows, 0], "y_pixel": found[rows, 1]}


def _means(
    unit: NDArray[np.int64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    weight: NDArray[np.float64],
    count: int,
    rows: NDArray[np.int64],
) -> dict[str, NDArray[np.float64]]:
    columns = {}
    with np.errstate(all="ignore"):
        total = np.bincount(unit, weight, count)
        for name, place in (("x_pixel", x), ("y_pixel", y)):
            centre = np.bincount(unit, weight * place, count) / total
            columns[name] = np.where(np.isfinite(centre), centre, np.nan)[rows]
    return columns
