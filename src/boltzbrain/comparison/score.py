"""The scores of a model beside others, all on the same test bins.

Each model is asked for the scores that it can give. Gains and conditional scores are kept bin by
bin, so that over bins a difference has a smaller error than either.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from boltzbrain.baselines.pairwise.pseudo_likelihood import log_pseudo_likelihood
from boltzbrain.baselines.protocol import Baseline, Unfitted
from boltzbrain.data.activity import Activity
from boltzbrain.data.clusters import clustered_stderr, clusters_of
from boltzbrain.evaluation.likelihood import independent_log_likelihood
from boltzbrain.evaluation.statistics.agreement import Comparison
from boltzbrain.evaluation.statistics.compare import statistics_to_compare
from boltzbrain.evaluation.statistics.population import count_distribution, total_variation
from boltzbrain.foundations.checks import Undefined
from boltzbrain.foundations.moments import pack
from boltzbrain.foundations.numerics import bernoulli_log_likelihood
from boltzbrain.foundations.random import Generator
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.independent import independent_field

_STATISTICS = ("rates", "covariances", "triplets_most_active")
_GENERATED = (*(f"{name}_pearson" for name in _STATISTICS), "population_count_distance")
_MOST_SAMPLES = 10_000

Figures = NDArray[np.float64]


def partition_error(baseline: Baseline) -> float:
    """Return the standard error of log Z in a log-likelihood; 0 where it is exact or a bound."""
    estimate = baseline.log_partition()
    return 0.0 if estimate is None else estimate.stderr


class TestScorer:
    """Scores models on the test bins."""

    def __init__(self, activity: Activity, seed: int) -> None:
        bins = activity.bins_of("test")
        self.train, self.states = activity.states_of("train"), activity.states[bins]
        self.sequences = Sequences.of_fold(activity, "test")
        self.clusters, self.seed = clusters_of(activity, bins), seed
        self.field = independent_field(torch.from_numpy(self.train))
        self.base = self.base_of(self.states)
        self.visible = torch.from_numpy(self.states)
        self.silent = self._of_neurons(np.tile(self.field.numpy(), (1, 1)))
        spikes = float(self.states.sum(dtype=np.int64)) / len(self.states)
        self.unit: float | Undefined = (
            math.log(2) * spikes if spikes else Undefined("no neuron is active in the test fold")
        )

    def base_of(self, states: NDArray[np.uint8]) -> Figures:
        """Return log P(v) of independent neurons, of other bins, (bin,) nats."""
        return independent_log_likelihood(self.field, states)

    def _of_neurons(self, odds: NDArray[Any]) -> Figures:
        """Return log P(v_i) of log-odds, (neuron,), mean over bins."""
        values = torch.from_numpy(odds).to(torch.float64)
        result: Figures = bernoulli_log_likelihood(values, self.visible).mean(dim=0).numpy()
        return result

    def mean(self, values: Figures, unit: float | Undefined = 1.0) -> dict[str, Any]:
        """Return the mean over bins in a unit, with its clustered standard error."""
        if isinstance(unit, Undefined):
            return {"value": unit, "stderr": unit}
        error = clustered_stderr(values, self.clusters)
        return {
            "value": float(values.mean()) / unit,
            "stderr": error if isinstance(error, Undefined) else error / unit,
        }

    def gains(self, baseline: Baseline) -> tuple[dict[str, Any], Figures | None]:
        """Return the gain over independent neurons, a bound where there is no likelihood."""
        nothing = Undefined(f"{baseline.title}: no likelihood of a whole bin")
        if "log_likelihood" in baseline.gives:
            gain = baseline.log_likelihood(self.states) - self.base
            kind = "log-likelihood"
            more = {"stderr_log_partition": partition_error(baseline)}
        elif "bound" in baseline.gives:
            generator = Generator.from_seed(self.seed, "baselines", "bound")
            lower, tighter = baseline.bound(self.states, generator)
            gain, kind = tighter - self.base, "lower bound"
            more = {"stderr_log_partition": 0.0, "elbo": float((lower - self.base).mean())}
        else:
            return {"gain": {"value": nothing, "stderr": nothing, "kind": "none"},
                    "bits_per_spike": nothing}, None  # fmt: skip
        figures = {
            "gain": {**self.mean(gain), **more, "kind": kind},
            "bits_per_spike": self.mean(gain, self.unit)["value"],
        }
        return figures, gain

    def predictive(
        self, baseline: Baseline, gains: dict[str, Any], gain: Figures | None
    ) -> tuple[dict[str, Any], Figures | None]:
        """Return the gain of each bin given the earlier ones of its segment.

        Parameters
        ----------
        baseline
            The model.
        gains, gain
            Of `gains`: the same parameters read without time. A bound stays what it is.
        """
        score = gain
        if "log_likelihood" in baseline.gives:
            score = baseline.predictive(self.sequences) - self.base
        if score is None or gain is None:
            return {"uses_time": baseline.uses_time, **gains}, None
        told = {name: one for name, one in gains["gain"].items() if name != "elbo"}
        figures = {
            "uses_time": baseline.uses_time,
            "gain": {**told, **self.mean(score)},
            "bits_per_spike": self.mean(score, self.unit)["value"],
            "over_without_time": self.mean(score - gain),
        }
        return figures, score

    def gain_between(
        self, one: tuple[Baseline, Figures | None], other: tuple[Baseline, Figures | None]
    ) -> dict[str, Any]:
        """Return how far the gain of one model lies above that of another, paired bin by bin.

        The two partition functions are estimated apart, so that pairing takes nothing off their
        errors: ``stderr`` is the clustered error over bins with both of them.
        """
        (first, gain), (second, less) = one, other
        if gain is None or less is None:
            without = first if gain is None else second
            nothing = Undefined(f"{without.title}: no likelihood of a whole bin")
            return dict.fromkeys(("value", "stderr", "stderr_log_partition"), nothing)
        found = self.mean(gain - less)
        error = math.hypot(partition_error(first), partition_error(second))
        bins = found["stderr"]
        return {
            "value": found["value"],
            "stderr": bins if isinstance(bins, Undefined) else math.hypot(bins, error),
            "stderr_log_partition": error,
        }

    def conditional(self, baseline: Baseline) -> tuple[dict[str, Any], Figures | None]:
        """Return the score of every neuron given the others, over independent neurons."""
        if "conditional" not in baseline.gives:
            nothing = Undefined(f"{baseline.title}: a neuron is as without the others of its bin")
            return {"bits_per_spike": nothing, "stderr": nothing}, None
        odds = torch.from_numpy(baseline.conditional(self.states))
        own = log_pseudo_likelihood(self.field.expand_as(odds), self.visible)
        gain: Figures = (log_pseudo_likelihood(odds, self.visible) - own).numpy()
        figures = self.mean(gain, self.unit)
        return {"bits_per_spike": figures["value"], "stderr": figures["stderr"]}, gain

    def conditional_between(
        self, one: tuple[Baseline, Figures | None], other: tuple[Baseline, Figures | None]
    ) -> dict[str, Any]:
        """Return how far the conditional score of one model lies above that of another, paired."""
        (first, score), (second, less) = one, other
        if score is None or less is None:
            without = first if score is None else second
            nothing = Undefined(f"{without.title}: a neuron is as without the others of its bin")
            return {"value": nothing, "stderr": nothing}
        return self.mean(score - less, self.unit)

    def reconstruction(self, baseline: Baseline) -> dict[str, Any]:
        """Return the median quality of reconstruction, see `evaluation.reconstruction`."""
        if "reconstruction" not in baseline.gives:
            return {"median_nllh": Undefined(f"{baseline.title}: no latent variables")}
        found = self._of_neurons(baseline.reconstruction(self.states))
        return {"median_nllh": float(np.median((found - self.silent) / -self.silent))}

    def statistics(self, baseline: Baseline) -> dict[str, Any]:
        """Return how generated statistics correlate with those of the test bins."""
        if "samples" not in baseline.gives:
            return dict.fromkeys(_GENERATED, Undefined(f"{baseline.title}: it generates nothing"))
        count = min(_MOST_SAMPLES, max(2000, len(self.train)))
        generator = Generator.from_seed(self.seed, "baselines", "samples", baseline.name)
        drawn = baseline.samples(count, generator)
        test, generated = pack(self.states), pack(drawn)
        rates = self.train.mean(axis=0, dtype=np.float64)
        chosen = {one.name: one for one in statistics_to_compare(rates, self.seed)}
        result: dict[str, Any] = {
            f"{name}_pearson": Comparison(chosen[name].of(test), chosen[name].of(generated)).pearson
            if name in chosen
            else Undefined("there are too few neurons")
            for name in _STATISTICS
        }
        counts = [count_distribution(one) for one in (drawn, self.states)]
        result["population_count_distance"] = total_variation(*counts)
        result["samples"] = count
        return result


def scores_of_none(baseline: Unfitted) -> dict[str, Any]:
    """Return the figures of a baseline of which no model came: all undefined, with its reason."""
    none = Undefined(baseline.reason)
    pair = {"value": none, "stderr": none}
    return {
        "title": baseline.title,
        "gain": {**pair, "kind": "none"},
        "bits_per_spike": none,
        "predictive": {"gain": {**pair, "kind": "none"}, "bits_per_spike": none},
        "conditional": {"bits_per_spike": none, "stderr": none},
        "reconstruction": {"median_nllh": none},
        "statistics": dict.fromkeys(_GENERATED, none),
        "fit": baseline.fit.describe(),
        "rbm_minus_this": {"gain": pair, "predictive": pair, "conditional": pair},
    }
