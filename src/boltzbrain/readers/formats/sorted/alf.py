"""Reader of ALF folders, as ONE of the International Brain Laboratory keeps sorted spikes.

Files are called object.attribute.extension: ``spikes.times.npy`` (seconds) and
``spikes.clusters.npy``, then ``clusters.*`` and ``channels.*`` with a row each. Probes lie in
folders of their own, revisions in folders such as ``#2022-10-31#``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from boltzbrain.data.epochs import without_length
from boltzbrain.data.losses import Loss, stored
from boltzbrain.data.recording import Recording, neuron_table, no_epochs
from boltzbrain.data.regions import NO_TEXT, Regions
from boltzbrain.data.steps import Source
from boltzbrain.foundations.checks import bad_input, number_in
from boltzbrain.readers.containers.npy import SPIKES_BYTES, NpyFile
from boltzbrain.readers.containers.signatures import as_folder, signature_of
from boltzbrain.readers.fingerprint import fingerprint
from boltzbrain.readers.formats.sorted.phy import clusters_in, in_step
from boltzbrain.readers.trains import clean, gather, with_interval
from boltzbrain.readers.units import AREA, apply_rules, rules_of

_DEEPEST, _MOST_FOLDERS = 5, 2000
_ACRONYMS = ("brainLocationAcronyms_ccf_2017", "acronym", "brainLocation")
_IDS = ("brainLocationIds_ccf_2017", "atlas_id")
_POSITIONS = ("mlapdv", "localCoordinates")


def read_alf(
    path: str | os.PathLike[str],
    *,
    units: str = "none",
    collection: str | None = None,
    duration_s: float | None = None,
) -> Recording:
    """Read the sorted spikes of an ALF folder: of one probe, or of all those below it.

    Parameters
    ----------
    path
        The folder with ``spikes.times.npy``, or one that holds such folders: ``alf`` or a session.
    units
        Name of a unit filter (`boltzbrain.readers.units.PRESETS`), or several joined by "+", on the
        arrays ``clusters.*`` with one number or text per cluster.
    collection
        The folder of one probe, as "alf/probe00/pykilosort", where there are several of one probe.
    duration_s
        Length of the recording in seconds from 0; if None it is what lies between the first spike
        and the last.

    Returns
    -------
    Recording
        `SpikeTimes` of the clusters that have spikes. ``probe`` is the folder's name where there
        are several; positions are ``channels.mlapdv``, or the place on the probe, of the cluster's
        channel, in micrometres; regions those of the channel, by acronym in the atlas "ccf", or by
        their number in "ccf_id". Epochs are the intervals of ``trials`` and others.

    Raises
    ------
    InputError
        If a file is missing or damaged, lengths disagree, a probe has several sortings, or no unit
        is left.

    References
    ----------
    International Brain Laboratory et al., "A modular architecture for organizing, processing and
    sharing neurophysiology data", Nature Methods 20:403 (2023).
    """
    rules_of(units)
    folder = as_folder(path)
    where = str(folder)
    probes = [_open_probe(one, folder) for one in _chosen(folder, collection)]
    counts = [len(one.clusters) for one in probes]
    offset = np.cumsum(counts) - counts
    columns = _joined([one.columns for one in probes])
    if len(probes) > 1:
        names = np.asarray([one.name for one in probes], dtype=object)
        columns["probe"] = np.repeat(names, counts)
    labels = {
        atlas: np.concatenate(
            [
                np.asarray(one.labels.get(atlas, [""] * count), dtype=object)
                for one, count in zip(probes, counts, strict=True)
            ]
        )
        for atlas in sorted({atlas for one in probes for atlas in one.labels})
    }
    total = int(sum(counts))
    main = next(iter(labels.values()), np.asarray([""] * total, dtype=object))
    keep, dropped = apply_rules(units, {AREA: main, **columns}, total, file=where)

    def chunks() -> Iterator[tuple[NDArray[np.float64], NDArray[np.int64]]]:
        for one, first in zip(probes, offset.tolist(), strict=True):
            blocks = one.times.blocks(SPIKES_BYTES)
            for seconds, label in zip(blocks, in_step(one.spikes, one.times), strict=True):
                place = np.searchsorted(one.clusters, label) + first
                yield seconds.ravel().astype(np.float64), place.astype(np.int64)

    times, index = gather(chunks, np.flatnonzero(keep).astype(np.int64), where)
    times, index, losses = clean(times, index)
    start = None if duration_s is None else 0.0
    if duration_s is not None:
        number_in("duration_s", duration_s, low=0.0, include_low=False)
    signal, losses = with_interval(times, index, where, losses, start, duration_s)
    epochs, lost = _epochs([one.folder for one in probes], folder)
    ids = [
        f"{one.name}_{cluster}" if len(probes) > 1 else str(cluster)
        for one in probes
        for cluster in one.clusters.tolist()
    ]
    return Recording(
        neurons=neuron_table(
            [name for name, kept in zip(ids, keep.tolist(), strict=True) if kept],
            np.concatenate([one.xyz_um for one in probes])[keep],
            {name: values[keep] for name, values in columns.items()},
        ),
        regions={
            atlas: Regions.from_labels(named[keep].tolist())
            for atlas, named in labels.items()
            if (named[keep] != "").any()
        },
        signal=signal,
        epochs=epochs,
        source=Source(
            "alf",
            where,
            fingerprint(probes[0].times.path, signal),
            {
                "units": units,
                "dropped": dropped,
                "collections": [str(one.folder.relative_to(folder)) for one in probes],
                **stored([*losses, *lost]),
            },
        ),
    )


def is_alf(names: tuple[str, ...]) -> bool:
    """Return whether these entries of a folder are those of ALF, or of what holds it.

    Examples
    --------
    >>> is_alf(("spikes.times.npy", "spikes.clusters.npy")), is_alf(("alf",)), is_alf(("probe00",))
    (True, True, True)
    """
    files = {key for key in map(_parts, names) if key is not None}
    inside = any(name == "alf" or (name.startswith("probe") and "." not in name) for name in names)
    return {("spikes", "times"), ("spikes", "clusters")} <= files or inside


def _parts(name: str) -> tuple[str, str] | None:
    """Return object and attribute of the name of an array, None of other files."""
    parts = name.split(".")
    if len(parts) < 3 or parts[-1] != "npy":
        return None
    thing = parts[0]
    if thing.startswith("_") and thing.count("_") > 1:  # a namespace, as in _ibl_trials
        thing = thing[1:].partition("_")[2]
    return thing, parts[1]


def _files(folder: Path) -> dict[tuple[str, str], Path]:
    """Return the arrays of a folder by object and attribute."""
    found: dict[tuple[str, str], Path] = {}
    for entry in sorted(folder.iterdir()):
        key = _parts(entry.name)
        if key is not None:
            found.setdefault(key, entry)
    return found


def _chosen(folder: Path, collection: str | None) -> list[Path]:
    """Return the folders with spikes, one of each probe."""
    if collection is not None:
        wanted = folder / collection
        if not wanted.is_dir() or ("spikes", "times") not in _files(wanted):
            known = ", ".join(str(one.relative_to(folder)) for one in _found(folder)) or "none"
            raise bad_input(
                "collection", f"be a folder with spikes.times.npy: {known}", collection,
                file=folder,
            )  # fmt: skip
        return [wanted]
    found = _found(folder)
    if not found:
        raise bad_input(
            "the folder",
            "hold spikes.times.npy and spikes.clusters.npy, or folders that do",
            signature_of(folder).describe(),
            file=folder,
        )
    by_probe: dict[str, list[Path]] = {}
    for one in found:
        by_probe.setdefault(_probe(one, folder), []).append(one)
    chosen = []
    for probe, folders in by_probe.items():
        # of revisions of one sorting the last
        latest = {one.parent if one.name.startswith("#") else one: one for one in folders}
        if len(latest) > 1:
            listed = [str(one.relative_to(folder)) for one in latest.values()]
            raise bad_input(
                "collection",
                f"be given, as {probe or 'the folder'} was sorted more than once: "
                f"--read collection={listed[0]}",
                "none; there is " + ", ".join(listed),
                file=folder,
            )
        chosen += list(latest.values())
    return chosen


def _found(folder: Path) -> list[Path]:
    """Return the folders with spikes at and below one, in order."""
    found, open_, looked = [], [(folder, 0)], 0
    while open_:
        here, depth = open_.pop(0)
        looked += 1
        if looked > _MOST_FOLDERS:
            raise bad_input(
                "the folder", f"be a session, with at most {_MOST_FOLDERS:,} folders", "more",
                file=folder,
            )  # fmt: skip
        if {("spikes", "times"), ("spikes", "clusters")} <= _files(here).keys():
            found.append(here)
        if depth < _DEEPEST:
            open_ += [(one, depth + 1) for one in sorted(here.iterdir()) if one.is_dir()]
    return sorted(found)


def _probe(folder: Path, top: Path) -> str:
    """Return the name of the probe in whose folder another lies, "" where there is none."""
    parts = folder.relative_to(top).parts or (folder.name,)
    return next((one for one in parts if one.startswith("probe")), "")


@dataclass(frozen=True)
class _Probe:
    """The spikes of one folder, and what is known of each cluster that has any."""

    name: str
    folder: Path
    times: NpyFile
    spikes: NpyFile
    clusters: NDArray[np.int64]
    columns: dict[str, NDArray[Any]]
    labels: dict[str, list[str]]
    xyz_um: NDArray[np.float64]


def _open_probe(folder: Path, top: Path) -> _Probe:
    files = _files(folder)
    times, spikes = (_column(files["spikes", one]) for one in ("times", "clusters"))
    if times.header.dtype.kind != "f":
        raise bad_input(
            times.path.name, "hold seconds as floating-point numbers",
            f"dtype {times.header.dtype}", file=folder,
        )  # fmt: skip
    if spikes.header.dtype.kind not in "iu":
        raise bad_input(
            spikes.path.name, "hold one whole number per spike", f"dtype {spikes.header.dtype}",
            file=folder,
        )  # fmt: skip
    if max(times.header.shape, default=0) != max(spikes.header.shape, default=0):
        raise bad_input(
            spikes.path.name,
            f"have one entry per spike ({max(times.header.shape, default=0):,})",
            f"{max(spikes.header.shape, default=0):,}",
            file=folder,
        )
    clusters = clusters_in(spikes, str(folder))
    arrays = {key: _small(one) for key, one in files.items() if key[0] in ("clusters", "channels")}
    columns: dict[str, NDArray[Any]] = {}
    for (thing, name), values in arrays.items():
        rows = values is not None and thing == "clusters" and values.ndim == 1
        if rows and values is not None and clusters[-1] < len(values) and clusters[0] >= 0:
            mine = values[clusters]
            columns[name] = mine.astype(object) if mine.dtype.kind == "U" else mine
    channel = columns.get("channels")
    labels, xyz = {}, np.full((len(clusters), 3), np.nan)
    if channel is not None and channel.dtype.kind in "iu":
        labels = _labels(arrays, channel)
        xyz = _places(arrays, channel)
    name = _probe(folder, top) or folder.name
    return _Probe(name, folder, times, spikes, clusters, columns, labels, xyz)


def _column(path: Path) -> NpyFile:
    """Open an array with one number per row; (n, 1) is taken as (n,)."""
    file = NpyFile.open(path)
    shape = file.header.shape
    if not (len(shape) == 1 or (len(shape) == 2 and 1 in shape)):
        raise bad_input(path.name, "hold one number per spike", f"shape {shape}", file=path.parent)
    return file


def _small(path: Path) -> NDArray[Any] | None:
    """Return an array with a row per cluster or channel, None of waveforms and objects."""
    file = NpyFile.open(path, objects=True)
    shape = file.header.shape
    if len(shape) not in (1, 2) or file.header.dtype.kind not in "biufU" or 0 in shape:
        return None
    if len(shape) == 2 and shape[1] > 3:
        return None
    values = file.read()
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def _rows(
    arrays: dict[tuple[str, str], NDArray[Any] | None], names: tuple[str, ...], axes: int
) -> tuple[NDArray[Any] | None, str]:
    """Return the first of the arrays of the channels that is there, with as many axes."""
    for name in names:
        values = arrays.get(("channels", name))
        if values is not None and values.ndim == axes:
            return values, name
    return None, ""


def _labels(
    arrays: dict[tuple[str, str], NDArray[Any] | None], channel: NDArray[Any]
) -> dict[str, list[str]]:
    """Return the region of each cluster's channel, "" where it is not known."""
    found: dict[str, list[str]] = {}
    for atlas, names in (("ccf", _ACRONYMS), ("ccf_id", _IDS)):
        values, _ = _rows(arrays, names, 1)
        if values is None or (values.dtype.kind == "U") != (atlas == "ccf"):
            continue
        texts = [
            str(values[one]).strip() if 0 <= one < len(values) else "" for one in channel.tolist()
        ]
        # 0 is outside of the brain, as the ids of the atlas have it
        found[atlas] = ["" if one.lower() in (*NO_TEXT, "0") else one for one in texts]
        break
    return found


