"""The package's own recording file, an npz archive of plain arrays.

=================== ================== ============================================================
array               shape              what
=================== ================== ============================================================
counts *or* states  (bin, neuron)      spikes per bin, or 0 and 1; uint8
bin_width_s         ()                 seconds per bin
region              (neuron,)          text, "" where unknown; optional, as all that follows
xyz_um              (neuron, 3)        positions in micrometres, NaN where unknown
segment             (bin,)             int32; bins with one number are contiguous in time
neuron_id           (neuron,)          text or whole numbers
time_s              (bin,)             start of each bin in seconds; from 0 in a segment if absent
saturated           ()                 entries that were above 255 before they were stored as 255
steps               ()                 text, JSON: what was done before, a list of name and options
format              ()                 text, "boltzbrain recording"
format_version      ()                 version of this layout, 1
=================== ================== ============================================================

`boltzbrain.readers.formats.npz_tables` tells the further tables that our writer adds when a
recording has them: quality columns, atlases with overlapping regions, epochs,
trials, covariates.
"""

from __future__ import annotations

import difflib
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import stretches
from boltzbrain.data.recording import NPZ_FORMAT, Recording, neuron_table
from boltzbrain.data.regions import Regions
from boltzbrain.data.signals import Binned
from boltzbrain.data.steps import Source
from boltzbrain.foundations.checks import bad_input
from boltzbrain.readers.clock import Clock, find_clock
from boltzbrain.readers.containers.arrays.matrix import whole_numbers
from boltzbrain.readers.containers.signatures import as_file
from boltzbrain.readers.containers.zip_archive import Archive, open_npz
from boltzbrain.readers.fingerprint import fingerprint
from boltzbrain.readers.formats.npz_tables import (
    read_atlases,
    read_covariates,
    read_epochs,
    read_quality,
    read_steps,
    read_text,
    read_trials,
)

_SIGNALS = ("counts", "states")
_OPTIONAL = ("region", "xyz_um", "segment", "neuron_id", "time_s")
_KNOWN = (*_SIGNALS, "bin_width_s", *_OPTIONAL, "saturated", "steps", *NPZ_FORMAT.names)
_ROWS = 1 << 24


def read_npz(path: str | os.PathLike[str], *, bin_width_s: float | None = None) -> Recording:
    """Read a recording in the package's own format.

    Parameters
    ----------
    path
        The file; opened read-only, nothing in it is ever unpickled.
    bin_width_s
        Seconds per bin, whatever the file says (`boltzbrain.readers.clock`).

    Returns
    -------
    Recording
        `Binned`; regions in the atlas "region". Counts above 255 are stored as 255 and counted. A
        pause in the times ends a segment.

    Raises
    ------
    InputError
        If the file is missing, damaged or of another kind, an array is missing, has the wrong
        length, orientation or type, or holds NaN, negative or other values than it may.
    """
    found = as_file(path)
    with open_npz(found) as archive:
        _check_names(archive, bin_width_s is not None)
        name, counts, saturated = _read_signal(archive)
        bins, neurons = counts.shape
        clock = _read_clock(archive, bins, bin_width_s)
        ids = read_text(archive, "neuron_id", neurons, numbers=True)
        region = read_text(archive, "region", neurons)
        xyz = _read_positions(archive, neurons)
        quality = read_quality(archive, neurons)
        regions = {} if region is None else {"region": Regions.from_labels(region)}
        regions.update(read_atlases(archive, neurons))
        epochs = read_epochs(archive)
        covariates, trials = read_covariates(archive), read_trials(archive)
        steps = read_steps(archive)
        saturated += _read_saturated(archive)
        ignored = [other for other in archive.names if other not in _KNOWN and "/" not in other]
    names = [str(number) for number in range(neurons)] if ids is None else ids
    binned = Binned(counts, clock.width_s, clock.segment, clock.times, saturated)
    return Recording(
        neurons=neuron_table(names, xyz, quality),
        regions=regions,
        signal=binned,
        epochs=epochs,
        source=Source(
            "npz", str(found), fingerprint(found, binned), {"signal": name, "ignored": ignored}
        ),
        steps=steps,
        covariates=covariates,
        trials=trials,
    )


def _check_names(archive: Archive, width_known: bool) -> None:
    """Refuse an archive of another kind, and an array whose name is almost a known one."""
    signals = [name for name in _SIGNALS if name in archive]
    listed = ", ".join(archive.names[:12]) or "none"
    if len(signals) != 1:
        raise bad_input(
            "the file",
            "hold one array counts or states (bin, neuron)",
            "both" if signals else f"the arrays {listed}",
            file=archive.path,
        )
    if "bin_width_s" not in archive and not width_known:
        raise bad_input(
            "bin_width_s",
            "be an array: the seconds per bin",
            f"the arrays {listed}",
            suggestion=_near("bin_width_s", archive.names),
            file=archive.path,
        )
    for name in archive.names:
        meant = (
            None
            if name in _KNOWN
            else _near(name, [one for one in _OPTIONAL if one not in archive])
        )
        if meant is not None:
            raise bad_input(
                "the arrays",
                "have the names " + ", ".join(_KNOWN),
                name,
                suggestion=meant,
                file=archive.path,
            )
    told = {name: archive.read(name).tolist() for name in NPZ_FORMAT.names if name in archive}
    if told:  # plain arrays from elsewhere say nothing, those of 0.1.0 the version alone
        NPZ_FORMAT.require({"format": NPZ_FORMAT.name, **told}, archive.path)


