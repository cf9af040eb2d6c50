"""What the viewer shows of a run, as plain data; interpreted and evaluated or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity
from boltzbrain.evaluation.samples import Samples
from boltzbrain.foundations.random import Generator
from boltzbrain.foundations.units import order_by_activity
from boltzbrain.interpretation.assemblies.find import assemblies_of, positions
from boltzbrain.interpretation.behaviour.tuned import tuned_to
from boltzbrain.interpretation.choices import Choices
from boltzbrain.interpretation.file import Interpretation
from boltzbrain.interpretation.in_silico.kept_clamps import Clamps, find_clamps, kept_clamps
from boltzbrain.interpretation.marginal import Floats, Indices
from boltzbrain.interpretation.references import some_bins
from boltzbrain.model.hidden_activity import hidden_activity
from boltzbrain.model.rbm import RBM
from boltzbrain.pages.style import COLOUR_WORDS
from boltzbrain.training.run.run import TrainingRun

_MOST_FRAMES, _MOST_DRAWS = 4000, 500
_MOST_STATES = 160_000_000
_PARTNERS = 12
_FOLD_NAMES = ["training", "validation", "test"]
_ORDER_BINS = 1000


@dataclass(frozen=True, eq=False)
class Frames:
    """States to be shown one after another.

    Attributes
    ----------
    name, title, words
        Short name, name in the menu, and the sentence below the time line.
    states
        (frame, neuron) uint8.
    breaks
        Frames at which a segment begins, without the first.
    timed
        Whether they follow each other in time; else they are independent draws.
    bands, band_names
        First frame, frame after the last and number of the name of every stretch that is marked
        on the time line, and the names.
    bands_are
        What they are, "epoch" or "fold".
    """

    name: str
    title: str
    words: str
    states: NDArray[np.uint8]
    breaks: Sequence[int]
    timed: bool
    bands: Sequence[tuple[int, int, int]] = ()
    band_names: Sequence[str] = ()
    bands_are: str = ""


@dataclass(frozen=True, eq=False)
class Scene:
    """What the viewer shows.

    Attributes
    ----------
    title, version
        Name of the recording, version of the package that trained the model.
    ids, regions
        (neuron,) names, and region names, "" for none.
    xyz_um
        (neuron, 3) micrometres, NaN where unknown.
    rates
        (neuron,) share of training bins in which a neuron is active.
    model
        The model in the gauge in which its units' weights are shown.
    weights, membership
        (neuron, hidden).
    strongest
        (neuron,) assembly of the largest weight, -1 for none.
    order
        (hidden,) units, similar ones next to each other.
    rule
        How members were chosen.
    partners, couplings
        (neuron, place) strongest partners and their couplings in nats; None without a reading.
    frames
        Recorded ones first.
    clamps
        What becomes of the neurons with each hidden unit held.
    bin_width_s
        Seconds per bin.
    tuned, tuned_names
        (neuron,) number of the column or covariate that its strongest assembly is tuned to most, -1
        for none, and their names; None without behaviour.
    """

    title: str
    version: str
    ids: Sequence[str]
    regions: Sequence[str]
    xyz_um: Floats
    rates: Floats
    model: RBM
    weights: Floats
    membership: NDArray[np.bool_]
    strongest: Indices
    order: Indices
    rule: str
    partners: Indices | None
    couplings: Floats | None
    frames: tuple[Frames, ...]
    clamps: Clamps
    bin_width_s: float
    tuned: Indices | None = None
    tuned_names: Sequence[str] = ()


def scene_of(
    run: TrainingRun,
    activity: Activity,
    model: RBM,
    samples: Samples | None,
    found: Interpretation | None,
    kept: Mapping[str, NDArray[Any]] | None = None,
) -> Scene:
    """Gather what the viewer shows.

    Parameters
    ----------
    run
        A finished run.
    activity, model
        What it was trained on, and its chosen model.
    samples
        Generated states, if it was evaluated.
    found
        What `interpret` read out of the model; without it, assemblies are found by their weights as
        `interpret` finds them, and there are no couplings.
    kept
        What `evaluate` kept for figures, a free run of a model with a context among it.
    """
    train = activity.states_of("train")
    model = model.in_sign_gauge()
    if found is None:
        weights, _, assemblies = assemblies_of(
            model, train, Choices(), run.members(run.chosen_update)
        )
        membership, strongest, rule = assemblies.membership, assemblies.strongest, assemblies.rule
        order = order_by_activity(hidden_activity(model, some_bins(train, _ORDER_BINS)))
        atlas = Choices().regions_of(activity)
        regions = [""] * activity.n_neurons if atlas is None else atlas.labels().tolist()
    else:
        weights = found.weights.astype(np.float64)
        membership, strongest = found.membership, found["neurons/strongest_assembly"]
        rule, order = str(found.summary["assemblies"]["rule"]), found["assemblies/order"]
        regions = [str(name) for name in found["neurons/region"]]
    partners, couplings = _partners(found)
    behaving = found is not None and "behaviour/names" in found
    return Scene(
        title=Path(activity.source.path).name,
        version=str(run.info.get("environment", {}).get("boltzbrain", "")),
        ids=[str(name) for name in activity.neurons["id"]],
        regions=regions,
        xyz_um=positions(activity),
        rates=train.mean(axis=0, dtype=np.float64),
        model=model,
        weights=weights,
        membership=membership,
        strongest=strongest,
        order=order,
        rule=rule,
        partners=partners,
        couplings=couplings,
        frames=(
            _recorded(activity),
            *(() if samples is None else (drawn(samples, run.plan.context is not None),)),
            *_free_run(kept or {}, activity.n_neurons),
        ),
        clamps=_clamps(run, model, train, samples, found),
        bin_width_s=activity.bin_width_s,
        tuned=tuned_to(found) if found is not None and behaving else None,
        tuned_names=[str(one) for one in found["behaviour/names"]] if found and behaving else (),
    )


def _clamps(
    run: TrainingRun,
    model: RBM,
    train: NDArray[np.uint8],
    samples: Samples | None,
    found: Interpretation | None,
) -> Clamps:
    """Return what a reading holds; found anew where there is none, or an older one."""
    kept = None if found is None else kept_clamps(found)
    if kept is not None:
        return kept
    generator = Generator.from_seed(run.plan.seed, "viewer", "clamped")
    return find_clamps(model, train, None if samples is None else samples.states, generator)


def _partners(found: Interpretation | None) -> tuple[Indices | None, Floats | None]:
    if found is None or "couplings/partners" not in found:
        return None, None
    return (
        found["couplings/partners"][:, :_PARTNERS],
        found["couplings/partner_values"][:, :_PARTNERS],
    )


def _recorded(activity: Activity) -> Frames:
    """Return the whole recording where it fits, else the test fold, without one the training's."""
    most = min(_MOST_FRAMES, max(1, _MOST_STATES // activity.n_neurons))
    name, bins = "all folds", np.arange(activity.n_bins)
    if len(bins) > most:
        name, bins = "test fold", activity.bins_of("test")
    if not len(bins):
        name, bins = "training fold", activity.bins_of("train")
    whole = len(bins)
    bins = bins[:most]
    segment = activity.segment[bins]
    # a fold may skip bins within a segment
    breaks = np.flatnonzero((np.diff(segment) != 0) | (np.diff(bins) != 1)) + 1
    some = f"the first {len(bins):,} of {whole:,}" if len(bins) < whole else f"all {whole:,}"
    width = f"{1000 * activity.bin_width_s:.4g} ms"
    what = "recording" if name == "all folds" else name
    words = f"Recorded: {some} bins of the {what}, {width} each."
    if len(breaks):
        words += " Grey lines: the next segment or piece of the fold begins, at another time."
    bands, names, are = _bands(activity, bins, breaks)
    words += f" Coloured: {are}s{_coloured(names)}." if bands else ""
    return Frames(
        "recorded", f"recorded ({name})", words, activity.states[bins], breaks.tolist(),
        timed=True, bands=bands, band_names=names, bands_are=are,
    )  # fmt: skip


def _coloured(names: Sequence[str]) -> str:
    """Return which colour each of a few stretches has."""
    if len(names) > len(COLOUR_WORDS):
        return ""
    return f" ({', '.join(f'{one} {of}' for one, of in zip(COLOUR_WORDS, names, strict=False))})"


def _bands(
    activity: Activity, bins: Indices, breaks: Indices
) -> tuple[list[tuple[int, int, int]], list[str], str]:
    """Return stretches of epochs, without any those of folds, their names, and what they are."""
    epoch = None if activity.epoch is None else activity.epoch[bins]
    if epoch is not None and (epoch >= 0).any():
        number, names, are = epoch.astype(np.int64), list(activity.epoch_names), "epoch"
    else:
        number, names, are = activity.fold[bins].astype(np.int64), _FOLD_NAMES, "fold"
        if (number == number[0]).all():
            return [], [], ""
    ends = np.union1d(np.flatnonzero(np.diff(number)) + 1, breaks)
    first = np.r_[0, ends].astype(np.int64)
    last = np.r_[ends, len(number)].astype(np.int64)
    of = number[first]
    used = sorted(set(of[of >= 0].tolist()))
    stretches = zip(first.tolist(), last.tolist(), of.tolist(), strict=True)
    bands = [(a, b, used.index(one)) for a, b, one in stretches if one >= 0]
    return bands, [names[one] for one in used], are


def drawn(samples: Samples, in_context: bool = False) -> Frames:
    """Return independent draws of the model, of one with a context each given a recorded one."""
    # one of each chain: those of one chain are correlated
    most = min(_MOST_DRAWS, max(1, _MOST_STATES // 4 // samples.states.shape[1]))
    states = samples.states[np.sort(np.unique(samples.chain, return_index=True)[1])[:most]]
    knows = "each given the context of a recorded bin" if in_context else "which knows no time"
    words = (
        f"Generated: {len(states):,} independent draws of the model, {knows}. Step from one to the "
        "next; there is no order in which they could be played."
    )
    return Frames("generated", "generated by the model", words, states, [], timed=False)


def _free_run(kept: Mapping[str, NDArray[Any]], neurons: int) -> list[Frames]:
    """Return what a model with a context generated bin after bin, if it is kept."""
    if "free_run/states" not in kept:
        return []
    most = min(_MOST_FRAMES, max(1, _MOST_STATES // neurons))
    states = np.unpackbits(kept["free_run/states"][:most], axis=1, count=neurons)
    breaks = np.flatnonzero(np.diff(kept["free_run/piece"][: len(states)])) + 1
    words = (
        f"Generated bin after bin: {len(states):,} bins in which the model knows its own past "
        "alone, and nothing of the recording."
    )
    words += " Grey lines: it begins anew." if len(breaks) else ""
    title = "generated in time"
    return [Frames("free-run", title, words, states, breaks.tolist(), timed=True)]
