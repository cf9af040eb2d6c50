"""Which reader a file needs: told by what is in it, with the formats that are known in one list."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from boltzbrain.foundations.checks import bad_input, closest, one_of
from boltzbrain.readers.contents import Contents, look
from boltzbrain.readers.npz import read_npz
from boltzbrain.readers.nwb import read_nwb
from boltzbrain.readers.zebrafish import find_paths, read_zebrafish
from boltzbrain.recordings.recording import Recording


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
    fits: Callable[[Contents], bool]
    read: Callable[..., Recording]


def _is_npz(contents: Contents) -> bool:
    return contents.kind == "zip" and bool({"counts", "states"} & set(contents.names))


def _is_nwb(contents: Contents) -> bool:
    names = set(contents.names)
    marked = "nwb_version" in contents.attributes
    return contents.kind == "hdf5" and (
        marked or "units/spike_times" in names or {"general", "session_start_time"} <= names
    )


def _is_zebrafish(contents: Contents) -> bool:
    if contents.kind != "hdf5":
        return False
    found = find_paths(contents.names)
    placed = "coordinates" in found or "zbrain_coordinates" in found
    return placed and ("spikes" in found or "dff" in found)


# tried in this order; the first that fits reads the file
FORMATS: tuple[Format, ...] = (
    Format("npz", "a zip archive with counts.npy or states.npy (bin, neuron)", _is_npz, read_npz),
    Format(
        "nwb",
        "an HDF5 file with /units/spike_times, or the attribute nwb_version",
        _is_nwb,
        read_nwb,
    ),
    Format(
        "zebrafish",
        "an HDF5 file with Coordinates and ThresholdedSpikes or DFF",
        _is_zebrafish,
        read_zebrafish,
    ),
)


def read(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    units: str | None = None,
    **options: Any,
) -> Recording:
    """Read a recording of any known format.

    Parameters
    ----------
    path
        The file. Its content tells the format, its name does not.
    format
        Name of the format, if it should not be told from the content: one of npz, nwb, zebrafish.
    units
        Name of a unit filter (`boltzbrain.readers.units.PRESETS`), for formats that have units.
    **options
        Further options of the reader (`read_npz`, `read_nwb`, `read_zebrafish`).

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
    known = {one.name: one for one in FORMATS}
    if format is not None:
        chosen = known[one_of("format", format, known)]
    else:
        contents = look(path)
        chosen = _first_that_fits(contents)
    if units is not None:
        options = {"units": units, **options}
    allowed = [
        name
        for name, parameter in inspect.signature(chosen.read).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    for option in options:
        if option not in allowed:
            raise bad_input(
                option,
                f"be left out: the reader of {chosen.name} files "
                + (f"has the options {', '.join(allowed)}" if allowed else "has no options"),
                repr(options[option]),
                suggestion=closest(option, allowed),
                file=path,
            )
    return chosen.read(path, **options)


def _first_that_fits(contents: Contents) -> Format:
    for one in FORMATS:
        if one.fits(contents):
            return one
    wanted = "; ".join(f"{one.name}: {one.looks_for}" for one in FORMATS)
    raise bad_input(
        "the content", f"be of a known format ({wanted})", contents.describe(), file=contents.path
    )
