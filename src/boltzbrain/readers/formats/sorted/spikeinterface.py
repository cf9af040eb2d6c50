"""Reader of sortings that SpikeInterface saved: a folder of numpy files, or an npz archive.

SpikeInterface's own `load` imports whatever class a file names, and takes arrays by the sizes that
they declare; what it has read in memory is taken by `boltzbrain.readers.formats.objects`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.losses import stored
from boltzbrain.data.recording import Recording, neuron_table, no_epochs
from boltzbrain.data.steps import Source
from boltzbrain.foundations.checks import bad_input, whole_number_in
from boltzbrain.readers.containers.npy import DAMAGE, SPIKES_BYTES, NpyFile
from boltzbrain.readers.containers.signatures import as_file, as_folder, as_path
from boltzbrain.readers.containers.zip_archive import open_npz
from boltzbrain.readers.fingerprint import fingerprint
from boltzbrain.readers.trains import clean, gather, regions_of, seconds_per_sample, with_interval
from boltzbrain.readers.units import apply_rules, rules_of

INFO = "numpysorting_info.json"
_LARGEST_TEXT = 1 << 24
_MOST_SEGMENTS = 100_000
_PAUSE_S = 1.0


def read_spikeinterface(path: str | os.PathLike[str], *, units: str = "none") -> Recording:
    """Read a sorting that SpikeInterface saved (NumpyFolder or NpzSorting).

    Parameters
    ----------
    path
        The folder with ``numpysorting_info.json``, or the npz archive.
    units
        Name of a unit filter (`boltzbrain.readers.units.PRESETS`) on the properties of the folder.

    Returns
    -------
    Recording
        `SpikeTimes`. A segment is what lies between its first spike and its last; segments are laid
        one after another with a pause of a second, and are recorded stretches (bins never reach
        from one into the next).

    Raises
    ------
    InputError
        If a file is missing or damaged, or arrays do not fit each other.

    References
    ----------
    Buccino et al., eLife 9:e61834 (2020).
    """
    rules_of(units)
    found = as_path(path)
    if found.is_dir() or found.name == INFO:
        return _read_folder(as_folder(found), units)
    return _read_npz(as_file(found), units)


def lay_segments(
    windows: Sequence[tuple[float, float]], where: str
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Return by how much the times of each segment move, and the recorded stretches if several.

    The first segment with a length stays where it is.

    Parameters
    ----------
    windows
        Start and stop of each segment in seconds of its own, as (inf, -inf) of one without spikes.
    where
        For messages.
    """
    if not windows:
        raise bad_input("the sorting", "hold at least one segment", "none", file=where)
    start, stop = np.asarray(windows, dtype=np.float64).T
    if len(windows) == 1:
        return np.zeros(1), None
    held = stop >= start
    start, stop = np.where(held, start, 0.0), np.where(held, stop, 0.0)
    first = float(start[held][0]) if held.any() else 0.0
    length = stop - start
    begin = first + np.r_[0.0, np.cumsum(np.where(held, length + _PAUSE_S, 0.0))[:-1]]
    moved = begin - start
    # as the spikes are moved, so that no rounding puts one outside
    return moved, np.stack([start + moved, stop + moved], axis=1)[length > 0]


def spanned(recorded: NDArray[np.float64] | None) -> tuple[float | None, float | None]:
    """Return start and stop of recorded stretches; None, None where the spikes are to tell."""
    if recorded is None or len(recorded) == 0:
        return None, None
    return float(recorded[0, 0]), float(recorded[-1, 1])


def _sorted_recording(
    where: str,
    main: Path,
    ids: list[str],
    pieces: Any,
    windows: Sequence[tuple[float, float]],
    sampling_hz: Any,
    columns: dict[str, NDArray[Any]],
    units: str,
) -> Recording:
    """Return the recording of a sorting.

    `pieces` gives samples within the segment, positions of units and segment numbers, `windows` the
    first and last sample of each segment.
    """
    keep, dropped = apply_rules(units, columns, len(ids), file=where)
    step = seconds_per_sample(sampling_hz, where)
    moved, recorded = lay_segments([(low * step, high * step) for low, high in windows], where)

    def seconds() -> Iterator[tuple[NDArray[np.float64], NDArray[np.int64]]]:
        for samples, unit, segment in pieces():
            yield samples * step + moved[segment], unit

    times, index = gather(seconds, np.flatnonzero(keep).astype(np.int64), where)
    times, index, losses = clean(times, index)
    start, stop = spanned(recorded)
    signal, losses = with_interval(times, index, where, losses, start, stop, recorded)
    columns = {name: values[keep] for name, values in columns.items()}
    regions = regions_of(columns)
    return Recording(
        neurons=neuron_table(
            [name for name, kept in zip(ids, keep.tolist(), strict=True) if kept], None, columns
        ),
        regions=regions,
        signal=signal,
        epochs=no_epochs(),
        source=Source(
            "spikeinterface",
            where,
            fingerprint(main, signal),
            {
                "units": units,
                "dropped": dropped,
                "sampling_hz": 1.0 / step,
                **stored(losses),
            },
        ),
    )