def _near(name: str, known: Any) -> str | None:
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.8)
    return matches[0] if matches else None


def _read_signal(archive: Archive) -> tuple[str, NDArray[np.uint8], int]:
    """Return the name of the signal, its values as uint8, and how many were above 255."""
    name = next(one for one in _SIGNALS if one in archive)
    values = archive.read(name)
    where = archive.path
    if values.dtype.kind not in "biuf":
        raise bad_input(name, "hold numbers", f"dtype {values.dtype}", file=where)
    if values.ndim != 2 or 0 in values.shape:
        raise bad_input(
            name, "have shape (bin, neuron), both above 0", f"shape {values.shape}", file=where
        )
    _check_orientation(archive, name, values.shape)
    result = np.empty(values.shape, dtype=np.uint8)
    saturated = 0
    step = max(1, _ROWS // values.shape[1])
    for first in range(0, len(values), step):
        result[first : first + step], above = whole_numbers(
            values[first : first + step], name, name, where, first=first, axes=("bin", "neuron")
        )
        saturated += above
    return name, result, saturated


def _check_orientation(archive: Archive, name: str, shape: tuple[int, ...]) -> None:
    """Refuse (neuron, bin): the lengths of the other arrays tell, or the user must."""
    bins, neurons = shape
    wanted = {
        "region": neurons,
        "xyz_um": neurons,
        "neuron_id": neurons,
        "segment": bins,
        "time_s": bins,
    }
    told = False
    for other, length in wanted.items():
        if other not in archive:
            continue
        got = archive.read(other).shape[:1]
        turned = neurons if length == bins else bins
        if got == (turned,) and turned != length:
            raise bad_input(
                name,
                "have shape (bin, neuron)",
                f"shape {shape}, turned round: {other} has length {got[0]}",
                file=archive.path,
            )
        told = told or got == (length,)
    if neurons > bins and not told:
        raise bad_input(
            name,
            "have shape (bin, neuron); with fewer bins than neurons an array neuron_id, "
            "region or segment must confirm it",
            f"shape {shape} alone",
            file=archive.path,
        )


def _read_clock(archive: Archive, bins: int, confirmed: float | None) -> Clock:
    segment = _read_segment(archive, bins)
    times = _column(archive, "time_s", bins, "bin")
    return find_clock(
        bins,
        widths={"bin_width_s": _read_width(archive)},
        times=None if times is None else ("time_s", times),
        segment=segment,
        confirmed=confirmed,
        where=archive.path,
    )


def _read_width(archive: Archive) -> float | None:
    if "bin_width_s" not in archive:
        return None
    value = archive.read("bin_width_s")
    if value.size != 1 or value.dtype.kind not in "iuf":
        raise bad_input(
            "bin_width_s",
            "be one number of seconds",
            f"shape {value.shape}, dtype {value.dtype}",
            file=archive.path,
        )
    return float(value.ravel()[0])


def _read_saturated(archive: Archive) -> int:
    """Return how many entries were cut to 255 before the file was written."""
    if "saturated" not in archive:
        return 0
    value = archive.read("saturated")
    if value.size != 1 or value.dtype.kind not in "iu" or int(value.ravel()[0]) < 0:
        raise bad_input(
            "saturated",
            "be one whole number, at least 0",
            f"shape {value.shape}, dtype {value.dtype}",
            file=archive.path,
        )
    return int(value.ravel()[0])


def _column(archive: Archive, name: str, length: int, what: str) -> NDArray[Any] | None:
    """Return an optional array of numbers with one value per bin or neuron."""
    if name not in archive:
        return None
    values = archive.read(name)
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.shape != (length,) or values.dtype.kind not in "iuf":
        raise bad_input(
            name,
            f"hold one number per {what} ({length})",
            f"shape {values.shape}, dtype {values.dtype}",
            file=archive.path,
        )
    return values


def _read_segment(archive: Archive, bins: int) -> NDArray[np.int32]:
    values = _column(archive, "segment", bins, "bin")
    if values is None:
        return np.zeros(bins, dtype=np.int32)
    limit = np.iinfo(np.int32)
    with np.errstate(invalid="ignore"):
        whole = (values == np.floor(values)) if values.dtype.kind == "f" else np.True_
        wrong = ~(whole & (values >= limit.min) & (values <= limit.max))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise bad_input(
            "segment", "hold whole numbers", f"{values[row]} in bin {row}", file=archive.path
        )
    segment = values.astype(np.int32)
    stretches(segment, file=archive.path)
    return segment


def _read_positions(archive: Archive, neurons: int) -> NDArray[np.float64] | None:
    if "xyz_um" not in archive:
        return None
    values = archive.read("xyz_um")
    if values.shape != (neurons, 3) or values.dtype.kind not in "iuf":
        raise bad_input(
            "xyz_um",
            f"have shape (neuron, 3), ({neurons}, 3)",
            f"shape {values.shape}, dtype {values.dtype}",
            file=archive.path,
        )
    xyz = values.astype(np.float64)
    if np.isinf(xyz).any():
        raise bad_input(
            "xyz_um", "be finite, or NaN where unknown", "infinite values", file=archive.path
        )
    return xyz
