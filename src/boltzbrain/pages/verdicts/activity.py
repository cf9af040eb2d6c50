"""Sentences that judge the generated activity and the weights, each computed from evaluation.json.

Each caption of the page says in words what good looks like.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.foundations.showing.numbers import number
from boltzbrain.pages.verdicts.thresholds import (
    AGREEMENT,
    CALIBRATED_SHARE,
    CALIBRATION,
    CHANCE_TAIL,
    CLEAR,
    COUNT_ALWAYS,
    COUNT_POOR,
    COUNT_WITHOUT_BAND,
    DISTANCE_ALWAYS,
    DISTANCE_RATIO,
    LEAST,
    LEAST_CEILING,
    MEAN_ACTIVITY,
    MOST_WEAK,
    NORMALISED_ERROR,
    RECONSTRUCTION_SHARE,
    WEIGHT_WIDTH,
    WIDEST_RATIO,
    Limits,
)
from boltzbrain.pages.verdicts.verdict import (
    Verdict,
    at_most,
    figure_at,
    reason_at,
)


def _ratio(value: float | None, ceiling: float | None) -> float | None:
    return value / ceiling if value is not None and ceiling is not None and ceiling > 0 else None


def agreement(evaluation: Mapping[str, Any], name: str) -> Verdict:
    """Judge the correlation of a generated statistic with the test fold against its ceiling.

    There is no verdict where train-vs-test is smaller than the 95 % error of generated-vs-test, and
    poor is only what lies below the limit with its whole 95 % interval.

    Parameters
    ----------
    evaluation
        Content of evaluation.json.
    name
        The statistic, one of `thresholds.AGREEMENT`.
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
    error = (high - low) / 2
    if ceiling <= error:
        return Verdict(
            "unknown",
            f"The {what} of the training fold correlate with those of the test fold at "
            f"{ceiling:.3f} only, within the sampling error of 0: there is nothing to compare with "
            f"(generated: {value:.3f}).",
        )
    beside = "" if not interval else (
        f" (95% interval: {number(100 * interval[0], 1)}% to {number(100 * interval[1], 1)}%)"
    )  # fmt: skip
    share = f"{max(ratio, 0.0):.0%}"
    text = (
        f"Generated {what} correlate with the test fold at {number(value, 3)}; the training fold "
        f"itself reaches {ceiling:.3f}, so the model has {share} of what can be had{beside}"
    )
    level = AGREEMENT[name].high_is_good(ratio)
    if level == "poor" and interval and interval[1] >= AGREEMENT[name].fair:
        level = "fair"
    return Verdict(level, f"{text}.")


def population_count(evaluation: Mapping[str, Any]) -> Verdict:
    """Judge the distribution of the population count by its distance from the test fold's.

    Good within the 95% bootstrap band of the training fold's distance. Poor beyond a multiple of
    the training fold's, or, as no distance is above 1, where it covers more than half the way from
    the band to 1. A small distance is good whatever the training fold has.
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
    most = band[1] if band else COUNT_WITHOUT_BAND * ceiling
    limits = Limits(
        max(most, COUNT_ALWAYS.good),
        max(min(COUNT_POOR * ceiling, (1 + most) / 2), COUNT_ALWAYS.fair),
    )
    return Verdict(limits.low_is_good(value), f"{text}.")


def mean_activity(evaluation: Mapping[str, Any]) -> Verdict:
    """Judge the share of active neurons and bins."""
    path = "statistics.mean_activity"
    generated, recorded = (figure_at(evaluation, f"{path}.{one}") for one in ("generated", "test"))
    if generated is None or recorded is None:
        return Verdict(
            "unknown", f"Nothing to compare with{reason_at(evaluation, f'{path}.test')}."
        )
    text = (
        f"{generated:.2%} of the generated states are active, {recorded:.2%} of the recorded ones"
    )
    apart = abs(generated / recorded - 1) if recorded > 0 else np.inf
    return Verdict(MEAN_ACTIVITY.low_is_good(apart), f"{text}.")


def _distance_limits(ceiling: float) -> Limits:
    """Return the limits of a Kolmogorov-Smirnov distance, given that of the training fold."""
    pairs = zip(DISTANCE_RATIO, DISTANCE_ALWAYS, strict=True)
    return Limits(*(max(ratio * ceiling, always) for ratio, always in pairs))


def projection(evaluation: Mapping[str, Any]) -> Verdict:
    """Judge the marginals along the principal axes by their greatest difference from the test fold.

    The axes are the two in which the training fold varies most.
    """
    mine, ceiling = _distances(evaluation, "projection")
    if mine is None or ceiling is None:
        return _no_distance(evaluation, "projection")
    text = (
        f"Along the two axes the distributions differ from the test fold by at most {mine:.3f} "
        f"(Kolmogorov-Smirnov); those of the training fold by {ceiling:.3f}"
    )
    return Verdict(_distance_limits(ceiling).low_is_good(mine), f"{text}.")


def _distances(evaluation: Mapping[str, Any], name: str) -> tuple[float | None, float | None]:
    """Return the Kolmogorov-Smirnov distance from the test fold: generated, and training fold."""
    path = f"statistics.{name}"
    return (
        figure_at(evaluation, f"{path}.kolmogorov_smirnov"),
        figure_at(evaluation, f"{path}.ceiling.kolmogorov_smirnov"),
    )


def _no_distance(evaluation: Mapping[str, Any], name: str) -> Verdict:
    reason = reason_at(evaluation, f"statistics.{name}.kolmogorov_smirnov")
    return Verdict("unknown", f"Nothing to compare with{reason}.")


def energy(evaluation: Mapping[str, Any]) -> Verdict:
    """Judge the distribution of energies by its greatest difference from the test fold's."""
    value, ceiling = _distances(evaluation, "energy")
    if value is None or ceiling is None:
        return _no_distance(evaluation, "energy")
    text = (
        f"The distribution differs from that of the test fold by {value:.3f} (Kolmogorov-Smirnov); "
        f"that of the training fold by {ceiling:.3f}"
    )
    return Verdict(_distance_limits(ceiling).low_is_good(value), f"{text}.")


