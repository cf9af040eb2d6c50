"""RBMs in the table of the baselines: the model that was trained, and one of Gaussian hidden units.

A Gaussian-hidden RBM is a Hopfield model: integrating its hidden units out leaves a pairwise model
whose couplings have their rank (Barra, Bernacchia, Santucci and Contucci, Neural Networks 34:1,
2012). It is trained as any RBM is, by the recipe `binary`.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.baselines.protocol import Baseline, Fit, Trial, Unfitted
from boltzbrain.baselines.search import lies_at_edge
from boltzbrain.data.activity import Activity
from boltzbrain.evaluation.conditional import effective_fields
from boltzbrain.evaluation.in_context.hidden_states import KnownStates
from boltzbrain.evaluation.likelihood import log_likelihood
from boltzbrain.evaluation.partitions import log_partitions, unreliable
from boltzbrain.evaluation.samples import draw_samples
from boltzbrain.foundations.checks import TrainingFailedError, Undefined, has_shape
from boltzbrain.foundations.random import Generator
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.independent import independent_field
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.partition import LogPartition
from boltzbrain.training.plan import TrainingPlan, make_plan
from boltzbrain.training.train import train

L2_PENALTIES = (0.002, 0.008, 0.03)

_BINS = 64


@dataclass(frozen=True, eq=False)
class Trained(Baseline):
    """An RBM that `training` made.

    Attributes
    ----------
    model
        The model.
    forward
        Its log Z by annealing.
    unreliable
        What makes that estimate unreliable, see `evaluation.partitions.unreliable`.
    """

    name: ClassVar[str] = "rbm"
    title: ClassVar[str] = "RBM"
    gives: ClassVar[frozenset[str]] = frozenset(
        {"log_likelihood", "conditional", "reconstruction", "samples", "assemblies"}
    )

    model: RBM
    forward: LogPartition
    unreliable: tuple[str, ...]

    def log_likelihood(self, states: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return log P(v) of every bin, (bin,) nats."""
        return log_likelihood(self.model, self.forward.value, states)

    def log_partition(self) -> LogPartition:
        """Return the estimate of log Z by annealing."""
        return self.forward

    def doubts(self) -> list[str]:
        """Say in words why log Z must not be trusted."""
        return list(self.unreliable)

    def conditional(self, states: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the effective fields, exact, (bin, neuron)."""
        parts = [
            effective_fields(self.model, part) for part in torch.from_numpy(states).split(_BINS)
        ]
        result: NDArray[np.float32] = torch.cat(parts).to(torch.float32).numpy()
        return result

    def reconstruction(self, states: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the log-odds of every neuron given the mean of the hidden units, (bin, neuron)."""
        hidden = self.model.mean_hidden(torch.from_numpy(states))
        odds = self.model.inputs_to_visible(hidden) + self.model.visible.parameters()["field"]
        result: NDArray[np.float32] = odds.to(torch.float32).numpy()
        return result

    def samples(self, n: int, generator: Generator) -> NDArray[np.uint8]:
        """Return generated states (n, neuron), each of an annealed chain of its own."""
        seed = int(generator.integers(2**31, 1)[0])
        drawn = draw_samples(self.model, seed, chains=n, sweeps=100)
        return drawn.states[:n]

    def assemblies(self) -> NDArray[np.float64]:
        """Return the weights, (neuron, hidden)."""
        result: NDArray[np.float64] = self.model.weights.to("cpu", torch.float64).numpy()
        return result


@dataclass(frozen=True, eq=False)
class TrainedInContext(Trained):
    """An RBM with a context; `model` is it read without one.

    Attributes
    ----------
    ahead
        (bin,) log P of every test bin given its context, nats.
    states
        Its hidden states, which without time are as often as they are held; None without any.
    """

    title: ClassVar[str] = "RBM with a context"
    uses_time: ClassVar[bool] = True

    ahead: NDArray[np.float64]
    states: KnownStates | None = None

    def log_likelihood(self, states: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return log P(v) of every bin read without time, (bin,) nats."""
        known = self.states
        if known is None:
            return super().log_likelihood(states)
        return known.states.without_time(states, known.rbm)

    def predictive(self, given: Sequences) -> NDArray[np.float64]:
        """Return the scores of the test bins, which alone are known."""
        has_shape("the test bins", given.states, (len(self.ahead), None))
        return self.ahead


@dataclass(frozen=True, eq=False)
class Hopfield(Trained):
    """The Gaussian-hidden RBM.

    Attributes
    ----------
    backward
        Its log Z by annealing states of the model back, to check the other.
    """

    name: ClassVar[str] = "hopfield"
    title: ClassVar[str] = "Gaussian-hidden RBM"
    gives: ClassVar[frozenset[str]] = Trained.gives | {"couplings"}

    backward: LogPartition

    def couplings(self) -> Tensor:
        """Return W W^T over the precisions, zero diagonal, (neuron, neuron)."""
        weights, precision = self.model.weights, self.model.hidden.parameters()["precision"]
        return ((weights / precision) @ weights.T).fill_diagonal_(0.0)


def fit_hopfield(
    activity: Activity,
    hidden: int,
    seed: int,
    *,
    penalties: Sequence[float] = L2_PENALTIES,
    updates: int | None = None,
    chains: int | None = None,
    rungs: int = 1000,
    settings: Mapping[str, Any] | None = None,
) -> Hopfield | Unfitted:
    """Train the Gaussian-hidden RBM, its L2 penalty chosen by the validation score.

    Parameters
    ----------
    activity
        What the RBM was trained on; the test fold has no part.
    hidden
        Number of hidden units, that of the RBM it stands beside.
    seed
        Seed of the trainings.
    penalties
        L2 penalties to try, each with a whole training.
    updates
        Of each training; those of the recipe where None.
    chains, rungs
        Of the estimates of log Z, see `evaluation.partitions.log_partitions`.
    settings
        Other hyperparameters of the trainings, by their names in the plan; those of the recipe
        where None.
    """
    started = time.monotonic()
    best: tuple[float, RBM, float] | None = None
    trials, spent = [], 0
    for penalty in penalties:
        plan = make_plan(
            "binary",
            hidden=hidden,
            hidden_kind="gaussian",
            seed=seed,
            l2=penalty,
            updates=updates,
            **(settings or {}),
        )
        with tempfile.TemporaryDirectory() as folder:
            found, done = _trained(activity, plan, Path(folder) / "run")
        spent += done
        if isinstance(found, Undefined):
            trials.append(Trial({"l2": penalty}, found))
            continue
        trials.append(Trial({"l2": penalty}, found[0]))
        if best is None or found[0] > best[0]:
            best = (*found, penalty)
    chosen = {} if best is None else {"l2": best[2], "hidden": hidden}
    fit = Fit(
        "persistent contrastive divergence by the recipe `binary`",
        spent,
        time.monotonic() - started,
        chosen,
        "log-likelihood, nats per validation bin",
        tuple(trials),
        lies_at_edge(chosen, trials),
    )
    if best is None:
        reasons = dict.fromkeys(
            trial.score.reason for trial in trials if isinstance(trial.score, Undefined)
        )
        return Unfitted(Hopfield.title, fit, f"{Hopfield.title}: {'; '.join(reasons)}")
    field = independent_field(torch.from_numpy(activity.states_of("train")))
    estimates = log_partitions(best[1], field, seed, chains=chains, rungs=rungs)
    forward, backward = estimates["forward"], estimates["backward"]
    assert isinstance(forward, LogPartition)
    assert isinstance(backward, LogPartition)
    fit = replace(fit, seconds=time.monotonic() - started)
    return Hopfield(fit, best[1], forward, tuple(unreliable(estimates)), backward)


def _trained(
    activity: Activity, plan: TrainingPlan, folder: Path
) -> tuple[tuple[float, RBM] | Undefined, int]:
    """Return the validation score and the model of a training, or why there is none; its updates.

    One penalty may fail where another serves, so a failed training is a trial without a score.
    """
    try:
        run = train(activity, plan, folder)
    except TrainingFailedError as error:
        failed = str(error).removeprefix(f"{folder}: ")
        return Undefined(f"the training with an L2 penalty of {plan.l2:g} failed: {failed}"), 0
    log = run.log()
    done = int(log["update"].iloc[-1])
    score = float(log.loc[log["update"] == run.chosen_update, "validation_nats_per_bin"].iloc[0])
    if not math.isfinite(score):
        words = f"its validation score with an L2 penalty of {plan.l2:g} is {score}"
        return Undefined(words), done
    return (score, run.best), done
