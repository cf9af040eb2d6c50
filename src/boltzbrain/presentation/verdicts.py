"""Sentences that judge a run, each computed from the figures of evaluation.json and log.csv.

The thresholds stand here and nowhere else; each caption says what good looks like in words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from boltzbrain.evaluation.comparison import kolmogorov_smirnov
from boltzbrain.presentation.numbers import error_words, number, with_error
from boltzbrain.presentation.verdict import (
    CLEAR,
    LEAST,
    Level,
    Verdict,
    at_most,
    figure_at,
    reason_at,
)

FEW_CLUSTERS = 10
"""Clusters of test bins below which an error over them is off by a quarter itself."""


def gain(evaluation: Mapping[str, Any]) -> Verdict:
    """Judge the log-likelihood of the test fold against independent neurons.

    Good above 4 standard errors, fair above 2; the error of log Z counts.
    """
    value = figure_at(evaluation, "log_likelihood.gain.value")
    if value is None:
        reason = reason_at(evaluation, "log_likelihood.gain.value")
        return Verdict("unknown", f"There is no held-out score{reason}.")
    errors = [
        figure_at(evaluation, f"log_likelihood.gain.{name}") or 0.0
        for name in ("stderr", "stderr_log_partition")
    ]
    error = math.hypot(*errors)
    bits = figure_at(evaluation, "log_likelihood.bits_per_spike")
    beside = "" if bits is None else f" ({number(bits, 3)} bits per spike)"
    text = (
        f"On bins it never saw, the model scores {with_error(value, error, 2, '+')} nats per bin "
        f"against independent neurons{beside}"
    )
    clusters = figure_at(evaluation, "log_likelihood.gain.clusters.number")
    if error and clusters is not None and clusters < FEW_CLUSTERS and value > 2 * error:
        return Verdict(
            "fair",
            f"{text}: above zero, but the test bins are worth {clusters:.0f} independent stretches "
            "only, so that the error is itself uncertain.",
        )
    if error and value > 4 * error:
        return Verdict("good", f"{text}: it has learned how the neurons depend on each other.")
    if error and value > 2 * error:
        return Verdict("fair", f"{text}: above zero, but by few of its errors.")
    if not error:
        return Verdict("unknown", f"{text}; its error is unknown.")
    return Verdict("poor", f"{text}: it is no better than neurons taken one by one.")


def log_partition(evaluation: Mapping[str, Any]) -> Verdict:
    """Judge the estimate of log Z on which every likelihood rests, and those that check it."""
    path = "log_likelihood.log_partition.forward"
    error = figure_at(evaluation, f"{path}.stderr")
    size = figure_at(evaluation, f"{path}.effective_sample_size")
    chains = figure_at(evaluation, f"{path}.chains")
    if error is None or size is None or chains is None:
        return Verdict("unknown", "There is no estimate of the log-partition function.")
    text = (
        f"The log-partition function is known to ± {error_words(error, 2)} nats; its effective "
        f"sample size is {size:.0f} of {chains:.0f} chains{_checks(evaluation)}"
    )
    doubts = evaluation["log_likelihood"].get("unreliable", [])
    if doubts:
        return Verdict("poor", f"{text}. Doubtful: {'; '.join(doubts)}.")
    if size < 0.1 * chains or error > 0.5:
        return Verdict(
            "poor", f"{text}: too little to trust a likelihood. More rungs or chains are needed."
        )
    if size < 0.3 * chains or error > 0.15:
        return Verdict("fair", f"{text}: good enough to compare models that differ by a nat.")
    return Verdict("good", f"{text}.")


def _checks(evaluation: Mapping[str, Any]) -> str:
    """Return how far the other estimates of log Z lie from the forward one, in words."""
    path = "log_likelihood.log_partition"
    forward = figure_at(evaluation, f"{path}.forward.value")
    parts = []
    for name in ("backward", "trajectory", "running"):
        value = figure_at(evaluation, f"{path}.{name}.value")
        error = figure_at(evaluation, f"{path}.{name}.stderr")
        if forward is not None and value is not None and error is not None:
            parts.append(f"{name} {with_error(value - forward, error, 2, '+')}")
    return f" (other estimates, less this one: {', '.join(parts)})" if parts else ""


STILL_RISING, RISING_SHARE = 0.1, 0.03
"""Nats, and share of the gain, that a score may have risen since the checkpoint before."""


def training(log: pd.DataFrame, chosen_update: int) -> Verdict:
    """Judge whether training went on long enough and stopped before it hurt."""
    if "validation_nats_per_bin" not in log:
        return Verdict(
            "unknown",
            f"There is no validation fold: the last update ({chosen_update}) was taken, and "
            "nothing guards against overfitting.",
        )
    scores = log["validation_nats_per_bin"].to_numpy(dtype=float)
    error = log["validation_stderr"].to_numpy(dtype=float)
    last, best = int(log["update"].iloc[-1]), int(np.argmax(scores))
    loss = float(scores[best] - scores[-1])
    if chosen_update == last:
        before = float(scores[-1] - scores[-2]) if len(scores) > 1 else np.inf
        # of a model that has gained little yet, a little more is much
        learnt = float(scores[-1] - log["validation_independent"].iloc[-1])
        if before < max(min(STILL_RISING, RISING_SHARE * learnt), 0.0):
            return Verdict(
                "good",
                f"The last update ({last}) has the best validation score within one standard "
                f"error, {before:+.2f} nats since the checkpoint before: training was long enough.",
            )
        return Verdict(
            "fair",
            f"The validation score was best at the last update ({last}) and still rising, by "
            f"{before:.2f} nats since the checkpoint before: more updates would help.",
        )
    text = (
        f"The validation score was as good as the best at update {chosen_update} and fell by "
        f"{loss:.2f} nats until update {last}"
    )
    if scores[best] - error[best] < scores[0]:
        return Verdict("poor", f"{text}, but never rose clearly above where training began.")
    return Verdict("good", f"{text}: training was long enough, and the best model was kept.")


def convergence(found: Mapping[str, Any] | None) -> Verdict:
    """Judge the convergence that `training.convergence` found: its thresholds stand there."""
    if found is None or "within" not in found:
        return Verdict("unknown", "The run does not say whether its training converged.")
    shares = ", ".join(f"{share:.0%} of ⟨{name}⟩" for name, share in found["within"].items())
    r_hat = found["r_hat"]
    text = (
        f"At the end of training the model agrees with the training bins, within three sampling "
        f"errors, in {shares}; {found['idle_units']:.0%} of the hidden units are dead or "
        f"saturated, and R-hat of the energy is {'undefined' if r_hat is None else f'{r_hat:.2f}'}"
    )
    restarts = "".join(
        f" At update {one['update']} it {one['reason']}, and went on from update "
        f"{one['back_to']} with smaller steps."
        for one in found["history"]
    )
    gone = found.get("abandoned")
    if gone is not None:
        restarts += (
            f" A trial of a larger L1 penalty was given up at update {gone['update']}: it "
            f"{gone['reason']}."
        )
    if found["status"] == "failed":
        return Verdict("poor", f"Not converged: {found['reason']}.{restarts}")
    level: Level = "good" if found["status"] == "converged" else "fair"
    return Verdict(level, f"{text}.{restarts}")


def _ratio(value: float | None, ceiling: float | None) -> float | None:
    return value / ceiling if value is not None and ceiling is not None and ceiling > 0 else None


WIDEST_RATIO = 0.5
"""Width of the 95 % interval of a ratio to a ceiling above which it is not judged."""


def agreement(evaluation: Mapping[str, Any], name: str, *, good: float, fair: float) -> Verdict:
    """Judge the correlation of a generated statistic with the test fold against its ceiling.

    Parameters
    ----------
    evaluation
        Content of evaluation.json.
    name
        The statistic, e.g. "covariances".
    good, fair
        Least ratio of generated-vs-test to train-vs-test correlation for each level. There is none
        where train-vs-test is smaller than the 95 % error of generated-vs-test.
    """
    path = f"statistics.{name}.pearson"
    value = figure_at(evaluation, path)
    ceiling = figure_at(evaluation, f"statistics.ceiling.{name}.pearson")
    ratio = _ratio(value, ceiling)
    if value is None or ceiling is None or ratio is None:
        return Verdict("unknown", f"Nothing to compare with{reason_at(evaluation, path)}.")
    what = name.removesuffix("_most_active").replace("_", " ")
    interval = evaluation["statistics"][name].get("interval")
    if interval and interval[1] - interval[0] > WIDEST_RATIO:
        return Verdict(
            "unknown",
            f"Generated {what} correlate with the test fold at {value:.3f}, the training fold at "
            f"{ceiling:.3f}; there are too few test bins to tell how much of that the model has "
            f"(95% interval: {interval[0]:.0%} to {interval[1]:.0%}).",
        )
    low, high = evaluation["statistics"][name].get("pearson_interval") or (0.0, 0.0)
    if ceiling <= (high - low) / 2:
        return Verdict(
            "unknown",
            f"The {what} of the training fold correlate with those of the test fold at "
            f"{ceiling:.3f} only, within the sampling error of 0: there is nothing to compare with "
            f"(generated: {value:.3f}).",
        )
    beside = "" if not interval else f" (95% interval: {interval[0]:.1%} to {interval[1]:.1%})"
    text = (
        f"Generated {what} correlate with the test fold at {value:.3f}; the training fold itself "
        f"reaches {ceiling:.3f}, so the model has {ratio:.0%} of what can be had{beside}"
    )
    level: Level = "good" if ratio >= good else "fair" if ratio >= fair else "poor"
    return Verdict(level, f"{text}.")


def population_count(evaluation: Mapping[str, Any]) -> Verdict:
    """Judge the distribution of the population count by its distance from the test fold's.

    Good within the 95% bootstrap band of the training fold's distance, or below 5 %. Poor beyond
    2.5 times the training fold's, or, as no distance is above 1, where it covers more than half the
    way from the band to 1.
    """
    path = "statistics.population_count.total_variation"
    value = figure_at(evaluation, path)
    ceiling = figure_at(evaluation, f"statistics.ceiling.{path.removeprefix('statistics.')}")
    if value is None or ceiling is None:
        return Verdict("unknown", f"Nothing to compare with{reason_at(evaluation, path)}.")
    band = evaluation["statistics"]["population_count"].get("band")
    beside = "" if not band else f" (95% bootstrap band: {band[0]:.1%} to {band[1]:.1%})"
    text = (
        f"{value:.1%} of the probability lies elsewhere than in the test fold (total variation); "
        f"between training and test fold it is {ceiling:.1%}{beside}"
    )
    most = band[1] if band else 1.3 * ceiling
    level: Level = "good" if value <= max(most, 0.05) else "fair"
    if value > max(min(2.5 * ceiling, (1 + most) / 2), 0.15):
        level = "poor"
    return Verdict(level, f"{text}.")


def mean_activity(recorded: float, generated: float) -> Verdict:
    """Judge the share of active neurons and bins."""
    text = (
        f"{generated:.2%} of the generated states are active, {recorded:.2%} of the recorded ones"
    )
    apart = abs(generated / recorded - 1) if recorded > 0 else np.inf
    level: Level = "good" if apart < 0.05 else "fair" if apart < 0.15 else "poor"
    return Verdict(level, f"{text}.")


def projection(
    recorded: NDArray[np.float64], generated: NDArray[np.float64], train: NDArray[np.float64]
) -> Verdict:
    """Judge the marginals along the principal axes by their greatest difference from the test fold.

    Parameters
    ----------
    recorded, generated, train
        (bin, axis) coordinates of the test fold, of generated activity and of the training fold.
    """
    mine = max(kolmogorov_smirnov(recorded[:, k], generated[:, k]) for k in range(2))
    ceiling = max(kolmogorov_smirnov(recorded[:, k], train[:, k]) for k in range(2))
    text = (
        f"Along the two axes the distributions differ from the test fold by at most {mine:.3f} "
        f"(Kolmogorov-Smirnov); those of the training fold by {ceiling:.3f}"
    )
    level: Level = "good" if mine <= max(1.5 * ceiling, 0.05) else "fair"
    if mine > max(3 * ceiling, 0.2):
        level = "poor"
    return Verdict(level, f"{text}.")


def energy(evaluation: Mapping[str, Any]) -> Verdict:
    """Judge the distribution of energies by its greatest difference from the test fold's."""
    path = "statistics.energy.kolmogorov_smirnov"
    value = figure_at(evaluation, path)
    ceiling = figure_at(evaluation, "statistics.energy.ceiling.kolmogorov_smirnov")
    if value is None or ceiling is None:
        return Verdict("unknown", f"Nothing to compare with{reason_at(evaluation, path)}.")
    text = (
        f"The distribution differs from that of the test fold by {value:.3f} (Kolmogorov-Smirnov); "
        f"that of the training fold by {ceiling:.3f}"
    )
    level: Level = "good" if value <= max(1.5 * ceiling, 0.05) else "fair"
    if value > max(3 * ceiling, 0.2):
        level = "poor"
    return Verdict(level, f"{text}.")


