"""Verdicts on the score and on the training: the gain, log Z, the course and its convergence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from boltzbrain.foundations.showing.numbers import digits_of, error_words, number, with_error
from boltzbrain.pages.verdicts.thresholds import (
    FEW_CLUSTERS,
    GAIN_ERRORS,
    LOG_PARTITION_ERROR,
    LONG_AGO,
    RISING_OF_MUCH,
    RISING_SHARE,
    SAMPLE_SHARE,
    STILL_RISING,
)
from boltzbrain.pages.verdicts.verdict import Level, Verdict, figure_at, reason_at
from boltzbrain.training.context.names import given_what


def held_out(evaluation: Mapping[str, Any]) -> str:
    """Return where the score of the model stands: that of bins given their context, if it has one.

    Examples
    --------
    >>> held_out({"predictive": {"context": "past"}}), held_out({"predictive": {}})
    ('predictive', 'log_likelihood')
    """
    return "predictive" if "context" in evaluation.get("predictive", {}) else "log_likelihood"


def doubts(evaluation: Mapping[str, Any]) -> list[str]:
    """Return in words why log Z of that score must not be trusted: no sentence, no doubt."""
    found = evaluation[held_out(evaluation)]
    found = found if held_out(evaluation) == "log_likelihood" else found["log_partition"]
    return list(found.get("unreliable", []))


def given_words(evaluation: Mapping[str, Any]) -> str:
    """Return what the bins are given, in words: nothing where the model has no context."""
    if held_out(evaluation) == "log_likelihood":
        return ""
    return f" given {given_what(evaluation['predictive']['context'])}"


def gain(evaluation: Mapping[str, Any]) -> Verdict:
    """Judge the log-likelihood of the test fold against independent neurons.

    The error of log Z counts.
    """
    place = held_out(evaluation)
    value = figure_at(evaluation, f"{place}.gain.value")
    if value is None:
        reason = reason_at(evaluation, f"{place}.gain.value")
        return Verdict("unknown", f"There is no held-out score{reason}.")
    errors = [
        figure_at(evaluation, f"{place}.gain.{name}") or 0.0
        for name in ("stderr", "stderr_log_partition")
    ]
    error = math.hypot(*errors)
    bits = figure_at(evaluation, f"{place}.bits_per_spike")
    beside = "" if bits is None else f" ({number(bits, 3)} bits per spike)"
    text = (
        f"On bins it never saw, the model scores {with_error(value, error, 2, '+')} nats per bin "
        f"against independent neurons{given_words(evaluation)}{beside}"
    )
    clusters = figure_at(evaluation, "log_likelihood.gain.clusters.number")
    above = bool(error) and value > GAIN_ERRORS.fair * error
    if above and clusters is not None and clusters < FEW_CLUSTERS:
        return Verdict(
            "fair",
            f"{text}: above zero, but the test bins are worth {clusters:.0f} independent stretches "
            "only, so that the error is itself uncertain.",
        )
    if error and value > GAIN_ERRORS.good * error:
        return Verdict("good", f"{text}: it has learned how the neurons depend on each other.")
    if above:
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
    why = evaluation["log_likelihood"].get("unreliable", [])
    if why:
        return Verdict("poor", f"{text}. Doubtful: {'; '.join(why)}.")
    if size < SAMPLE_SHARE.fair * chains or error > LOG_PARTITION_ERROR.fair:
        return Verdict(
            "poor", f"{text}: too little to trust a likelihood. More rungs or chains are needed."
        )
    if size < SAMPLE_SHARE.good * chains or error > LOG_PARTITION_ERROR.good:
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
        slow = max(min(STILL_RISING, RISING_SHARE * learnt), RISING_OF_MUCH * learnt, 0.0)
        if before < slow:
            return Verdict(
                "good",
                f"The last update ({last}) has the best validation score within one standard "
                f"error, {before:+.2f} nats since the checkpoint before: training was long enough.",
            )
        earlier = int(log["update"].iloc[-2]) if len(log) > 1 else last
        if last > LONG_AGO * earlier:
            return Verdict(
                "unknown",
                f"The last update ({last}) has the best validation score; the checkpoint before, "
                f"of update {earlier}, is too early to tell whether more updates would help.",
            )
        return Verdict(
            "fair",
            f"The validation score was best at the last update ({last}) and still rising, by "
            f"{number(before, digits_of(before, 2))} nats since the checkpoint before: more "
            "updates would help.",
        )
    text = (
        f"The validation score was as good as the best at update {chosen_update} and fell by "
        f"{loss:.2f} nats until update {last}"
    )
    if scores[best] - error[best] < scores[0]:
        return Verdict("poor", f"{text}, but never rose clearly above where training began.")
    return Verdict("good", f"{text}: training was long enough, and the best model was kept.")


def convergence(found: Mapping[str, Any] | None) -> Verdict:
    """Judge the convergence of a training; `training.health.convergence` holds its thresholds."""
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
