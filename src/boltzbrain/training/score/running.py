"""The validation likelihood while a training runs, from the running estimate of log Z.

Weighted chains of their own follow the model (`sampling.running`); every few updates they give
log Z and, with it, the score of the validation bins, at a small part of the cost of an annealing.
The number of steps in which they follow is bounded by the cost of the updates between two scores.
A model that moves too fast for that sheds them: below an effective sample size of a tenth of the
chains they are lost, and give no score.

At each kept checkpoint annealed importance sampling checks the estimate. Where the two agree it
goes on from their mean, weighted by precision. Where they lie more than 1 nat per bin apart, or the
chains are lost, they are annealed anew and go on from the annealed value; the scores since the last
check are struck out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from boltzbrain.data.activity import Activity
from boltzbrain.data.clusters import Clusters, clusters_of
from boltzbrain.foundations.random import Generator
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.partition import LARGEST_GAP, LogPartition
from boltzbrain.sampling.running import RunningLogPartition
from boltzbrain.training.plan import TrainingPlan
from boltzbrain.training.score.likelihood_log import error_over_bins, independent_scores

CHAINS, FEWEST_CHAINS = 200, 10
"""Chains of the estimate: as many as drive the gradient, within these bounds."""
BINS = 2000
"""Most validation bins that are scored; of more, some are taken evenly."""
SHARE, STEP_COST = 0.03, 4.0
"""Share of the cost of the updates that following may have, and the cost of a step of one chain, in
sweeps of a chain: two free energies, a sweep and what there is around them. Costs are counted, not
timed, so that the same seed gives the same scores on any machine."""

COLUMNS = (
    "update",
    "log_partition",
    "log_partition_stderr",
    "validation_nats_per_bin",
    "validation_stderr",
    "validation_gain_stderr",
    "annealed",
)


@dataclass(frozen=True, eq=False)
class ScoredBins:
    """The validation bins that a running score looks at.

    Attributes
    ----------
    states
        (bin, neuron) uint8, on the device of the training.
    clusters
        What the error is computed over.
    independent
        (bin,) score of each bin under the independent model.
    """

    states: Tensor
    clusters: Clusters
    independent: Tensor

    @classmethod
    def of(cls, activity: Activity, field: Tensor, device: torch.device | str) -> ScoredBins | None:
        """Return those of an activity; None where it has no validation fold.

        Parameters
        ----------
        activity
            The activity.
        field
            (neuron,) fields of the independent model.
        device
            Where the bins are scored.
        """
        bins = activity.bins_of("validation")
        if not len(bins):
            return None
        if len(bins) > BINS:
            bins = bins[np.linspace(0, len(bins) - 1, BINS).round().astype(np.int64)]
        states = torch.from_numpy(activity.states[bins])
        independent = independent_scores(field.cpu(), states).to(device)
        return cls(states.to(device), clusters_of(activity, bins), independent)


def most_steps(plan: TrainingPlan, bins: int) -> int:
    """Return the most steps from one score to the next.

    Parameters
    ----------
    plan
        What an update costs, and how many lie between two scores.
    bins
        Number of validation bins that are scored.
    """
    update = plan.chains * plan.sweeps + plan.chains + plan.batch
    room = SHARE * (plan.score_every or 1) * update - bins
    return max(1, int(room / (STEP_COST * chains_of(plan))))


def chains_of(plan: TrainingPlan) -> int:
    """Return the number of chains of the running estimate."""
    return max(FEWEST_CHAINS, min(CHAINS, plan.chains))


@dataclass(frozen=True, eq=False)
class RunningScore:
    """The running estimate, and the scores that it gave so far.

    Attributes
    ----------
    running
        Weighted chains of the model as it stood at the last score.
    history
        (score, 7) float64, with the columns `COLUMNS`. The standard error of a score is that of
        log Z together with that over bins, clustered; that of its gain over the independent model
        is paired, bin by bin. "annealed" is 1 where the score of a
        checkpoint stands in for one that was struck out or is missing.
    offset
        Mean free energy of the scored bins less that of the whole validation fold, as it was at the
        last checkpoint: what a score of some bins is corrected by.
    lost
        Whether too few chains carry the estimate.
    checked_at
        Update of the last check.
    resets
        How often the chains were annealed anew.
    """

    running: RunningLogPartition
    history: Tensor
    offset: float = 0.0
    lost: bool = False
    checked_at: int = 0
    resets: int = 0

    @classmethod
    def start(cls, model: RBM, field: Tensor, plan: TrainingPlan) -> RunningScore:
        """Anneal chains to the model with which training starts.

        Parameters
        ----------
        model
            That model.
        field
            (neuron,) fields of the independent model.
        plan
            The plan of the training.
        """
        history = torch.empty((0, len(COLUMNS)), dtype=torch.float64)
        return cls(_annealed(model, field, plan, 0), history)

    def followed(
        self, model: RBM, update: int, bins: ScoredBins, plan: TrainingPlan
    ) -> RunningScore:
        """Carry the chains to the model of an update and score the validation fold.

        Chains that are lost stay where they are until the next check.

        Parameters
        ----------
        model
            The model to use after that update.
        update
            Updates done.
        bins
            The bins to score.
        plan
            The plan of the training.
        """
        if self.lost:
            return self
        running = self.running.update(model, most=most_steps(plan, len(bins.states)))
        estimate = running.estimate()
        if not estimate.reliable:
            return replace(self, running=running, lost=True)
        scores = -model.free_energy(bins.states) - estimate.value
        score = float(scores.mean()) + self.offset
        error, gain_error = (
            math.hypot(error_over_bins(values, bins.clusters), estimate.stderr)
            for values in (scores, scores - bins.independent)
        )
        history = _and(self.history, update, estimate, (score, error, gain_error), annealed=False)
        return replace(self, running=running, history=history)

    def checked(
        self,
        model: RBM,
        update: int,
        annealed: LogPartition,
        score: tuple[float, float, float],
        bins: ScoredBins,
        field: Tensor,
        plan: TrainingPlan,
    ) -> RunningScore:
        """Compare with annealed importance sampling of the model of a checkpoint, and anchor.

        An annealing that is itself unreliable checks nothing.

        Parameters
        ----------
        model, update
            That model, to which the chains were carried, and its update.
        annealed
            Its estimate of log Z.
        score
            Its score of the whole validation fold, nats per bin, the standard error, and that of
            the gain.
        bins
            The bins that running scores look at.
        field, plan
            As in `start`.
        """
        if not annealed.reliable:
            return self
        of_bins = float(model.free_energy(bins.states).mean())
        state = replace(self, checked_at=update, offset=of_bins + score[0] + annealed.value)
        gap = self.running.estimate().value - annealed.value
        if not self.lost and abs(gap) <= LARGEST_GAP:
            return replace(state, running=self.running.anchored(annealed))
        running = _annealed(model, field, plan, self.resets + 1).settled_at(annealed)
        sound = self.history[self.history[:, 0] <= self.checked_at]
        history = _and(sound, update, annealed, score, annealed=True)
        return replace(state, running=running, history=history, lost=False, resets=self.resets + 1)

    def to(self, device: torch.device) -> RunningScore:
        """Return this score with its chains on a device; the history stays with the host."""
        return replace(self, running=self.running.to(device))

    @property
    def newest(self) -> dict[str, float]:
        """The last row of the history by the names of its columns; empty before the first."""
        if not len(self.history):
            return {}
        return dict(zip(COLUMNS, self.history[-1].tolist(), strict=True))

    def frame(self) -> pd.DataFrame:
        """Return the scores so far as running.csv holds them."""
        frame = pd.DataFrame(self.history.numpy(), columns=list(COLUMNS))
        return frame.astype({"update": int, "annealed": int})

    def tensors(self) -> dict[str, Tensor]:
        """Return the whole state but the model as tensors, for a checkpoint."""
        return {
            **self.running.tensors(),
            "history": self.history,
            "offset": torch.tensor(self.offset, dtype=torch.float64),
            "state": torch.tensor([self.lost, self.checked_at, self.resets], dtype=torch.int64),
        }

    @classmethod
    def restore(cls, model: RBM, tensors: Mapping[str, Tensor]) -> RunningScore:
        """Return the state that `tensors` gave, with the model that its chains had then."""
        lost, checked_at, resets = (int(one) for one in tensors["state"])
        return cls(
            RunningLogPartition.restore(model, tensors),
            tensors["history"].cpu(),
            float(tensors["offset"]),
            bool(lost),
            checked_at,
            resets,
        )


def _annealed(model: RBM, field: Tensor, plan: TrainingPlan, number: int) -> RunningLogPartition:
    generator = Generator.from_seed(plan.seed, "online", number)
    return RunningLogPartition.start(
        model,
        generator,
        chains=chains_of(plan),
        visible_field=field.to(model.weights.device),
    )


def _and(
    history: Tensor,
    update: int,
    estimate: LogPartition,
    score: tuple[float, float, float],
    *,
    annealed: bool,
) -> Tensor:
    """Return the history with one more row."""
    row = [update, estimate.value, estimate.stderr, *score, annealed]
    return torch.cat([history, torch.tensor([row], dtype=torch.float64)])
