"""Four estimates of the log-partition function of a trained model, each with its error.

*forward* anneals chains from independent neurons to the model and is the one that scores use. The
others check it, each by another road: *trajectory* by bridges between the rungs of a ladder along
the checkpoints of the training, *backward* by annealing that ladder's states of the model back to
independent neurons, *running* by reweighting chains from checkpoint to checkpoint. What may not be
trusted, by itself or beside the others, is said in words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from boltzbrain.evaluation.samples import affordable
from boltzbrain.foundations.checks import Undefined
from boltzbrain.foundations.progress import SILENT, Teller
from boltzbrain.foundations.random import Generator
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.bridge import bridge_log_partition
from boltzbrain.sampling.ladder import annealing_ladder, trajectory_ladder
from boltzbrain.sampling.moves.annealing import annealed_back_by_moves, annealed_by_moves
from boltzbrain.sampling.moves.hidden import advance_by_moves
from boltzbrain.sampling.moves.proposal import proposal_from
from boltzbrain.sampling.moves.samples import chains_apart
from boltzbrain.sampling.partition import (
    LogPartition,
    annealed_importance,
    annealed_importance_backward,
    bootstrap_log_mean,
    disagreement,
    effective_sample_size,
    log_mean_exp,
)
from boltzbrain.sampling.running import RunningLogPartition
from boltzbrain.sampling.tempering import sample_ladder

CHAINS = 500
"""Chains of the forward estimate of a model of up to a million weights."""

METHODS = ("forward", "backward", "trajectory", "running")

_BATCHES = 4
"""Parts in which the chains of the forward estimate run, so that progress can be told."""

_STEPS = len(METHODS) - 1 + _BATCHES
_COLUMNS, _WARM_UP, _LADDER_STEPS = 100, 40, 60
_RUNNING_CHAINS = 500

_MOVED_RUNGS = 100
_ONLY_SWEEPS = "its chains only sweep, which does not switch the assemblies of this model"

NO_CHECKPOINTS = "the model was given without the checkpoints of its training"


def log_partitions(
    model: RBM,
    field: Tensor,
    seed: int,
    *,
    checkpoints: Sequence[RBM] = (),
    chains: int | None = None,
    rungs: int = 1000,
    tell: Teller = SILENT,
) -> dict[str, LogPartition | Undefined]:
    """Estimate log Z of a model in every way that there is.

    Parameters
    ----------
    model
        The model.
    field
        (visible,) fields of the independent model with the rates of the training fold.
    seed
        Seed of every stream used.
    checkpoints
        Models in the order of the training, the last of them the model. Without them the ladder is
        one of annealing, and the estimates along the training do not exist.
    chains, rungs
        Of the forward estimate. None takes 500 chains; a model of more than a million weights gets
        fewer in proportion, at least 200. The other estimates scale with them.
    tell
        Told the steps.

    Returns
    -------
    dict
        By the names in `METHODS`.
    """
    chains = affordable(model, most=CHAINS, fewest=200) if chains is None else chains
    forward = forward_log_partition(
        model, field, seed, chains=chains, rungs=rungs, tell=tell.part(0, _STEPS)
    )
    tell(_BATCHES, _STEPS)
    generator = Generator.from_seed(seed, "evaluation", "ladder")
    columns = max(10, min(chains, affordable(model, most=_COLUMNS, fewest=20)))
    ladder = (
        trajectory_ladder(checkpoints, generator, visible_field=field)
        if checkpoints
        else annealing_ladder(model, generator, visible_field=field)
    )
    run = sample_ladder(
        ladder,
        columns * _LADDER_STEPS,
        generator.child("columns"),
        chains=columns,
        warm_up=_WARM_UP,
    )
    trajectory: LogPartition | Undefined = Undefined(NO_CHECKPOINTS)
    running: LogPartition | Undefined = Undefined(NO_CHECKPOINTS)
    if checkpoints:
        trajectory = bridge_log_partition(ladder, run.exchanges, generator)
    tell(_BATCHES + 1, _STEPS)
    # the columns are independent of one another, so one state of each is taken
    backward = annealed_importance_backward(
        model,
        run.replicas.visible[-1],
        Generator.from_seed(seed, "evaluation", "backward"),
        rungs=rungs,
        visible_field=field,
    )
    tell(_BATCHES + 2, _STEPS)
    if checkpoints:
        running = _running(checkpoints, field, seed, min(chains, _RUNNING_CHAINS))
    tell(_STEPS, _STEPS)
    return {
        "forward": forward,
        "backward": backward,
        "trajectory": trajectory,
        "running": running,
    }


def log_partitions_by_moves(
    model: RBM, train: Tensor, seed: int, *, tell: Teller = SILENT
) -> dict[str, LogPartition | Undefined]:
    """Estimate log Z, forwards and backwards, by chains that switch hidden units.

    Chains that only sweep would be annealed into one mode of such a model, and agree there.

    Parameters
    ----------
    model
        Real-valued hidden units.
    train
        (bin, visible) training states, from which moves are proposed.
    seed
        Seed of every stream used.
    tell
        Told the steps.

    Returns
    -------
    dict
        By the names in `METHODS`.
    """
    chains = affordable(model, most=CHAINS, fewest=200)
    generator = Generator.from_seed(seed, "evaluation", "moves")
    forward = annealed_by_moves(model, train, generator, chains=chains, rungs=_MOVED_RUNGS)
    tell(1, 2)
    stream = generator.child("backward")
    apart = chains_apart(model, train, chains, stream)
    proposal = proposal_from(model, train, stream)
    hidden = advance_by_moves(model, apart, proposal, _WARM_UP).hidden
    backward = annealed_back_by_moves(model, train, hidden, stream, rungs=_MOVED_RUNGS)
    tell(2, 2)
    return {
        "forward": forward,
        "backward": backward,
        "trajectory": Undefined(_ONLY_SWEEPS),
        "running": Undefined(_ONLY_SWEEPS),
    }


def unreliable(estimates: Mapping[str, LogPartition | Undefined]) -> list[str]:
    """Say in words what must not be trusted: no sentence, no doubt.

    An estimate is doubted if its effective sample size is below a tenth of its chains, and the
    forward one beside any other that lies more than 1 nat per bin from it.
    """
    known = {name: one for name, one in estimates.items() if isinstance(one, LogPartition)}
    forward = known["forward"]
    doubts = [one.warning for one in known.values()]
    doubts += [disagreement(forward, one) for name, one in known.items() if name != "forward"]
    return [words for words in doubts if words is not None]


def forward_log_partition(
    model: RBM,
    field: Tensor,
    seed: int,
    *,
    chains: int | None = None,
    rungs: int = 1000,
    tell: Teller = SILENT,
) -> LogPartition:
    """Estimate log Z by annealing alone, in batches of chains, each from a stream of its own.

    Parameters are those of `log_partitions`.
    """
    chains = affordable(model, most=CHAINS, fewest=200) if chains is None else chains
    parts = []
    batch = max(10, -(-chains // _BATCHES))
    for number in range(_BATCHES):
        tell(number, _BATCHES)
        generator = Generator.from_seed(seed, "evaluation", "ais", number)
        estimate = annealed_importance(
            model, generator, chains=batch, rungs=rungs, visible_field=field
        )
        parts.append(estimate.log_weights)
    log_weights = torch.cat(parts)
    generator = Generator.from_seed(seed, "evaluation", "bootstrap")
    return LogPartition(
        log_mean_exp(log_weights),
        bootstrap_log_mean(log_weights, generator),
        effective_sample_size(log_weights),
        log_weights,
        "forward",
    )


def _running(checkpoints: Sequence[RBM], field: Tensor, seed: int, chains: int) -> LogPartition:
    """Carry weighted chains from checkpoint to checkpoint."""
    generator = Generator.from_seed(seed, "evaluation", "running")
    state = RunningLogPartition.start(checkpoints[0], generator, chains=chains, visible_field=field)
    for model in checkpoints[1:]:
        state = state.update(model)
    return state.estimate()