def _places(
    arrays: dict[tuple[str, str], NDArray[Any] | None], channel: NDArray[Any]
) -> NDArray[np.float64]:
    """Return the position of each cluster's channel in micrometres, NaN where it is not known."""
    xyz = np.full((len(channel), 3), np.nan)
    values, _ = _rows(arrays, _POSITIONS, 2)
    if values is not None and values.dtype.kind in "iuf":
        known = (channel >= 0) & (channel < len(values))
        xyz[known, : values.shape[1]] = values[channel[known]]
        xyz[~np.isfinite(xyz)] = np.nan
    return xyz


def _joined(tables: list[dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """Return the columns that every probe has, of one kind, one probe after another."""
    shared = [name for name in tables[0] if all(name in one for one in tables)]
    return {
        name: np.concatenate([one[name] for one in tables])
        for name in shared
        if len({one[name].dtype.kind == "O" for one in tables}) == 1
    }


def _epochs(folders: list[Path], top: Path) -> tuple[pd.DataFrame, list[Loss]]:
    """Return the intervals that lie beside the spikes or above them, under their object's name."""
    above = {one for folder in folders for one in (folder, *folder.parents)}
    inside = [one for one in above if one == top or top in one.parents]
    rows: list[tuple[float, float, str]] = []
    losses = []
    for folder in sorted(inside):
        for (thing, attribute), path in _files(folder).items():
            if attribute != "intervals" or thing in ("spikes", "clusters", "channels"):
                continue
            file = NpyFile.open(path, objects=True)
            shape = file.header.shape
            if len(shape) != 2 or shape[1] != 2 or file.header.dtype.kind not in "iuf":
                continue
            pairs = file.read().astype(np.float64)
            with np.errstate(invalid="ignore"):
                usable = np.isfinite(pairs).all(axis=1) & (pairs[:, 1] > pairs[:, 0])
            if not usable.all():
                losses.append(without_length(int((~usable).sum()), len(pairs), path.name))
            rows += [(low, high, thing) for low, high in pairs[usable].tolist()]
    if not rows:
        return no_epochs(), losses
    table = pd.DataFrame(sorted(rows), columns=["start_s", "stop_s", "label"])
    return table, losses
