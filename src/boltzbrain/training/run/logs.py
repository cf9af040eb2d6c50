"""What a training that goes on leaves in its run folder: the logs and the checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from boltzbrain.foundations.disk.files import atomic_write
from boltzbrain.model.rbm import RBM
from boltzbrain.training.health.restarts import Interventions
from boltzbrain.training.run.checkpoints import Checkpoint
from boltzbrain.training.run.run import TrainingRun
from boltzbrain.training.score.likelihood_log import LikelihoodLog
from boltzbrain.training.score.running import RunningScore, ScoredBins
from boltzbrain.training.update.base_state import BaseState
from boltzbrain.training.update.normalisation import of_unit_variance

GOOD_EVERY = 100
"""Updates between two checkpoints to which a training that went wrong can go back."""


class TrainingLogs:
    """The files of one training.

    Parameters
    ----------
    run
        Its folder.
    likelihood
        Scores the models that are kept.
    bins
        Validation bins of the running score; None without one.
    interventions
        Kept checkpoints that a restart left behind are removed.

    Attributes
    ----------
    rows
        Rows of log.csv, those of the kept checkpoints.
    """

    def __init__(
        self,
        run: TrainingRun,
        likelihood: LikelihoodLog,
        bins: ScoredBins | None,
        interventions: Interventions,
    ) -> None:
        self.run, self.likelihood, self.bins = run, likelihood, bins
        self.rows = self._rows_of(interventions)

    def _rows_of(self, interventions: Interventions) -> list[dict[str, Any]]:
        """Return the rows of the kept checkpoints; those that a restart left behind are removed."""
        rows = []
        for one in self.run.checkpoints():
            kept = self.run.load(one.update)
            if interventions.includes(kept.interventions, kept.update):
                rows.append({name: one for name, one in kept.row.items() if name != "turned"})
            else:
                one.path.unlink()
        return rows

    def keep(self, state: BaseState, seconds: float) -> None:
        """Score the model, check the running score by it, and keep the checkpoint."""
        likelihood = self.likelihood
        estimate = likelihood.estimate(state.model, state.update, state.contexts)
        row = {**likelihood.row(state.model, state.update, estimate), "seconds": seconds}
        row |= {"learning_rate": state.learning_rate, "l1": state.penalties.l1}
        row["restarts"] = len(state.interventions.restarts)
        if state.running_score is not None and self.bins is not None:
            state.running_score = state.running_score.checked(
                state.model,
                state.update,
                estimate,
                (
                    row["validation_nats_per_bin"],
                    row["validation_stderr"],
                    row["validation_gain_stderr"],
                ),
                self.bins,
                likelihood.field,
                state.plan,
            )
            row["running_resets"] = state.running_score.resets
        self.rows.append(row)
        contexts = likelihood.told(state.contexts, state.model, estimate)
        path = self.run.checkpoint_path(state.update)
        self.run.write(path, replace(state.checkpoint(row, seconds), contexts=contexts))
        self.write_logs(state.running_score)

    def write_logs(self, running_score: RunningScore | None) -> None:
        """Write log.csv and, where there is a running score, running.csv."""
        with atomic_write(self.run.folder / "log.csv") as temporary:
            pd.DataFrame(self.rows).to_csv(temporary, index=False)
        if running_score is not None:
            with atomic_write(self.run.running_path) as temporary:
                running_score.frame().to_csv(temporary, index=False)

    def roll(self, state: BaseState, seconds: float) -> None:
        """Write the rolling checkpoint."""
        self.run.write(self.run.resume_path, state.checkpoint({}, seconds))
        self.write_logs(state.running_score)

    def write_good(self, state: BaseState, seconds: float) -> None:
        """Write a checkpoint to go back to; two alternate, so that the one before is there too."""
        path = self.run.good_paths[state.update // GOOD_EVERY % 2]
        self.run.write(path, state.checkpoint({}, seconds))

    def good(self, state: BaseState) -> Checkpoint:
        """Return the newest good checkpoint of this course but that of the last restart.

        Where there is no other, it serves again.
        """
        interventions = state.interventions
        found = [self.run.read(path) for path in self.run.good_paths if path.exists()]
        usable = [
            one
            for one in found
            if one.update <= state.update and interventions.includes(one.interventions, one.update)
        ]
        usable.sort(key=lambda one: one.update)
        last = interventions.restarts[-1].back_to if interventions.restarts else None
        fresh = [one for one in usable if one.update != last]
        return (fresh or usable)[-1]

    def restarted(self, state: BaseState, seconds: float) -> None:
        """Put a restart on record, and drop what it left behind.

        Once this is written the old course is never gone on with, even if the process is killed.
        """
        self.run.write(self.run.resume_path, state.checkpoint({}, seconds))
        self.rows = self._rows_of(state.interventions)
        self.write_logs(state.running_score)

    def scores_at(self, row: Mapping[str, Any]) -> Tensor:
        """Return the log-likelihood of every validation bin, (bin,), under the model of a row."""
        device = self.likelihood.states["validation"].device
        kept = self.run.load(row["update"])
        return self.likelihood.scores_at(row, kept.model.to(device), kept.contexts)

    def turn(self, update: int, state: BaseState) -> None:
        """Make a kept model one to read: the sign and variance of its units, exact zeros.

        A running mean of weights is never 0, so those count as 0 that the penalty holds there, and
        log Z is estimated anew where that puts any to 0. But for that the law of the neurons stays
        the same, and so do the live parameters.
        """
        kept, plan = self.run.load(update).to(state.data.device), state.plan
        if kept.row.get("turned"):
            return
        sparse, row, contexts = kept.model, {**kept.row, "turned": True}, kept.contexts
        if plan.penalties_at(update, kept.interventions.l1).l1:
            weights = torch.where(kept.live.weights == 0, 0.0, sparse.weights)
            if not torch.equal(weights, sparse.weights):
                sparse = RBM(sparse.visible, sparse.hidden, weights)
                estimate = self.likelihood.estimate(sparse, update, kept.contexts)
                row |= self.likelihood.row(sparse, update, estimate)
                contexts = self.likelihood.told(contexts, sparse, estimate)
        # the units of an anchored model are those of another, in its signs
        turned = sparse if plan.anchor is not None else sparse.in_sign_gauge()
        if contexts is not None:
            units = (turned.weights * sparse.weights).sum(dim=0) < 0
            contexts = contexts.flipped(units)
        if plan.normalised:
            turned = of_unit_variance(turned, state.data)
        # units of another size have another log Z: it moves with the free energies, the scores stay
        moved = sparse.free_energy(state.data) - turned.free_energy(state.data)
        row["log_partition"] += float(moved.to(torch.float64).mean())
        self.run.write(
            self.run.checkpoint_path(update),
            replace(kept, model=turned, row=row, contexts=contexts),
        )
        self.rows = self._rows_of(state.interventions)
        self.write_logs(state.running_score)
