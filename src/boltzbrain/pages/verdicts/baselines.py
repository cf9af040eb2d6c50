"""Sentences that say which model wins where, and by how much, computed from evaluation.json."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from boltzbrain.foundations.showing.numbers import digits_of, number, with_error
from boltzbrain.pages.verdicts.thresholds import CLEAR, LEAST, MOST_REGIONS, NORMAL_SHARE
from boltzbrain.pages.verdicts.verdict import Level, Verdict, at_most

_WORDS = {
    "gain": ("nats per test bin over independent neurons", 2),
    "conditional": ("bits per spike for each neuron given the others", 3),
}
_UNDECIDED = ""
"""The RBM lies above a lower bound: nothing follows for the model whose bound it is."""


def _score(one: Mapping[str, Any], kind: str) -> float | None:
    value = one["gain"]["value"] if kind == "gain" else one["conditional"]["bits_per_spike"]
    return None if value is None else float(value)


def _is_bound(one: Mapping[str, Any], kind: str) -> bool:
    return kind == "gain" and one["gain"]["kind"] == "lower bound"


def without_time(found: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return models beside the RBM for scores of a bin alone, those that see more named as such."""
    return {
        name: {**one, "title": f"{one['title']}, without time"}
        if one.get("predictive", {}).get("uses_time")
        else one
        for name, one in found.items()
    }


def doubts_of(one: Mapping[str, Any]) -> list[str]:
    """Return in words why the gain of a model must not be trusted: no sentence, no doubt."""
    return list(one.get("log_partition", {}).get("unreliable", []))


def _doubtful(one: Mapping[str, Any], kind: str) -> bool:
    """Return whether a score rests on a doubtful log Z; the conditional score needs none."""
    return kind == "gain" and bool(doubts_of(one))


def gain_error(gain: Mapping[str, Any]) -> float | None:
    """Return the standard error of a gain, that of log Z included; None where it is unknown."""
    if gain.get("stderr") is None:
        return None
    return math.hypot(gain["stderr"], gain.get("stderr_log_partition") or 0.0)


def _error(one: Mapping[str, Any], kind: str) -> float | None:
    if kind == "gain":
        return gain_error(one["gain"])
    error = one["conditional"].get("stderr")
    return None if error is None else float(error)


def _tells_nothing(one: Mapping[str, Any], kind: str) -> bool:
    """Return whether a score does not say that the model knows more than the rates."""
    score, error = _score(one, kind), _error(one, kind)
    least = LEAST if kind == "conditional" else 0.0
    return score is not None and score <= max(least, CLEAR * (error or 0.0))


def doubted(one: Mapping[str, Any]) -> Verdict | None:
    """Say why the gain of a model must not be trusted, or return None."""
    doubts = doubts_of(one)
    if not doubts:
        return None
    return Verdict(
        "poor",
        "The gain of this model must not be trusted: annealing lies below log Z on average, so "
        f"that a model looks too good. Doubtful: {'; '.join(doubts)}.",
    )


def _place(one: Mapping[str, Any], kind: str) -> tuple[str, str]:
    """Return how the RBM stands to a baseline, and that in words.

    Good where it is clearly above, fair where nothing is clear, poor where it is clearly below.
    """
    digits = _WORDS[kind][1]
    difference = one["rbm_minus_this"][kind]
    value, error = difference["value"], difference["stderr"]
    text = with_error(abs(value), error, digits)
    clear = error is not None and abs(value) > CLEAR * error
    text += f" {'' if clear else 'not clearly '}{'above' if value > 0 else 'below'} "
    level = "fair" if not clear else "good" if value > 0 else "poor"
    if not _is_bound(one, kind):
        text += one["title"]
        return ("fair", f"{text} (doubtful)") if _doubtful(one, kind) else (level, text)
    if value > 0:
        text += f"a lower bound on {one['title']} (which may itself lie higher)"
        return _UNDECIDED if clear else level, text
    return level, f"{text}even a lower bound on {one['title']}"


def winner(baselines: Mapping[str, Any], kind: str) -> Verdict:
    """Say who scores highest, and how far the RBM lies from each baseline.

    Good where the RBM is clearly above all whose score is known, poor where it is clearly below
    one. A bound that lies below the RBM does not say that its model does, so it counts for nothing;
    one that lies above does. A score that rests on a doubtful log Z wins nothing, and a difference
    from it is not clear. At most fair where the score of the RBM is not clearly above 0, that of
    independent neurons; these are compared only then, or where there is no other model.

    Parameters
    ----------
    baselines
        What evaluation.json holds under ``baselines``.
    kind
        "gain" or "conditional".
    """
    rbm = baselines["rbm"]
    others = {
        name: score
        for name, one in baselines.items()
        if name != "rbm" and (score := _score(one, kind)) is not None
    }
    own = _score(rbm, kind)
    nothing = not _doubtful(rbm, kind) and _tells_nothing(rbm, kind)
    if len(others) > 1 and not nothing:
        others.pop("independent", None)
    if own is None or not others:
        return Verdict("unknown", f"There is no other model to compare in {_WORDS[kind][0]}.")
    order = sorted(others, key=lambda name: -others[name])
    levels, parts = zip(*(_place(baselines[name], kind) for name in order), strict=True)
    level: Level = "unknown"
    if not _doubtful(rbm, kind):
        found: Sequence[Level] = ("poor", "fair", "good")
        level = next((one for one in found if one in levels), "unknown")
    first = _highest({name: baselines[name] for name in ("rbm", *order)}, kind)
    text = f"{first}: it lies {', '.join(parts)}."
    if nothing:
        text += " That is no better than the rates: its hidden units tell nothing beyond them."
        level = at_most(level, "fair")
    return Verdict(level, text)


