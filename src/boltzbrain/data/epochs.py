"""Which stretches of time the epochs of a recording name, ready to be cut into bins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from boltzbrain.data.losses import Loss
from boltzbrain.foundations.checks import bad_input, closest


@dataclass(frozen=True)
class Intervals:
    """Stretches of time in ascending order that do not overlap.

    Attributes
    ----------
    start_s, stop_s
        (interval,) float64 seconds.
    without_length
        Rows of the table left out because they have no length, or none that is a number.
    clipped
        Intervals cut because they reached beyond the recorded time.
    """

    start_s: NDArray[np.float64]
    stop_s: NDArray[np.float64]
    without_length: int = 0
    clipped: int = 0


def cut_at_pauses(intervals: Intervals, recorded: NDArray[np.float64]) -> Intervals:
    """Return the parts of the intervals that lie in the recorded stretches, (stretch, 2).

    Examples
    --------
    >>> whole = Intervals(np.array([0.0]), np.array([9.0]))
    >>> cut_at_pauses(whole, np.array([[1.0, 3.0], [5.0, 10.0]]))
    Intervals(start_s=array([1., 5.]), stop_s=array([3., 9.]), without_length=0, clipped=0)
    """
    starts = np.maximum(intervals.start_s[:, None], recorded[None, :, 0]).ravel()
    stops = np.minimum(intervals.stop_s[:, None], recorded[None, :, 1]).ravel()
    kept = stops > starts
    return replace(intervals, start_s=starts[kept], stop_s=stops[kept])


def cut_out(recorded: NDArray[np.float64], away: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what is left of stretches, (stretch, 2), without other ones, which may overlap.

    Examples
    --------
    >>> cut_out(np.array([[0.0, 10.0]]), np.array([[2.0, 3.0], [9.0, 12.0]])).tolist()
    [[0.0, 2.0], [3.0, 9.0]]
    """
    left = [(float(start), float(stop)) for start, stop in recorded]
    for first, last in away.tolist():
        left = [
            piece
            for start, stop in left
            for piece in ((start, min(stop, first)), (max(start, last), stop))
            if piece[1] > piece[0]
        ]
        left = sorted(set(left))
    return np.array(left, dtype=np.float64).reshape(-1, 2)


def intervals_of(
    epochs: pd.DataFrame,
    labels: Sequence[str],
    *,
    start_s: float,
    stop_s: float,
    slack_s: float,
    file: object = None,
) -> Intervals:
    """Return the intervals of the epochs with one of the given labels, in order of time.

    Nothing was recorded before `start_s` and after `stop_s`, so intervals end there. Two chosen
    intervals may overlap by less than `slack_s`, as the rounded times of a file do; then the later
    one starts where the earlier one stops.

    Raises
    ------
    InputError
        If a label is unknown, no interval has a length, or two overlap by `slack_s` or more (a bin
        in both would be counted twice, and could lie in two folds).
    """
    known = summarise_epochs(epochs)["label"].tolist()
    if not labels:
        raise bad_input("epochs", "name at least one label", "none", file=file)
    for label in labels:
        if not known:
            raise bad_input("epochs", "be left out: the recording has none", label, file=file)
        if label not in known:
            raise bad_input(
                "epochs",
                "be labels of the recording: " + ", ".join(known),
                str(label),
                suggestion=closest(str(label), known),
                file=file,
            )
    rows = epochs[epochs["label"].isin(list(labels))]
    start = rows["start_s"].to_numpy(dtype=np.float64)
    stop = rows["stop_s"].to_numpy(dtype=np.float64)
    inside_start, inside_stop = np.maximum(start, start_s), np.minimum(stop, stop_s)
    with np.errstate(invalid="ignore"):
        keep = np.isfinite(start) & np.isfinite(stop) & (inside_stop > inside_start)
    clipped = keep & ((inside_start > start) | (inside_stop < stop))
    if not keep.any():
        raise bad_input(
            "epochs",
            f"have a length within the recorded time, {start_s:g} to {stop_s:g} s",
            f"no such interval of {', '.join(labels)}",
            file=file,
        )
    order = np.argsort(inside_start[keep], kind="stable")
    start, stop = inside_start[keep][order], inside_stop[keep][order]
    overlap = np.maximum.accumulate(stop)[:-1] - start[1:]
    if (overlap >= slack_s).any():
        first = int(np.flatnonzero(overlap >= slack_s)[0])
        raise bad_input(
            "epochs",
            "name intervals that do not overlap",
            f"{', '.join(labels)}, which overlap at {start[first + 1]:g} s",
            file=file,
        )
    start[1:] = np.maximum(start[1:], np.maximum.accumulate(stop)[:-1])
    return Intervals(start, stop, int((~keep).sum()), int(clipped.sum()))


def without_length(rows: int, of: int, table: str) -> Loss:
    """Return the loss of epochs that cannot be cut into bins."""
    return Loss(
        "epochs without a length",
        f"of {table}, with ends that are not finite, not in order or equal, left out",
        rows,
        of,
        "intervals",
        mend="give each interval of the file a finite start before its stop",
    )


def unusable(epochs: pd.DataFrame) -> list[Loss]:
    """Return the loss of the rows of an epochs table that have no length, none if all have."""
    start = epochs["start_s"].to_numpy(dtype=np.float64)
    stop = epochs["stop_s"].to_numpy(dtype=np.float64)
    with np.errstate(invalid="ignore"):
        wrong = ~(np.isfinite(start) & np.isfinite(stop) & (stop > start))
    return [without_length(int(wrong.sum()), len(wrong), "the epochs")] if wrong.any() else []


def summarise_epochs(epochs: pd.DataFrame) -> pd.DataFrame:
    """Return one row per label in order of its first start: label, intervals, seconds."""
    rows = epochs[epochs["label"].notna()]
    seconds = (rows["stop_s"] - rows["start_s"]).clip(lower=0.0).fillna(0.0)
    table = pd.DataFrame(
        {"label": rows["label"].astype(str), "start": rows["start_s"], "seconds": seconds}
    )
    grouped = table.groupby("label", sort=False).agg(
        intervals=("seconds", "size"), seconds=("seconds", "sum"), start=("start", "min")
    )
    return grouped.sort_values("start", kind="stable").reset_index()[
        ["label", "intervals", "seconds"]
    ]