def activation(evaluation: Mapping[str, Any]) -> Verdict:
    """Judge the calibration of P(active | effective field): good up to 0.01, fair up to 0.03.

    At most fair where less than 90 % of the quantiles lie within 3 standard errors, or where the
    score given all others is not clearly above 0.
    """
    path = "statistics.h_eff.calibration_error"
    error = figure_at(evaluation, path)
    if error is None:
        return Verdict("unknown", f"Nothing to compare with{reason_at(evaluation, path)}.")
    within = figure_at(evaluation, "statistics.h_eff.fraction_within_3_stderr")
    bits = figure_at(evaluation, "conditional.bits_per_spike")
    level: Level = "good" if error <= 0.01 else "fair" if error <= 0.03 else "poor"
    text = f"The probabilities are off by {error:.4f} on average"
    if within is not None:
        text += (
            f"; {within:.0%} of the quantiles lie within 3 of their standard errors, where 99.7% "
            "are expected"
        )
        if within < 0.9:
            level = at_most(level, "fair")
    if bits is not None:
        text += (
            f". Knowing all others gives {number(bits, 3)} bits per spike over a neuron's own rate"
        )
        bits_error = figure_at(evaluation, "conditional.stderr") or 0.0
        if bits <= max(LEAST, CLEAR * bits_error):
            level = at_most(level, "fair")
            text += ": the hidden units tell nothing beyond the rates"
    return Verdict(level, f"{text}.")


