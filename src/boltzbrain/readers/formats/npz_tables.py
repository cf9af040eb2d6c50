"""The further tables of the package's npz: quality columns, atlases, epochs, trials, covariates.

``neurons/<column>`` (neuron,) holds a quality column; ``atlas/<name>/names`` and ``/hemisphere``
(region,) text with ``/indptr`` (neuron + 1,) and ``/indices`` an atlas whose regions may overlap,
as compressed sparse rows; ``epochs/start_s``, ``/stop_s`` and ``/label`` (epoch,) the epochs;
``trials/names`` the names of the columns of the trials and ``trials/000`` and so on (trial,) the
columns; ``covariates/000/told`` name, unit and rule of a covariate, with ``/times``, ``/values``
and maybe ``/segment`` (sample,).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from boltzbrain.data.behaviour.covariates import Covariate
from boltzbrain.data.behaviour.trials import checked_trials, no_trials
from boltzbrain.data.recording import no_epochs
from boltzbrain.data.regions import Regions
from boltzbrain.data.steps import Step, parse_steps
from boltzbrain.foundations.checks import InputError, bad_input
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


def read_trials(archive: Archive) -> pd.DataFrame:
    """Return the table of trials, empty where the archive has none."""
    names = read_text(archive, "trials/names", None)
    if not names:
        return no_trials()
    columns: dict[str, NDArray[Any]] = {}
    for number, name in enumerate(names):
        field = f"trials/{number:03d}"
        values = archive.read(field) if field in archive else np.empty(0)
        if values.ndim != 1 or not len(values) or values.dtype.kind not in "biufUS":
            raise bad_input(
                field, "hold a number or a text per trial", f"shape {values.shape}",
                file=archive.path,
            )  # fmt: skip
        if values.dtype.kind in "US":
            values = np.asarray(read_text(archive, field, None), dtype=object)
        columns[name] = values
    if len({len(one) for one in columns.values()}) > 1:
        lengths = sorted({len(one) for one in columns.values()})
        raise bad_input("trials", "have columns of one length", lengths, file=archive.path)
    return checked_trials(pd.DataFrame(columns), file=archive.path)


def read_covariates(archive: Archive) -> dict[str, Covariate]:
    """Return the covariates by name, none where the archive has none."""
    found: dict[str, Covariate] = {}
    for field in archive.names:
        if not (field.startswith("covariates/") and field.endswith("/told")):
            continue
        base = field.removesuffix("/told")
        told = read_text(archive, field, 3) or []
        parts: dict[str, Any] = {
            one: archive.read(f"{base}/{one}") if f"{base}/{one}" in archive else None
            for one in ("times", "values", "segment")
        }
        for one, kinds in (("times", "f"), ("values", "f"), ("segment", "i")):
            values = parts[one]
            if (values is None and one != "segment") or (
                values is not None and (values.ndim != 1 or values.dtype.kind not in kinds)
            ):
                raise bad_input(f"{base}/{one}", "hold a number per sample", "others",
                                file=archive.path)  # fmt: skip
        try:
            found[told[0]] = Covariate(
                parts["times"], parts["values"], told[1], parts["segment"], told[2]
            )
        except InputError as error:
            raise InputError(f"{archive.path}: covariates.{told[0]}.{error}") from error
    return found


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
