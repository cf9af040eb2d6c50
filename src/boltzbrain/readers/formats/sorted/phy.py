"""Reader of phy and Kilosort folders: spike times in samples, labels in tables beside them.

``templates.npy`` is read for the largest channel of
each template only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from boltzbrain.data.losses import NOT_TIMES, Loss, stored
from boltzbrain.data.recording import Recording, neuron_table, no_epochs
from boltzbrain.data.steps import Source
from boltzbrain.foundations.checks import bad_input
from boltzbrain.readers.containers.npy import DAMAGE, SPIKES_BYTES, NpyFile
from boltzbrain.readers.containers.signatures import as_folder, signature_of
from boltzbrain.readers.fingerprint import fingerprint
from boltzbrain.readers.formats.sorted.phy_params import sampling_rate, text_of
from boltzbrain.readers.trains import clean, gather, seconds_per_sample, with_interval
from boltzbrain.readers.units import apply_rules, rules_of

_MOST_CLUSTERS = 100_000
_UNDECIDED = ("", "unsorted", "nan")


def read_phy(
    path: str | os.PathLike[str],
    *,
    units: str | None = None,
    sampling_hz: float | None = None,
    duration_s: float | None = None,
) -> Recording:
    """Read the sorted spikes of a phy or Kilosort folder.

    Parameters
    ----------
    path
        The folder, or its ``spike_times.npy``.
    units
        Name of a unit filter (`boltzbrain.readers.units.PRESETS`), or several joined by "+". If
        None, "good" where the folder has labels, else all clusters.
    sampling_hz
        Samples per second; ``sample_rate`` of ``params.py`` if None.
    duration_s
        Length of the recording in seconds from sample 0; if None it is what lies between the
        first spike and the last.

    Returns
    -------
    Recording
        `SpikeTimes` from the first spike, or from 0 where `duration_s` is given. ``x_um`` and
        ``y_um`` are the place of the largest channel on the probe (y is the depth) where the folder
        tells it; ``neurons.quality`` is the curator's label, or the sorter's where the curator gave
        none.

    Raises
    ------
    InputError
        If a file is missing or damaged, lengths disagree, the sampling rate is not known, or no
        cluster is left.
    """
    if units is not None:
        rules_of(units)
    folder = as_folder(path)
    if not (folder / "spike_times.npy").exists():
        raise bad_input(
            "the folder",
            "hold spike_times.npy, as those of phy and Kilosort do",
            signature_of(folder).describe(),
            file=path,
        )
    where = str(folder)
    times = _spike_file(folder, "spike_times")
    name = "spike_clusters" if (folder / "spike_clusters.npy").exists() else "spike_templates"
    labels = _spike_file(folder, name)
    if labels.header.shape != times.header.shape and _length(labels) != _length(times):
        raise bad_input(
            name,
            f"have one entry per spike ({_length(times):,})",
            f"{_length(labels):,}",
            file=where,
        )
    step = seconds_per_sample(sampling_rate(folder) if sampling_hz is None else sampling_hz, where)
    clusters = clusters_in(labels, where)
    table = _labels(folder).reindex(clusters)
    columns = {
        str(column): np.asarray(_filled(table[column]))
        for column in table.columns
        if table[column].notna().any()
    }
    chosen = units if units is not None else ("good" if "quality" in columns else "none")
    keep, dropped = apply_rules(chosen, columns, len(clusters), file=where)

    def chunks() -> Iterator[tuple[NDArray[np.float64], NDArray[np.int64]]]:
        for samples, label in zip(times.blocks(SPIKES_BYTES), in_step(labels, times), strict=True):
            yield samples.ravel().astype(np.float64) * step, label

    seconds, index = gather(chunks, clusters[keep], where)
    seconds, index, losses = clean(seconds, index)
    start = None if duration_s is None else 0.0
    signal, losses = with_interval(seconds, index, where, losses, start, duration_s)
    places = _places(folder, clusters, table)
    return Recording(
        neurons=neuron_table(
            [str(number) for number in clusters[keep].tolist()],
            places[keep],
            {name: values[keep] for name, values in columns.items()},
        ),
        regions={},
        signal=signal,
        epochs=no_epochs(),
        source=Source(
            "phy",
            where,
            fingerprint(folder / "spike_times.npy", signal),
            {
                "units": chosen,
                "dropped": dropped,
                "sampling_hz": 1.0 / step,
                **stored(_overflowed(times, losses)),
            },
        ),
    )


def _overflowed(times: NpyFile, losses: list[Loss]) -> list[Loss]:
    """Return the losses, those of negative samples by their cause where a type was too short."""
    kind = times.header.dtype
    if kind.kind != "i" or not any(one.name == NOT_TIMES for one in losses):
        return losses
    lowest = min(int(block.min()) for block in times.blocks(SPIKES_BYTES) if block.size)
    if lowest > np.iinfo(kind).min / 2:
        return losses
    what = (
        f"below 0, since sample numbers beyond the largest {kind.name} came out negative, dropped"
    )
    mend = "write spike_times.npy as int64, from the sorter's output"
    return [
        replace(one, name="sample numbers that overflowed", what=what, mend=mend)
        if one.name == NOT_TIMES and one.what.startswith("below 0")
        else one
        for one in losses
    ]


def _length(file: NpyFile) -> int:
    return int(np.prod(file.header.shape, dtype=np.int64))


def _spike_file(folder: Path, name: str) -> NpyFile:
    """Open an array with one whole number per spike; (n, 1) is taken as (n,)."""
    file = NpyFile.open(folder / f"{name}.npy")
    shape = file.header.shape
    flat = len(shape) == 1 or (len(shape) == 2 and 1 in shape)
    whole = file.header.dtype.kind in "iu" or (name == "spike_times" and _whole_floats(file))
    if not flat or not whole:
        raise bad_input(
            f"{name}.npy",
            "hold one whole number per spike"
            + (" (samples; seconds would be another file)" if name == "spike_times" else ""),
            f"shape {shape}, dtype {file.header.dtype}",
            file=folder,
        )
    return file


def _whole_floats(file: NpyFile) -> bool:
    """Return whether floating-point samples are whole, as old versions of Kilosort wrote them."""
    if file.header.dtype.kind != "f":
        return False
    with np.errstate(invalid="ignore"):
        return all(bool((block == np.floor(block)).all()) for block in file.blocks(SPIKES_BYTES))


def in_step(labels: NpyFile, times: NpyFile) -> Iterator[NDArray[np.int64]]:
    """Yield the labels in pieces as long as those of the times."""
    rest = np.empty(0, dtype=np.int64)
    source = labels.blocks(SPIKES_BYTES)
    for block in times.blocks(SPIKES_BYTES):
        while len(rest) < block.size:
            rest = np.concatenate([rest, next(source).ravel().astype(np.int64)])
        yield rest[: block.size]
        rest = rest[block.size :]


def clusters_in(labels: NpyFile, where: str) -> NDArray[np.int64]:
    """Return the numbers of the clusters of an array with one per spike, ascending."""
    found = np.empty(0, dtype=np.int64)
    for block in labels.blocks(SPIKES_BYTES):
        found = np.union1d(found, block.astype(np.int64))
        if len(found) > _MOST_CLUSTERS:
            raise bad_input(
                labels.path.name,
                f"hold at most {_MOST_CLUSTERS:,} clusters",
                "more; is it another array?",
                file=where,
            )
    if len(found) == 0:
        raise bad_input(labels.path.name, "hold at least one spike", "none", file=where)
    return found


def _labels(folder: Path) -> pd.DataFrame:
    """Return what the tables say of each cluster, one row per cluster id."""
    names = sorted(
        entry.name
        for entry in folder.iterdir()
        if entry.suffix in (".tsv", ".csv") and entry.is_file()
    )
    # cluster_info.tsv is phy's own summary of all the others
    chosen = ["cluster_info.tsv"] if "cluster_info.tsv" in names else names
    tables: list[pd.DataFrame] = []
    for name in chosen:
        table = _table(folder / name)
        if table is not None:
            tables.append(table)
    merged = pd.DataFrame(index=pd.Index([], dtype=np.int64))
    for table in tables:
        merged = merged.combine_first(table)
    label = pd.Series(index=merged.index, dtype=object)
    for column in ("group", "KSLabel"):
        if column in merged:
            text = merged[column].astype(str).str.strip().str.lower()
            label = label.where(label.notna(), text.where(~text.isin(_UNDECIDED)))
    merged = merged.drop(columns=[name for name in ("quality",) if name in merged])
    if label.notna().any():
        merged["quality"] = label
    return merged


def _table(path: Path) -> pd.DataFrame | None:
    """Return a table with a column of cluster ids, None where it has none."""
    import io

    text = text_of(path)
    head = text.split("\n", 1)[0]
    separator = next((sign for sign in ("\t", ";") if sign in head), ",")
    try:
        table = pd.read_csv(
            io.StringIO(text), sep=separator, decimal="," if separator == ";" else "."
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, *DAMAGE) as error:
        raise bad_input(
            path.name, "be a table", f"{error}".split("\n")[0], file=path.parent
        ) from error
    key = next((name for name in ("cluster_id", "id") if name in table.columns), None)
    if key is None:
        return None
    ids = pd.to_numeric(table[key], errors="coerce")
    with np.errstate(invalid="ignore"):
        whole = ids.notna() & (ids == np.floor(ids)) & (ids.abs() < 2**53)
    table = table[whole].assign(**{key: ids[whole].astype(np.int64)})
    indexed: pd.DataFrame = table.drop_duplicates(key).set_index(key)
    return indexed


def _filled(column: pd.Series[Any]) -> NDArray[Any]:
    """Return a column as numbers where it has only numbers, else as text, "" where missing."""
    if column.dtype.kind in "biuf":
        return np.asarray(column.to_numpy(dtype=np.float64))
    values = ["" if value != value or value is None else str(value) for value in column.tolist()]
    return np.asarray(values, dtype=object)


def _places(folder: Path, clusters: NDArray[np.int64], table: pd.DataFrame) -> NDArray[np.float64]:
    """Return the position of the largest channel of each cluster, (cluster, 3), NaN if unknown."""
    xyz = np.full((len(clusters), 3), np.nan)
    path = folder / "channel_positions.npy"
    if path.is_file():
        positions = NpyFile.open(path).read()
        channel = _channels(folder, clusters, table)
        if positions.ndim == 2 and positions.shape[1] >= 2 and positions.dtype.kind in "iuf":
            known = (channel >= 0) & (channel < len(positions))
            xyz[known, :2] = positions[channel[known], :2]
            xyz[~np.isfinite(xyz)] = np.nan
    if "depth" in table and table["depth"].dtype.kind in "iuf":
        missing = np.isnan(xyz[:, 1])
        depth = table["depth"].to_numpy(dtype=np.float64)
        xyz[missing, 1] = np.where(np.isfinite(depth), depth, np.nan)[missing]
    return xyz


def _channels(folder: Path, clusters: NDArray[np.int64], table: pd.DataFrame) -> NDArray[np.int64]:
    """Return the row of each cluster's largest channel in the positions, -1 if unknown."""
    none = np.full(len(clusters), -1, dtype=np.int64)
    channel = next((name for name in ("ch", "channel") if name in table), None)
    if channel is not None and table[channel].dtype.kind in "iuf":
        number = table[channel].fillna(-1).to_numpy(dtype=np.int64)
        path = folder / "channel_map.npy"
        if not path.is_file():
            return number
        used = NpyFile.open(path).read().ravel().astype(np.int64)
        order = np.argsort(used)
        slot = np.minimum(np.searchsorted(used[order], number), len(used) - 1)
        return np.where(used[order][slot] == number, order[slot], -1)
    path = folder / "templates.npy"
    if not path.is_file():
        return none
    templates = NpyFile.open(path)
    if len(templates.header.shape) != 3 or templates.header.fortran:
        return none
    peak = np.concatenate(
        [np.argmax(np.ptp(block, axis=1), axis=1) for block in templates.blocks()]
    ).astype(np.int64)
    template = _template_of(folder, clusters, len(peak))
    known = template >= 0
    none[known] = peak[template[known]]
    return none


