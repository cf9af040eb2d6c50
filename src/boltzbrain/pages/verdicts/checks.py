"""Which checks a model has to pass, each judged from evaluation.json and the run, and their sum."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from boltzbrain.pages.verdicts import activity, dynamics, score
from boltzbrain.pages.verdicts.verdict import Level, Verdict

TITLES = {
    "gain": "Held-out score",
    "log-partition": "Likelihood estimate",
    "convergence": "Convergence",
    "training": "Training and the choice of the model",
    "mean-activity": "Mean activity",
    "rates": "Rates",
    "covariances": "Covariances",
    "triplets-most-active": "Triplets",
    "population-count": "Population count",
    "projection": "Principal axes",
    "energies": "Energies",
    "activation": "A neuron given all others",
    "reconstruction": "Reconstruction through the hidden units",
    "hidden-h": "Hidden units",
    "hidden-vh": "Neurons with hidden units",
    "hidden-hh": "Hidden units with each other",
    "weights": "Weights",
    "hidden-groups": "Groups of hidden units",
}
"""Heading of every check by its name, which is its anchor on the page; the gain comes first."""

WORDS: Mapping[Level, str] = {
    "good": "passed",
    "fair": "weak",
    "poor": "failed",
    "unknown": "undecided",
}
"""What a level says of a check: undecided where it does not apply, or too few bins tell."""


@dataclass(frozen=True)
class Check:
    """One check of a model.

    Attributes
    ----------
    name, title
        Key of `TITLES`, and the heading.
    verdict
        Its judgement.
    """

    name: str
    title: str
    verdict: Verdict


def checks(
    evaluation: Mapping[str, Any],
    log: pd.DataFrame,
    chosen_update: int,
    convergence: Mapping[str, Any] | None,
) -> list[Check]:
    """Return every check of an evaluated model, in the order of `TITLES`.

    Parameters
    ----------
    evaluation
        Content of evaluation.json.
    log
        log.csv of the run.
    chosen_update
        Update of the model that was evaluated.
    convergence
        What run.json says of the convergence of the training.
    """
    verdicts = {
        "gain": score.gain(evaluation),
        "log-partition": score.log_partition(evaluation),
        "convergence": score.convergence(convergence),
        "training": score.training(log, chosen_update),
        "mean-activity": activity.mean_activity(evaluation),
        "rates": activity.agreement(evaluation, "rates"),
        "covariances": activity.agreement(evaluation, "covariances"),
        "triplets-most-active": activity.agreement(evaluation, "triplets_most_active"),
        "population-count": activity.population_count(evaluation),
        "projection": activity.projection(evaluation),
        "energies": activity.energy(evaluation),
        "activation": activity.activation(evaluation),
        "reconstruction": activity.reconstruction(evaluation),
        "hidden-h": activity.normalised_error(evaluation, "h"),
        "hidden-vh": activity.normalised_error(evaluation, "vh"),
        "hidden-hh": activity.normalised_error(evaluation, "hh"),
        "weights": activity.weights(evaluation),
        "hidden-groups": dynamics.hidden_correlations(evaluation),
    }
    return [Check(name, title, verdicts[name]) for name, title in TITLES.items()]


def counted(found: Sequence[Check]) -> str:
    """Return in words how many checks came out how.

    Examples
    --------
    >>> good, unknown = Verdict("good", ""), Verdict("unknown", "")
    >>> counted([Check("gain", "", good), Check("rates", "", unknown)])
    '1 of 1 checks passed; 1 undecided'
    """
    number = Counter(one.verdict.level for one in found)
    decided = len(found) - number["unknown"]
    rest = [f"{number[level]} {WORDS[level]}" for level in ("fair", "poor") if number[level]]
    text = ", ".join([f"{number['good']} of {decided} checks passed", *rest])
    return f"{text}; {number['unknown']} undecided" if number["unknown"] else text


def belief(found: Sequence[Check]) -> Verdict:
    """Sum up: as good as the held-out gain, the first, and marked down by what is poor.

    Parameters
    ----------
    found
        The checks, the gain first.
    """
    level = found[0].verdict.level
    failed, weak = (
        [one.title for one in found if one.verdict.level == which] for which in ("poor", "fair")
    )
    if level == "poor" or len(failed) > 1:
        return Verdict(
            "poor", f"This model should not be interpreted yet. Failed: {', '.join(failed)}."
        )
    if level == "unknown":
        told = f"{found[0].verdict.text} So nobody can say how good this model is."
        return Verdict("unknown", told + (f" Failed: {failed[0]}." if failed else ""))
    if failed or level == "fair" or len(weak) > 1:
        named = (("Failed", failed), ("Weak", weak))
        told = " ".join(f"{word}: {', '.join(titles)}." for word, titles in named if titles)
        return Verdict("fair", f"A usable model. {told}")
    return Verdict("good", "A good model of this recording: it may be sampled and interpreted.")