def reconstruction(evaluation: Mapping[str, Any]) -> Verdict:
    """Judge the reconstruction by that of logistic regression on the same neurons.

    At most fair where it is below 0.001: there a rate predicts as well.
    """
    rbm = figure_at(evaluation, "reconstruction.rbm.median_nllh_same_neurons")
    glm = figure_at(evaluation, "reconstruction.glm.median_nllh")
    if rbm is None or glm is None:
        alone = figure_at(evaluation, "reconstruction.rbm.median_nllh")
        return Verdict(
            "unknown",
            "There is no logistic regression to compare with."
            if alone is None
            else f"The median is {alone:.3f}; there is no logistic regression to compare with.",
        )
    p = figure_at(evaluation, "reconstruction.mann_whitney.p")
    text = (
        f"On the same neurons the median is {number(rbm, 3)}, that of logistic regression "
        f"{number(glm, 3)}"
    )
    level: Level = "good" if rbm >= glm else "fair" if rbm > 0.7 * glm else "poor"
    if rbm < LEAST:
        return Verdict(
            at_most(level, "fair"),
            f"{text}: the hidden units tell nothing of a neuron beyond its rate.",
        )
    if p is not None:
        text += f" (one-sided Mann-Whitney p = {p:.2g})"
    return Verdict(level, f"{text}.")


