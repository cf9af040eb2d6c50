"""What runs and models tell of themselves."""

from __future__ import annotations

from typing import Any

import torch

from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.showing.numbers import with_error
from boltzbrain.foundations.showing.told import Told, counted
from boltzbrain.model.context.contextual import ContextualRBM
from boltzbrain.model.rbm import RBM
from boltzbrain.pages.objects.pictures import picture_of_training
from boltzbrain.training.run.run import TrainingRun


def run_told(run: TrainingRun) -> Told:
    """Return what a run tells: its plan, how far it is, its score, and what to do next."""
    try:
        info = run.info
        plan, data = info["plan"], info["data"]
        status, chosen = str(info["status"]), info["chosen_update"]
        title = (
            f"TrainingRun, {status}: {counted(data['neurons'], 'neuron')}, "
            f"{counted(plan['hidden'], 'hidden unit')}"
        )
        known = [
            ("folder", str(run.folder)),
            ("recipe", _recipe(plan)),
            ("recording", str(data["recording"])),
        ]
    except (InputError, KeyError, TypeError) as error:
        rows = [("folder", str(run.folder)), ("reason", str(error))]
        return Told("TrainingRun, cannot be read", tuple(rows))
    try:
        log = run.log()
    except InputError:  # before the first checkpoint, or while one is being written
        log = None
    rows = [*known, ("updates", _updates(run, info))]
    if log is not None and len(log):
        update = log["update"].iloc[-1] if chosen is None else chosen
        told = log[log["update"] == update]
        row = told.iloc[-1].to_dict() if len(told) else {}
        rows += _scores(row, int(update), chosen is not None)
    rows.append(("next", _next(run, status)))
    draws = log is not None and len(log) > 1
    return Told(title, tuple(rows), (lambda: picture_of_training(log, chosen)) if draws else None)  # type: ignore[arg-type]


def _recipe(plan: dict[str, Any]) -> str:
    # runs of before have no word of it
    by = plan.get("chains_by", "gibbs")
    told = f"{plan['preset']}, seed {plan['seed']}"
    return told if by == "gibbs" else f"{told}, chains by {by}"


def _updates(run: TrainingRun, info: dict[str, Any]) -> str:
    done = info.get("updates_done")
    if done is None:
        kept = run.checkpoints()
        done = kept[-1].update if kept else 0
    seconds = info.get("seconds")
    return f"{done:,} of {info['plan']['updates']:,}" + (f", {seconds:,.0f} s" if seconds else "")


def _scores(row: dict[str, Any], update: int, chosen: bool) -> list[tuple[str, str]]:
    name = "chosen update" if chosen else "newest score"
    if "validation_nats_per_bin" not in row:
        return [(name, f"{update:,}; there is no validation fold")]
    score = row["validation_nats_per_bin"]
    gain = with_error(
        score - row["validation_independent"], row.get("validation_gain_stderr"), 2, "+"
    )
    return [
        (name, f"{update:,}" if chosen else f"at update {update:,}"),
        ("validation", f"{with_error(score, row['validation_stderr'], 2)} nats per bin"),
        ("gain", f"{gain} nats per bin over independent neurons"),
    ]


def _next(run: TrainingRun, status: str) -> str:
    if status == "failed":
        return "fit anew with other hyperparameters"
    if status != "finished":
        return "resume(run) goes on with it"
    if run.plan.context is not None:
        return "evaluate(run); run.in_context() is the model"
    files = (("evaluation.json", "evaluate"), ("interpretation.h5", "interpret"))
    steps = [f"{verb}(run)" for file, verb in files if not (run.folder / file).is_file()]
    return ", ".join([*steps, "report(run)"])


def model_told(model: RBM) -> Told:
    """Return what a model tells: its layers and its weights."""
    weights = model.weights.detach()
    kind = str(weights.dtype).removeprefix("torch.")
    rows = [
        ("visible", f"{counted(len(model.visible), 'unit')}, {model.visible.kind}"),
        ("hidden", f"{counted(len(model.hidden), 'unit')}, {model.hidden.kind}"),
        ("weights", f"(visible, hidden) {kind} on {weights.device}"),
    ]
    if weights.numel():
        share = float((weights == 0).to(torch.float64).mean())
        rows.append(("", f"deviation {float(weights.std(correction=0)):.3g}, {share:.0%} are 0"))
    return Told(f"RBM of {counted(len(model.visible), 'neuron')}", tuple(rows))


def contextual_told(model: ContextualRBM) -> Told:
    """Return what a model with a context tells: what the context holds, then as the RBM."""
    told = model_told(model.rbm)
    rows = [(one.name, one.words()) for one in model.contexts.parts]
    return Told(f"{told.title} with a context", (*rows, *told.rows))
