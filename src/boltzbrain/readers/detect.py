"""Which reader a file needs: told by what is in it, with the formats that are known in one list."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from boltzbrain.data.recording import Recording
from boltzbrain.foundations.checks import bad_input, closest, one_of
from boltzbrain.readers.behaviour.attach import with_covariates, with_trials
from boltzbrain.readers.containers.signatures import FileSignature, signature_of
from boltzbrain.readers.formats.arrays import read_array
from boltzbrain.readers.formats.caiman import read_caiman
from boltzbrain.readers.formats.celegans import read_celegans
from boltzbrain.readers.formats.neo_files import read_neo_file
from boltzbrain.readers.formats.npz import read_npz
from boltzbrain.readers.formats.objects import find_kind
from boltzbrain.readers.formats.pynapple import read_pynapple
from boltzbrain.readers.formats.sorted.alf import read_alf
from boltzbrain.readers.formats.sorted.alf_folders import is_alf
from boltzbrain.readers.formats.sorted.buzcode import is_cellinfo, read_buzcode
from boltzbrain.readers.formats.sorted.phy import read_phy
from boltzbrain.readers.formats.sorted.spikeinterface import INFO, read_spikeinterface
from boltzbrain.readers.formats.suite2p import is_plane, read_suite2p
from boltzbrain.readers.nwb.file import read_nwb
from boltzbrain.readers.zebrafish.file import find_paths, read_zebrafish


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes
    ----------
    name
        Its name, as in ``format=``.
    looks_for
        What makes a file one of these, in words.
    fits
        Whether the contents are of this format; it reads no file.
    read
        Its reader, ``read(path, **options)``.
    """

    name: str
    looks_for: str
    fits: Callable[[FileSignature], bool]
    read: Callable[..., Recording]


def _is_npz(signature: FileSignature) -> bool:
    return signature.kind == "zip" and bool({"counts", "states"} & set(signature.names))


def _is_nwb(signature: FileSignature) -> bool:
    names = set(signature.names)
    if signature.kind == "folder":
        inside = bool({"units", "processing"} & names)
        return inside and bool({".zgroup", "zarr.json"} & names)
    marked = "nwb_version" in signature.attributes
    return signature.kind == "hdf5" and (
        marked or "units/spike_times" in names or {"general", "session_start_time"} <= names
    )


def _is_zebrafish(signature: FileSignature) -> bool:
    if signature.kind != "hdf5":
        return False
    found = find_paths(signature.names)
    placed = "coordinates" in found or "zbrain_coordinates" in found
    return placed and ("spikes" in found or "dff" in found)


def _is_phy(signature: FileSignature) -> bool:
    names = set(signature.names)
    return signature.kind == "folder" and (
        "spike_times.npy" in names and bool({"spike_clusters.npy", "spike_templates.npy"} & names)
    )


def _is_alf(signature: FileSignature) -> bool:
    return signature.kind == "folder" and is_alf(signature.names)


def _is_buzcode(signature: FileSignature) -> bool:
    return signature.kind in ("mat", "hdf5") and is_cellinfo(signature.names)


def _is_suite2p(signature: FileSignature) -> bool:
    if signature.kind != "folder":
        return False
    # a folder of planes, the folder suite2p, or what holds it
    return is_plane(signature.names) or any(
        name == "suite2p" or (name.removeprefix("plane").isdecimal() and name.startswith("plane"))
        for name in signature.names
    )


def _is_spikeinterface(signature: FileSignature) -> bool:
    names = set(signature.names)
    if signature.kind == "folder":
        return {INFO, "spikes.npy"} <= names
    return signature.kind == "zip" and {"unit_ids", "num_segment", "sampling_frequency"} <= names


def _is_pynapple(signature: FileSignature) -> bool:
    names = set(signature.names)
    return (
        signature.kind == "zip" and {"t", "start", "end"} <= names and bool({"index", "d"} & names)
    )


def _is_caiman(signature: FileSignature) -> bool:
    names = set(signature.names)
    return signature.kind == "hdf5" and bool({"estimates/C", "estimates/F_dff"} & names)


def _is_celegans(signature: FileSignature) -> bool:
    names = set(signature.names)
    if signature.kind == "zip":
        return {"traces", "t"} <= names
    return signature.kind == "hdf5" and {"gcamp/trace_array", "timing/timestamp_confocal"} <= names


def _is_array(signature: FileSignature) -> bool:
    if signature.kind in ("npy", "mat", "text"):
        return True
    return signature.kind in ("zip", "hdf5") and bool(signature.names)


