"""When each bin or frame was: whatever tells time in a file, checked against all else that does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import stretches
from boltzbrain.data.pauses import PAUSE_FRAMES, frames_and_segments
from boltzbrain.foundations.checks import bad_input, number_in

SHORTEST_S, LONGEST_S = 1e-4, 5.0
"""A bin or frame of fewer or more seconds was probably given in another unit: ask."""

AGREE = 0.05
"""Two sources of one width may differ by this share: 0.033 stands for a thirtieth."""

OPTION = "bin_width_s"
"""The option of every reader of bins or frames that settles what their width is."""

_DAY_S = 86400.0
# times in milliseconds or in samples are later by 1000 and more; no pause is as long
_OTHER_UNIT = 100.0


@dataclass(frozen=True)
class Clock:
    """When the bins or frames were.

    Attributes
    ----------
    width_s
        Seconds per bin or frame.
    times
        (frame,) start of each in seconds, ascending within a segment.
    segment
        (frame,) int32; frames with one number are contiguous in time.
    """

    width_s: float
    times: NDArray[np.float64]
    segment: NDArray[np.int32]


def find_clock(
    frames: int,
    *,
    widths: Mapping[str, Any],
    times: tuple[str, NDArray[Any]] | None = None,
    segment: NDArray[np.int32] | None = None,
    confirmed: float | None = None,
    where: object,
) -> Clock:
    """Return when each bin or frame was, if everything that tells it agrees.

    Parameters
    ----------
    frames
        How many there are.
    widths
        What tells the seconds per frame, by its name in the file or among the options; None where
        it is not told.
    times
        Name and (frame,) start of each frame in seconds, where they are known.
    segment
        (frame,) what the file says of pauses.
    confirmed
        The seconds per frame that the user insists on, whatever the file says: times of another
        unit are brought to seconds by it.
    where
        The file, for messages.

    Returns
    -------
    Clock
        A step longer than one and a half frames ends a segment.

    Raises
    ------
    InputError
        If nothing tells the width or two sources contradict each other, times do not fit the frames
        or do not ascend, or the width is outside `SHORTEST_S` to `LONGEST_S` and not confirmed.
    """
    told = {name: value for name, value in widths.items() if value is not None}
    positive = {
        name: number_in(name, value, low=0.0, high=_DAY_S, include_low=False, file=where)
        for name, value in told.items()
    }
    sure = None
    if confirmed is not None:
        sure = number_in(OPTION, confirmed, low=0.0, high=_DAY_S, include_low=False, file=where)
    else:
        _refuse_contradiction(positive, where)
    parts = np.zeros(frames, dtype=np.int32) if segment is None else segment
    name, width = next(iter(positive.items()), ("", 0.0))
    width = width if sure is None else sure
    if times is None:
        if not width:
            raise bad_input(
                next(iter(widths), OPTION),
                "be given: the seconds per bin or frame"
                + _by_option(next(iter(widths), OPTION), "0.1", where),
                "none",
                file=where,
            )
        _refuse_unlikely(name, width, sure, where)
        first, length = stretches(parts, file=where)
        seconds = np.asarray((np.arange(frames) - np.repeat(first, length)) * width)
        return Clock(width, seconds, parts)
    field, values = times
    seconds = _ascending(field, values, frames, None if segment is None else parts, where)
    step = _usual_step(seconds, parts)
    if width and step:
        seconds = _agreeing(field, seconds, step, name, width, sure, where)
    elif not width:
        name, width = f"{field} (median step)", frames_and_segments(seconds)[0]
        width = width if segment is None else step or 1.0
    if step or told:
        _refuse_unlikely(name, width, sure, where)
    return Clock(width, seconds, _cut_at_pauses(seconds, parts, width))


def within_support(
    name: str, times: NDArray[np.float64], support: NDArray[np.float64], where: object
) -> None:
    """Refuse times outside the (stretch, 2) stretches that a file says were recorded.

    Raises
    ------
    InputError
        If a time lies more than half a step outside.
    """
    slack = 0.5 * float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    nearest = np.maximum(np.searchsorted(support[:, 0], times + slack, side="right") - 1, 0)
    outside = (times < support[nearest, 0] - slack) | (times > support[nearest, 1] + slack)
    if outside.any():
        raise bad_input(
            name,
            f"lie within the time support, {support[0, 0]:g} to {support[-1, 1]:g} s",
            f"{int(outside.sum()):,} of {len(times):,} outside, the first at "
            f"{times[np.argmax(outside)]:g} s",
            file=where,
        )


def refuse_other_unit(name: str, last_s: float, other: str, end_s: float, where: object) -> None:
    """Refuse times that end so much later than what was recorded that they are of another unit.

    Raises
    ------
    InputError
        If the last time lies beyond `_OTHER_UNIT` times the end.
    """
    if end_s > 0 and last_s > _OTHER_UNIT * end_s:
        raise bad_input(
            name,
            f"be seconds that end with {other}, at {end_s:,.6g} s",
            f"a last one at {last_s:,.6g} s; are these milliseconds?",
            file=where,
        )


def _by_option(name: str, value: str, where: object) -> str:
    """Return how an option of a reader is written, in parentheses; "" where there is none.

    Of a file it is written as on the command line, of an object in memory as in Python.
    """
    if where is None:
        return ""
    in_memory = str(where).startswith("<")
    return f" ({'' if in_memory else '--read '}{name}={value})"


def _refuse_contradiction(widths: Mapping[str, float], where: object) -> None:
    (name, width), *others = list(widths.items()) or [("", 0.0)]
    for other, second in others:
        if abs(second - width) > AGREE * width:
            raise bad_input(
                other,
                f"agree with {name}, {width:g} s" + _by_option(OPTION, " settles it", where),
                f"{second:g} s",
                file=where,
            )


def _refuse_unlikely(name: str, width: float, sure: float | None, where: object) -> None:
    if sure is None and not SHORTEST_S <= width <= LONGEST_S:
        raise bad_input(
            name,
            f"be {SHORTEST_S:g} to {LONGEST_S:g} s, or be confirmed"
            + _by_option(OPTION, f"{width:g}", where),
            f"{width:g} s; are these milliseconds?" if width > LONGEST_S else f"{width:g} s",
            file=where,
        )


def _ascending(
    field: str,
    values: NDArray[Any],
    frames: int,
    segment: NDArray[np.int32] | None,
    where: object,
) -> NDArray[np.float64]:
    seconds = np.asarray(values, dtype=np.float64).ravel()
    if seconds.shape != (frames,):
        raise bad_input(field, f"hold one time per frame ({frames})", f"{len(seconds)}", file=where)
    with np.errstate(invalid="ignore"):
        back = ~(np.diff(seconds) > 0)
    if segment is not None:
        back &= segment[1:] == segment[:-1]
    if not np.isfinite(seconds).all() or back.any():
        must = "be finite and ascend" + ("" if segment is None else " within each segment")
        raise bad_input(field, must, "times that do not", file=where)
    return seconds


def _steps(seconds: NDArray[np.float64], segment: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return the steps from frame to frame within a segment."""
    steps: NDArray[np.float64] = np.diff(seconds)[segment[1:] == segment[:-1]]
    return steps


