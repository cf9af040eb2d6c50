"""Persistent contrastive divergence from the first update to the choice of the model."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
import torch

from boltzbrain.foundations.checks import TrainingFailedError, bad_input
from boltzbrain.foundations.files import atomic_write
from boltzbrain.foundations.random import Generator
from boltzbrain.model.rbm import RBM
from boltzbrain.recordings.activity import Activity
from boltzbrain.training import watch
from boltzbrain.training.checkpoints import Checkpoint, read_checkpoint, write_checkpoint
from boltzbrain.training.convergence import Status, assess
from boltzbrain.training.course import Course, Restart
from boltzbrain.training.likelihood_log import LikelihoodLog
from boltzbrain.training.normalisation import of_unit_variance
from boltzbrain.training.plan import TrainingPlan
from boltzbrain.training.run import TrainingRun
from boltzbrain.training.state import State

ROLLING_SECONDS = 30.0
GOOD_EVERY = 100
"""Updates between two checkpoints to which a training that went wrong can go back."""


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
    restarts
        Every time the training went wrong and went back to a good checkpoint.
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
    restarts: tuple[Restart, ...] = ()


Callback = Callable[[Progress], None]


def train(
    activity: Activity,
    plan: TrainingPlan,
    folder: Path | str,
    callbacks: Sequence[Callback] = (),
    *,
    device: str = "cpu",
) -> TrainingRun:
    """Train an RBM on the training fold and choose a checkpoint by the validation fold.

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
        If the training goes wrong and no restart mends it.
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
    TrainingFailedError
        If the training goes wrong and no restart mends it, now or before.
    """
    run = TrainingRun.open(folder)
    run.remove_partial()
    if run.info["status"] == "finished":
        run.remove_passing()
        return run
    if run.info["status"] == "failed":
        raise TrainingFailedError(f"{run.folder}: {run.info['convergence']['reason']}")
    return _Training(run, run.activity(), run.plan, device).go_on(callbacks)


class _Training:
    """A training and its run folder."""

    def __init__(
        self, run: TrainingRun, activity: Activity, plan: TrainingPlan, device: str
    ) -> None:
        self.run, self.plan = run, plan
        self.scores = LikelihoodLog.of(activity, plan)
        data = self.scores.states["train"].to(device)
        newest = run.newest()
        self.seconds = 0.0 if newest is None else newest.seconds
        self.state = State(plan, data, self.scores.field, newest)
        self.rows = self._rows_of_course()
        if newest is None:
            if plan.l1_choices and "validation" not in self.scores.states:
                # nothing can choose the penalty: the plan's own is taken
                self.state.course = Course(l1=plan.l1)
            self._write_good()

    def _rows_of_course(self) -> list[dict[str, Any]]:
        """Return the rows of the kept checkpoints; those that a restart left behind are removed."""
        rows = []
        for one in self.run.checkpoints():
            kept = read_checkpoint(one.path)
            if self.state.course.includes(kept.course, kept.update):
                rows.append({name: one for name, one in kept.row.items() if name != "turned"})
            else:
                one.path.unlink()
        return rows

    def _keep(self) -> None:
        """Score the model and keep the checkpoint; the log is made of the kept rows."""
        state = self.state
        row = {**self.scores.row(state.model, state.update), "seconds": self.seconds}
        row |= {"learning_rate": state.learning_rate, "l1": state.penalties.l1}
        row["restarts"] = len(state.course.restarts)
        self.rows.append(row)
        path = self.run.checkpoint_path(state.update)
        write_checkpoint(path, state.checkpoint(row, self.seconds))
        self._write_log()

    def _write_log(self) -> None:
        with atomic_write(self.run.folder / "log.csv") as temporary:
            pd.DataFrame(self.rows).to_csv(temporary, index=False)

    def _write_good(self) -> None:
        """Write a checkpoint to go back to; two alternate, so that the one before is there too."""
        path = self.run.good_paths[self.state.update // GOOD_EVERY % 2]
        write_checkpoint(path, self.state.checkpoint({}, self.seconds))

    def _good(self) -> Checkpoint:
        """Return the newest good checkpoint of this course but that of the last restart.

        Where there is no other, it serves again.
        """
        course = self.state.course
        found = [read_checkpoint(path) for path in self.run.good_paths if path.exists()]
        usable = [
            one
            for one in found
            if one.update <= self.state.update and course.includes(one.course, one.update)
        ]
        usable.sort(key=lambda one: one.update)
        last = course.restarts[-1].back_to if course.restarts else None
        fresh = [one for one in usable if one.update != last]
        return (fresh or usable)[-1]

    def _mend(self, found: watch.Symptom) -> None:
        """Go back to the last good checkpoint, and go on with the next smaller steps.

        Raises
        ------
        TrainingFailedError
            If every mend was tried.
        """
        state, course = self.state, self.state.course
        if found.kind == "collapse" and self._choosing and self._choose_penalty():
            return
        good = self._good()
        if course.exhausted:
            self._fail(f"at update {state.update} the training {found.reason}", good.update)
        restart = Restart(state.update, good.update, found.reason)
        state.restore(good)
        state.course = course.restarted(restart)
        smaller = [one for one in self.plan.l1_choices or () if one < (course.l1 or 0.0)]
        if found.kind == "collapse" and smaller:
            # it was the penalty that took the units out, and slower it would do so again
            state.course = replace(state.course, l1=smaller[-1])
        # once this is written the old course is never gone on with, even if the process is killed
        write_checkpoint(self.run.resume_path, state.checkpoint({}, self.seconds))
        self.rows = self._rows_of_course()
        self._write_log()

    def _fail(self, reason: str, good: int) -> NoReturn:
        """Close the run as failed, its good checkpoints left where they are."""
        course, plan = self.state.course, self.plan
        self.run.resume_path.unlink(missing_ok=True)
        self.run.update_info(
            status="failed",
            updates_done=good,
            seconds=self.seconds,
            convergence=_verdict("failed", course, reason),
        )
        advice = f"a smaller learning rate than {plan.learning_rate / course.rate_divisor:g}"
        if plan.l1_at(plan.updates, course.l1):
            advice += f" or a smaller L1 penalty than {self.state.penalties.l1:g}"
        raise TrainingFailedError(
            f"{self.run.folder}: {reason}; {len(course.restarts)} restarts did not mend it. The "
            f"last good checkpoint, of update {good}, is intact. Try {advice}."
        )

    @property
    def _choosing(self) -> bool:
        """Whether the L1 penalty is still to be chosen."""
        return self.plan.l1_choices is not None and self.state.course.l1 is None

    def _choose_penalty(self) -> bool:
        """Go on from the trial that the validation fold chooses; False if none has ended yet.

        That is the largest penalty whose score is within one standard error of the best (Hastie,
        Tibshirani and Friedman, The Elements of Statistical Learning, 2009, section 7.10).
        """
        length = self.plan.trial_length
        ends = range(length, self.plan.trial_updates + 1, length)
        trials = [row for row in self.rows if row["update"] in ends]
        if not trials:
            return False
        best = max(trials, key=lambda row: float(row["validation_nats_per_bin"]))
        enough = float(best["validation_nats_per_bin"]) - float(best["validation_stderr"])
        best = [row for row in trials if float(row["validation_nats_per_bin"]) >= enough][-1]
        state, update, course = self.state, self.state.update, self.state.course
        state.restore(self.run.load(best["update"]))
        state.update, state.course = update, replace(course, l1=best["l1"])
        return True

    @property
    def _candidates(self) -> list[dict[str, Any]]:
        """Rows of the checkpoints among which the model is chosen: not those of the trials."""
        after = [row for row in self.rows if row["update"] > self.plan.trial_updates]
        return after if self.plan.l1_choices and "validation" in self.scores.states else self.rows

    def _best(self) -> dict[str, Any]:
        """Return the row with the highest validation likelihood, the last without validation."""
        if "validation" not in self.scores.states:
            return self._candidates[-1]
        best: dict[str, Any] = max(
            self._candidates, key=lambda row: float(row["validation_nats_per_bin"])
        )
        return best

    def _choice(self) -> dict[str, Any]:
        """Return the row of the latest model that is as good as the best, within one error.

        Later ones have forgotten more of the noise of large steps, which the likelihood of real
        bins does not show: what it shows is the only reason to go back to an earlier one. The error
        is that of the difference bin by bin, and of both estimates of log Z.
        """
        best: dict[str, Any] = self._best()
        model = self.run.load(best["update"]).model
        for row in reversed(self._candidates):
            if row is best:
                break
            behind = float(best["validation_nats_per_bin"]) - float(row["validation_nats_per_bin"])
            error = math.hypot(
                self.scores.error_between(model, self.run.load(row["update"]).model),
                best["log_partition_stderr"],
                row["log_partition_stderr"],
            )
            if behind <= error:
                best = row
                break
        return best

    def _out_of_patience(self) -> bool:
        if self.plan.patience is None or not self._candidates:
            return False
        best = int(self._best()["update"])
        since = [row for row in self._candidates if int(row["update"]) > best]
        return len(since) >= self.plan.patience

    def go_on(self, callbacks: Sequence[Callback]) -> TrainingRun:
        """Run the remaining updates, choose the model and close the run."""
        plan, state, kept = self.plan, self.state, set(self.plan.checkpoint_updates())
        before, done = self.seconds, 0
        started = rolled = time.monotonic()
        while state.update < plan.updates and not self._out_of_patience():
            if self._choosing and state.update >= plan.trial_updates:
                self._choose_penalty()
            state.step()
            done += 1
            now = time.monotonic()
            self.seconds = before + now - started
            keeping = state.update in kept
            look = keeping or state.update % watch.EVERY == 0 or not state.finite
            found = state.symptom() if look else None
            if found is not None:
                self._mend(found)
            else:
                # before anything from which a killed training would go on
                if state.update % GOOD_EVERY == 0:
                    self._write_good()
                if keeping:
                    self._tell(callbacks, "scoring", done, started)
                    self._keep()
                    rolled = time.monotonic()
                elif now - rolled >= ROLLING_SECONDS:
                    write_checkpoint(self.run.resume_path, state.checkpoint({}, self.seconds))
                    rolled = now
            self._tell(callbacks, "training", done, started)
        return self._finish()

    def _finish(self) -> TrainingRun:
        """Choose the model, judge the training by where it ended, and close the run."""
        self._write_log()
        if self.run.info["chosen_update"] is None:
            self.run.update_info(
                chosen_update=self._choice()["update"],
                updates_done=self.state.update,
                seconds=self.seconds,
                convergence=self._judged(),
            )
        # nothing above is done again after a kill below, when a checkpoint is no longer what it was
        self._turn(self.run.info["chosen_update"])
        self.run.update_info(status="finished")
        self.run.remove_passing()
        return self.run

    def _judged(self) -> dict[str, Any]:
        """Return what run.json says of the convergence of the model at the end."""
        state = self.state
        found = assess(
            state.model,
            state.data,
            state.chains,
            penalties=state.penalties,
            generator=Generator.from_seed(self.plan.seed, "convergence", state.update),
        )
        reason = "; ".join(found.complaints()) or None
        status: Status = "recovered" if state.course.restarts else "converged"
        return {
            **_verdict("failed" if reason else status, state.course, reason),
            **found.to_json(),
        }

    def _turn(self, update: int) -> None:
        """Make the chosen model one to read: the sign and variance of its units, exact zeros.

        A running mean of weights is never 0, so those count as 0 that the penalty holds there. But
        for that the law of the neurons stays the same, and so do the live parameters.
        """
        kept = self.run.load(update)
        if kept.row.get("turned"):
            return
        weights = kept.model.weights
        if self.plan.penalties_at(update, kept.course.l1).l1:
            weights = torch.where(kept.live.weights == 0, 0.0, weights)
        turned = RBM(kept.model.visible, kept.model.hidden, weights).in_sign_gauge()
        if self.plan.normalised:
            turned = of_unit_variance(turned, self.state.data)
        row = {**kept.row, "turned": True}
        write_checkpoint(self.run.checkpoint_path(update), replace(kept, model=turned, row=row))

    def _tell(self, callbacks: Sequence[Callback], phase: str, done: int, started: float) -> None:
        elapsed, update = time.monotonic() - started, self.state.update
        rate = done / elapsed if elapsed > 0 else 0.0
        newest = self.rows[-1] if self.rows else {}
        score = newest.get("validation_nats_per_bin")
        progress = Progress(
            phase=phase,
            update=update,
            updates=self.plan.updates,
            seconds=self.seconds,
            updates_per_second=rate,
            seconds_left=(self.plan.updates - update) / rate if rate else None,
            validation_nats_per_bin=score,
            validation_stderr=newest.get("validation_stderr"),
            validation_gain=None if score is None else score - newest["validation_independent"],
            restarts=self.state.course.restarts,
        )
        for callback in callbacks:
            callback(progress)


def _verdict(status: Status, course: Course, reason: str | None) -> dict[str, Any]:
    """Return what run.json says of the convergence."""
    return {
        "status": status,
        "restarts": len(course.restarts),
        "reason": reason,
        "history": course.to_json()["restarts"],
        "l1": course.l1,
    }
