"""Epochs from the interval tables of an NWB file.

======================== ======================================== ===============================
table                    one epoch per                            label
======================== ======================================== ===============================
``trials``               row                                      ``trials``
``epochs``               row, and tag if it has several           the tag (or another text column)
``spontaneous*``         row                                      ``spontaneous``
``invalid_times``        row                                      ``invalid_times``
with ``stimulus_block``  block, first start to last stop          name of the table; if it has rows
                                                                  with ``active`` 1, as well
                                                                  ``active`` or ``passive``
other presentations      run of rows without a pause above 10 s   name of the table
any other                row                                      name of the table
======================== ======================================== ===============================

Presentations follow each other within seconds, so a block of them is what a model is fitted on; a
table name loses ``_presentations``. Rows of ``trials``, ``epochs`` and ``invalid_times`` are taken
as they are, all others must last longer than a second. Invalid times and stretches of optogenetic
stimulation (whose spikes the laser drove) are cut out of every other epoch, and listed under their
own names. Rows without a finite start and stop in this order are left out, and told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from boltzbrain.data.behaviour.trials import NWB_OURS
from boltzbrain.data.epochs import without_length
from boltzbrain.data.losses import Loss
from boltzbrain.data.recording import no_epochs
from boltzbrain.readers.containers.hdf5 import attribute, child_group, read_text, reading
from boltzbrain.readers.nwb.table import DynamicTable

Epoch = tuple[float, float, str]

SHORTEST_S = 1.0
"""Presentations and their like that last no longer than this are no epochs."""

_PAUSE_S = 10.0
_CUT = ("invalid_times", "optogenetic_stimulation")
_AS_THEY_ARE = ("trials", "epochs", *_CUT)
_LABEL_COLUMNS = ("label", "epoch_name", "protocol_type", "name", "condition", "state")


def read_epochs(file: h5py.File, where: str) -> tuple[pd.DataFrame, list[Loss]]:
    """Return the epochs of a file (start_s, stop_s, label) in order of time, and rows left out.

    Raises
    ------
    InputError
        If a table is damaged or its columns differ in length.
    """
    found: list[Epoch] = []
    cuts: list[Epoch] = []
    losses: list[Loss] = []
    for name, group in _tables(file, where):
        table = DynamicTable.open(group, f"intervals.{name}", where, measure=("start_time", "id"))
        start, stop = table.numbers("start_time"), table.numbers("stop_time")
        if start is None or stop is None:
            continue
        start, stop = start.astype(np.float64), stop.astype(np.float64)
        with np.errstate(invalid="ignore"):
            usable = np.isfinite(start) & np.isfinite(stop) & (stop > start)
        if not usable.all():
            losses.append(without_length(int((~usable).sum()), len(usable), f"intervals/{name}"))
        epochs = list(_rule_for(name, table)(name, table, start, stop, usable))
        if name not in _AS_THEY_ARE:
            epochs = [epoch for epoch in epochs if epoch[1] - epoch[0] > SHORTEST_S]
        (cuts if name in _CUT else found).extend(epochs)
    rows = sorted([piece for epoch in found for piece in _without(epoch, cuts)] + cuts)
    if not rows:
        return no_epochs(), losses
    table_of = pd.DataFrame(rows, columns=["start_s", "stop_s", "label"])
    return table_of.astype({"start_s": np.float64, "stop_s": np.float64}), losses


def _tables(file: h5py.File, where: str) -> Iterator[tuple[str, h5py.Group]]:
    """Yield the interval tables by name: those of /intervals and the optogenetic stimulation."""
    intervals = child_group(file, "intervals", where)
    if intervals is not None:
        with reading(where, "intervals"):
            names = sorted(str(name) for name in intervals)
        for name in names:
            group = child_group(intervals, name, where)
            ours = group is not None and attribute(group, NWB_OURS, where)
            if group is not None and not ours and "start_time" in _names(group, where):
                yield name, group
    group = file
    for name in ("processing", "optotagging", "optogenetic_stimulation"):
        group = child_group(group, name, where) if group is not None else None
    if group is not None and "start_time" in _names(group, where):
        yield "optogenetic_stimulation", group


def _names(group: h5py.Group, where: str) -> set[str]:
    with reading(where, "intervals"):
        return {str(name) for name in group}


_Rule = Callable[
    [str, DynamicTable, NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]],
    Iterator[Epoch],
]


def _rule_for(name: str, table: DynamicTable) -> _Rule:
    if name == "epochs":
        return _tagged_rows
    if name.startswith("spontaneous") or name in _AS_THEY_ARE:
        return _rows
    if table.is_simple("stimulus_block") or name.endswith("_presentations"):
        return _blocks
    return _rows


def _rows(
    name: str,
    table: DynamicTable,
    start: NDArray[np.float64],
    stop: NDArray[np.float64],
    usable: NDArray[np.bool_],
) -> Iterator[Epoch]:
    """Yield every row under the name of the table."""
    label = "spontaneous" if name.startswith("spontaneous") else _table_label(name)
    for row in np.flatnonzero(usable).tolist():
        yield float(start[row]), float(stop[row]), label


def _tagged_rows(
    name: str,
    table: DynamicTable,
    start: NDArray[np.float64],
    stop: NDArray[np.float64],
    usable: NDArray[np.bool_],
) -> Iterator[Epoch]:
    """Yield every row once for each of its tags."""
    tags = _tags(table)
    for row in np.flatnonzero(usable).tolist():
        for label in tags[row] or [name]:
            yield float(start[row]), float(stop[row]), label


def _blocks(
    name: str,
    table: DynamicTable,
    start: NDArray[np.float64],
    stop: NDArray[np.float64],
    usable: NDArray[np.bool_],
) -> Iterator[Epoch]:
    """Yield each block of presentations, under the name of the table and as active or passive."""
    order = np.flatnonzero(usable)
    order = order[np.argsort(start[order], kind="stable")]
    if len(order) == 0:
        return
    block = _numbers_or_nan(table, "stimulus_block")
    active = _numbers_or_nan(table, "active")
    reach = np.maximum.accumulate(stop[order])
    changed = _differs(block[order])
    # where the file numbers no blocks, a pause ends one
    paused = (start[order][1:] - reach[:-1] > _PAUSE_S) & np.isnan(block[order][1:])
    cut = changed | paused | _differs(active[order])
    told = bool((active[order] == 1).any())
    for rows in np.split(order, np.flatnonzero(cut) + 1):
        begin, end = float(start[rows].min()), float(stop[rows].max())
        yield begin, end, _table_label(name)
        state = float(active[rows[0]])
        if told and state in (0.0, 1.0):
            yield begin, end, "active" if state == 1.0 else "passive"


def _differs(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return where a value differs from the one before; NaN equals NaN."""
    both = np.isnan(values[1:]) & np.isnan(values[:-1])
    result: NDArray[np.bool_] = (values[1:] != values[:-1]) & ~both
    return result


