"""Sentences that say which model wins where, and by how much, computed from evaluation.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from boltzbrain.presentation.verdict import Level, Verdict

_WORDS = {
    "gain": ("nats per test bin over independent neurons", 2),
    "conditional": ("bits per spike for each neuron given the others", 3),
}
CLEAR = 2.0
"""A difference beyond this many of its standard errors is called clear."""


def _score(one: Mapping[str, Any], kind: str) -> float | None:
    value = one["gain"]["value"] if kind == "gain" else one["conditional"]["bits_per_spike"]
    return None if value is None else float(value)


def _bound(one: Mapping[str, Any], kind: str) -> str:
    return " (a lower bound)" if kind == "gain" and one["gain"]["kind"] == "lower bound" else ""


def winner(baselines: Mapping[str, Any], kind: str) -> Verdict:
    """Say who scores highest, and how far the RBM lies from each baseline.

    Good where the RBM is clearly above all, poor where it is clearly below one. A bound that lies
    below the RBM does not say that its model does.

    Parameters
    ----------
    baselines
        What evaluation.json holds under ``baselines``.
    kind
        "gain" or "conditional".
    """
    words, digits = _WORDS[kind]
    own = _score(baselines["rbm"], kind)
    others = {
        name: score
        for name, one in baselines.items()
        if name not in ("rbm", "independent") and (score := _score(one, kind)) is not None
    }
    if own is None or not others:
        return Verdict("unknown", f"There is no other model to compare in {words}.")
    order = sorted(others, key=lambda name: -others[name])
    parts, level = [], "good"
    for name in order:
        difference = baselines[name]["rbm_minus_this"][kind]
        value, error = difference["value"], difference["stderr"]
        shown = f"{abs(value):.{digits}f}"
        if error is not None:
            shown += f" ± {error:.{digits}f}"
        clear = error is not None and abs(value) > CLEAR * error
        side = "above" if value > 0 else "below"
        if not clear:
            level = "fair" if level == "good" else level
            side = f"not clearly {side}"
        elif value < 0:
            level = "poor"
        title = f"{baselines[name]['title']}{_bound(baselines[name], kind)}"
        parts.append(f"{shown} {side} {title}")
    best = order[0]
    first = (
        f"The RBM scores highest with {own:+.{digits}f} {words}"
        if own >= others[best]
        else f"Highest is {baselines[best]['title']} with {others[best]:+.{digits}f} {words}; the "
        f"RBM has {own:+.{digits}f}"
    )
    settled: Level = "good" if level == "good" else "fair" if level == "fair" else "poor"
    return Verdict(settled, f"{first}: it lies {', '.join(parts)}.")


def who_wins(baselines: Mapping[str, Any]) -> Verdict:
    """Say in one sentence which model scores highest by either score."""
    both = [winner(baselines, kind) for kind in _WORDS]
    names = []
    for kind in _WORDS:
        scores = {one["title"]: _score(one, kind) for one in baselines.values()}
        known = {title: score for title, score in scores.items() if score is not None}
        names.append(max(known, key=lambda title: known[title]) if known else "none")
    order: tuple[Level, ...] = ("poor", "fair", "unknown", "good")
    level = min((one.level for one in both), key=order.index)
    return Verdict(
        level, f"Highest likelihood: {names[0]}. Highest score given the others: {names[1]}."
    )
