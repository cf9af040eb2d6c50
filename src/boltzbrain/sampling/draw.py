"""Drawing samples of a trained model, and how many of them are worth independent ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from boltzbrain.foundations.checks import bad_input, one_of, whole_number_in
from boltzbrain.foundations.memory import require_size
from boltzbrain.foundations.progress import Callback, Teller
from boltzbrain.foundations.random import Generator
from boltzbrain.model.independent import independent_field
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.gibbs import Chains
from boltzbrain.sampling.ladder import (
    Ladder,
    annealing_ladder,
    temperature_ladder,
    trajectory_ladder,
)
from boltzbrain.sampling.mixing import Mixing, diagnose_chains
from boltzbrain.sampling.moves.samples import sample_by_moves
from boltzbrain.sampling.tempering import LadderRun, sample_ladder, tuned

SAMPLERS = ("trajectory", "annealing", "temperature", "moves", "gibbs")

CHAINS, LADDER_SWEEPS, WARM_UP = 200, 2, 100
STEPS = 50
"""Fewest steps of each chain: fewer do not tell how the chains mix."""
_SAMPLE, _CHAIN = 5, 4
"""Bytes of a state of a sample, in float32 and as it is returned, and of a chain."""
GIBBS_SWEEPS, ANNEAL = 1000, 200
_WATCHED, _WATCHED_SWEEPS = 100, 50
"""Chains of the sampler "gibbs" that are swept on, and how far, to see how they mix."""


@dataclass(frozen=True)
class Drawn:
    """Samples and what is known of them.

    Attributes
    ----------
    states
        (sample, neuron) in {0, 1}.
    facts
        How they were drawn and how they mix, in the types of JSON: ``independent_samples`` is the
        number of independent samples that would give means as precisely, or null.
    """

    states: Tensor
    facts: dict[str, Any]


def draw(
    models: Sequence[RBM],
    states: Tensor,
    n: int,
    *,
    seed: int,
    sampler: str,
    chains: int | None,
    sweeps: int | None,
    warm_up: int | None,
    anneal: int | None,
    callbacks: Sequence[Callback],
) -> Drawn:
    """Draw samples of a model; see `api.sample` for the options.

    Parameters
    ----------
    models
        Models along the training, ascending; the last is drawn from, and the sampler "trajectory"
        alone uses the others.
    states
        (bin, visible) training states: ladders begin at independent neurons of their rates, and
        moves of hidden units are proposed from them.
    n, seed, callbacks
        As of `api.sample`.
    sampler
        "trajectory": chains on a ladder along the checkpoints of the training exchange states, so
        that those of the model mix (`sampling.tempering`); "annealing" and "temperature": on a
        ladder from independent neurons, or from a model without fields and weights. Rungs are added
        and dropped until neighbours exchange 40 % of the time. "moves": by `sampling.moves`.
        "gibbs": as many chains as samples, annealed and swept, one sample each (`RBM.sample`).
    chains
        Columns of the ladder, 200 if None; they take turns at giving a sample, each after 50 steps
        at least in all.
    sweeps
        Gibbs sweeps: of every rung between two samples of a column, 2 if None; or, for "gibbs",
        after annealing, 1000 if None.
    warm_up
        Steps of the ladder before the first sample, 100 if None.
    anneal
        Rungs of the annealing of "gibbs", 200 if None.

    Raises
    ------
    InputError
        If an option is out of range or does not belong to the sampler.
    """
    one_of("sampler", sampler, SAMPLERS)
    whole_number_in("n", n, low=1)
    foreign = {"chains": chains, "warm_up": warm_up} if sampler == "gibbs" else {"anneal": anneal}
    for name, value in foreign.items():
        if value is not None:
            raise bad_input(name, f"be left out with the sampler '{sampler}'", value)
    model = models[-1]
    require_size("n", n, each_bytes=_SAMPLE * len(model.visible), operations=_sweep(model))
    facts: dict[str, Any] = {"n": n, "seed": seed, "sampler": sampler}
    if sampler == "gibbs":
        sweeps = GIBBS_SWEEPS if sweeps is None else whole_number_in("sweeps", sweeps, low=0)
        anneal = ANNEAL if anneal is None else whole_number_in("anneal", anneal, low=0)
        for name, number in (("sweeps", sweeps), ("anneal", anneal)):
            require_size(name, number, steps=1.0, operations=n * _sweep(model))
        drawn = model.sample(n, seed=seed, sweeps=sweeps, anneal=anneal, callbacks=callbacks)
        mixing = _watched(model, drawn, seed)
        options = {"sweeps": sweeps, "anneal": anneal, "steps": _WATCHED_SWEEPS}
        return Drawn(drawn, {**facts, **options, "mixing": _plain(mixing)})
    chains = min(n, CHAINS) if chains is None else whole_number_in("chains", chains, low=1)
    thin = max(1, STEPS * chains // n)
    sweeps = LADDER_SWEEPS if sweeps is None else whole_number_in("sweeps", sweeps, low=1)
    warm_up = WARM_UP if warm_up is None else whole_number_in("warm_up", warm_up, low=0)
    # two rungs at least, each with all chains
    require_size("chains", chains, each_bytes=2 * _CHAIN * (len(model.visible) + len(model.hidden)))
    for name, number, times in (("warm_up", warm_up, 1), ("sweeps", sweeps, warm_up + 1)):
        require_size(name, number, steps=times, operations=2 * times * chains * _sweep(model))
    generator = Generator.from_seed(seed, "sample")
    options = {"chains": chains, "sweeps": sweeps, "warm_up": warm_up, "thin": thin}
    tell = Teller(callbacks, "sampling")
    if sampler == "moves":
        moved = sample_by_moves(model, states, n, generator, **options, tell=tell)
        facts |= {**options, "steps": moved.steps, "mixing": _plain(moved.mixing)}
        return Drawn(
            moved.samples, {**facts, "independent_samples": _at_most(moved.independent_samples, n)}
        )
    ladder = tuned(_ladder_of(models, independent_field(states), sampler, generator), generator)
    run = sample_ladder(ladder, n, generator.child("columns"), **options, tell=tell)
    options |= {"rungs": len(ladder), "steps": len(run.exchanges)}
    return Drawn(run.samples, {**facts, **options, **mixing_of(run, n)})


def _sweep(model: RBM) -> float:
    """Return the operations of a sweep of one chain: a multiplication and an addition both ways."""
    return 4.0 * model.weights.numel()


def _ladder_of(models: Sequence[RBM], field: Tensor, sampler: str, generator: Generator) -> Ladder:
    """Return the ladder to the last model, by the name of the sampler."""
    if sampler == "temperature":
        return temperature_ladder(models[-1], generator)
    if sampler == "annealing":
        return annealing_ladder(models[-1], generator, visible_field=field)
    return trajectory_ladder(list(models), generator, visible_field=field)


def _watched(model: RBM, states: Tensor, seed: int) -> dict[str, Mixing]:
    """Return how fast the chains that gave the samples forget them."""
    generator = Generator.from_seed(seed, "sample", "watched")
    visible = states[:_WATCHED]
    hidden = model.hidden.sample(model.inputs_to_hidden(visible), generator)
    return diagnose_chains(model, Chains(visible, hidden, generator), _WATCHED_SWEEPS)[1]


def mixing_of(run: LadderRun, n: int) -> dict[str, Any]:
    """Return how the ladder and the states of its highest rung mix, in the types of JSON.

    Of `n` samples that are a part of these states, at most `n` are independent.
    """
    return {
        "independent_samples": _at_most(run.independent_samples, n),
        "least_acceptance": float(run.acceptance.min()),
        "acceptance": run.acceptance.tolist(),
        "flow": [None if np.isnan(share) else float(share) for share in run.flow],
        "round_trips": run.round_trips,
        "mixing": _plain(run.mixing),
    }


def _at_most(count: float | None, n: int) -> float | None:
    return None if count is None else min(count, float(n))


def _plain(mixing: Mapping[str, Mixing]) -> dict[str, Any]:
    return {
        name: {
            "autocorrelation_time": one.autocorrelation_time,
            "effective_samples": one.effective_samples,
            "r_hat": one.r_hat,
        }
        for name, one in mixing.items()
    }
