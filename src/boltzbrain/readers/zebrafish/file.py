"""Reader of the whole-brain zebrafish recordings of van der Plas et al. (eLife 83139, 2023).

The files come from MATLAB and from several hands, so a dataset is known by the last part of its
name, in any case, and its axes by the number of neurons N: coordinates are (3, N), everything else
has one axis of length N.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import h5py
import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.recording import Recording, neuron_table, no_epochs
from boltzbrain.data.signals import Signal
from boltzbrain.data.steps import Source
from boltzbrain.foundations.checks import bad_input, one_of
from boltzbrain.readers.containers.hdf5 import list_objects, open_hdf5, read_numbers, reading
from boltzbrain.readers.containers.signatures import as_hdf5
from boltzbrain.readers.fingerprint import fingerprint
from boltzbrain.readers.zebrafish.regions import hemispheres, read_regions, region_names
from boltzbrain.readers.zebrafish.signal import (
    WidthsTold,
    frame_clock,
    read_states,
    read_traces,
)

ALIASES: Mapping[str, tuple[str, ...]] = {
    "spikes": ("thresholdedspikes", "spikes", "spike", "spike_data"),
    "dff": (
        "dff_align",
        "dff_aligned",
        "dffaligned",
        "df_aligned",
        "dff",
        "df/f",
        "df",
        "calcium",
        "calcium_data",
        "values",
    ),
    "coordinates": ("coordinates", "coords", "coordinates_raw"),
    "zbrain_coordinates": (
        "zbraincoordinates",
        "zbrain_coordinates",
        "zbraincoords",
        "zbrain_coords",
    ),
    "labels": ("labels", "region_labels", "zbrainatlas_labels"),
    "times": ("times", "time", "time_vector"),
}
"""What is looked for, to the names it goes by, lower case, the preferred one first."""

_UNIT_FILTERS = ("none", "labelled")
_SIGNALS = ("auto", "spikes", "dff")
# a larval brain is a millimetre long; values above this many millimetres are micrometres
_LARGEST_MM = 50.0


@dataclass(frozen=True)
class _Fish:
    """The datasets of an open file, by what they are."""

    file: h5py.File
    where: str
    paths: Mapping[str, str]

    def get(self, what: str) -> h5py.Dataset | None:
        if what not in self.paths:
            return None
        with reading(self.where, self.paths[what]):
            return self.file[self.paths[what]]


def find_paths(names: Iterable[str]) -> dict[str, str]:
    """Return what a file holds, by `ALIASES`: what it is to the full name of the object.

    Examples
    --------
    >>> find_paths(["Data/Brain/Times", "Data/Brain/Analysis/DFF", "Data/Stimulus"])
    {'dff': 'Data/Brain/Analysis/DFF', 'times': 'Data/Brain/Times'}
    """
    by_leaf: dict[str, str] = {}
    for name in sorted(names, key=lambda name: (name.count("/"), name), reverse=True):
        by_leaf[name.rsplit("/", 1)[-1].lower()] = name
    found: dict[str, str] = {}
    for what, aliases in ALIASES.items():
        path = next((by_leaf[alias] for alias in aliases if alias in by_leaf), None)
        if path is not None:
            found[what] = path
    return found


def read_zebrafish(
    path: str | os.PathLike[str],
    *,
    units: str = "none",
    signal: str = "auto",
    frame_s: float | None = None,
    labels_file: str | os.PathLike[str] | None = None,
    bin_width_s: float | None = None,
) -> Recording:
    """Read a whole-brain zebrafish recording.

    Parameters
    ----------
    path
        The HDF5 file, opened read-only.
    units
        "none" keeps every neuron; "labelled" those in at least one region of the atlas, as the
        paper did.
    signal
        "spikes" takes the binary states, "dff" the fluorescence, "auto" states where there are any.
    frame_s
        Seconds per frame, for a file without times.
    labels_file
        Text file with one region name per line, in the order of the masks, such as the list of the
        294 Z-Brain masks (Randlett et al., Nature Methods 12:1039, 2015) that comes with the atlas.
        Recordings do not hold it; without it the regions are numbered.
    bin_width_s
        Seconds per frame, whatever else tells them (`boltzbrain.readers.clock`).

    Returns
    -------
    Recording
        `Binned` states or `Traces`. Regions in the atlas "zbrain" (overlapping masks) and
        "zbrain_coarse" (their divisions of the brain); ``neurons.hemisphere`` is "right" where x is
        at least its median (x grows to the right in the Z-Brain frame, unless the left and right
        habenula say otherwise). Positions in micrometres, in the Z-Brain frame where the file has
        it. A pause of more than one and a half frames starts a new segment.

    Raises
    ------
    InputError
        If the file is missing or damaged, a dataset is missing, shapes disagree, the number of
        frames equals that of neurons (then the orientation cannot be known), states are other than
        0 and 1, or times do not ascend.

    References
    ----------
    van der Plas, Tubiana et al., eLife 12:e83139 (2023); Randlett et al., Nature Methods 12:1039
    (2015), the Z-Brain atlas.
    """
    one_of("units", units, _UNIT_FILTERS)
    one_of("signal", signal, _SIGNALS)
    found = as_hdf5(path)
    where = str(found)
    with open_hdf5(found) as file:
        fish = _Fish(file, where, find_paths(list_objects(file, where)[0]))
        xyz_um, frame = _positions(fish)
        labels = fish.get("labels")
        names = region_names(labels, len(xyz_um), where, labels_file)
        regions = read_regions(labels, len(xyz_um), names, where)
        keep = np.ones(len(xyz_um), dtype=np.bool_)
        dropped: dict[str, int] = {}
        if units == "labelled":
            if "zbrain" not in regions:
                raise bad_input(
                    "labels",
                    "be there for the unit filter 'labelled'",
                    "no dataset named " + " or ".join(ALIASES["labels"]),
                    file=where,
                )
            keep = np.asarray(regions["zbrain"].membership.sum(axis=1)).ravel() > 0
            dropped["in no region"] = int((~keep).sum())
            if not keep.any():
                raise bad_input("units", "leave at least one neuron", "0 in any region", file=where)
        what = _choose_signal(fish, signal)
        dataset = fish.get(what)
        assert dataset is not None
        told = WidthsTold(frame_s, bin_width_s)
        clock = frame_clock(fish.get("times"), dataset, len(xyz_um), told, where)
        read_signal = read_states if what == "spikes" else read_traces
        values: Signal = read_signal(dataset, keep, clock, where)
    sides = hemispheres(xyz_um[:, 0], regions.get("zbrain"))
    neurons = neuron_table(
        [str(number) for number in np.flatnonzero(keep)],
        xyz_um[keep],
        {} if sides is None else {"hemisphere": sides[keep]},
    )
    options = {
        "units": units,
        "dropped": dropped,
        "positions": frame,
        "signal": fish.paths[what],
    }
    return Recording(
        neurons=neurons,
        regions={atlas: one.select(keep) for atlas, one in regions.items()},
        signal=values,
        epochs=no_epochs(),
        source=Source("zebrafish", where, fingerprint(found, values), options),
    )


def _choose_signal(fish: _Fish, signal: str) -> str:
    wanted = ("spikes", "dff") if signal == "auto" else (signal,)
    for what in wanted:
        if what in fish.paths:
            return what
    aliases = [alias for what in wanted for alias in ALIASES[what]]
    raise bad_input(
        "the signal", "be a dataset named " + " or ".join(aliases), "none such", file=fish.where
    )


def _positions(fish: _Fish) -> tuple[NDArray[np.float64], str]:
    """Return positions in micrometres, (neuron, 3), and what they are."""
    for what in ("zbrain_coordinates", "coordinates"):
        dataset = fish.get(what)
        if dataset is None:
            continue
        field = fish.paths[what]
        values = read_numbers(dataset, fish.where, field).astype(np.float64)
        if values.ndim != 2 or 3 not in values.shape or 0 in values.shape:
            raise bad_input(
                field, "have shape (3, neuron)", f"shape {values.shape}", file=fish.where
            )
        xyz = values.T if values.shape[0] == 3 else values
        finite = np.isfinite(xyz)
        micrometres = bool(finite.any()) and float(np.abs(xyz[finite]).max()) > _LARGEST_MM
        xyz = np.where(finite, xyz * (1.0 if micrometres else 1000.0), np.nan)
        return np.ascontiguousarray(xyz), f"{field} ({'micro' if micrometres else 'milli'}metres)"
    names = ALIASES["coordinates"] + ALIASES["zbrain_coordinates"]
    raise bad_input(
        "coordinates", "be a dataset named " + " or ".join(names), "none such", file=fish.where
    )
