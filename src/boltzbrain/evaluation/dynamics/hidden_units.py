"""Hidden units in time: two states, how long they last, which go together, how many are active.

After van der Plas et al. 2023, figure 4 and 'Time constant calculation', 'Sorting of HUs' and
'Validating that the cRBM is in the compositional phase'. A hidden unit's activity is <h | v(t)>.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import stretches
from boltzbrain.evaluation.statistics.kept import Kept
from boltzbrain.foundations.checks import Undefined
from boltzbrain.foundations.memory import VALUES, slices
from boltzbrain.foundations.units import order_by_activity, participation_ratio

Floats = NDArray[np.float64]

_MIXTURE_BINS = 4000
_SEPARATED = 2.0
_FEWEST_PERIODS = 5
_CLUMPED, _SPREAD = 1.5, 1 / 3
_COMPONENTS = 50


@dataclass(frozen=True)
class TwoStates:
    """Two Gaussians fitted to the activity of every hidden unit.

    Attributes
    ----------
    lower, upper
        (hidden,) means of the two.
    share_upper
        (hidden,) weight of the upper one.
    separation
        (hidden,) Ashman's D, sqrt(2) |difference of means| / sqrt(sum of variances); above 2 the
        two peaks are told apart.
    bimodal
        (hidden,) whether D is above 2 and two Gaussians fit better than one (by BIC).
    """

    lower: Floats
    upper: Floats
    share_upper: Floats
    separation: Floats
    bimodal: NDArray[np.bool_]

    @property
    def transition(self) -> Floats:
        """(hidden,) midpoint of the two means, where a unit changes state."""
        return (self.lower + self.upper) / 2

    @property
    def inactive(self) -> Floats:
        """(hidden,) mean of the state in which the unit is more often."""
        return np.where(self.share_upper > 0.5, self.upper, self.lower)


def two_states(activity: NDArray[np.float32]) -> TwoStates:
    """Fit a mixture of two Gaussians to the activity of every hidden unit (by scikit-learn).

    Each fit starts from the two halves of the unit's range and takes at most 4000 bins, evenly
    spread, so that nothing is random. A unit that never varies has both means at its value.

    Parameters
    ----------
    activity
        (bin, hidden).
    """
    place = np.unique(np.linspace(0, len(activity) - 1, _MIXTURE_BINS).round().astype(int))
    some = activity[place].astype(np.float64)
    center, width = some.mean(axis=0), some.std(axis=0)
    units = some.shape[1]
    means = np.zeros((units, 2))
    share, separation = np.zeros(units), np.zeros(units)
    bimodal = np.zeros(units, dtype=bool)
    for unit in np.flatnonzero(width > 1e-9 * np.maximum(1.0, np.abs(center))).tolist():
        values = (some[:, unit] - center[unit]) / width[unit]
        found = _mixture(values)
        order = np.argsort(found.means_[:, 0])
        mean, variance = found.means_[order, 0], found.covariances_[order, 0]
        means[unit] = mean * width[unit]
        share[unit] = found.weights_[order[1]]
        separation[unit] = np.sqrt(2 / variance.sum()) * (mean[1] - mean[0])
        log_density = -0.5 * (np.square(values) + np.log(2 * np.pi))
        alone = -2 * log_density.sum() + 2 * np.log(len(values))
        bimodal[unit] = separation[unit] > _SEPARATED and found.bic(values[:, None]) < alone
    return TwoStates(center + means[:, 0], center + means[:, 1], share, separation, bimodal)


def _mixture(values: Floats) -> Any:
    """Fit two Gaussians to values of mean 0 and variance 1."""
    middle = (values.min() + values.max()) / 2
    ends = [float(values[values <= middle].mean()), float(values[values >= middle].mean())]
    # here, as it takes a second that a page need not wait for
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    mixture = GaussianMixture(
        2, covariance_type="diag", means_init=np.array(ends)[:, None], reg_covar=1e-4,
        max_iter=200, tol=1e-3, init_params="k-means++", random_state=0,
    )  # fmt: skip
    with warnings.catch_warnings():
        # a mixture that is still creeping after 200 steps has its peaks all the same
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(values[:, None])


def median_periods(
    on: NDArray[np.bool_], segment: NDArray[np.int32]
) -> tuple[Floats, NDArray[np.int64]]:
    """Return the median period of two-state oscillations, and how many periods there are.

    A period is a stretch on and the stretch off after it: the time from one onset to the next
    within a segment.

    Parameters
    ----------
    on
        (bin, unit).
    segment
        (bin,) segment of each bin.

    Returns
    -------
    median
        (unit,) bins; NaN where a unit has fewer than 5 periods.
    number
        (unit,) periods.
    """
    first = stretches(segment)[0]
    onset = np.zeros(on.shape, dtype=bool)
    onset[1:] = on[1:] & ~on[:-1]
    onset[first] = False  # when it began is not known
    medians = np.full(on.shape[1], np.nan)
    numbers = np.zeros(on.shape[1], dtype=np.int64)
    for unit, column in enumerate(np.ascontiguousarray(onset.T)):
        at = np.flatnonzero(column)
        gaps = np.diff(at)[segment[at[1:]] == segment[at[:-1]]]
        numbers[unit] = len(gaps)
        if len(gaps) >= _FEWEST_PERIODS:
            medians[unit] = np.median(gaps)
    return medians, numbers


def active_units(activity: NDArray[np.float32], inactive: Floats) -> Floats:
    """Return m(t) = n_eff(h(t) - h_inactive), the effective number of active hidden units, (bin,).

    Parameters
    ----------
    activity
        (bin, hidden).
    inactive
        (hidden,) activity of each unit when it is inactive.
    """
    parts = [
        participation_ratio(activity[part] - inactive, axis=1)
        for part in slices(len(activity), activity.shape[1], VALUES)
    ]
    return np.concatenate(parts)


def phase(median: float, hidden: int) -> str:
    """Name the phase by the median number of co-active hidden units.

    The paper calls compositional what has 1 << median(m) << M. Here: "ferromagnetic" below 1.5, one
    unit at a time; "spin glass" above M / 3, where a third of all units are active at once;
    "compositional" between.
    """
    if median < _CLUMPED:
        return "ferromagnetic"
    return "spin glass" if median > _SPREAD * hidden else "compositional"


@dataclass(frozen=True)
class HiddenDynamics:
    """Hidden units in time.

    Attributes
    ----------
    activity
        (bin, hidden) float32, <h | v>.
    states
        The two states of every unit.
    periods, neuron_periods
        (hidden,) and (neuron,) median periods in bins, NaN where there are fewer than 5.
    correlation
        (hidden, hidden) Pearson correlation over time; 0 for units that never vary.
    order
        (hidden,) order of Ward's clustering of the correlations.
    explained
        (component,) cumulated share of the variance of the standardised activity.
    active
        (bin,) m(t).
    """

    activity: NDArray[np.float32]
    states: TwoStates
    periods: Floats
    neuron_periods: Floats
    correlation: Floats
    order: NDArray[np.int64]
    explained: Floats
    active: Floats

    def summary(self, bin_width_s: float) -> dict[str, Any]:
        """Return what evaluation.json holds under ``dynamics.hidden``."""
        hidden = len(self.order)
        upper = np.abs(self.correlation[np.triu_indices(hidden, 1)])
        median = float(np.median(self.active))
        few = Undefined(f"no unit has {_FEWEST_PERIODS} whole periods within segments")
        periods, neurons = (one[~np.isnan(one)] for one in (self.periods, self.neuron_periods))
        p: Any = few
        if len(periods) and len(neurons):
            from scipy import stats

            p = float(stats.mannwhitneyu(periods, neurons, alternative="greater").pvalue)
        return {
            "bimodal_fraction": float(self.states.bimodal.mean()),
            "median_separation": float(np.median(self.states.separation)),
            "time_constant_s": float(np.median(periods)) * bin_width_s if len(periods) else few,
            "units_with_time_constant": len(periods),
            "neuron_time_constant_s": float(np.median(neurons)) * bin_width_s
            if len(neurons)
            else few,
            "slower_than_neurons_p": p,
            "mean_absolute_correlation": float(upper.mean())
            if len(upper)
            else Undefined("there is one hidden unit"),
            "variance_first_components": {
                str(number): float(self.explained[number - 1])
                for number in (1, 3, 10, 25)
                if number <= len(self.explained)
            },
            "median_active": median,
            "hidden": hidden,
            "phase": phase(median, hidden),
            "per_unit": {
                "transition": self.states.transition,
                "bimodal": self.states.bimodal,
                "time_constant_s": [
                    Undefined(f"fewer than {_FEWEST_PERIODS} periods") if np.isnan(one) else one
                    for one in (self.periods * bin_width_s).tolist()
                ],
                "order": self.order,
            },
        }


def hidden_dynamics(
    activity: NDArray[np.float32], states: NDArray[np.uint8], segment: NDArray[np.int32]
) -> HiddenDynamics:
    """Describe the hidden units of a model in time.

    Parameters
    ----------
    activity
        (bin, hidden), <h | v> of the same bins.
    states
        (bin, neuron) uint8.
    segment
        (bin,) segment of each bin.
    """
    found = two_states(activity)
    periods, _ = median_periods(activity > found.transition, segment)
    width = activity.std(axis=0, dtype=np.float64)
    scale = np.where(width > 0, width, 1.0)
    standard = ((activity - activity.mean(axis=0)) / scale).astype(np.float32)
    correlation = (standard.T @ standard / len(standard)).astype(np.float64)
    values = np.clip(np.linalg.eigvalsh(correlation)[::-1], 0, None)
    explained = np.cumsum(values)[:_COMPONENTS] / max(float(values.sum()), 1e-12)
    return HiddenDynamics(
        activity,
        found,
        periods,
        _neuron_periods(states, segment),
        correlation,
        order_by_activity(activity),
        explained,
        active_units(activity, found.inactive),
    )


def keep_hidden_dynamics(kept: Kept, found: HiddenDynamics, generated: NDArray[np.float32]) -> None:
    """Keep what the figures of hidden units in time show, without their activity.

    Parameters
    ----------
    kept
        Where to. Periods that are not known are left out.
    found
        Of recorded bins.
    generated
        (sample, hidden) <h | v> of generated activity.
    """
    here = "dynamics/hidden"
    kept[f"{here}/transition"] = found.states.transition
    kept[f"{here}/bimodal"] = found.states.bimodal.astype(np.uint8)
    kept[f"{here}/periods"] = found.periods[~np.isnan(found.periods)]
    kept[f"{here}/neuron_periods"] = found.neuron_periods[~np.isnan(found.neuron_periods)]
    kept[f"{here}/correlation"] = found.correlation
    kept[f"{here}/order"] = found.order
    kept[f"{here}/explained"] = found.explained
    kept[f"{here}/active/recorded"] = found.active
    kept[f"{here}/active/generated"] = active_units(generated, found.states.inactive)


def _neuron_periods(states: NDArray[np.uint8], segment: NDArray[np.int32]) -> Floats:
    parts = [
        median_periods(states[:, part].astype(bool), segment)[0]
        for part in slices(states.shape[1], len(states))
    ]
    return np.concatenate(parts)