def _highest(models: Mapping[str, Any], kind: str) -> str:
    """Return the first half of the sentence, the highest score; the RBM comes first of models."""
    words, digits = _WORDS[kind]
    scores = {
        name: number(score, digits_of(_error(one, kind), digits), "+")
        for name, one in models.items()
        if (score := _score(one, kind)) is not None
    }
    trusted = {name: one for name, one in models.items() if not _doubtful(one, kind)}
    if not trusted:
        return f"No score in {words} can be trusted; the RBM has {scores['rbm']}"
    best = _best(trusted, kind)
    most = f"{scores[best]} {words}"
    if len(trusted) == len(models):
        if best == "rbm":
            bounded = any(_is_bound(one, kind) for one in models.values())
            return f"The RBM scores highest {'of what is known, ' if bounded else ''}with {most}"
        first = f"Highest is {_titled(models[best], kind)} with {most}"
        return f"{first}; the RBM has {scores['rbm']}"
    first = "Of the scores that can be trusted the highest is that of"
    if best == "rbm":
        return f"{first} the RBM, {most}"
    distrust = "" if "rbm" in trusted else ", which cannot be trusted"
    return f"{first} {_titled(models[best], kind)}, {most}; the RBM has {scores['rbm']}{distrust}"


def _best(models: Mapping[str, Any], kind: str) -> str:
    """Return the name of the model of the highest score, the first of equals; all have one."""
    scores = {name: _score(one, kind) for name, one in models.items()}
    return max((score, -place, name) for place, (name, score) in enumerate(scores.items())
               if score is not None)[2]  # fmt: skip


def _titled(one: Mapping[str, Any], kind: str) -> str:
    return f"{one['title']}{' (a lower bound)' if _is_bound(one, kind) else ''}"


def who_wins(baselines: Mapping[str, Any]) -> Verdict:
    """Say which model scores highest by either score, if two models or more have it."""
    compared = [
        kind
        for kind in _WORDS
        if sum(_score(one, kind) is not None for one in baselines.values()) > 1
    ]
    if not compared:
        return Verdict("unknown", "There is no other model to compare.")
    order: tuple[Level, ...] = ("poor", "fair", "unknown", "good")
    level = min((winner(baselines, kind).level for kind in compared), key=order.index)
    words = {"gain": "Highest likelihood", "conditional": "Highest score given the others"}
    return Verdict(
        level, " ".join(f"{words[kind]}: {_winning(baselines, kind)}." for kind in compared)
    )


def _winning(baselines: Mapping[str, Any], kind: str) -> str:
    """Return the name of the model that scores highest, with what keeps that from being certain."""
    scored = {name: one for name, one in baselines.items() if _score(one, kind) is not None}
    trusted = {name: one for name, one in scored.items() if not _doubtful(one, kind)}
    if not trusted:
        return "none that can be trusted" if scored else "none"
    best = _best(trusted, kind)
    left_out = [one["title"] for name, one in scored.items() if name not in trusted]
    provisos = [f"left out as doubtful: {', '.join(left_out)}"] if left_out else []
    provisos += [
        f"only a lower bound is known of {one['title']}"
        for name, one in trusted.items()
        if _is_bound(one, kind) and name != best
    ]
    return _titled(trusted[best], kind) + (f" ({'; '.join(provisos)})" if provisos else "")


def weight_tails(shares: Mapping[str, float]) -> Verdict:
    """Judge whether few strong weights of the RBM stand out.

    Parameters
    ----------
    shares
        Participation ratio of the weights of every model, over their number.
    """
    text = ", ".join(f"{name} {share:.1%}" for name, share in shares.items())
    return Verdict(
        "good" if shares.get("RBM", 1.0) < NORMAL_SHARE else "fair",
        f"Share of the weights that count, by their participation ratio (normal ones: "
        f"{NORMAL_SHARE:.0%}): {text}.",
    )


def embedded_neurons(shares: Mapping[str, tuple[float, float]]) -> Verdict:
    """Judge whether the strong weights of the RBM spread over the neurons as evenly as by chance.

    Parameters
    ----------
    shares
        Share of neurons with a strong weight in every model, and by chance.
    """
    text = "; ".join(
        f"{name} {share:.0%} (by chance {chance:.0%})" for name, (share, chance) in shares.items()
    )
    share, chance = shares.get("RBM", (0.0, 1.0))
    return Verdict(
        "good" if share >= chance else "fair",
        f"With one strong weight per neuron on average: {text}.",
    )


def occupied_regions(medians: Mapping[str, float], regions: int) -> Verdict:
    """Judge whether the assemblies of the RBM keep to few regions.

    Parameters
    ----------
    medians
        Effective number of regions of the median assembly of every model.
    regions
        Number of regions.
    """
    text = ", ".join(f"{name} {median:.1f}" for name, median in medians.items())
    return Verdict(
        "good" if medians.get("RBM", math.inf) < MOST_REGIONS * regions else "fair",
        f"Median over the assemblies: {text}, of {regions} regions.",
    )
