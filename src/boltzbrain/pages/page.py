"""What a page is made of, as plain data, and how it is gathered from a run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from boltzbrain.comparison.compare import read_assemblies, read_states
from boltzbrain.data.activity import Activity
from boltzbrain.data.regions import Regions
from boltzbrain.evaluation.bins import BinSet
from boltzbrain.evaluation.details import details_of, read_details
from boltzbrain.evaluation.results import evaluation_of, require_beside
from boltzbrain.evaluation.samples import read_samples
from boltzbrain.interpretation.file import Interpretation
from boltzbrain.interpretation.interpret import FILE as INTERPRETATION
from boltzbrain.interpretation.interpret import interpretation_of
from boltzbrain.interpretation.motifs.find import Motifs
from boltzbrain.interpretation.motifs.kept import motifs_of_run
from boltzbrain.model.hidden_activity import hidden_activity
from boltzbrain.model.rbm import RBM
from boltzbrain.pages.viewer.scene import Scene, scene_of
from boltzbrain.preparing.card.card import data_card
from boltzbrain.preparing.card.words import card_in_words
from boltzbrain.training.plan import make_plan
from boltzbrain.training.run.run import TrainingRun
from boltzbrain.training.update.penalties import Penalties

Rows = Sequence[tuple[str, str]]

_LISTED = {
    "dropped": "neuron",
    "left_out_no_number": "cell",
    "left_out_one_value": "cell",
    "left_out_no_noise": "cell",
    "left_out_gaps": "cell",
    "bridged": "cell",
    "saturated_cells": "cell",
    "not_scored": "cell",
    "over_noise": "cell",
    "never_active": "neuron",
    "always_active": "neuron",
    "segments_dropped": "segment",
}
"""Options of steps that list names, and what each name is of."""
_TOLD_ABOVE = frozenset({"losses", "memory_bytes"})
"""Options of steps that other rows of the data card tell in words."""
_FEW = 6
"""Most entries of a list that are shown one by one."""


@dataclass(frozen=True)
class PageData:
    """Everything that the page shows.

    Attributes
    ----------
    title
        Name of the recording.
    card, plan
        Rows of the data card and of the training plan, name and value.
    log
        log.csv of the run.
    chosen_update
        Update of the model that was evaluated.
    evaluation
        Content of evaluation.json.
    train, test, generated
        Bins; the test fold may be empty.
    test_segment
        (bin,) segment of each test bin.
    bin_width_s
        Seconds per bin.
    regions
        (neuron,) one name each, "" for none.
    neuron_ids
        (neuron,) names.
    bins
        How many bins there are in all folds and gaps.
    preset, plan_own
        The recipe of the training, and the rows of the plan in which it differs from it.
    version
        Version of the package that trained the model.
    model
        The model; without it the panels that need it are left out.
    penalties
        Penalties that it was trained with.
    interpretation
        What `interpret` read out of it, if it did.
    atlas
        Membership of the neurons in the regions of the atlas that `regions` names one each of; None
        where there is none.
    train_segment
        (bin,) segment of each training bin.
    convergence
        What run.json says of the convergence of the training.
    assemblies
        (neuron, latent) weights of the model and of each baseline, by name, if `evaluate` fitted
        any.
    states
        What baselines.h5 holds of the hidden states of each baseline that has some, by name.
    scene
        What the viewer shows; without it there is none.
    kept
        What `evaluate` kept for the figures; computed where an earlier version kept nothing.
    motifs
        Those in the folder of the run, if there are any.
    """

    title: str
    card: Rows
    plan: Rows
    log: pd.DataFrame
    chosen_update: int
    evaluation: Mapping[str, Any]
    train: BinSet
    test: BinSet
    generated: BinSet
    test_segment: NDArray[np.int32]
    bin_width_s: float
    regions: Sequence[str]
    neuron_ids: Sequence[str]
    bins: int = 0
    preset: str = ""
    plan_own: Rows = ()
    version: str = ""
    model: RBM | None = None
    penalties: Penalties = field(default_factory=Penalties)
    interpretation: Interpretation | None = None
    atlas: Regions | None = None
    train_segment: NDArray[np.int32] | None = None

    @property
    def in_time(self) -> tuple[BinSet, NDArray[np.int32]]:
        """Bins to show in time, and their segments: the test fold, or without one the training's.

        Where the segments of training bins are not known, each bin is one of its own.
        """
        if len(self.test):
            return self.test, self.test_segment
        alone = np.arange(len(self.train), dtype=np.int32)
        return self.train, alone if self.train_segment is None else self.train_segment

    convergence: Mapping[str, Any] | None = None
    assemblies: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    states: Mapping[str, Mapping[str, NDArray[Any]]] = field(default_factory=dict)
    scene: Scene | None = None
    kept: Mapping[str, NDArray[Any]] | None = None
    motifs: Motifs | None = None

    @cached_property
    def details(self) -> Mapping[str, NDArray[Any]]:
        """What figures of the evaluation show, by path, see `evaluation.details`."""
        if self.kept is not None:
            return self.kept
        segment = self.in_time[1]
        sets = (self.train, self.test, self.generated)
        return details_of(self.model, *sets, segment, self.penalties)

    @cached_property
    def hidden_in_time(self) -> NDArray[np.float32]:
        """(bin, hidden) <h | v> of the bins that are shown in time, signs as in the figures."""
        assert self.model is not None
        return hidden_activity(self.model.in_sign_gauge(), self.in_time[0].states)

    @property
    def in_context(self) -> bool:
        """Whether the model knows a context of every bin."""
        return "context" in self.evaluation.get("predictive", {})

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return int(self.generated.states.shape[1])


def page_data(run: TrainingRun) -> PageData:
    """Gather what the page of a run shows.

    Raises
    ------
    InputError
        If the run is not finished or not evaluated, or a file is not of its chosen model.
    """
    activity, info = run.activity(), run.info
    evaluation = evaluation_of(run)
    beside = require_beside(evaluation, run.folder / "samples.h5")
    samples = read_samples(beside)
    kept = read_details(beside)
    plan, chosen, path = run.plan, run.chosen_update, run.folder / INTERPRETATION
    penalties = run.penalties_at(chosen)
    model, found = run.at_mean_context(), interpretation_of(run) if path.exists() else None
    baselines = (
        require_beside(evaluation, run.folder / "baselines.h5")
        if "baselines" in evaluation
        else None
    )
    with ThreadPoolExecutor() as pool:  # each copies or reads all states
        card = pool.submit(card_rows, activity)
        train, test = (pool.submit(BinSet.of_fold, activity, fold) for fold in ("train", "test"))
        scene = scene_of(run, activity, model, samples, found, kept)
    rows = [*_plan_rows(info["plan"])]
    rows += [("l1 of the chosen update", _shown(penalties.l1))] if plan.l1_choices else []
    recipe = dict(_plan_rows(make_plan(plan.preset).model_dump(mode="json")))
    return PageData(
        title=Path(activity.source.path).name or f"({activity.source.format})",
        card=card.result(),
        plan=rows,
        log=run.log(),
        chosen_update=chosen,
        evaluation=evaluation,
        train=train.result(),
        test=test.result(),
        generated=BinSet.of_samples(samples),
        test_segment=activity.segment[activity.bins_of("test")],
        bin_width_s=activity.bin_width_s,
        regions=region_labels(activity),
        atlas=first_atlas(activity),
        neuron_ids=[str(name) for name in activity.neurons["id"]],
        bins=activity.n_bins,
        preset=plan.preset,
        plan_own=[(name, text) for name, text in rows if recipe.get(name) != text],
        version=str(info.get("environment", {}).get("boltzbrain", "")),
        model=model,
        interpretation=found,
        train_segment=activity.segment[activity.bins_of("train")],
        penalties=penalties,
        convergence=info.get("convergence"),
        assemblies={} if baselines is None else read_assemblies(baselines),
        states={} if baselines is None else read_states(baselines),
        scene=scene,
        kept=kept,
        motifs=motifs_of_run(run),
    )


def _plan_rows(plan: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name.replace("_", " "), _shown(value)) for name, value in plan.items()]


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_shown(one) for one in value)
    return f"{value:g}" if isinstance(value, float) else f"{value}"


def first_atlas(activity: Activity) -> Regions | None:
    """Return the first atlas by name, as `interpret` takes it unless told; None without any."""
    return activity.regions[min(activity.regions)] if activity.regions else None


def region_labels(activity: Activity) -> list[str]:
    """Return one region per neuron, of the first atlas by name; "" where there is none."""
    atlas = first_atlas(activity)
    labels: list[str] = [""] * activity.n_neurons if atlas is None else atlas.labels().tolist()
    return labels


def card_rows(activity: Activity) -> list[tuple[str, str]]:
    """Return the data card of an activity and its preprocessing steps as rows of text."""
    steps = [
        (f"step: {step.name.replace('_', ' ')}", _options(step.options)) for step in activity.steps
    ]
    return [*card_in_words(data_card(None, activity)), *steps]


def _options(options: Mapping[str, Any]) -> str:
    """Return the options of a step in one line: what was not used left out, long lists counted."""
    shown = [
        f"{name.replace('_', ' ')} {_option(name, value)}"
        for name, value in options.items()
        if value is not None
        and name not in _TOLD_ABOVE
        and not (isinstance(value, (str, Sequence)) and len(value) == 0)
    ]
    return ", ".join(shown) or "no options"


def _option(name: str, value: Any) -> str:
    """Return an option in words: what a list holds is named, so that no id reads as a number."""
    if name == "sensitivity":
        return _sensitivity(value)
    noun = _LISTED.get(name)
    if noun is None or isinstance(value, (str, Mapping)) or not isinstance(value, Sequence):
        return _value(value)
    text = f"{len(value)} {noun}{'' if len(value) == 1 else 's'}"
    return text if len(value) > _FEW else f"{text}: {'; '.join(map(str, value))}"


def _sensitivity(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return how the rate of events follows the threshold; the file of the activity holds more."""
    told = ", ".join(f"{row['rate']:.2g} at {row['threshold']:g}" for row in rows)
    return f"of the events per neuron and frame to the threshold ({told})"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{name} {_value(one)}" for name, one in value.items()) + ")"
    if isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, str):
        return (
            f"{len(value)} values" if len(value) > _FEW else "; ".join(_value(one) for one in value)
        )
    return _shown(value)