def _template_of(folder: Path, clusters: NDArray[np.int64], templates: int) -> NDArray[np.int64]:
    """Return the template that most spikes of each cluster had, -1 where it is not known."""
    path = folder / "spike_templates.npy"
    own = np.where((clusters >= 0) & (clusters < templates), clusters, -1)
    if not path.is_file() or not (folder / "spike_clusters.npy").is_file():
        return own
    of_spikes, labels = NpyFile.open(path), NpyFile.open(folder / "spike_clusters.npy")
    if _length(of_spikes) != _length(labels) or templates > _MOST_CLUSTERS:
        return own
    counts: dict[int, int] = {}
    for template, label in zip(
        of_spikes.blocks(SPIKES_BYTES), in_step(labels, of_spikes), strict=True
    ):
        pair = np.searchsorted(clusters, label) * templates + template.ravel().astype(np.int64)
        for one, count in zip(*np.unique(pair, return_counts=True), strict=True):
            counts[int(one)] = counts.get(int(one), 0) + int(count)
    best: dict[int, tuple[int, int]] = {}
    for code, number in counts.items():
        cluster, which = divmod(code, templates)
        if (number, -which) > best.get(cluster, (0, 0)):
            best[cluster] = (number, -which)
    return np.array([-best[row][1] if row in best else -1 for row in range(len(clusters))])