def activation(evaluation: Mapping[str, Any]) -> Verdict:
    """Judge the calibration of P(active | effective field).

    At most fair where too few quantiles lie within 3 standard errors, or where the score given all
    others is not clearly above 0.
    """
    path = "statistics.h_eff.calibration_error"
    error = figure_at(evaluation, path)
    if error is None:
        return Verdict("unknown", f"Nothing to compare with{reason_at(evaluation, path)}.")
    within = figure_at(evaluation, "statistics.h_eff.fraction_within_3_stderr")
    bits = figure_at(evaluation, "conditional.bits_per_spike")
    level = CALIBRATION.low_is_good(error)
    text = f"The probabilities are off by {error:.4f} on average"
    if within is not None:
        text += (
            f"; {within:.0%} of the quantiles lie within 3 of their standard errors, where 99.7% "
            "are expected"
        )
        if within < CALIBRATED_SHARE:
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

    At most fair where it counts as 0: there a rate predicts as well.
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
    level = Limits(*(share * glm for share in RECONSTRUCTION_SHARE)).high_is_good(rbm)
    if rbm < LEAST:
        return Verdict(
            at_most(level, "fair"),
            f"{text}: the hidden units tell nothing of a neuron beyond its rate.",
        )
    if p is not None:
        text += f" (one-sided Mann-Whitney p = {p:.2g})"
    return Verdict(level, f"{text}.")


def normalised_error(evaluation: Mapping[str, Any], name: str) -> Verdict:
    """Judge a normalised RMSE: 0 is as near as the training fold, 1 as far as a permutation.

    There is no verdict where the training fold hardly correlates with the test fold: then 0 and 1
    are as good as one.
    """
    path = f"statistics.nrmse.{name}"
    value = figure_at(evaluation, path)
    if value is None:
        return Verdict("unknown", f"Nothing to compare with{reason_at(evaluation, path)}.")
    ceiling = figure_at(evaluation, f"statistics.hidden.ceiling.{name}.pearson")
    if ceiling is not None and ceiling < LEAST_CEILING:
        return Verdict(
            "unknown",
            f"The training fold itself correlates with the test fold at {number(ceiling, 2)} only: "
            "there is nothing to compare with.",
        )
    text = (
        f"The normalised error is {number(value, 2)}, where 0 is the distance of the training fold "
        "and 1 that of a shuffled statistic"
    )
    return Verdict(NORMALISED_ERROR.low_is_good(value), f"{text}.")


def weights(evaluation: Mapping[str, Any]) -> Verdict:
    """Judge the width of the weights, as training's own check does."""
    width = figure_at(evaluation, "weights.std")
    if width is None:
        return Verdict("unknown", "The width of the weights was not evaluated.")
    zeros = figure_at(evaluation, "weights.zero_fraction") or 0.0
    share = f"{zeros:.0%}" if zeros else "none"
    text = f"The standard deviation is {width:.3g}, and {share} of the weights are exactly 0"
    least, most = WEIGHT_WIDTH
    return Verdict("good" if least < width < most else "poor", f"{text}.")


def strongest_weights(strongest: NDArray[np.float64], shuffled: NDArray[np.float64]) -> Verdict:
    """Say how many neurons are tied to the hidden units more strongly than by chance."""
    low, high = np.quantile(shuffled, (CHANCE_TAIL, 1 - CHANCE_TAIL))
    weak, strong = float(np.mean(strongest < low)), float(np.mean(strongest > high))
    text = (
        f"{weak:.0%} of the neurons have a weaker strongest weight than 99% of the shuffled ones, "
        f"and {strong:.0%} a stronger one than 99%"
    )
    return Verdict("good" if weak < MOST_WEAK else "fair", f"{text}.")