def _numbers_or_nan(table: DynamicTable, column: str) -> NDArray[np.float64]:
    """Return a column that may be absent, or text such as N/A, as numbers with NaN."""
    if not table.is_simple(column):
        return np.full(table.rows, np.nan)
    if table.is_text(column):
        words = {"true": 1.0, "1": 1.0, "1.0": 1.0, "false": 0.0, "0": 0.0, "0.0": 0.0}
        entries = table.text(column) or []
        return np.array([words.get(entry.lower(), np.nan) for entry in entries], dtype=np.float64)
    values: NDArray[Any] | None = table.numbers(column)
    assert values is not None
    return values.astype(np.float64)


def _tags(table: DynamicTable) -> list[list[str]]:
    """Return the tags of each row, or the first text column that names rows."""
    ends = table.ends("tags")
    dataset = table.dataset("tags")
    if ends is not None and dataset is not None:
        words = read_text(dataset, table.where, f"{table.name}.tags")
        starts = [0, *ends[:-1].tolist()] if len(ends) else []
        found = [
            list(dict.fromkeys(word for word in words[low:high] if word))
            for low, high in zip(starts, ends.tolist(), strict=True)
        ]
        if any(found):
            return found
    for column in ("tags", *_LABEL_COLUMNS):
        labels = table.text(column) if table.is_simple(column) else None
        if labels is not None and any(labels):
            return [[label] if label else [] for label in labels]
    return [[] for _ in range(table.rows)]


def _table_label(name: str) -> str:
    return name.removesuffix("_presentations") or name


def _without(epoch: Epoch, cuts: list[Epoch]) -> Iterator[Epoch]:
    """Yield what is left of an epoch outside the cuts."""
    begin, end, label = epoch
    for low, high, _ in sorted(cuts):
        if high <= begin or low >= end:
            continue
        if low > begin:
            yield begin, low, label
        begin = high
        if begin >= end:
            return
    if end > begin:
        yield begin, end, label
