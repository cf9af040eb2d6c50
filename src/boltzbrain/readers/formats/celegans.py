"""Reader of whole-brain recordings of C. elegans: HDF5 of the Flavell lab, and traces as npz."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import h5py
import numpy as np

from boltzbrain.data.recording import Recording, neuron_table, no_epochs
from boltzbrain.data.signals import Traces
from boltzbrain.data.steps import Source
from boltzbrain.foundations.checks import bad_input, one_of
from boltzbrain.readers.behaviour.worms import behaviour_of_worm, series_of_archive
from boltzbrain.readers.clock import find_clock
from boltzbrain.readers.containers.arrays.matrix import AXES, matrix_of, read_frames
from boltzbrain.readers.containers.hdf5 import open_hdf5, read_numbers, reading
from boltzbrain.readers.containers.signatures import as_file, signature_of
from boltzbrain.readers.containers.zip_archive import open_npz
from boltzbrain.readers.fingerprint import fingerprint
from boltzbrain.readers.formats.npz_tables import read_text

_SIGNALS = {
    "normalised": ("gcamp/trace_array", "unknown"),
    "original": ("gcamp/trace_array_original", "fluorescence"),
    "F_F20": ("gcamp/traces_array_F_F20", "dff"),
}
_TIMES = "timing/timestamp_confocal"


def read_celegans(
    path: str | os.PathLike[str], *, signal: str | None = None, bin_width_s: float | None = None
) -> Recording:
    """Read the calcium traces of a worm.

    Parameters
    ----------
    path
        The HDF5 file as published (``gcamp/trace_array`` (frame, neuron), ``timing/
        timestamp_confocal``), or an npz archive with ``traces`` (frame, neuron), ``t`` and
        optionally ``label`` and ``canonical_xyz_um``. What they hold of behaviour, a number a
        frame, becomes covariates; ``behavior/reversal_events`` trials of the column ``event``,
        reversals and what lies between them.
    signal
        Of the HDF5 file: "normalised" (each trace by its own mean and spread; the default),
        "original" or "F_F20" (over the 20th percentile).
    bin_width_s
        Seconds per frame, whatever the times say (`boltzbrain.readers.clock`).

    Returns
    -------
    Recording
        `Traces`, times from 0. Neurons are named by their label where each has one of its own, else
        numbered, with the labels in the column ``label``.

    Raises
    ------
    InputError
        If the file is damaged, or traces and times do not fit each other.

    References
    ----------
    Atanas et al., Cell 186:4134 (2023).
    """
    if signal is not None:
        one_of("signal", signal, _SIGNALS)
    found = as_file(path)
    if signature_of(found).kind == "zip":
        if signal is not None:
            raise bad_input("signal", "be left out for npz", signal, file=path)
        return _from_npz(found, bin_width_s)
    name, kind = _SIGNALS[signal or "normalised"]
    where = str(found)
    with open_hdf5(found) as file:
        frames = _numbers(file, name, where)
        times = _numbers(file, _TIMES, where)
        signal_of = _traces(frames, (_TIMES, times), name, kind, bin_width_s, where)
        covariates, trials = behaviour_of_worm(file, signal_of.times, where)
    recording = _recording(found, where, signal_of, name, {}, None)
    return replace(recording, covariates=covariates, trials=trials)


def _numbers(file: h5py.File, name: str, where: str) -> Any:
    with reading(where, name):
        # not file.get: it takes a damaged object for an absent one
        thing = file[name] if name in file else None  # noqa: SIM401
    if not isinstance(thing, h5py.Dataset):
        raise bad_input(name, "be a dataset of the file", "none", file=where)
    return read_numbers(thing, where, name)


def _traces(
    frames: Any,
    times: tuple[str, Any],
    name: str,
    kind: str,
    bin_width_s: float | None,
    where: str,
) -> Traces:
    matrix = matrix_of(frames, name, where)
    seconds = np.asarray(times[1], dtype=np.float64).ravel()
    if len(seconds) != matrix.shape[0]:
        turned = ": it is turned round" if len(seconds) == matrix.shape[1] else ""
        raise bad_input(
            name,
            f"have shape (frame, neuron) with {len(seconds)} frames, as many as times",
            f"shape {matrix.shape}{turned}",
            file=where,
        )
    clock = find_clock(
        len(seconds), widths={}, times=(times[0], seconds), confirmed=bin_width_s, where=where
    )
    return Traces(read_frames(matrix, AXES[0]), clock.times - clock.times[0], kind)


def _from_npz(found: Any, bin_width_s: float | None) -> Recording:
    where = str(found)
    with open_npz(found) as archive:
        for name in ("traces", "t"):
            if name not in archive:
                raise bad_input(name, "be an array", ", ".join(archive.names), file=where)
            if archive.stored_shape(name)[1].kind not in "iuf":
                raise bad_input(name, "hold numbers", "others", file=where)
        times = ("t", archive.read("t"))
        signal = _traces(archive.read("traces"), times, "traces", "unknown", bin_width_s, where)
        labels = read_text(archive, "label", len(signal))
        columns: dict[str, Any] = {}
        if labels is not None:
            columns["label"] = np.asarray(labels, dtype=object)
        if "label_confidence" in archive:
            sure = archive.read("label_confidence")
            if sure.shape == (len(signal),) and sure.dtype.kind in "iuf":
                columns["label_confidence"] = sure.astype(np.float64)
        xyz = None
        if "canonical_xyz_um" in archive:
            xyz = archive.read("canonical_xyz_um")
            if xyz.shape != (len(signal), 3) or xyz.dtype.kind not in "iuf":
                raise bad_input(
                    "canonical_xyz_um", f"have shape ({len(signal)}, 3)", xyz.shape, file=where
                )
            xyz = np.where(np.isfinite(xyz), xyz, np.nan)
        covariates = series_of_archive(archive, signal.times, len(signal))
    recording = _recording(found, where, signal, "traces", columns, xyz)
    return replace(recording, covariates=covariates)


def _recording(
    found: Any, where: str, signal: Traces, name: str, columns: dict[str, Any], xyz: Any
) -> Recording:
    labels = columns["label"].tolist() if "label" in columns else []
    own = len(labels) > 0 and all(labels) and len(set(labels)) == len(labels)
    return Recording(
        neurons=neuron_table(labels if own else [str(n) for n in range(len(signal))], xyz, columns),
        regions={},
        signal=signal,
        epochs=no_epochs(),
        source=Source("celegans", where, fingerprint(found, signal), {"signal": name}),
    )
