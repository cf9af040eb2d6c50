"""Persistent contrastive divergence from the first update to the choice of the model."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from boltzbrain.foundations.checks import TrainingFailedError, bad_input
from boltzbrain.foundations.files import atomic_write
from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers import KINDS, Bernoulli, Layer
from boltzbrain.model.rbm import RBM
from boltzbrain.recordings.activity import Activity
from boltzbrain.sampling.gibbs import advance, start_chains
from boltzbrain.training.checkpoints import Checkpoint, write_checkpoint
from boltzbrain.training.gradient import Ascent, parameters_of, with_parameters
from boltzbrain.training.initial import component_weights
from boltzbrain.training.likelihood_log import LikelihoodLog
from boltzbrain.training.plan import TrainingPlan
from boltzbrain.training.run import TrainingRun

ROLLING_SECONDS = 30.0


@dataclass(frozen=True)
class Progress:
    """What a callback is told after every update.

    Attributes
    ----------
    phase
        "training", or "scoring" while a checkpoint's likelihood is estimated.
    update, updates
        Updates done and planned.
    seconds
        Seconds of training over all sittings.
    updates_per_second
        Over this sitting, scoring included; 0 before the first update.
    seconds_left
        Expected seconds until the last planned update, None before the first update.
    validation_nats_per_bin, validation_stderr, validation_gain
        Newest score on the validation fold, and its gain over the independent model; None until
        there is one.
    """

    phase: str
    update: int
    updates: int
    seconds: float
    updates_per_second: float
    seconds_left: float | None
    validation_nats_per_bin: float | None
    validation_stderr: float | None
    validation_gain: float | None


Callback = Callable[[Progress], None]


def train(
    activity: Activity,
    plan: TrainingPlan,
    folder: Path | str,
    callbacks: Sequence[Callback] = (),
    *,
    device: str = "cpu",
) -> TrainingRun:
    """Train an RBM on the training fold and keep the best checkpoint by the validation fold.

    Parameters
    ----------
    activity
        What the model sees, with its folds.
    plan
        Every hyperparameter.
    folder
        The run folder, made here.
    callbacks
        Called with a `Progress` after every update.
    device
        Torch device.

    Raises
    ------
    InputError
        If the folder already holds a run, or the training fold is empty.
    TrainingFailedError
        If the parameters leave the finite numbers.
    """
    if not len(activity.bins_of("train")):
        raise bad_input("train fold", "hold at least one bin", 0, file=activity.source.path)
    run = TrainingRun.create(Path(folder), activity, plan)
    return _Training(run, activity, plan, device).go_on(callbacks)


def resume(
    folder: Path | str, callbacks: Sequence[Callback] = (), *, device: str = "cpu"
) -> TrainingRun:
    """Go on with a run from its newest whole checkpoint; a finished run is returned as it is.

    The parameters and chains end bit for bit where an undisturbed training would have ended.

    Raises
    ------
    InputError
        If the folder holds no run.
    """
    run = TrainingRun.open(folder)
    run.remove_partial()
    if run.info["status"] == "finished":
        return run
    return _Training(run, run.activity(), run.plan, device).go_on(callbacks)


class _Training:
    """The state between two updates."""

    def __init__(
        self, run: TrainingRun, activity: Activity, plan: TrainingPlan, device: str
    ) -> None:
        self.run, self.plan, self.device = run, plan, device
        self.scores = LikelihoodLog.of(activity, plan)
        self.data = self.scores.states["train"].to(device)
        self.rows = [dict(run.load(one.update).row) for one in run.checkpoints()]
        newest = run.newest()
        if newest is None:
            self.update, self.seconds = 0, 0.0
            self.ascent = Ascent(self._first_model(), plan)
            self.chains = start_chains(
                self.ascent.model, plan.chains, Generator.from_seed(plan.seed, "chains")
            )
            self.mean = {name: value.clone() for name, value in self.ascent.parameters.items()}
        else:
            self.update, self.seconds = newest.update, newest.seconds
            self.ascent = Ascent(newest.live.to(device), plan)
            self.ascent.restore_optimizer(newest.optimizer)
            self.chains = newest.chains
            self.mean = parameters_of(newest.model)
        self.epoch, self.order = -1, np.empty(0, dtype=np.int64)

    def _first_model(self) -> RBM:
        """Return fields from the rates and small random weights."""
        plan, field = self.plan, self.scores.field.to(torch.float32)
        generator = Generator.from_seed(plan.seed, "weights")
        weights = plan.weight_std * generator.normal((len(field), plan.hidden))
        if plan.weights_from == "data":
            weights = weights + component_weights(self.data.cpu(), plan.hidden, plan.seed)
        hidden: Layer = KINDS[plan.hidden_kind].standard(plan.hidden)
        return RBM(Bernoulli(field), hidden, weights).to(self.device)

    def _batch(self) -> Tensor:
        """Return the training bins of this update: every bin once per epoch, in random order."""
        size, count = min(self.plan.batch, len(self.data)), len(self.data)
        if size == count:
            return self.data
        epoch, place = divmod(self.update, count // size)
        if epoch != self.epoch:
            generator = Generator.from_seed(self.plan.seed, "batch", epoch)
            self.epoch, self.order = epoch, generator.permutation(count)
        chosen = self.order[place * size : (place + 1) * size]
        return self.data[torch.from_numpy(chosen).to(self.device)]

    def _step(self) -> None:
        batch = self._batch()
        self.chains = advance(self.ascent.model, self.chains, self.plan.sweeps)
        self.update += 1
        self.ascent.step(batch, self.chains.visible, self.update)
        if self.plan.averaging:
            # the mean of few updates must not remember the first, random, parameters
            keep = min(self.plan.averaging, 1.0 - 1.0 / (1.0 + 0.1 * self.update))
            for name, value in self.mean.items():
                value.lerp_(self.ascent.parameters[name], 1.0 - keep)

    def _checkpoint(self, row: dict[str, Any]) -> Checkpoint:
        live = self.ascent.model
        model = with_parameters(live, self.mean) if self.plan.averaging else live
        return Checkpoint(
            self.update,
            model,
            live,
            self.chains,
            self.ascent.optimizer_tensors(),
            self.seconds,
            row,
        )

    def _keep(self) -> None:
        """Score the model and keep the checkpoint; the log is made of the kept rows."""
        row = {**self.scores.row(self._checkpoint({}).model, self.update), "seconds": self.seconds}
        row["learning_rate"] = self.plan.rate_at(self.update)
        self.rows.append(row)
        write_checkpoint(self.run.checkpoint_path(self.update), self._checkpoint(row))
        self._write_log()

    def _write_log(self) -> None:
        with atomic_write(self.run.folder / "log.csv") as temporary:
            pd.DataFrame(self.rows).to_csv(temporary, index=False)

    def _best(self) -> dict[str, Any]:
        """Return the row with the highest validation likelihood, the last without validation."""
        if "validation_nats_per_bin" not in self.rows[-1]:
            return self.rows[-1]
        return max(self.rows, key=lambda row: float(row["validation_nats_per_bin"]))

    def _out_of_patience(self) -> bool:
        if self.plan.patience is None or not self.rows:
            return False
        since = [row["update"] for row in self.rows if row["update"] > self._best()["update"]]
        return len(since) >= self.plan.patience

    def go_on(self, callbacks: Sequence[Callback]) -> TrainingRun:
        """Run the remaining updates, choose the model and close the run."""
        plan, kept = self.plan, set(self.plan.checkpoint_updates())
        first, before = self.update, self.seconds
        started = rolled = time.monotonic()
        while self.update < plan.updates and not self._out_of_patience():
            self._step()
            if not bool(torch.isfinite(self.ascent.model.weights).all()):
                raise TrainingFailedError(
                    f"{self.run.folder}: the weights left the finite numbers at update "
                    f"{self.update}; the last good checkpoint is intact. A smaller "
                    f"learning rate than {plan.learning_rate:g} may help."
                )
            now = time.monotonic()
            self.seconds = before + now - started
            if self.update in kept:
                self._tell(callbacks, "scoring", first, started)
                self._keep()
                rolled = time.monotonic()
            elif now - rolled >= ROLLING_SECONDS:
                write_checkpoint(self.run.resume_path, self._checkpoint({}))
                rolled = now
            self._tell(callbacks, "training", first, started)
        self._write_log()
        self.run.update_info(
            status="finished",
            chosen_update=self._best()["update"],
            updates_done=self.update,
            seconds=self.seconds,
        )
        self.run.resume_path.unlink(missing_ok=True)
        return self.run

    def _tell(self, callbacks: Sequence[Callback], phase: str, first: int, started: float) -> None:
        elapsed, done = time.monotonic() - started, self.update - first
        rate = done / elapsed if elapsed > 0 else 0.0
        newest = self.rows[-1] if self.rows else {}
        score = newest.get("validation_nats_per_bin")
        progress = Progress(
            phase=phase,
            update=self.update,
            updates=self.plan.updates,
            seconds=self.seconds,
            updates_per_second=rate,
            seconds_left=(self.plan.updates - self.update) / rate if rate else None,
            validation_nats_per_bin=score,
            validation_stderr=newest.get("validation_stderr"),
            validation_gain=None if score is None else score - newest["validation_independent"],
        )
        for callback in callbacks:
            callback(progress)
