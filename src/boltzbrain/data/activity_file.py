"""The file ``activity.h5`` of a run folder: what the model saw, bit for bit.

Layout (format "boltzbrain activity", version 1): the attributes ``format``, ``version`` and
``bin_width_s``; datasets ``states`` (bin, neuron) uint8, ``segment`` (bin,) int32 and ``fold``
(bin,) int8; the group ``neurons`` with a dataset per column; the group ``regions`` with a group per
atlas, holding ``names``, ``hemisphere`` and the sparse (neuron, region) membership as ``indptr``,
``indices`` and ``data``; the JSON texts ``steps`` and ``source``; and, where the recording has
epochs, ``epoch`` (bin,) int32 with their names, ``epoch_names``. Where it has them, the group
``covariates`` holds a dataset of (bin,) float64 each, NaN where missing, with the attributes
``name``, ``unit`` and ``rule``, and the group ``trials`` a dataset per column.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy import sparse

from boltzbrain.data.activity import Activity
from boltzbrain.data.behaviour.covariates import BinnedCovariate
from boltzbrain.data.behaviour.trials import no_trials
from boltzbrain.data.regions import Regions
from boltzbrain.data.steps import Source, parse_steps, steps_text
from boltzbrain.foundations.checks import bad_input, has_shape
from boltzbrain.foundations.disk.files import FileFormat, atomic_hdf5, open_ours
from boltzbrain.foundations.disk.hdf5_tables import (
    plain,
    read_table,
    read_table_of_bytes,
    read_text,
    read_text_list,
    write_table,
    write_text,
    write_text_list,
)
from boltzbrain.foundations.memory import require_memory, rows_at_once

FORMAT = FileFormat("boltzbrain activity", what="the activity file")
# bytes of states per chunk: small enough to read a stretch of bins, large enough to be quick
_CHUNK_BYTES = 1 << 20


def write_activity(path: str | Path, activity: Activity) -> None:
    """Write an activity as HDF5; the same activity gives the same bytes.

    Raises
    ------
    InputError
        If the file cannot be written, or a text of the activity is not UTF-8.
    """
    with atomic_hdf5(Path(path)) as file:
        file.attrs.update(FORMAT.told)
        file.attrs["bin_width_s"] = np.float64(activity.bin_width_s)
        bins, neurons = activity.states.shape
        file.create_dataset(
            "states",
            data=activity.states,
            compression="gzip",
            compression_opts=1,
            chunks=(min(bins, rows_at_once(neurons, _CHUNK_BYTES)), neurons),
            fletcher32=True,
        )
        for name, values in (("segment", activity.segment), ("fold", activity.fold)):
            file.create_dataset(
                name, data=values, compression="gzip", compression_opts=1, fletcher32=True
            )
        if activity.epoch is not None:
            file.create_dataset(
                "epoch", data=activity.epoch, compression="gzip", compression_opts=1,
                fletcher32=True,
            )  # fmt: skip
            write_text_list(file, "epoch_names", activity.epoch_names)
        _write_behaviour(file, activity)
        write_table(file.create_group("neurons"), activity.neurons)
        atlases = file.create_group("regions")
        for number, (atlas, regions) in enumerate(activity.regions.items()):
            group = atlases.create_group(f"{number:03d}")
            write_text(group, "atlas", atlas)
            write_text_list(group, "names", regions.names)
            write_text_list(group, "hemisphere", regions.hemisphere)
            for part in ("indptr", "indices", "data"):
                group.create_dataset(part, data=getattr(regions.membership, part))
        write_text(file, "steps", steps_text(activity.steps))
        source = activity.source
        told = {
            "format": source.format,
            "path": source.path,
            "sha256": source.sha256,
            "options": source.options,
        }
        write_text(file, "source", json.dumps(plain(told), allow_nan=False))


def _write_behaviour(file: h5py.File, activity: Activity) -> None:
    if activity.covariates:
        group = file.create_group("covariates")
        for number, (name, one) in enumerate(activity.covariates.items()):
            dataset = group.create_dataset(
                f"{number:03d}", data=one.values, compression="gzip", compression_opts=1,
                fletcher32=True,
            )  # fmt: skip
            dataset.attrs.update({"name": name, "unit": one.unit, "rule": one.rule})
    if len(activity.trials):
        group = file.create_group("trials")
        group.attrs["rows"] = len(activity.trials)
        write_table(group, activity.trials)


def read_activity(path: str | Path) -> Activity:
    """Read an activity that `write_activity` wrote.

    Raises
    ------
    InputError
        If the file is missing, truncated, of another format, of a newer version, or damaged.
    """
    path = Path(path)
    with open_ours(path, FORMAT) as file:
        return _read(file, path)


def _read(file: h5py.File, path: Path) -> Activity:
    states = file["states"]
    if states.ndim != 2 or states.dtype != np.uint8:
        raise bad_input(
            "states",
            "be a (bin, neuron) table of uint8",
            f"{states.dtype} {states.shape}",
            file=path,
        )
    bins, neurons = states.shape
    require_memory(
        f"{bins:,} bins x {neurons:,} neurons as uint8",
        bins * (neurons + 5),
        limit_gb=None,
        advice="a machine with more of it",
        file=path,
    )
    for name in ("segment", "fold"):
        has_shape(name, file[name], (bins,), file=path)
    groups = file["regions"]
    regions = dict(_read_regions(groups[name], neurons) for name in sorted(groups))
    return Activity(
        states=read_table_of_bytes(states),
        bin_width_s=float(file.attrs["bin_width_s"]),
        segment=file["segment"][...].astype(np.int32, casting="safe"),
        fold=file["fold"][...].astype(np.int8, casting="safe"),
        neurons=read_table(file["neurons"], neurons),
        regions=regions,
        steps=parse_steps(read_text(file, "steps"), "steps", path),
        source=Source(**json.loads(read_text(file, "source"))),
        epoch=file["epoch"][...].astype(np.int32, casting="safe") if "epoch" in file else None,
        epoch_names=tuple(read_text_list(file, "epoch_names")) if "epoch" in file else (),
        covariates=_read_covariates(file),
        trials=read_table(file["trials"], int(file["trials"].attrs["rows"]))
        if "trials" in file
        else no_trials(),
    )


def _read_covariates(file: h5py.File) -> dict[str, BinnedCovariate]:
    group = file.get("covariates", {})
    return {
        str(group[number].attrs["name"]): BinnedCovariate(
            group[number][...].astype(np.float64),
            str(group[number].attrs["unit"]),
            str(group[number].attrs["rule"]),
        )
        for number in sorted(group)
    }


def _read_regions(group: Any, neurons: int) -> tuple[str, Regions]:
    names, hemisphere = read_text_list(group, "names"), read_text_list(group, "hemisphere")
    if len(hemisphere) != len(names):
        raise bad_input("hemisphere", f"have {len(names)} entries", len(hemisphere))
    membership = sparse.csr_array(
        (group["data"][...], group["indices"][...], group["indptr"][...]),
        shape=(neurons, len(names)),
    )
    membership.check_format(full_check=True)
    return read_text(group, "atlas"), Regions(tuple(names), membership, tuple(hemisphere))