def normalised_error(evaluation: Mapping[str, Any], name: str) -> Verdict:
    """Judge a normalised RMSE: 0 is as near as the training fold, 1 as far as a permutation."""
    path = f"statistics.nrmse.{name}"
    value = figure_at(evaluation, path)
    if value is None:
        return Verdict("unknown", f"Nothing to compare with{reason_at(evaluation, path)}.")
    text = (
        f"The normalised error is {number(value, 2)}, where 0 is the distance of the training fold "
        "and 1 that of a shuffled statistic"
    )
    return Verdict("good" if value <= 0.2 else "fair" if value <= 0.4 else "poor", f"{text}.")


def weights(values: NDArray[np.float64]) -> Verdict:
    """Judge the width of the weights: good from 0.01 to 1, as in training's own check."""
    width, zeros = float(values.std()), float(np.mean(values == 0))
    share = f"{zeros:.0%}" if zeros else "none"
    text = f"The standard deviation is {width:.3g}, and {share} of the weights are exactly 0"
    return Verdict("good" if 0.01 < width < 1 else "poor", f"{text}.")


def strongest_weights(strongest: NDArray[np.float64], shuffled: NDArray[np.float64]) -> Verdict:
    """Say how many neurons are tied to the hidden units more strongly than by chance."""
    weak = float(np.mean(strongest < np.quantile(shuffled, 0.01)))
    strong = float(np.mean(strongest > np.quantile(shuffled, 0.99)))
    text = (
        f"{weak:.0%} of the neurons have a weaker strongest weight than 99% of the shuffled ones, "
        f"and {strong:.0%} a stronger one than 99%"
    )
    return Verdict("good" if weak < 0.5 else "fair", f"{text}.")


def overall(lines: Sequence[tuple[str, Verdict]]) -> Verdict:
    """Sum up: as good as the held-out gain, the first, and marked down by what is poor.

    Parameters
    ----------
    lines
        Heading and verdict of what counts, the gain first.
    """
    first = lines[0][1]
    poor = [title for title, one in lines[1:] if one.level == "poor"]
    fair = [title for title, one in lines[1:] if one.level == "fair"]
    if first.level == "poor" or len(poor) > 1:
        why = ", ".join(([lines[0][0]] if first.level == "poor" else []) + poor)
        return Verdict("poor", f"This model should not be interpreted yet. Poor: {why}.")
    if first.level == "unknown":
        return Verdict(
            "unknown",
            "Without held-out bins nobody can say how good this model is; the comparisons below "
            "are with bins that it was trained on.",
        )
    weak = poor + ([lines[0][0]] if first.level == "fair" else []) + fair
    if poor or first.level == "fair" or len(fair) > 1:
        return Verdict("fair", f"A usable model. Weaker: {', '.join(weak)}.")
    return Verdict("good", "A good model of this recording: it may be sampled and interpreted.")