# tried in this order; the first that fits reads the file
FORMATS: tuple[Format, ...] = (
    Format("npz", "a zip archive with counts.npy or states.npy (bin, neuron)", _is_npz, read_npz),
    Format(
        "nwb",
        "an HDF5 file or a zarr store with units or processing, or the attribute nwb_version",
        _is_nwb,
        read_nwb,
    ),
    Format(
        "zebrafish",
        "an HDF5 file with Coordinates and ThresholdedSpikes or DFF",
        _is_zebrafish,
        read_zebrafish,
    ),
    Format(
        "phy",
        "a folder with spike_times.npy and spike_clusters.npy, of phy or Kilosort",
        _is_phy,
        read_phy,
    ),
    Format(
        "alf",
        "a folder with spikes.times.npy and spikes.clusters.npy, or with alf or probes below",
        _is_alf,
        read_alf,
    ),
    Format(
        "buzcode",
        "a MATLAB file, also as an HDF5 file, with a struct spikes of times and UID",
        _is_buzcode,
        read_buzcode,
    ),
    Format(
        "suite2p", "a folder with F.npy and iscell.npy, or with plane0", _is_suite2p, read_suite2p
    ),
    Format("caiman", "an HDF5 file with /estimates/C or F_dff", _is_caiman, read_caiman),
    Format(
        "spikeinterface",
        f"a folder with {INFO}, or a zip archive with unit_ids and num_segment",
        _is_spikeinterface,
        read_spikeinterface,
    ),
    Format(
        "pynapple",
        "a zip archive with t, start, end and index or d",
        _is_pynapple,
        read_pynapple,
    ),
    Format(
        "celegans",
        "an HDF5 file with gcamp/trace_array, or a zip archive with traces and t",
        _is_celegans,
        read_celegans,
    ),
    Format(
        "array",
        "any other .npy, .npz, csv, MATLAB or HDF5 file with a matrix of time and neurons",
        _is_array,
        read_array,
    ),
    # whatever Neo opens it opens by its own code: only on request
    Format("neo", "given format='neo', any file that Neo reads", lambda _: False, read_neo_file),
)


def read(
    path: Any,
    *,
    format: str | None = None,
    units: str | None = None,
    trials: Any = None,
    covariates: Any = None,
    **options: Any,
) -> Recording:
    """Read a recording of any known format.

    Parameters
    ----------
    path
        The file or folder; its content tells the format, its name does not. Or an object in memory:
        a SpikeInterface sorting, a Neo block, a pynapple TsGroup or TsdFrame, an array, a list of
        spike trains (`boltzbrain.readers.formats.objects`).
    format
        Name of the format, if it should not be told from the content: one of those of `FORMATS`.
    units
        Name of a unit filter (`boltzbrain.readers.units.PRESETS`), for formats that have units.
    trials, covariates
        What was recorded beside the neurons: csv files, or objects in memory
        (`boltzbrain.readers.behaviour.attach`). Trials stand in place of those of the file, series
        beside them.
    **options
        Further options of the reader, as docs/recordings.md lists them.

    Returns
    -------
    Recording
        What the file holds.

    Raises
    ------
    InputError
        If the file is missing, empty, damaged or of no known format, the reader has no such option,
        or the reader refuses what it finds.
    """
    recording = _read(path, format, units, options)
    if covariates is not None:
        recording = with_covariates(recording, covariates)
    return recording if trials is None else with_trials(recording, trials)


def _read(path: Any, format: str | None, units: str | None, options: dict[str, Any]) -> Recording:
    known = {one.name: one for one in FORMATS}
    if units is not None:
        options = {"units": units, **options}
    if not isinstance(path, (str, os.PathLike)):
        kind = find_kind(path)
        if format is not None:
            raise bad_input("format", "be left out for an object in memory", format)
        _check_options(f"{kind.name} objects", kind.read, options, None)
        return kind.read(path, **options)
    if format is not None:
        chosen = known[one_of("format", format, known)]
    else:
        chosen = _first_that_fits(signature_of(path))
    _check_options(f"{chosen.name} files", chosen.read, options, path)
    return chosen.read(path, **options)


def _check_options(
    what: str, reader: Callable[..., Recording], options: dict[str, Any], path: Any
) -> None:
    allowed = [
        name
        for name, parameter in inspect.signature(reader).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    for option in options:
        if option not in allowed:
            raise bad_input(
                option,
                f"be left out: the reader of {what} "
                + (f"has the options {', '.join(allowed)}" if allowed else "has no options"),
                repr(options[option]),
                suggestion=closest(option, allowed),
                file=path,
            )


def _first_that_fits(signature: FileSignature) -> Format:
    for one in FORMATS:
        if one.fits(signature):
            return one
    if signature.kind == "folder" and {"run.json", "activity.h5"} <= set(signature.names):
        raise bad_input(
            "the folder",
            "hold a recording",
            "a run: `boltzbrain evaluate`, `interpret` and `report` take it",
            file=signature.path,
        )
    # what the container rules out need not be explained
    near = [one for one in FORMATS if signature.container and signature.container in one.looks_for]
    told = "; ".join(f"{one.name}: {one.looks_for}" for one in near)
    names = ", ".join(one.name for one in FORMATS if one not in near)
    known = f"{told}; {names}" if told else names
    raise bad_input(
        "the content", f"be of a known format ({known})", signature.describe(), file=signature.path
    )
