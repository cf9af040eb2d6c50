"""What the viewer shows of a run, as plain data; interpreted and evaluated or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity
from boltzbrain.evaluation.samples import Samples
from boltzbrain.foundations.units import order_by_activity
from boltzbrain.interpretation.assemblies.find import assemblies_of, positions
from boltzbrain.interpretation.choices import Choices
from boltzbrain.interpretation.file import Interpretation
from boltzbrain.interpretation.marginal import Floats, Indices
from boltzbrain.interpretation.references import some_bins
from boltzbrain.model.hidden_activity import hidden_activity
from boltzbrain.model.rbm import RBM
from boltzbrain.training.run.run import TrainingRun

_MOST_FRAMES, _MOST_DRAWS = 4000, 500
_MOST_STATES = 160_000_000
_PARTNERS = 12
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
    """

    name: str
    title: str
    words: str
    states: NDArray[np.uint8]
    breaks: Sequence[int]
    timed: bool


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
    states, generated
        (state, neuron) samples of the model, or without any the training bins; which of both.
    bin_width_s
        Seconds per bin.
    seed
        Seed of what is drawn.
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
    states: NDArray[np.uint8]
    generated: bool
    bin_width_s: float
    seed: int


def scene_of(
    run: TrainingRun,
    activity: Activity,
    model: RBM,
    samples: Samples | None,
    found: Interpretation | None,
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
        frames=(_recorded(activity), *(() if samples is None else (drawn(samples),))),
        states=train if samples is None else samples.states,
        generated=samples is not None,
        bin_width_s=activity.bin_width_s,
        seed=run.plan.seed,
    )


def _partners(found: Interpretation | None) -> tuple[Indices | None, Floats | None]:
    if found is None or "couplings/partners" not in found:
        return None, None
    return (
        found["couplings/partners"][:, :_PARTNERS],
        found["couplings/partner_values"][:, :_PARTNERS],
    )


def _recorded(activity: Activity) -> Frames:
    bins = activity.bins_of("test")
    fold = "test" if len(bins) else "training"
    bins = bins if len(bins) else activity.bins_of("train")
    whole = len(bins)
    bins = bins[: min(_MOST_FRAMES, max(1, _MOST_STATES // activity.n_neurons))]
    segment = activity.segment[bins]
    # a fold may skip bins within a segment
    breaks = np.flatnonzero((np.diff(segment) != 0) | (np.diff(bins) != 1)) + 1
    some = f"the first {len(bins):,} of {whole:,}" if len(bins) < whole else f"all {whole:,}"
    width = f"{1000 * activity.bin_width_s:g} ms"
    words = f"Recorded: {some} bins of the {fold} fold, {width} each."
    if len(breaks):
        words += " Grey lines: the next segment or piece of the fold begins, at another time."
    title = f"recorded ({fold} fold)"
    return Frames("recorded", title, words, activity.states[bins], breaks.tolist(), timed=True)


def drawn(samples: Samples) -> Frames:
    """Return independent draws of the model."""
    # one of each chain: those of one chain are correlated
    most = min(_MOST_DRAWS, max(1, _MOST_STATES // 4 // samples.states.shape[1]))
    states = samples.states[np.sort(np.unique(samples.chain, return_index=True)[1])[:most]]
    words = (
        f"Generated: {len(states):,} independent draws of the model, which knows no time. Step "
        "from one to the next; there is no order in which they could be played."
    )
    return Frames("generated", "generated by the model", words, states, [], timed=False)
