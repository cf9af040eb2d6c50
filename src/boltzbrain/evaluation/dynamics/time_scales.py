"""Time scales of curves, and the one factor that turns sweeps of a model into seconds.

A sweep has no length. One factor, seconds per sweep, is fitted for each kind of update on the
stationary curves of count and overlap together; with it every curve of the model can be laid over
the recording's, and how well the shapes agree is reported for each, also for those of relaxation,
on which nothing was fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares, minimize_scalar

from boltzbrain.evaluation.dynamics.curves import Curve
from boltzbrain.foundations.autocorrelation import windowed
from boltzbrain.foundations.checks import Undefined

Floats = NDArray[np.float64]

_POINTS, _GRID = 40, 60


def at_times(curve: Curve, times: Floats) -> Floats:
    """Return a curve at other times: straight lines over the logarithm of time.

    Before its first time above 0 it keeps its first value, and beyond its end its last: a curve
    jumps from 1 at time 0 to what is left when what neurons do on their own is forgotten.
    """
    result: Floats = np.interp(np.log(times), np.log(curve.times[1:]), curve.values[1:])
    return result


def log_times(curve: Curve) -> Floats:
    """Return times spread evenly on a log scale over a curve, its time 0 left out."""
    times: Floats = np.geomspace(curve.times[1], curve.times[-1], _POINTS)
    return times


@dataclass(frozen=True)
class Agreement:
    """How well a curve of a model lies on that of the recording.

    Attributes
    ----------
    rms
        Root of the mean squared difference over times spread evenly on a log scale.
    explained
        1 - sum difference**2 / sum recorded**2: 1 for the same shape, 0 for a model that forgets
        at once, below 0 where it is farther off than that.
    """

    rms: float
    explained: float | Undefined

    def summary(self) -> dict[str, Any]:
        """Return both figures for a result."""
        return {"shape_rms": self.rms, "shape_explained": self.explained}


def agreement(recorded: Curve, model: Curve, unit: float) -> Agreement:
    """Compare a curve in seconds with one in sweeps of `unit` seconds."""
    times = log_times(recorded)
    real = at_times(recorded, times)
    difference = real - at_times(model, times / unit)
    power = float(np.sum(real**2))
    explained: float | Undefined = Undefined("the recorded curve is 0")
    if power > 0:
        explained = 1 - float(np.sum(difference**2)) / power
    return Agreement(float(np.sqrt(np.mean(difference**2))), explained)


@dataclass(frozen=True)
class TimeScale:
    """Seconds per sweep.

    Attributes
    ----------
    seconds_per_sweep
        The fitted factor.
    at_edge
        Whether it lies at the end of the range in which the two curves overlap in time, where it is
        a bound and not an estimate.
    """

    seconds_per_sweep: float
    at_edge: bool


def remembers(curve: Curve) -> bool:
    """Say whether a curve rises above its noise after lag 0."""
    if len(curve.times) < 3:
        return False
    noise = 3 * float(np.median(curve.stderr[1:]))
    return float(np.mean(curve.values[1:4])) > max(noise, 1e-3)


def fit_time_scale(pairs: Sequence[tuple[Curve, Curve]]) -> TimeScale | Undefined:
    """Fit the factor that lays curves in sweeps over curves in seconds, all with equal weight.

    The factor lies between that which lays the last time of the model on the first lag of the
    recording and that which lays its first time on the last lag.

    Parameters
    ----------
    pairs
        Recorded curve in seconds, and curve of the model in sweeps.
    """
    pairs = [one for one in pairs if remembers(one[0]) and len(one[1].times) > 2]
    if not pairs:
        return Undefined("the recorded curves do not rise above their noise after lag 0")
    low = max(real.times[1] / model.times[-1] for real, model in pairs)
    high = min(real.times[-1] / model.times[1] for real, model in pairs)
    if not low < high:
        return Undefined("the times of recording and model do not overlap at any scale")

    def loss(logarithm: float) -> float:
        unit = float(np.exp(logarithm))
        return sum(agreement(real, model, unit).rms ** 2 for real, model in pairs)

    grid = np.linspace(np.log(low), np.log(high), _GRID)
    losses = [loss(float(one)) for one in grid]
    best = int(np.argmin(losses))
    around = (float(grid[max(best - 1, 0)]), float(grid[min(best + 1, _GRID - 1)]))
    found = minimize_scalar(loss, bounds=around, method="bounded", options={"xatol": 1e-4})
    chosen = float(found.x) if float(found.fun) <= losses[best] else float(grid[best])
    return TimeScale(float(np.exp(chosen)), best in (0, _GRID - 1))


def integrated_time(curve: Curve) -> float:
    """Return the integral of a curve, by trapezoids, to the end of the window.

    The window is that of `foundations.autocorrelation`. For a curve at every bin it is bin width
    times 1/2 + sum C.
    """
    steps = np.diff(curve.times)
    parts = np.cumsum(steps * (curve.values[1:] + curve.values[:-1]) / 2)
    return windowed(curve.times[1:], parts) if len(parts) else 0.0


def decay(curve: Curve) -> dict[str, Any]:
    """Return time scales of one curve, in its unit of time, for a result.

    Returns
    -------
    dict
        ``integrated``; ``exponential``: ``amplitude`` and ``time`` of a exp(-t / time) fitted above
        lag 0, so that 1 - a is forgotten within the first step; ``stretched``: the same with
        ``exponent``, a exp(-(t / time)**exponent).
    """
    result: dict[str, Any] = {"integrated": integrated_time(curve)}
    if len(curve.times) < 5 or not remembers(curve):
        nothing = Undefined("the curve does not rise above its noise after lag 0")
        return {
            **result,
            "exponential": {"amplitude": nothing, "time": nothing},
            "stretched": {"amplitude": nothing, "time": nothing, "exponent": nothing},
        }
    times, values = curve.times[1:], curve.values[1:]
    weight = np.sqrt(np.gradient(np.log(times)))
    spans = np.geomspace(times[0] / 3, 3 * times[-1], 12)

    def fit(stretched: bool) -> NDArray[np.float64]:
        def rest(point: Floats) -> Floats:
            shape = point[2] if stretched else 1.0
            fitted = point[0] * np.exp(-((times / np.exp(point[1])) ** shape))
            missed: Floats = weight * (fitted - values)
            return missed

        low, high = [0.0, np.log(times[0] / 30)], [1.2, np.log(30 * times[-1])]
        extra = ([0.1], [3.0]) if stretched else ([], [])
        starts = [[float(np.clip(values[0], 0.02, 1.1)), np.log(span)] for span in spans]
        found = [
            least_squares(rest, [*one, *([1.0] if stretched else [])],
                          bounds=([*low, *extra[0]], [*high, *extra[1]]))
            for one in starts[:: 3 if stretched else 1]
        ]  # fmt: skip
        best: NDArray[np.float64] = min(found, key=lambda one: float(one.cost)).x
        return best

    plain, stretched = fit(False), fit(True)
    return {
        **result,
        "exponential": {"amplitude": plain[0], "time": float(np.exp(plain[1]))},
        "stretched": {
            "amplitude": stretched[0],
            "time": float(np.exp(stretched[1])),
            "exponent": stretched[2],
        },
    }
