"""Sentences that judge dynamics, each computed from the figures of evaluation.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from boltzbrain.pages.verdicts.thresholds import (
    BIMODAL_SHARE,
    HIDDEN_CORRELATION,
    MEMORY,
    RELAXATION,
    SLOWER_P,
)
from boltzbrain.pages.verdicts.verdict import Verdict, figure_at, reason_at

_WORDS = {"gibbs": "block Gibbs", "glauber": "single-site"}


def _text_at(evaluation: Mapping[str, Any], path: str) -> str | None:
    value: Any = evaluation
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return None if value is None else str(value)


def _share(explained: float) -> str:
    """Return a share of the recorded curve in words; below 0 a curve of zeros would do better."""
    return f"{explained:.0%}" if explained > 0 else "nothing"


def memory(evaluation: Mapping[str, Any]) -> Verdict:
    """Judge the shapes of the model's autocorrelations of count and overlap, by the worse of both.

    By the better of the two kinds of update.
    """
    path = "dynamics.stationary"
    found: dict[str, tuple[float, float]] = {}
    for kind in _WORDS:
        count, overlap = (
            figure_at(evaluation, f"{path}.{name}.{kind}.shape_explained")
            for name in ("count", "overlap")
        )
        if count is not None and overlap is not None:
            found[kind] = (count, overlap)
    if not found:
        why = reason_at(evaluation, "dynamics.time_scale.gibbs.seconds_per_sweep")
        return Verdict("unknown", f"There is no memory to compare{why}.")
    best = max(found, key=lambda kind: min(found[kind]))
    count, overlap = found[best]
    unit = figure_at(evaluation, f"dynamics.time_scale.{best}.seconds_per_sweep") or 0.0
    alone = figure_at(evaluation, f"{path}.count.controls.independent_{best}.shape_explained")
    time = figure_at(evaluation, f"{path}.count.recorded.integrated")
    text = (
        f"With {unit:.3g} s per sweep, {_WORDS[best]} updates explain {_share(count)} of the "
        f"recorded autocorrelation of the count and {_share(overlap)} of that of the overlap"
    )
    if alone is not None:
        text += f" (independent neurons: {max(alone, 0.0):.0%} of the count)"
    if time is not None:
        text += f". The count's integrated correlation time is {time:.3g} s"
    worse = min(count, overlap)
    level = MEMORY.high_is_good(worse)
    if alone is not None and alone >= count and level == "good":
        return Verdict("fair", f"{text}. Independent neurons do as well, so this proves little.")
    return Verdict(level, f"{text}.")


def relaxation(evaluation: Mapping[str, Any], protocol: str) -> Verdict:
    """Judge relaxation from much ("from_high") or little activity, on which nothing was fitted."""
    found = {
        kind: value
        for kind in _WORDS
        if (value := figure_at(evaluation, f"dynamics.{protocol}.count.{kind}.shape_explained"))
        is not None
    }
    if not found:
        return Verdict("unknown", "There is no relaxation to compare.")
    words = "much" if protocol == "from_high" else "little"
    best = max(found, key=lambda kind: found[kind])
    text = (
        f"After {words} activity, {_WORDS[best]} updates explain {_share(found[best])} of the "
        "recorded return of the count"
    )
    return Verdict(RELAXATION.high_is_good(found[best]), f"{text}.")


def hidden_periods(evaluation: Mapping[str, Any]) -> Verdict:
    """Say how long hidden units stay in a state, beside neurons."""
    path = "dynamics.hidden"
    hidden = figure_at(evaluation, f"{path}.time_constant_s")
    neurons = figure_at(evaluation, f"{path}.neuron_time_constant_s")
    if hidden is None or neurons is None:
        why = reason_at(evaluation, f"{path}.time_constant_s")
        return Verdict("unknown", f"Segments are too short for time constants{why}.")
    p = figure_at(evaluation, f"{path}.slower_than_neurons_p")
    text = (
        f"The median period of hidden units is {hidden:.2g} s, that of neurons {neurons:.2g} s"
        + ("" if p is None else f" (one-sided Mann-Whitney p = {p:.2g} for slower units)")
    )
    return Verdict("good" if p is not None and p < SLOWER_P else "fair", f"{text}.")


def hidden_correlations(evaluation: Mapping[str, Any]) -> Verdict:
    """Judge whether hidden units double each other."""
    path = "dynamics.hidden"
    mean = figure_at(evaluation, f"{path}.mean_absolute_correlation")
    if mean is None:
        return Verdict("unknown", "There is one hidden unit.")
    share = figure_at(evaluation, f"{path}.variance_first_components.10")
    text = f"Two hidden units correlate at {mean:.2f} in absolute value, on average"
    if share is not None:
        text += f"; ten components hold {share:.0%} of their variance"
    return Verdict(HIDDEN_CORRELATION.low_is_good(mean), f"{text}.")


def bimodality(evaluation: Mapping[str, Any]) -> Verdict:
    """Say how many hidden units have two states."""
    share = figure_at(evaluation, "dynamics.hidden.bimodal_fraction")
    if share is None:
        return Verdict("unknown", "The hidden units were not looked at.")
    text = f"{share:.0%} of the hidden units have two peaks that are told apart"
    return Verdict("good" if share >= BIMODAL_SHARE else "fair", f"{text}.")


def phase(evaluation: Mapping[str, Any]) -> Verdict:
    """Name the phase: good if compositional."""
    path = "dynamics.hidden"
    median, hidden = (figure_at(evaluation, f"{path}.{one}") for one in ("median_active", "hidden"))
    name = _text_at(evaluation, f"{path}.phase")
    if median is None or hidden is None or name is None:
        return Verdict("unknown", "The hidden units were not looked at.")
    text = f"In the median {median:.1f} of {hidden:.0f} units are active at once: {name} phase"
    return Verdict("good" if name == "compositional" else "fair", f"{text}.")