def _read_folder(folder: Path, units: str) -> Recording:
    where = str(folder)
    info = _info(folder)
    ids = info.get("unit_ids")
    if not isinstance(ids, list) or not ids or not all(isinstance(u, (int, str)) for u in ids):
        raise bad_input(f"{INFO}: unit_ids", "be a list of names", repr(ids)[:60], file=where)
    segments = whole_number_in(
        f"{INFO}: num_segments", info.get("num_segments"), low=1, high=_MOST_SEGMENTS, file=where
    )
    spikes = NpyFile.open(folder / "spikes.npy", fields=True)
    fields = spikes.header.dtype.names or ()
    wanted = ("sample_index", "unit_index", "segment_index")
    if not set(wanted) <= set(fields) or len(spikes.header.shape) != 1:
        raise bad_input(
            "spikes.npy", "have the fields " + ", ".join(wanted), ", ".join(fields) or "none",
            file=where,
        )  # fmt: skip
    for name in wanted:
        if spikes.header.dtype[name].kind not in "iu":
            raise bad_input("spikes.npy", "hold whole numbers", name, file=where)
    windows = [(np.inf, -np.inf)] * segments
    for block in spikes.blocks(SPIKES_BYTES):
        unit, segment = block["unit_index"], block["segment_index"]
        inside = (unit >= 0) & (unit < len(ids)) & (segment >= 0) & (segment < segments)
        if not inside.all():
            raise bad_input(
                "spikes.npy", f"name units below {len(ids)} and segments below {segments}",
                "others", file=where,
            )  # fmt: skip
        for number in np.unique(segment).tolist():
            samples = block["sample_index"][segment == number]
            low, high = windows[number]
            windows[number] = min(low, float(samples.min())), max(high, float(samples.max()))

    def pieces() -> Iterator[tuple[NDArray[Any], NDArray[np.int64], NDArray[Any]]]:
        for block in spikes.blocks(SPIKES_BYTES):
            unit = block["unit_index"].astype(np.int64)
            yield block["sample_index"], unit, block["segment_index"]

    names = [str(name) for name in ids]
    columns = _properties(folder, len(ids))
    rate = info.get("sampling_frequency")
    return _sorted_recording(
        where, folder / "spikes.npy", names, pieces, windows, rate, columns, units
    )


def _info(folder: Path) -> dict[str, Any]:
    path = folder / INFO
    try:
        if path.stat().st_size > _LARGEST_TEXT:
            raise ValueError(f"{path.stat().st_size:,} bytes")
        info = json.loads(path.read_bytes())
    except (*DAMAGE, RecursionError) as error:
        raise bad_input(INFO, "be a JSON file", str(error).split("\n")[0], file=folder) from error
    if not isinstance(info, dict):
        raise bad_input(INFO, "hold an object", type(info).__name__, file=folder)
    return info


def _properties(folder: Path, count: int) -> dict[str, NDArray[Any]]:
    """Return the properties of the units that are stored as plain arrays."""
    columns: dict[str, NDArray[Any]] = {}
    parent = folder / "properties"
    if not parent.is_dir():
        return columns
    for path in sorted(parent.glob("*.npy")):
        with path.open("rb") as stream:
            if b"|O" in stream.read(256):
                continue
        file = NpyFile.open(path)
        if file.header.shape == (count,) and file.header.dtype.kind in "biufU":
            values = file.read()
            columns[path.stem] = values.astype(object) if values.dtype.kind == "U" else values
    return columns


def _read_npz(found: Path, units: str) -> Recording:
    where = str(found)
    with open_npz(found) as archive:
        ids = archive.read("unit_ids") if "unit_ids" in archive else np.empty(0)
        if ids.ndim != 1 or len(ids) == 0 or ids.dtype.kind not in "iuU":
            raise bad_input("unit_ids", "be a list of names", f"shape {ids.shape}", file=where)
        single = {}
        for name in ("num_segment", "sampling_frequency"):
            values = archive.read(name) if name in archive else np.empty(0)
            if values.size != 1 or values.dtype.kind not in "iuf":
                raise bad_input(name, "be one number", f"shape {values.shape}", file=where)
            single[name] = values.ravel()[0].item()
        count = whole_number_in(
            "num_segment", int(single["num_segment"]), low=1, high=_MOST_SEGMENTS, file=where
        )
        parts = []
        for number in range(count):
            pair = []
            for name in (f"spike_indexes_seg{number}", f"spike_labels_seg{number}"):
                if name not in archive:
                    raise bad_input(name, "be an array", "none", file=where)
                pair.append(archive.read(name))
            samples, labels = pair
            if samples.ndim != 1 or samples.shape != labels.shape or samples.dtype.kind not in "iu":
                raise bad_input(
                    f"spike_indexes_seg{number}", "hold one whole number per label",
                    f"shape {samples.shape}, dtype {samples.dtype}", file=where,
                )  # fmt: skip
            parts.append((samples, _positions(ids, labels, number, where)))

    def pieces() -> Iterator[tuple[NDArray[Any], NDArray[np.int64], NDArray[Any]]]:
        for number, (samples, unit) in enumerate(parts):
            yield samples, unit, np.full(len(samples), number)

    windows = [
        (float(samples.min()), float(samples.max())) if len(samples) else (np.inf, -np.inf)
        for samples, _ in parts
    ]
    names = [str(name) for name in ids.tolist()]
    return _sorted_recording(
        where, found, names, pieces, windows, single["sampling_frequency"], {}, units
    )


def _positions(
    ids: NDArray[Any], labels: NDArray[Any], number: int, where: str
) -> NDArray[np.int64]:
    """Return the position of each label among the ids."""
    order = np.argsort(ids)
    same_kind = (ids.dtype.kind == "U") == (labels.dtype.kind == "U")
    if same_kind and labels.dtype.kind in "iuU":
        slot = order[np.minimum(np.searchsorted(ids[order], labels), len(ids) - 1)]
        if np.array_equal(ids[slot], labels):
            return slot.astype(np.int64)
    raise bad_input(f"spike_labels_seg{number}", "be among unit_ids", "others", file=where)
