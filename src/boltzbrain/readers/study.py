"""Several animals from one toml file, or from a folder of recordings, into one frame."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.recording import Recording
from boltzbrain.data.study import Frame, Study
from boltzbrain.foundations.checks import bad_input, closest, number_in, one_of
from boltzbrain.readers.detect import read

FILE = "study.toml"
UNITS: Mapping[str, float] = {"um": 1.0, "mm": 1e3, "m": 1e6}
"""Unit of positions to micrometres."""
_SIDES = ("left", "right", "both")
_OF_STUDY = ("atlas", "axes", "hemisphere", "midline_um")
_OF_ANIMAL = ("recording", "unit", "axes", "hemisphere", "group", "read")
_XYZ = ["x_um", "y_um", "z_um"]


def is_study(path: str | Path) -> bool:
    """Return whether a path is a toml file, or a folder with a study.toml in it."""
    place = Path(path)
    return place.suffix == ".toml" or (place / FILE).is_file()


def read_study(path: str | Path, **options: Any) -> Study:
    """Read the recordings of several animals.

    Parameters
    ----------
    path
        A toml file, a folder that holds one as study.toml, or a folder of recordings, which are
        called by their stems. In a toml file the table ``study`` may say ``atlas``, ``axes``
        (where x, y and z lead to, as "RAS"), ``hemisphere`` and ``midline_um``; the table
        ``animals.NAME`` says ``recording`` (a relative path is taken from the toml file), and may
        say ``unit`` of its positions (um, mm, m), its own ``axes`` and ``hemisphere``, its
        ``group`` (a condition or genotype; of all animals or of none), and ``read``, options of its
        reader.
    options
        Of `boltzbrain.read`, for every animal.

    Returns
    -------
    Study
        Positions in micrometres along the axes of the study; those of an animal of the other
        hemisphere mirrored at the midline.

    Raises
    ------
    InputError
        If the file is no toml, an entry is unknown, or a recording cannot be read.
    """
    place = Path(path)
    if place.is_dir() and not (place / FILE).is_file():
        files = sorted(one for one in place.iterdir() if not one.name.startswith("."))
        if not files:
            raise bad_input("study", "be a folder with a recording of every animal", "an empty one")
        recordings = [read(one, **options) for one in files]
        return Study.of(recordings, [one.stem for one in files])
    file = place / FILE if place.is_dir() else place
    told = _parsed(file)
    general = _known(told.get("study", {}), _OF_STUDY, "study", file)
    animals = told.get("animals", {})
    if not isinstance(animals, dict) or not animals:
        raise bad_input("animals", "be tables [animals.NAME], one an animal", "none", file=file)
    frame = Frame(str(general.get("atlas", "")), str(general.get("axes", "")))
    found, groups = {}, []
    for name, table in animals.items():
        entry = _known(table, _OF_ANIMAL, f"animals.{name}", file)
        if "recording" not in entry:
            raise bad_input(f"animals.{name}.recording", "be given", "none", file=file)
        recording = read(file.parent / entry["recording"], **{**options, **entry.get("read", {})})
        found[name] = _in_frame(recording, entry, general, frame, file)
        groups += [str(entry["group"])] if "group" in entry else []
    if groups and len(groups) < len(found):
        bare = next(name for name, table in animals.items() if "group" not in table)
        raise bad_input(f"animals.{bare}.group", "be given, as of other animals", "none", file=file)
    return Study(tuple(found), tuple(found.values()), frame, tuple(groups))


def _parsed(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise bad_input("the study", "be a file that can be read", str(error), file=file) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise bad_input("the study", "be a toml file", str(error), file=file) from None


def _known(table: Any, names: tuple[str, ...], where: str, file: Path) -> dict[str, Any]:
    """Return a table whose entries are all known."""
    if not isinstance(table, dict):
        raise bad_input(where, "be a table", type(table).__name__, file=file)
    for name in table:
        if name not in names:
            raise bad_input(
                where, "hold " + ", ".join(names), name, suggestion=closest(name, names), file=file
            )
    return table


def _in_frame(
    recording: Recording,
    entry: Mapping[str, Any],
    general: Mapping[str, Any],
    frame: Frame,
    file: Path,
) -> Recording:
    """Return a recording with its positions in the frame of the study."""
    unit = one_of("unit", entry.get("unit", "um"), UNITS, file=file)
    xyz: NDArray[np.float64] = recording.neurons[_XYZ].to_numpy(dtype=np.float64) * UNITS[unit]
    if "axes" in entry:
        xyz = frame.turned(xyz, entry["axes"])
    sides = [
        one_of("hemisphere", table.get("hemisphere", "both"), _SIDES, file=file)
        for table in (general, entry)
    ]
    if set(sides) == {"left", "right"}:
        if not frame.axes:
            raise bad_input("axes", "be declared to mirror a hemisphere", "none", file=file)
        axis = frame.mirror_axes[0]
        midline = number_in("midline_um", general.get("midline_um", 0.0), file=file)
        xyz[:, axis] = 2 * midline - xyz[:, axis]
    columns = dict(zip(_XYZ, xyz.T, strict=True))
    return replace(recording, neurons=recording.neurons.assign(**columns))
