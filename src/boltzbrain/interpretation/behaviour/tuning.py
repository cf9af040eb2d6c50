"""`bb.tuning`, `bb.decode` and `bb.explained`: behaviour and the units of a run, as data frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from boltzbrain.data.activity import Activity
from boltzbrain.data.behaviour.by_segment import recorded_segments
from boltzbrain.data.behaviour.trials import columns_of
from boltzbrain.foundations.checks import bad_input, closest, number_in, whole_number_in
from boltzbrain.foundations.disk.folders import given_path
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.behaviour.decoding import (
    Decoded,
    Target,
    decoded,
    target_of_series,
    target_of_trials,
)
from boltzbrain.interpretation.behaviour.encoding import explained as explained_by
from boltzbrain.interpretation.behaviour.nulls import SeriesNull
from boltzbrain.interpretation.behaviour.power import LEVEL
from boltzbrain.interpretation.behaviour.series import SeriesTuning, tuning_of_series
from boltzbrain.interpretation.behaviour.trials import (
    TrialTuning,
    bins_of_trials,
    column_of,
    responses,
    tuning_of_trials,
)
from boltzbrain.interpretation.behaviour.units import KINDS, Units, units_of
from boltzbrain.model.context.contextual import ContextualRBM
from boltzbrain.model.rbm import RBM
from boltzbrain.training.run.run import TrainingRun

DRAWS, DECODING_DRAWS = 2000, 200
"""Draws of the null for tuning and for decoding."""


def tuning(
    run: TrainingRun | str | Path,
    of: str,
    *,
    units: str = "hidden",
    align: str | None = None,
    window_s: tuple[float, float] | None = None,
    lags_s: Sequence[float] = (0.0,),
    null: str = "auto",
    draws: int = DRAWS,
    seed: int | None = None,
) -> pd.DataFrame:
    """Return how assemblies or neurons of a run are tuned to a column of its trials or a series.

    Parameters
    ----------
    run
        A finished run or its folder, of a recording with trials or covariates.
    of
        Name of a column of the trials, or of a covariate.
    units
        "hidden", "neurons" or "components", see `boltzbrain.interpretation.behaviour.units`.
    align, window_s
        Of trials: a column of times in seconds, and from and to, seconds from there, over which
        units are averaged; the trial itself if None.
    lags_s
        Of series: seconds by which units may come after it; the best counts, also by chance.
    null
        Of series: "shifts", "segments", "sessions" (epochs are the sessions) or "auto", see
        `boltzbrain.interpretation.behaviour.nulls`.
    draws
        Draws of the null.
    seed
        Seed of the draws; the run's own if None.

    Returns
    -------
    DataFrame
        A row a unit: ``effect``, ``p_value``, ``q_value``, ``tuned`` (q-value of 0.05 at most) and
        ``smallest_effect``; of trials also `TrialTuning`'s ``difference`` and ``preferred``, of
        series `SeriesTuning`'s ``r2``, ``information``, ``correlation`` and ``lag_s``.

    Raises
    ------
    InputError
        If the run has no such column or series, or it has one value only.
    """
    opened = _opened(run)
    activity = opened.activity()
    whole_number_in("draws", draws, low=20)
    generator = _generator(opened, seed).child("tuning", of, units)
    chosen = units_of(_model_of(opened), activity, units)
    if is_series(activity, of):
        found: Any = series_tuning(
            activity, of, chosen, null=null, lags_s=lags_s, draws=draws, generator=generator
        )
    else:
        bins = bins_of_trials(activity, align=align, window_s=window_s)
        found = tuning_of_trials(
            responses(chosen.values, bins),
            column_of(activity.trials, of, file=activity.source.path),
            draws=draws,
            generator=generator,
        )
    return _table(found, chosen, activity)


def series_tuning(
    activity: Activity,
    name: str,
    units: Units,
    *,
    null: str = "auto",
    lags_s: Sequence[float] = (0.0,),
    draws: int,
    generator: Generator,
) -> SeriesTuning:
    """Return the tuning of units to a covariate of their activity; see `tuning`."""
    width, segment = activity.bin_width_s, recorded_segments(activity)
    lags = sorted({round(number_in("lags_s", one) / width) for one in lags_s})
    return tuning_of_series(
        name,
        activity.covariates[name].values,
        units.values,
        segment,
        SeriesNull.of(segment, null, activity.epoch),
        draws=draws,
        generator=generator,
        lags=lags or [0],
        bin_width_s=width,
        file=activity.source.path,
    )


def decode(
    run: TrainingRun | str | Path,
    of: str,
    *,
    align: str | None = None,
    window_s: tuple[float, float] | None = None,
    null: str = "auto",
    draws: int = DECODING_DRAWS,
    seed: int | None = None,
) -> pd.DataFrame:
    """Return how well hidden units, neurons and components of a run tell behaviour.

    Linear models with a squared penalty train on the training and validation fold of the run, in
    which the penalty is chosen, and are scored on its test fold.

    Parameters
    ----------
    run, of, align, window_s, null, draws, seed
        As in `tuning`.

    Returns
    -------
    DataFrame
        A row each for "hidden", "neurons" and "components", as many as hidden units: their
        ``number``, and what `boltzbrain.interpretation.behaviour.decoding.Decoded` holds.

    Raises
    ------
    InputError
        If the run has no such column or series, or the test fold too little of it.
    """
    opened = _opened(run)
    activity = opened.activity()
    whole_number_in("draws", draws, low=20)
    generator = _generator(opened, seed).child("decode", of)
    target = target_of(
        activity, of, align=align, window_s=window_s, null=null, draws=draws, generator=generator
    )
    rows: dict[str, dict[str, Any]] = {}
    for kind in KINDS:
        units = units_of(_model_of(opened), activity, kind)
        one = decoded(units.values, target, generator.child("bootstrap"))
        rows[kind] = {"number": units.number, **_of_decoded(one)}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("units")


def target_of(
    activity: Activity,
    of: str,
    *,
    align: str | None = None,
    window_s: tuple[float, float] | None = None,
    null: str = "auto",
    draws: int,
    generator: Generator,
) -> Target:
    """Return a column of the trials or a covariate as what is to be told; see `decode`."""
    if is_series(activity, of):
        chosen = SeriesNull.of(recorded_segments(activity), null, activity.epoch)
        return target_of_series(activity, of, chosen, draws=draws, generator=generator)
    bins = bins_of_trials(activity, align=align, window_s=window_s)
    column = column_of(activity.trials, of, file=activity.source.path)
    return target_of_trials(activity, column, bins, draws=draws, generator=generator)


def explained(
    run: TrainingRun | str | Path, units: str = "hidden", *, names: Sequence[str] | None = None
) -> pd.DataFrame:
    """Return what trials and series explain of each assembly or neuron of a run, on its test fold.

    Parameters
    ----------
    run
        As in `tuning`.
    units
        As in `tuning`.
    names
        What explains; every column of the trials and covariate if None.

    Returns
    -------
    DataFrame
        A row for each name and unit: ``alone``, ``unique`` (lost where it is left out of all) and
        ``together`` (by all), see `boltzbrain.interpretation.behaviour.encoding.Explained`.

    Raises
    ------
    InputError
        If the run has neither trials nor covariates that vary, or no test fold.
    """
    opened = _opened(run)
    activity = opened.activity()
    names = behaviour_of(activity) if names is None else list(names)
    for name in names:
        is_series(activity, name)
    chosen = units_of(_model_of(opened), activity, units)
    where = activity.source.path
    found = explained_by(
        activity,
        chosen.values,
        [
            column_of(activity.trials, one, file=where)
            for one in names
            if one not in activity.covariates
        ],
        {one: activity.covariates[one].values for one in names if one in activity.covariates},
        bins_of_trials(activity) if len(activity.trials) else np.empty((0, 2), dtype=np.int64),
    )
    return pd.concat(
        [
            pd.DataFrame(
                {"of": name, chosen.noun: np.arange(chosen.number), "alone": found.alone[row],
                 "unique": found.unique[row], "together": found.together}
            )
            for row, name in enumerate(found.names)
        ],
        ignore_index=True,
    )  # fmt: skip


def behaviour_of(activity: Activity) -> list[str]:
    """Return the columns of the trials and the covariates of an activity, by name.

    Raises
    ------
    InputError
        If it has neither.
    """
    names = [*columns_of(activity.trials), *activity.covariates]
    if not names:
        raise bad_input(
            "the run",
            "be of a recording with trials or covariates (fit --trials, --covariates)",
            "neither",
            file=activity.source.path,
        )
    return list(dict.fromkeys(names))


def is_series(activity: Activity, of: str) -> bool:
    """Return whether a name is that of a covariate, and not of a column of the trials.

    Raises
    ------
    InputError
        If it is neither.
    """
    names = behaviour_of(activity)
    if of not in names:
        raise bad_input(
            "of", f"be a column of the trials or a covariate: {', '.join(names)}", of,
            suggestion=closest(of, names), file=activity.source.path,
        )  # fmt: skip
    return of in activity.covariates


def _table(found: TrialTuning | SeriesTuning, units: Units, activity: Activity) -> pd.DataFrame:
    if isinstance(found, TrialTuning):
        levels = found.column.levels or ("falling", "rising")
        words = np.asarray(levels, dtype=object)[found.preferred]
        own: dict[str, Any] = {
            "effect": found.effect, "difference": found.difference, "preferred": words
        }  # fmt: skip
    else:
        own = {
            "effect": found.effect, "r2": found.r2, "information": found.information,
            "correlation": found.correlation, "lag_s": found.lag_s,
            "p_information": found.p_information,
        }  # fmt: skip
    table = pd.DataFrame(
        {
            **own,
            "p_value": found.p_value,
            "q_value": found.q_value,
            "tuned": found.q_value <= LEVEL,
            "smallest_effect": found.smallest,
        }
    ).rename_axis(units.noun)
    if units.kind == "neurons":
        told = activity.to_dataframe()
        places = [name for name in ("id", *activity.regions) if name in told]
        table = pd.concat([told[places].rename_axis("neuron"), table], axis=1)
    return table


def _of_decoded(one: Decoded) -> dict[str, Any]:
    return {name: value for name, value in vars(one).items() if name != "draws"}


def _opened(run: TrainingRun | str | Path) -> TrainingRun:
    return TrainingRun.open(run.folder if isinstance(run, TrainingRun) else given_path("run", run))


def _model_of(run: TrainingRun) -> RBM | ContextualRBM:
    return run.best if run.plan.context is None else run.in_context()


def _generator(run: TrainingRun, seed: int | None) -> Generator:
    number = run.plan.seed if seed is None else whole_number_in("seed", seed, low=0)
    return Generator.from_seed(number, "behaviour")
