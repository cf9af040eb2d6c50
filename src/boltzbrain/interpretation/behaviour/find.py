"""What `interpret` reads of behaviour, as entries of interpretation.h5 and figures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity
from boltzbrain.data.behaviour.trials import columns_of
from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.behaviour.decoding import Decoded, decoded
from boltzbrain.interpretation.behaviour.encoding import explained
from boltzbrain.interpretation.behaviour.power import LEVEL
from boltzbrain.interpretation.behaviour.ridge import Ridge
from boltzbrain.interpretation.behaviour.series import SeriesTuning
from boltzbrain.interpretation.behaviour.times import courses
from boltzbrain.interpretation.behaviour.trials import (
    TrialTuning,
    bins_of_trials,
    column_of,
    responses,
    tuning_of_trials,
)
from boltzbrain.interpretation.behaviour.tuning import is_series, series_tuning, target_of
from boltzbrain.interpretation.behaviour.units import KINDS, Units, units_of
from boltzbrain.interpretation.choices import Choices
from boltzbrain.interpretation.file import Entries, Entry
from boltzbrain.model.context.contextual import ContextualRBM
from boltzbrain.model.rbm import RBM

ROOM = "behaviour"
NONE = "the recording has neither trials nor covariates"
NOT_ASKED = "no column and no covariate was asked for"
MOST_NAMES = 12
"""Columns and covariates that are read unless others are asked for by name."""
SINGLE = 3
"""Assemblies of each column of which every trial is kept."""
_MOST_TRIALS = 1000

_Told = tuple[Entries, dict[str, Any] | None, dict[str, str]]


def find_behaviour(
    model: RBM | ContextualRBM,
    activity: Activity,
    choices: Choices,
    generator: Generator,
    tell: Callable[[int, int], None],
) -> _Told:
    """Return the tuning of assemblies and neurons, decoding and what behaviour explains.

    Parameters
    ----------
    model
        The model, with its context if it has one.
    activity
        With trials or covariates, or without.
    choices
        ``behaviour`` names what is read, all that vary if None; ``behaviour_draws`` of the null.
    generator
        Of every draw.
    tell
        Called with names done and in all.

    Returns
    -------
    entries
        Arrays by path.
    summary
        Figures in JSON; None where there is nothing to read.
    reasons
        Why a name was not read, or not decoded.
    """
    names, left_out = _names(activity, choices)
    if not names:
        why = NOT_ASKED if choices.behaviour is not None else "; ".join(left_out.values()) or NONE
        return {}, None, {ROOM: why}
    units = {kind: units_of(model, activity, kind) for kind in KINDS}
    found: dict[str, TrialTuning | SeriesTuning] = {}
    of_neurons: dict[str, TrialTuning | SeriesTuning] = {}
    told: dict[str, dict[str, Decoded]] = {}
    reasons = {f"{ROOM}.{name}": why for name, why in left_out.items()}
    solved: dict[str, dict[bytes, Ridge]] = {kind: {} for kind in KINDS}
    for place, name in enumerate(names):
        tell(place, len(names))
        own = generator.child(name)
        try:
            found[name] = _tuned(activity, name, units["hidden"], choices, own.child("hidden"))
            of_neurons[name] = _tuned(activity, name, units["neurons"], choices, own.child("all"))
        except InputError as error:
            found.pop(name, None)
            reasons[f"{ROOM}.{name}"] = str(error)
            continue
        try:
            draws = max(choices.behaviour_draws // (20 if is_series(activity, name) else 10), 20)
            target = target_of(activity, name, draws=draws, generator=own.child("target"))
            told[name] = {
                kind: decoded(one.values, target, own.child("bootstrap"), solved[kind])
                for kind, one in units.items()
            }
        except InputError as error:
            reasons[f"{ROOM}.decoding.{name}"] = str(error)
    tell(len(names), len(names))
    if not found:
        return {}, None, reasons | {ROOM: "nothing of it varies enough to be read"}
    entries = _tuning_entries("hidden", found) | _tuning_entries("neurons", of_neurons)
    entries |= _course_entries(activity, units["hidden"], found)
    if told:
        entries |= _decoding_entries(told)
    summary: dict[str, Any] = {
        "names": list(found),
        "of": {
            name: _told_of(one, of_neurons[name]) for name, one in found.items()
        },
        "decoding": {
            name: {"measure": one["hidden"].measure, "tested": one["hidden"].tested,
                   "trained": one["hidden"].trained}
            for name, one in told.items()
        },
        "units": {kind: one.number for kind, one in units.items()},
    }  # fmt: skip
    try:
        entries |= _explained_entries(activity, units["hidden"], found)
    except InputError as error:
        reasons[f"{ROOM}.explained"] = str(error)
    return entries, summary, reasons


def _names(activity: Activity, choices: Choices) -> tuple[list[str], dict[str, str]]:
    """Return what is read, and why the rest is not."""
    if choices.behaviour is not None:
        for name in choices.behaviour:
            is_series(activity, name)
        return list(dict.fromkeys(choices.behaviour)), {}
    names: list[str] = []
    left_out: dict[str, str] = {}
    for name in columns_of(activity.trials):
        column = activity.trials[name]
        if column.dtype.kind in "biuf" and bool((np.diff(column.dropna()) > 0).all()):
            left_out[name] = f"{name} rises from trial to trial, as times and numbers of trials do"
        else:
            names.append(name)
    names += [one for one in activity.covariates if one not in names]
    for name in names[MOST_NAMES:]:
        left_out[name] = f"{name} is beyond the first {MOST_NAMES}; --behaviour {name} asks for it"
    return names[:MOST_NAMES], left_out


def _tuned(
    activity: Activity, name: str, units: Units, choices: Choices, generator: Generator
) -> TrialTuning | SeriesTuning:
    draws = choices.behaviour_draws
    if is_series(activity, name):
        # every draw goes over all bins; what they cannot tell is read off the tail
        draws = max(draws // (2 if units.kind == "hidden" else 5), 200)
        return series_tuning(
            activity, name, units, null=choices.behaviour_null, draws=draws, generator=generator
        )
    return tuning_of_trials(
        responses(units.values, bins_of_trials(activity)),
        column_of(activity.trials, name, file=activity.source.path),
        draws=draws,
        generator=generator,
    )


def _tuning_entries(kind: str, found: dict[str, TrialTuning | SeriesTuning]) -> Entries:
    unit = "hidden" if kind == "hidden" else "neuron"
    every = list(found.values())

    def stacked(pick: Callable[[Any], Any]) -> NDArray[Any]:
        return np.array([pick(one) for one in every])

    trial = [isinstance(one, TrialTuning) for one in every]
    base = f"{ROOM}/{kind}"
    entries = {
        f"{base}/effect": Entry(
            stacked(lambda one: one.effect),
            f"(name, {unit}) share of the variance beyond chance: of trials over trials, of series "
            "over bins, cross-validated",
        ),
        f"{base}/direction": Entry(
            np.array([
                one.difference if isinstance(one, TrialTuning) else one.correlation
                for one in every
            ]),
            f"(name, {unit}) of two levels their difference in standard deviations, of ranks and "
            "series the correlation, of more levels the largest difference, signed along numbers",
        ),
        f"{base}/p_value": Entry(stacked(lambda one: one.p_value), f"(name, {unit}) p-value"),
        f"{base}/q_value": Entry(
            stacked(lambda one: one.q_value),
            f"(name, {unit}) share of false discoveries, over units",
        ),
        f"{base}/smallest": Entry(
            stacked(lambda one: one.smallest),
            f"(name, {unit}) smallest share of variance that would have been seen in 4 of 5",
        ),
    }  # fmt: skip
    if kind == "hidden":
        names = np.array(list(found), dtype=object)
        entries[f"{ROOM}/names"] = Entry(names, "(name,) columns of the trials and covariates")
        entries[f"{ROOM}/of_trials"] = Entry(
            np.array(trial, dtype=np.uint8), "(name,) 1 of a column of the trials, 0 of a covariate"
        )
    series = [one for one in every if isinstance(one, SeriesTuning)]
    if series:
        entries[f"{base}/information"] = Entry(
            np.array([one.information for one in series]),
            f"(covariate, {unit}) mutual information of the covariate and the unit above or below "
            "its mean, beyond chance",
            "nats",
        )
    return entries


def _course_entries(
    activity: Activity, units: Units, found: dict[str, TrialTuning | SeriesTuning]
) -> Entries:
    """Return the tuning curves, the averages over trials and the trials of the best assemblies."""
    entries: Entries = {}
    for place, one in enumerate(found.values()):
        base = f"{ROOM}/{place:03d}"
        if isinstance(one, SeriesTuning):
            entries[f"{base}/centres"] = Entry(one.centres, "(piece,) mean of the series there")
            entries[f"{base}/curve"] = Entry(one.curve, "(piece, hidden) mean of the unit there")
            continue
        course, single = courses(activity, units.values, one.column, bins_of_trials(activity))
        best = np.argsort(-one.effect, kind="stable")[:SINGLE]
        some = np.unique(
            np.linspace(0, len(single) - 1, min(len(single), _MOST_TRIALS)).round().astype(int)
        )
        order = some[np.argsort(_sorted_by(one), kind="stable")] if len(some) == len(single) else (
            some[np.argsort(_sorted_by(one)[some], kind="stable")]
        )  # fmt: skip
        kept = single[order][:, :, best].transpose(2, 0, 1)
        entries |= {
            f"{base}/seconds": Entry(course.seconds, "(place,) since the trial began", "s"),
            f"{base}/mean": Entry(course.mean, "(level, place, hidden) mean over trials"),
            f"{base}/stderr": Entry(course.stderr, "(level, place, hidden) its standard error"),
            f"{base}/counts": Entry(course.counts, "(level, place) trials"),
            f"{base}/best": Entry(best, "(best,) hidden units of the largest effect"),
            f"{base}/single": Entry(
                np.nan_to_num(kept, nan=-1.0).astype(np.float32),
                "(best, trial, place) every trial of these, sorted by the column; -1 beyond it",
            ),
            f"{base}/sorted": Entry(course.codes[order], "(trial,) level of each of these trials"),
        }
    return entries


def _sorted_by(one: TrialTuning) -> NDArray[np.float64]:
    numbers = one.column.numbers
    return one.column.codes.astype(np.float64) if numbers is None else numbers


def _decoding_entries(told: dict[str, dict[str, Decoded]]) -> Entries:
    base = f"{ROOM}/decoding"
    entries = {
        f"{base}/names": Entry(np.array(list(told), dtype=object), "(name,) what is told"),
        f"{base}/units": Entry(np.array(KINDS, dtype=object), "(units,) what tells it"),
    }
    for figure, what in (
        ("score", "balanced accuracy of labels, share of variance of numbers, on the test fold"),
        ("stderr", "its standard error, over segments or stretches"),
        ("chance", "mean of the score under the null"),
        ("chance_95", "95th percentile of the score under the null"),
        ("p_value", "of the score under the null"),
    ):
        table = [[getattr(one[kind], figure) for kind in KINDS] for one in told.values()]
        entries[f"{base}/{figure}"] = Entry(np.array(table), f"(name, units) {what}")
    return entries


def _explained_entries(
    activity: Activity, units: Units, found: dict[str, TrialTuning | SeriesTuning]
) -> Entries:
    has_trials = bool(len(activity.trials))
    one = explained(
        activity,
        units.values,
        [each.column for each in found.values() if isinstance(each, TrialTuning)],
        {
            name: activity.covariates[name].values
            for name, each in found.items()
            if isinstance(each, SeriesTuning)
        },
        bins_of_trials(activity) if has_trials else np.empty((0, 2), dtype=np.int64),
    )
    base = f"{ROOM}/explained"
    test = "of the variance over bins of the test fold"
    return {
        f"{base}/names": Entry(np.array(one.names, dtype=object), "(name,) what explains"),
        f"{base}/alone": Entry(
            one.alone,
            f"(name, hidden) share {test} explained by it alone, by columns beyond the place",
        ),
        f"{base}/unique": Entry(one.unique, f"(name, hidden) share {test} lost without it"),
        f"{base}/together": Entry(one.together, f"(hidden,) share {test} explained by all"),
    }


def _told_of(
    one: TrialTuning | SeriesTuning, of_neurons: TrialTuning | SeriesTuning
) -> dict[str, Any]:
    told: dict[str, Any] = {
        "tuned_hidden": int((one.q_value <= LEVEL).sum()),
        "tuned_neurons": int((of_neurons.q_value <= LEVEL).sum()),
        "smallest_hidden": float(np.median(one.smallest)),
        "smallest_neurons": float(np.median(of_neurons.smallest)),
        "plain_hidden": int((one.p_plain <= LEVEL).sum()),
    }
    if isinstance(one, TrialTuning):
        counts = np.bincount(one.column.codes) if one.column.levels else [len(one.column.rows)]
        return told | {
            "kind": "trials",
            "levels": list(one.column.levels),
            "trials": [int(count) for count in counts],
            "left_out": one.column.left_out,
            "null": "labels permuted among neighbouring trials",
        }
    return told | {"kind": "series", "missing": one.missing, "null": one.null.words}
