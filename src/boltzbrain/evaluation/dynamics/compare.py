"""Dynamics of the recording and of the model, compared: what evaluation.json holds of them.

Bereux et al. 2026 report that Monte Carlo of a model trained on bins in random order has the global
relaxation of the recording. Their protocol was not available to us; what is done here is defined in
the modules of this package.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity, FoldName, stretches
from boltzbrain.data.clusters import clusters_of
from boltzbrain.evaluation.dynamics.curves import Curve, Pair, Recorded, lag_grid, unusual
from boltzbrain.evaluation.dynamics.hidden_units import hidden_dynamics, keep_hidden_dynamics
from boltzbrain.evaluation.dynamics.kinetics import (
    KINDS,
    Kind,
    glauber_effort,
    independent_curve,
    model_curves,
    sweep_grid,
)
from boltzbrain.evaluation.dynamics.surrogates import time_shuffled, trial_shuffled
from boltzbrain.evaluation.dynamics.time_scales import TimeScale, agreement, decay, fit_time_scale
from boltzbrain.evaluation.samples import Samples, affordable
from boltzbrain.evaluation.statistics.kept import Kept
from boltzbrain.foundations.checks import Undefined
from boltzbrain.foundations.random import Generator
from boltzbrain.model.hidden_activity import hidden_activity
from boltzbrain.model.rbm import RBM

PROTOCOLS = ("stationary", "from_high", "from_low")
"""In equilibrium, and relaxation out of bins with unusually high and low population counts."""
NAMES = ("count", "overlap")

_CHAINS = 1600
"""Chains of either kind of update: 5/8 start in equilibrium, the rest from unusual bins."""
_FEWEST_CHAINS = 200
_GIBBS_SWEEPS, _GLAUBER_SWEEPS = 300.0, 40.0


def compare_dynamics(
    model: RBM, activity: Activity, samples: Samples, seed: int = 0, kept: Kept | None = None
) -> dict[str, Any]:
    """Compare the dynamics of a model with those of the recording that it was trained on.

    The curves use all bins of the recording, whatever their fold: no fit of the model saw their
    order in time. The hidden units are described over the test fold, or without one over the
    training fold.

    Parameters
    ----------
    model
        Model with Bernoulli visible units.
    activity
        The recording.
    samples
        Generated activity, where the chains in equilibrium start.
    seed
        Seed of every stream used.
    kept
        Gets what the figures of hidden units in time show.

    Returns
    -------
    dict
        What evaluation.json holds under ``dynamics``: by protocol and by "count" or "overlap" the
        curve of the ``recorded`` activity, of the model by ``gibbs`` and ``glauber`` updates with
        the agreement of their shapes, and of the ``controls``; ``time_scale`` of either kind of
        update; ``hidden``, the hidden units in time, and the ``fold`` of their bins.
    """
    clusters = clusters_of(activity, np.arange(activity.n_bins))
    longest = int(stretches(activity.segment)[1].max())
    lags = lag_grid(longest)
    if len(lags) < 3:
        nothing = Undefined(f"no segment has more than 2 bins; the longest has {longest}")
        return {
            **dict.fromkeys((*PROTOCOLS, "time_scale"), nothing),
            "hidden": _hidden(model, activity, samples, kept),
        }
    real = Recorded(activity.states, activity.segment, clusters.label)
    starts = {kind: unusual(real.counts, kind) for kind in ("high", "low")}
    recorded = {
        "stationary": real.curves(lags),
        "from_high": real.curves(lags, starts["high"]),
        "from_low": real.curves(lags, starts["low"]),
    }
    recorded = {name: one.scaled(activity.bin_width_s) for name, one in recorded.items()}
    mine: dict[Kind, dict[str, Pair]] = {
        kind: _model_pairs(model, activity, samples, starts, kind, seed) for kind in KINDS
    }
    units = {
        kind: fit_time_scale(
            [
                (getattr(recorded["stationary"], name), getattr(mine[kind]["stationary"], name))
                for name in NAMES
            ]
        )
        for kind in KINDS
    }
    controls = _shuffled(activity, real, lags, seed)
    result: dict[str, Any] = {
        "bin_width_s": activity.bin_width_s,
        "recorded_bins": activity.n_bins,
        "longest_segment_bins": longest,
        "clusters": clusters.describe(),
        "time_scale": {kind: _describe_scale(unit) for kind, unit in units.items()},
    }
    for protocol in PROTOCOLS:
        result[protocol] = {
            name: _describe(
                getattr(recorded[protocol], name),
                {kind: getattr(mine[kind][protocol], name) for kind in KINDS},
                units,
                {
                    kind: one if isinstance(one, Undefined) else getattr(one, name)
                    for kind, one in controls.items()
                }
                if protocol == "stationary"
                else {},
                activity.n_neurons,
            )
            for name in NAMES
        }
    result["hidden"] = _hidden(model, activity, samples, kept)
    return result


def _hidden(model: RBM, activity: Activity, samples: Samples, kept: Kept | None) -> dict[str, Any]:
    """Describe the hidden units over the test fold, or without one over the training fold.

    These are the bins that the page draws, so that its sentences speak of what its figures show.
    """
    fold: FoldName = "test" if len(activity.bins_of("test")) else "train"
    bins = activity.bins_of(fold)
    states = activity.states[bins]
    oriented = model.in_sign_gauge()
    found = hidden_dynamics(hidden_activity(oriented, states), states, activity.segment[bins])
    if kept is not None:
        keep_hidden_dynamics(kept, found, hidden_activity(oriented, samples.states))
    return {"fold": fold, **found.summary(activity.bin_width_s)}


def _model_pairs(
    model: RBM,
    activity: Activity,
    samples: Samples,
    starts: Mapping[str, NDArray[np.bool_]],
    kind: Kind,
    seed: int,
) -> dict[str, Pair]:
    """Run the chains of one kind of update and return the curves of each protocol, in sweeps."""
    generator = Generator.from_seed(seed, "dynamics", kind)
    sweeps, chains = _GIBBS_SWEEPS, affordable(model, most=_CHAINS, fewest=_FEWEST_CHAINS)
    if kind == "glauber":
        sweeps, chains = glauber_effort(model, _GLAUBER_SWEEPS, _CHAINS)
    still, moving = chains * 5 // 8, chains * 3 // 16
    # the last sample of each chain, as far from its start as can be
    last = len(samples.chain) - 1 - np.unique(samples.chain[::-1], return_index=True)[1]
    groups = [samples.states[last[:still]]]
    for name in ("high", "low"):
        bins = np.flatnonzero(starts[name])
        chosen = bins[generator.permutation(len(bins))[:moving]] if len(bins) else bins
        groups.append(activity.states[np.sort(chosen)])
    start = np.concatenate(groups)
    found = model_curves(
        model,
        start,
        sweep_grid(kind, activity.n_neurons, sweeps),
        kind,
        generator,
        rates=samples.states.mean(axis=0, dtype=np.float64),
        relaxing=np.repeat(np.arange(len(groups)), [len(one) for one in groups]),
    )
    empty = Curve(np.zeros(0), np.zeros(0), np.zeros(0))
    return {
        name: found.get(group, Pair(empty, empty))
        for group, name in enumerate(("stationary", "from_high", "from_low"))
    }


def _shuffled(
    activity: Activity, real: Recorded, lags: NDArray[np.int64], seed: int
) -> dict[str, Pair | Undefined]:
    """Return the stationary curves of the recording with its order in time destroyed."""
    generator = Generator.from_seed(seed, "dynamics", "shuffled")
    orders = {
        "time_shuffled": time_shuffled(activity.n_bins, generator),
        "trial_shuffled": trial_shuffled(activity.segment, generator),
    }
    result: dict[str, Pair | Undefined] = {}
    for name, order in orders.items():
        if isinstance(order, Undefined):
            result[name] = order
        else:
            result[name] = real.reordered(order).curves(lags).scaled(activity.bin_width_s)
    return result


def _describe_scale(unit: TimeScale | Undefined) -> dict[str, Any]:
    if isinstance(unit, Undefined):
        return {"seconds_per_sweep": unit, "at_edge": unit}
    return {"seconds_per_sweep": unit.seconds_per_sweep, "at_edge": unit.at_edge}


def _listed(curve: Curve) -> dict[str, Any]:
    return {"times": curve.times, "values": curve.values, "stderr": curve.stderr}


def _describe(
    recorded: Curve,
    mine: Mapping[Kind, Curve],
    units: Mapping[Kind, TimeScale | Undefined],
    controls: Mapping[str, Curve | Undefined],
    neurons: int,
) -> Any:
    """Return one kind of curve of recording, model and controls for a result."""
    if len(recorded.times) < 3:
        return Undefined("no bin of the recording has such a population count")
    result: dict[str, Any] = {"recorded": {**_listed(recorded), **decay(recorded)}, "controls": {}}
    for kind, curve in mine.items():
        unit = units[kind]
        if isinstance(unit, Undefined) or len(curve.times) < 3:
            reason = unit if isinstance(unit, Undefined) else Undefined("there are no chains")
            result[kind] = dict.fromkeys(("shape_rms", "shape_explained"), reason)
            continue
        scale = unit.seconds_per_sweep
        alone = independent_curve(curve.times, kind, neurons)
        result[kind] = {
            **_listed(curve),
            **decay(curve.scaled(scale)),
            **agreement(recorded, curve, scale).summary(),
        }
        # the control gets a time scale of its own, so that it is as free as the model
        own = fit_time_scale([(recorded, alone)])
        if isinstance(own, TimeScale):
            result["controls"][f"independent_{kind}"] = {
                **agreement(recorded, alone, own.seconds_per_sweep).summary(),
                "seconds_per_sweep": own.seconds_per_sweep,
            }
    for name, control in controls.items():
        result["controls"][name] = (
            control
            if isinstance(control, Undefined)
            else {**_listed(control), **agreement(recorded, control, 1.0).summary()}
        )
    return result
