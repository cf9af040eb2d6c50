"""What is said of a run first, in the same words on the page and in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from boltzbrain.foundations.showing.display import duration
from boltzbrain.foundations.showing.numbers import number, with_error
from boltzbrain.foundations.showing.told import counted, listed
from boltzbrain.interpretation.file import Interpretation
from boltzbrain.pages.verdicts.baselines import doubts_of, gain_error, without_time
from boltzbrain.pages.verdicts.score import doubts, given_words, held_out
from boltzbrain.pages.verdicts.thresholds import CLEAR, COMPACT_P

_SHOWN = 6
"""Most models beside the RBM among the first scores."""


@dataclass(frozen=True)
class Score:
    """Held-out gain of one model.

    Attributes
    ----------
    title
        Name of the model.
    value, error
        Nats per test bin over independent neurons, and its standard error, log Z included.
    bound
        Whether it is a lower bound.
    doubtful
        Whether the estimate of log Z that it rests on is doubtful.
    ours
        Whether it is the RBM that the page is about.
    """

    title: str
    value: float
    error: float | None
    bound: bool = False
    doubtful: bool = False
    ours: bool = False

    @property
    def text(self) -> str:
        """The score with its error, in words."""
        text = ("≥ " if self.bound else "") + with_error(self.value, self.error, 2, "+")
        return f"{text} (doubtful)" if self.doubtful else text


def recorded(neurons: int, regions: Sequence[str], bins: int, bin_width_s: float) -> str:
    """Return in one line what was recorded.

    Parameters
    ----------
    neurons, bins
        How many there are.
    regions
        (neuron,) one name each, "" for none.
    bin_width_s
        Seconds per bin.

    Examples
    --------
    >>> recorded(3, ["CA1", "CA1", ""], 6000, 0.02)
    '3 neurons in 1 region, 2 min in 6,000 bins of 20 ms'
    """
    names = len(set(regions) - {""})
    place = f" in {counted(names, 'region')}" if names else ""
    return (
        f"{counted(neurons, 'neuron')}{place}, {duration(bins * bin_width_s)} in {bins:,} bins of "
        f"{1000 * bin_width_s:.4g} ms"
    )


def found(interpretation: Interpretation) -> list[str]:
    """Return in sentences what was read out of a model: assemblies, then regions, then places."""
    sizes = np.asarray(interpretation["assemblies/sizes"])
    neurons = len(interpretation["neurons/id"])
    summary = interpretation.summary
    used = sizes[sizes > 0]
    if not len(used):
        return ["No neuron is tied to any hidden unit strongly enough to call it an assembly."]
    sentences = [
        f"{len(used):,} {'assembly' if len(used) == 1 else 'assemblies'}: groups of neurons that "
        "are active together, of "
        f"{np.median(used):.0f} neurons in the median; {summary['assemblies']['embedded']:.0%} of "
        f"the {neurons:,} neurons belong to at least one."
    ]
    return [
        *sentences,
        *_coming_back(
            summary["assemblies"].get("returning"),
            summary.get("couplings", {}).get("returning"),
        ),
        *_between_regions(summary),
        *_in_space(interpretation),
        *_by_behaviour(summary.get("behaviour")),
    ]


def _coming_back(
    returning: Mapping[str, Any] | None, couplings: Mapping[str, Any] | None
) -> list[str]:
    if returning is None:
        return []
    repeats = counted(returning["repeats"], "repeat")
    pairs = (
        ""
        if couplings is None
        else f" Of the strongest couplings {couplings['median_agreement']:.0%} of the size is "
        f"found again ({couplings['chance']:.0%} by chance)."
    )
    return [
        f"{returning['share_returning']:.0%} of the assemblies come back when the model is trained "
        f"again ({repeats}; agreement {returning['returns_from']:g} or more, "
        f"{returning['chance']:.2f} by chance).{pairs}"
    ]


def _between_regions(summary: Mapping[str, Any]) -> list[str]:
    """Return how couplings within regions compare with those between, if there are regions."""
    test = ((summary["regions"] or {}).get("label_tests", {}).get("uniform", {})).get("l1")
    if not test or not test["between"] or test["p_value"] is None:
        return []
    ratio = test["within"] / test["between"]
    return [
        f"Couplings within a region are {ratio:.2g} times as strong as between regions "
        f"(p = {test['p_value']:.2g}, labels shuffled)."
    ]


def _in_space(interpretation: Interpretation) -> list[str]:
    """Return how many assemblies keep together in space, if there are positions."""
    path = "assemblies/compactness/p_value"
    if path not in interpretation:
        return []
    values = np.asarray(interpretation[path], dtype=np.float64)
    values = values[~np.isnan(values)]
    if not len(values):
        return []
    used = int((np.asarray(interpretation["assemblies/sizes"]) > 0).sum())
    count = len(values)
    which = f"the {count} assemblies that can be judged" if count < used else f"{count} assemblies"
    return [
        f"{int((values < COMPACT_P).sum())} of {which} lie closer in space than "
        f"shuffled ones (p < {COMPACT_P:g}, which {COMPACT_P:.0%} do by chance)."
    ]


def _by_behaviour(behaviour: Mapping[str, Any] | None) -> list[str]:
    """Return what assemblies are tuned to, where behaviour was read."""
    if not behaviour:
        return []
    units = behaviour["units"]["hidden"]
    tuned = {name: one["tuned_hidden"] for name, one in behaviour["of"].items()}
    some = dict(sorted(((name, n) for name, n in tuned.items() if n), key=lambda pair: -pair[1]))
    if not some:
        return [f"No assembly is tuned to any of {listed(list(tuned))}, against shifted behaviour."]
    return [f"Tuned assemblies, of {units} (q ≤ 0.05, memory of time kept): {listed(some)}."]


def not_interpreted(hidden: int, neurons: int) -> str:
    """Return what stands in place of a finding where the model was not interpreted."""
    return (
        f"{counted(hidden, 'hidden unit')} describe how {counted(neurons, 'neuron')} depend on "
        "each other. Which neurons and regions work together is told after `boltzbrain interpret`."
    )


def scores(evaluation: Mapping[str, Any]) -> list[Score]:
    """Return the held-out gain of the RBM and of the models beside it, the highest first."""
    gain = evaluation[held_out(evaluation)]["gain"]
    if gain["value"] is None:
        return []
    title = f"RBM{given_words(evaluation)}"
    unsure = bool(doubts(evaluation))
    ours = Score(title, gain["value"], gain_error(gain), doubtful=unsure, ours=True)
    others = [score for score, _ in _beside(evaluation)[:_SHOWN]]
    return sorted([ours, *others], key=lambda one: -one.value)


def _beside(evaluation: Mapping[str, Any]) -> list[tuple[Score, Mapping[str, Any]]]:
    """Return the models beside the RBM, the highest first: their score, and all that is known."""
    models = evaluation.get("baselines", {})
    if held_out(evaluation) == "predictive":
        # beside a model that knows a context, models with time say all they know, too
        models = {name: {**one, **_ahead(one)} for name, one in models.items()}
    else:
        models = without_time(models)
    found = [
        (
            Score(
                one["title"],
                one["gain"]["value"],
                gain_error(one["gain"]),
                one["gain"]["kind"] == "lower bound",
                bool(doubts_of(one)),
            ),
            one,
        )
        for name, one in models.items()
        if name not in ("rbm", "independent") and one["gain"]["value"] is not None
    ]
    return sorted(found, key=lambda pair: -pair[0].value)


def _ahead(one: Mapping[str, Any]) -> dict[str, Any]:
    """Return the gain of a model given earlier bins, and what the RBM has less, in their places."""
    less = one.get("rbm_minus_this", {})
    return {
        "gain": one["predictive"]["gain"],
        "rbm_minus_this": {**less, "gain": less.get("predictive")},
    }


def scored(evaluation: Mapping[str, Any]) -> str:
    """Return in one sentence how the model scores, beside the best simpler model if there is any.

    A model whose score is a bound or rests on a doubtful log Z is no best one.
    """
    ours = next((one for one in scores(evaluation) if one.ours), None)
    if ours is None:
        return "No bins were held out, so there is no score."
    bits = evaluation[held_out(evaluation)]["bits_per_spike"]
    text = f"{ours.text} nats per test bin over independent neurons{given_words(evaluation)}"
    text += "" if bits is None else f" ({number(bits, 3)} bits per spike)"
    known = [one for score, one in _beside(evaluation) if not (score.bound or score.doubtful)]
    if not known or ours.doubtful:
        return f"{text}."
    difference = known[0]["rbm_minus_this"]["gain"]
    value, error = difference["value"], difference["stderr"]
    clear = error is not None and abs(value) > CLEAR * error
    return (
        f"{text}, {with_error(abs(value), error, 2)} {'' if clear else 'not clearly '}"
        f"{'above' if value > 0 else 'below'} the best simpler model, {known[0]['title']}."
    )