def _usual_step(seconds: NDArray[np.float64], segment: NDArray[np.int32]) -> float:
    """Return the median step within the segments, 0 where none has two frames."""
    steps = _steps(seconds, segment)
    return float(np.median(steps)) if len(steps) else 0.0


def _agreeing(
    field: str,
    seconds: NDArray[np.float64],
    step: float,
    name: str,
    width: float,
    sure: float | None,
    where: object,
) -> NDArray[np.float64]:
    """Return the times, brought to the width that the user insists on."""
    steps = np.diff(seconds)
    # the mean as well: of times that were rounded, the median is off by as much
    unbroken = steps[(steps > 0) & (steps <= PAUSE_FRAMES * step)]
    nearest = min((step, float(unbroken.mean())), key=lambda one: abs(one - width))
    if abs(nearest - width) <= AGREE * width:
        return seconds
    if sure is not None:
        return seconds * (width / step)
    factor = step / width
    times = f"{factor:,.3g} times as long" if factor > 1 else f"{1 / factor:,.3g} times as short"
    raise bad_input(
        field,
        f"have steps of {name}, {width:g} s"
        + _by_option(
            OPTION,
            f" settles it: {width:g}, or another width, to which the times are then brought",
            where,
        ),
        f"steps of {step:g} (median), {times}"
        + ("; are these milliseconds?" if 900 < factor < 1100 else ""),
        file=where,
    )


def _cut_at_pauses(
    seconds: NDArray[np.float64], segment: NDArray[np.int32], width: float
) -> NDArray[np.int32]:
    """Return segments that end at pauses; the first piece of each keeps its number."""
    inside = segment[1:] == segment[:-1]
    pause = np.r_[False, inside & (np.diff(seconds) > PAUSE_FRAMES * width)]
    if not pause.any():
        return segment
    own = np.flatnonzero(np.r_[True, ~inside] | pause)
    number = segment[own].astype(np.int64)
    later = pause[own]
    number[later] = int(segment.max()) + 1 + np.arange(int(later.sum()))
    if number.max() > np.iinfo(np.int32).max:
        number = np.arange(len(own))
    return np.repeat(number, np.diff(np.r_[own, len(segment)])).astype(np.int32)
