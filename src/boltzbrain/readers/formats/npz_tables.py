"""The further tables of the package's npz: quality columns, atlases, epochs.

``neurons/<column>`` (neuron,) holds a quality column; ``atlas/<name>/names`` and ``/hemisphere``
(region,) text with ``/indptr`` (neuron + 1,) and ``/indices`` an atlas whose regions may overlap,
as compressed sparse rows; ``epochs/start_s``, ``/stop_s`` and ``/label`` (epoch,) the epochs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from boltzbrain.data.recording import no_epochs
from boltzbrain.data.regions import Regions
from boltzbrain.data.steps import Step, parse_steps
from boltzbrain.foundations.checks import bad_input
from boltzbrain.readers.containers.zip_archive import Archive

_HEMISPHERES = ("left", "right", "")


def read_text(
    archive: Archive, name: str, length: int | None, *, numbers: bool = False
) -> list[str] | None:
    """Return an array of text as a list, stripped, None where there is none.

    Parameters
    ----------
    archive
        The archive.
    name
        Name of the array.
    length
        How many entries it must have, any number if None.
    numbers
        Whether whole numbers will do; they become text.

    Raises
    ------
    InputError
        If it has another length or holds no text.
    """
    if name not in archive:
        return None
    values = archive.read(name)
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.ndim != 1 or (length is not None and len(values) != length):
        wanted = "any" if length is None else str(length)
        raise bad_input(name, f"have shape ({wanted},)", f"shape {values.shape}", file=archive.path)
    kinds = "USiu" if numbers else "US"
    if values.dtype.kind not in kinds:
        raise bad_input(name, "hold text", f"dtype {values.dtype}", file=archive.path)
    if values.dtype.kind == "S":
        return [text.decode("utf-8", "replace").strip() for text in values.tolist()]
    try:
        return [str(value).strip() for value in values.tolist()]
    except (ValueError, SystemError) as error:
        raise bad_input(name, "hold text", f"no valid text ({error})", file=archive.path) from error


def read_quality(archive: Archive, neurons: int) -> dict[str, NDArray[Any]]:
    """Return the quality columns by name, (neuron,) each; text as objects."""
    result: dict[str, NDArray[Any]] = {}
    for name in archive.names:
        column = name.removeprefix("neurons/")
        if column in (name, "", "id", "x_um", "y_um", "z_um"):
            continue
        values = archive.read(name)
        if values.shape != (neurons,):
            raise bad_input(
                name, f"have shape ({neurons},)", f"shape {values.shape}", file=archive.path
            )
        if values.dtype.kind in "US":
            values = np.asarray(read_text(archive, name, neurons), dtype=object)
        result[column] = values
    return result


def read_atlases(archive: Archive, neurons: int) -> dict[str, Regions]:
    """Return the atlases that the archive holds as sparse memberships."""
    atlases = [
        name.split("/")[1]
        for name in archive.names
        if name.startswith("atlas/") and name.endswith("/names")
    ]
    return {atlas: _read_atlas(archive, f"atlas/{atlas}", neurons) for atlas in atlases}


def _read_atlas(archive: Archive, base: str, neurons: int) -> Regions:
    names = read_text(archive, f"{base}/names", None) or []
    hemisphere = read_text(archive, f"{base}/hemisphere", len(names)) or [""] * len(names)
    indptr = _whole(archive, f"{base}/indptr", neurons + 1)
    indices = _whole(archive, f"{base}/indices", None)
    fits = (
        indptr[0] == 0
        and indptr[-1] == len(indices)
        and bool((np.diff(indptr) >= 0).all())
        and bool(((indices >= 0) & (indices < len(names))).all())
        and len(set(names)) == len(names)
        and set(hemisphere) <= set(_HEMISPHERES)
    )
    if not fits:
        raise bad_input(
            base,
            "hold the regions of each neuron as compressed sparse rows",
            "arrays that do not fit each other",
            file=archive.path,
        )
    ones = np.ones(len(indices), dtype=np.uint8)
    membership = sparse.csr_array((ones, indices, indptr), shape=(neurons, len(names)))
    return Regions(tuple(names), membership, tuple(hemisphere))


def _whole(archive: Archive, name: str, length: int | None) -> NDArray[np.int64]:
    values = archive.read(name) if name in archive else np.empty(0)
    if values.ndim != 1 or values.dtype.kind not in "iu" or length not in (None, len(values)):
        raise bad_input(
            name,
            f"hold {length or 'any number of'} whole numbers",
            f"shape {values.shape}, dtype {values.dtype}",
            file=archive.path,
        )
    return values.astype(np.int64)


def read_epochs(archive: Archive) -> pd.DataFrame:
    """Return the epochs table, empty where the archive has none."""
    label = read_text(archive, "epochs/label", None)
    if label is None:
        return no_epochs()
    times: dict[str, Any] = {}
    for column in ("start_s", "stop_s"):
        name = f"epochs/{column}"
        values = archive.read(name) if name in archive else np.empty(0)
        if values.shape != (len(label),) or values.dtype.kind not in "iuf":
            raise bad_input(
                name,
                f"hold one number per label ({len(label)})",
                f"shape {values.shape}, dtype {values.dtype}",
                file=archive.path,
            )
        times[column] = values.astype(np.float64)
    return pd.DataFrame({**times, "label": label}) if label else no_epochs()


def read_steps(archive: Archive) -> tuple[Step, ...]:
    """Return what was done to the recording before it was written."""
    if "steps" not in archive:
        return ()
    text = archive.read("steps")
    if text.size != 1 or text.dtype.kind != "U":
        raise bad_input(
            "steps", "be one text", f"shape {text.shape}, dtype {text.dtype}", file=archive.path
        )
    return parse_steps(str(text.ravel()[0]), "steps", archive.path)
