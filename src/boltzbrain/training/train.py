"""Persistent contrastive divergence from the first update to the last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch

from boltzbrain.data.activity import Activity
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.disk.folders import one_writer
from boltzbrain.foundations.progress import Callback, Teller
from boltzbrain.foundations.stopping import stoppable
from boltzbrain.kernels.cpu.threads import unshared
from boltzbrain.kernels.devices import device_told, words_of
from boltzbrain.model.rbm import RBM
from boltzbrain.training.assemblies.choice import plan_for
from boltzbrain.training.assemblies.find import Components
from boltzbrain.training.assemblies.state import AssemblyState
from boltzbrain.training.context.annealed_states import log_for
from boltzbrain.training.context.fit import fit_contexts, require_contexts
from boltzbrain.training.context.likelihood import ContextLog
from boltzbrain.training.context.recurrent import RecurrentState
from boltzbrain.training.context.start import model_to_start_from
from boltzbrain.training.context.state import ContextState
from boltzbrain.training.context.states import StatesState
from boltzbrain.training.device import device_for
from boltzbrain.training.finish import choose, convergence_of, fail, failure, finish
from boltzbrain.training.health import symptoms
from boltzbrain.training.health.restarts import Interventions, Restart
from boltzbrain.training.plan import TrainingPlan
from boltzbrain.training.progress import SCORING, Score, in_words
from boltzbrain.training.run.checkpoints import Checkpoint
from boltzbrain.training.run.logs import GOOD_EVERY, TrainingLogs
from boltzbrain.training.run.run import TrainingRun
from boltzbrain.training.score.choice import choose_penalty, is_choosing, out_of_patience
from boltzbrain.training.score.likelihood_log import LikelihoodLog
from boltzbrain.training.score.running import RunningScore, ScoredBins
from boltzbrain.training.sizes import require_sizes
from boltzbrain.training.update.anchored import AnchoredSamples, samples_of
from boltzbrain.training.update.base_state import BaseState
from boltzbrain.training.update.state import State

ROLLING_SECONDS = 30.0


def train(
    activity: Activity,
    plan: TrainingPlan,
    folder: Path | str,
    callbacks: Sequence[Callback] = (),
    *,
    device: str = "cpu",
    start: TrainingRun | None = None,
    begin: RBM | None = None,
) -> TrainingRun:
    """Train an RBM on the training fold and choose a checkpoint by the validation fold.

    Parameters
    ----------
    activity
        What the model sees, with its folds.
    plan
        Every hyperparameter; `assemblies.choice.plan_for` says where another recipe takes over.
    folder
        The run folder, made here.
    callbacks
        Called with a `foundations.progress.Progress` after every update.
    device
        "auto", "cpu", "cuda" or "cuda:1" (`training.device.device_for`); run.json keeps it.
    start
        A finished run without a context, whose weights and hidden units the training of one with a
        context begins with; run.json keeps which.
    begin
        The model that a training without a context begins with, as it is; `start` is then the run
        whose it comes from, if there is one.

    Raises
    ------
    InputError
        If the folder already holds a run or is being written, the training fold is empty, a size of
        the plan cannot be meant, there is no such device, the activity cannot give a context of the
        plan, or the run to start from does not fit.
    TrainingFailedError
        If the training goes wrong and no restart mends it.
    """
    require_sizes(plan, activity.n_neurons)
    device_for(device, plan, activity.n_neurons)
    if not len(activity.bins_of("train")):
        raise bad_input("train fold", "hold at least one bin", 0, file=activity.source.path)
    require_contexts(activity, plan)
    if plan.anchor is not None:
        samples_of(plan.anchor, Path(folder), plan)
    model = begin
    if begin is None and start is not None:
        model = model_to_start_from(start, activity, plan)
    with one_writer(Path(folder), "fit"), unshared(activity.n_neurons * plan.hidden):
        plan, found = plan_for(activity, plan)
        place = device_for(device, plan, activity.n_neurons)
        run = TrainingRun.create(Path(folder), activity, plan, words_of(place), start)
        return _Training(run, activity, plan, place, found, model).go_on(callbacks)


def resume(
    folder: Path | str, callbacks: Sequence[Callback] = (), *, device: str = "auto"
) -> TrainingRun:
    """Go on with a run from its newest whole checkpoint; a finished run is returned as it is.

    The parameters, chains and scores end bit for bit where an undisturbed training would have
    ended, on the device where it began: that is what "auto" means here, if it is here. On another
    device the whole state goes there, and the numbers are others by rounding.

    Raises
    ------
    InputError
        If the folder holds no run, is being written, or holds a run of another version that this
        one cannot go on with; or there is no such device.
    TrainingFailedError
        If the training goes wrong and no restart mends it, now or before.
    """
    run = TrainingRun.open(folder)
    if run.info["status"] == "finished" and not run.left_over():
        return run
    with one_writer(run.folder, "fit --resume"):
        run.remove_left_over()
        if run.info["status"] == "finished":
            return run
        if run.info["status"] == "failed":
            raise failure(run)
        plan, activity = run.plan_to_go_on(), run.activity()
        before = run.devices[-1]
        asked = device_told(before) if device == "auto" else device
        place = device_for(asked, plan, activity.n_neurons)
        if words_of(place) != before:
            run.update_info(devices=[*run.devices, words_of(place)])
        with unshared(activity.n_neurons * plan.hidden):
            return _Training(run, activity, plan, place).go_on(callbacks)


class _Training:
    """A training and its run folder."""

    def __init__(
        self,
        run: TrainingRun,
        activity: Activity,
        plan: TrainingPlan,
        device: torch.device,
        found: Components | None = None,
        start: RBM | None = None,
    ) -> None:
        self.run, self.plan = run, plan
        self.kept = frozenset(plan.checkpoint_updates())
        self.likelihood = log_for(plan).of(activity, plan, device)
        newest = run.newest()
        self.seconds = 0.0 if newest is None else newest.seconds
        self.worked = 0
        beside = _anchored(plan, run, device)
        self.state = _state(plan, activity, self.likelihood, device, newest, (found, start, beside))
        self.given = start is not None
        follows = plan.score_every is not None and (
            newest is None or newest.running_score is not None
        )
        self.bins = ScoredBins.of(activity, self.likelihood.field, device) if follows else None
        self.logs = TrainingLogs(run, self.likelihood, self.bins, self.state.interventions)
        if newest is None:
            self._begin()

    def _begin(self) -> None:
        state, plan, field = self.state, self.plan, self.likelihood.field
        if plan.l1_choices and not self.likelihood.validated:
            # nothing can choose the penalty: the plan's own is taken
            state.interventions = Interventions(l1=plan.l1)
        if self.bins is not None:
            state.running_score = RunningScore.start(state.model, field, plan)
        self.logs.write_good(state, self.seconds)
        if state.contexts is not None or self.given:
            # what was fitted beforehand, and what it starts from, is not sought again
            self.logs.roll(state, self.seconds)

    def go_on(self, callbacks: Sequence[Callback]) -> TrainingRun:
        """Run the remaining updates, choose the model and close the run."""
        sitting = Teller(callbacks, "training", "updates", before=self.seconds)
        with stoppable():
            while self.run.info["chosen_update"] is None:
                self._climb(sitting)
                found = convergence_of(self.state)
                if not self._goes_back(found):
                    choose(self.logs, self.state, found, self.seconds)
        return finish(self.logs, self.state)

    def _climb(self, sitting: Teller) -> None:
        """Run the remaining updates."""
        plan, state, logs = self.plan, self.state, self.logs
        rolled = sitting.seconds
        ended = self._ended()
        while state.update < plan.updates and not ended:
            if self._choosing and state.update >= plan.trial_updates:
                self._choose_penalty()
            state.step()
            self.worked += 1
            self.seconds = sitting.seconds
            keeping = state.update in self.kept
            scoring = keeping or self._scores_at(state.update)
            look = scoring or state.update % symptoms.EVERY == 0 or not state.finite
            found = state.symptom() if look else None
            if found is not None:
                self._mend(found)
            else:
                # before anything from which a killed training would go on
                if scoring:
                    self._follow()
                if state.update % GOOD_EVERY == 0:
                    logs.write_good(state, self.seconds)
                if keeping:
                    self._tell(sitting, SCORING)
                    logs.keep(state, self.seconds)
                    rolled = sitting.seconds
                elif self.seconds - rolled >= ROLLING_SECONDS:
                    logs.roll(state, self.seconds)
                    rolled = self.seconds
                ended = scoring and self._ended()
                if ended and not keeping:
                    # the running score has the last word only once annealing has checked it
                    self._tell(sitting, SCORING)
                    logs.keep(state, self.seconds)
                    ended = self._ended()
            self._tell(sitting)

    def _goes_back(self, verdict: Mapping[str, Any]) -> bool:
        """Go back to half the training, with smaller steps, if it has not converged at its end.

        The last checkpoints are of no use then: steps so late are too small to mend anything.
        """
        plan, state, interventions = self.plan, self.state, self.state.interventions
        late = [one for one in interventions.restarts if one.update == plan.updates]
        if (
            verdict["status"] != "failed"
            or len(late) >= plan.late_restarts
            or interventions.exhausted
        ):
            return False
        half = (1.0 - max(plan.release, 0.5)) * plan.updates
        earlier = [row["update"] for row in self.logs.rows if row["update"] <= half]
        if state.update < plan.updates or not earlier:
            return False
        reason = f"had not converged: {verdict['reason']}"
        back = self.run.load(earlier[-1])
        state.restore(back)
        state.interventions = interventions.restarted(Restart(plan.updates, back.update, reason))
        self.logs.restarted(state, self.seconds)
        return True

    def _ended(self) -> bool:
        return out_of_patience(self.plan, self.logs.rows, self.state.running_score)

    def _scores_at(self, update: int) -> bool:
        """Return whether an update has a running score whether or not its checkpoint is kept."""
        every = self.plan.score_every
        return self.bins is not None and every is not None and update % every == 0

    def _follow(self) -> None:
        """Score the validation fold by the running estimate."""
        state = self.state
        if self.bins is not None and state.running_score is not None:
            state.running_score = state.running_score.followed(
                state.model, state.update, self.bins, self.plan
            )

    def _mend(self, found: symptoms.Symptom) -> None:
        """Go back to the last good checkpoint, and go on with the next smaller steps.

        Raises
        ------
        TrainingFailedError
            If every mend was tried.
        """
        state, interventions = self.state, self.state.interventions
        if found.kind == "collapse" and self._choosing and self._choose_penalty(found.reason):
            return
        good = self.logs.good(state)
        if interventions.exhausted:
            reason = f"at update {state.update} the training {found.reason}"
            fail(self.logs, state, reason, good.update, self.seconds)
        restart = Restart(state.update, good.update, found.reason)
        state.restore(good)
        state.interventions = interventions.restarted(restart)
        if found.kind == "collapse" and interventions.l1 is not None:
            # it was the penalty that took the units out, and slower it would do so again
            smaller = [one for one in self.plan.l1_choices or () if one < interventions.l1]
            state.interventions = replace(
                state.interventions, l1=smaller[-1] if smaller else interventions.l1 / 2
            )
        self.logs.restarted(state, self.seconds)

    @property
    def _choosing(self) -> bool:
        return is_choosing(self.plan, self.state.interventions.l1)

    def _choose_penalty(self, collapse: str | None = None) -> bool:
        """Go on from the trial that the validation fold chooses; False if none has ended yet.

        Parameters
        ----------
        collapse
            Why the present trial is given up, if it is.
        """
        found = choose_penalty(self.plan, self.logs.rows, self.logs.scores_at)
        if found is None:
            return False
        state = self.state
        update, interventions, before = state.update, state.interventions, state.running_score
        state.restore(self.run.load(found["update"]))
        state.update, state.interventions = update, replace(interventions, l1=found["l1"])
        if collapse is not None:
            gone = Restart(update, found["update"], collapse)
            state.interventions = replace(state.interventions, abandoned=gone)
        if state.running_score is not None and before is not None:
            # the chains of the model that is gone back to, and every score so far
            state.running_score = replace(
                state.running_score,
                history=before.history,
                checked_at=before.checked_at,
                resets=before.resets,
            )
        return True

    def _tell(self, sitting: Teller, begins: str = "") -> None:
        """Tell how far it is, and whether a score of a checkpoint begins now."""
        state = self.state
        restarts = state.interventions.restarts
        at = state.update - (begins == SCORING)
        sitting(
            state.update,
            self.plan.updates,
            worked=self.worked,
            name=begins,
            to_come={SCORING: sum(one > at for one in self.kept)},
            note=in_words(begins, restarts),
            facts={"validation": self._newest_score(), "restarts": restarts},
        )

    def _newest_score(self) -> Score | None:
        """Return the newest score of the validation fold; an annealed one before a running one."""
        if not self.likelihood.validated:
            return None
        independent = self.likelihood.independent["validation"]
        row = self.logs.rows[-1] if self.logs.rows else {"update": -1}
        running = self.state.running_score.newest if self.state.running_score is not None else {}
        by: Literal["annealing", "running"] = "annealing"
        if running.get("update", -1) > row["update"]:
            row, by = running, "running"
        if "validation_nats_per_bin" not in row:
            return None
        score = row["validation_nats_per_bin"]
        return Score(
            update=int(row["update"]),
            nats_per_bin=score,
            stderr=row["validation_stderr"],
            gain=score - independent,
            gain_stderr=row["validation_gain_stderr"],
            by=by,
        )


def _state(
    plan: TrainingPlan,
    activity: Activity,
    likelihood: LikelihoodLog,
    device: torch.device,
    checkpoint: Checkpoint | None,
    start: tuple[Components | None, RBM | None, AnchoredSamples | None],
) -> BaseState:
    """Return the state that the plan asks for, as it begins or as a checkpoint has it."""
    found, model, anchored = start
    if isinstance(likelihood, ContextLog):
        contexts = fit_contexts(activity, plan) if checkpoint is None else None
        train = likelihood.sequences["train"]
        kind = ContextState
        if plan.context == "states":
            kind = StatesState
        elif "assemblies" in plan.contexts:
            kind = RecurrentState
        return kind(plan, train, contexts, device, checkpoint, model)
    data = likelihood.states["train"]
    if plan.weights_from == "assemblies":
        return AssemblyState(plan, data, checkpoint, found)
    return State(plan, data, likelihood.field, checkpoint, anchored=anchored, begin=model)


def _anchored(plan: TrainingPlan, run: TrainingRun, device: torch.device) -> AnchoredSamples | None:
    """Return the hidden samples that the plan is anchored to; none where their share is 0."""
    if plan.anchor is None:
        return None
    hidden = samples_of(plan.anchor, run.folder, plan).to(device)
    weight = plan.anchor.weight
    return AnchoredSamples(weight, hidden, plan) if weight else None
