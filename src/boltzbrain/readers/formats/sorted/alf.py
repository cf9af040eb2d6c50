"""Reader of ALF folders, as ONE of the International Brain Laboratory keeps sorted spikes.

Files are called object.attribute.extension: ``spikes.times.npy`` (seconds) and
``spikes.clusters.npy``, then ``clusters.*`` and ``channels.*`` with a row each. Probes lie in
folders of their own, revisions in folders such as ``#2022-10-31#``.
"""

from __future__ import annotations

import hashlib
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
from boltzbrain.data.signals import Signal
from boltzbrain.data.steps import Source
from boltzbrain.foundations.checks import bad_input, number_in
from boltzbrain.readers.behaviour.alf import behaviour_of_alf
from boltzbrain.readers.containers.npy import SPIKES_BYTES, NpyFile
from boltzbrain.readers.containers.signatures import as_folder
from boltzbrain.readers.fingerprint import fingerprint
from boltzbrain.readers.formats.sorted.alf_folders import chosen_folders, files_of, probe_of
from boltzbrain.readers.formats.sorted.phy import clusters_in, in_step
from boltzbrain.readers.trains import clean, gather, with_interval
from boltzbrain.readers.units import AREA, apply_rules, rules_of

_ACRONYMS = ("brainLocationAcronyms_ccf_2017", "acronym", "brainLocation")
_IDS = ("brainLocationIds_ccf_2017", "atlas_id")


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
        are several; positions, of the cluster's channel in micrometres, are ``channels.mlapdv`` as
        (AP, DV, ML), the axes of NWB, or of a probe alone its place on the shank; regions those of
        the channel, by acronym in the atlas "ccf", or by their number in "ccf_id". Epochs are the
        intervals of ``trials`` and others; trials and series are what
        `boltzbrain.readers.behaviour.alf` finds.

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
    probes = [_open_probe(one, folder) for one in chosen_folders(folder, collection)]
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
    covariates, trials = behaviour_of_alf(_beside([one.folder for one in probes], folder), where)
    ids = [
        f"{one.name}_{cluster}" if len(probes) > 1 else str(cluster)
        for one in probes
        for cluster in one.clusters.tolist()
    ]
    return Recording(
        neurons=neuron_table(
            [name for name, kept in zip(ids, keep.tolist(), strict=True) if kept],
            _positions(probes)[keep],
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
            _fingerprint([one.times.path for one in probes], signal),
            {
                "units": units,
                "dropped": dropped,
                "collections": [str(one.folder.relative_to(folder)) for one in probes],
                **stored([*losses, *lost]),
            },
        ),
        covariates=covariates,
        trials=trials,
    )


def _positions(probes: list[_Probe]) -> NDArray[np.float64]:
    """Return positions in one space: NaN for places on the shank, where there are several."""
    return np.concatenate(
        [
            one.xyz_um if one.in_brain or len(probes) == 1 else np.full_like(one.xyz_um, np.nan)
            for one in probes
        ]
    )


def _fingerprint(times: list[Path], signal: Signal) -> str:
    """Return what a probe is known by, or several: the hash of their hashes."""
    each = [fingerprint(one, signal) for one in times]
    return each[0] if len(each) == 1 else hashlib.sha256("".join(each).encode()).hexdigest()


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
    in_brain: bool


def _open_probe(folder: Path, top: Path) -> _Probe:
    files = files_of(folder)
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
    labels, xyz, in_brain = {}, np.full((len(clusters), 3), np.nan), False
    if channel is not None and channel.dtype.kind in "iu":
        labels = _labels(arrays, channel)
        xyz, in_brain = _places(arrays, channel)
    name = probe_of(folder, top) or folder.name
    return _Probe(name, folder, times, spikes, clusters, columns, labels, xyz, in_brain)


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
) -> tuple[NDArray[np.float64], bool]:
    """Return the position of each cluster's channel in micrometres, NaN where it is not known.

    Beside it whether that is a place in the brain, (AP, DV, ML), and not on the shank.
    """
    xyz = np.full((len(channel), 3), np.nan)
    values, name = _rows(arrays, ("mlapdv", "localCoordinates"), 2)
    in_brain = name == "mlapdv" and values is not None and values.shape[1] == 3
    if values is not None and values.dtype.kind in "iuf":
        if in_brain:
            values = values[:, [1, 2, 0]]
        known = (channel >= 0) & (channel < len(values))
        xyz[known, : values.shape[1]] = values[channel[known]]
        xyz[~np.isfinite(xyz)] = np.nan
    return xyz, in_brain


def _joined(tables: list[dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """Return the columns that every probe has, of one kind, one probe after another."""
    shared = [name for name in tables[0] if all(name in one for one in tables)]
    return {
        name: np.concatenate([one[name] for one in tables])
        for name in shared
        if len({one[name].dtype.kind == "O" for one in tables}) == 1
    }


def _at_and_above(folders: list[Path], top: Path) -> list[Path]:
    """Return the folders of the spikes and those that hold them, in order."""
    above = {one for folder in folders for one in (folder, *folder.parents)}
    return sorted(one for one in above if one == top or top in one.parents)


def _beside(folders: list[Path], top: Path) -> dict[tuple[str, str], Path]:
    found: dict[tuple[str, str], Path] = {}
    for folder in _at_and_above(folders, top):
        found |= files_of(folder)
    return found


def _epochs(folders: list[Path], top: Path) -> tuple[pd.DataFrame, list[Loss]]:
    """Return the intervals that lie beside the spikes or above them, under their object's name."""
    rows: list[tuple[float, float, str]] = []
    losses = []
    for folder in _at_and_above(folders, top):
        for (thing, attribute), path in files_of(folder).items():
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
