"""How a training ends: with a model and a verdict, or with neither."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from boltzbrain.foundations.checks import TrainingFailedError
from boltzbrain.foundations.random import Generator
from boltzbrain.training.health.convergence import Status
from boltzbrain.training.health.restarts import Interventions
from boltzbrain.training.run.logs import TrainingLogs
from boltzbrain.training.run.run import TrainingRun
from boltzbrain.training.score.choice import latest_as_good
from boltzbrain.training.update.base_state import BaseState


def choose(
    logs: TrainingLogs, state: BaseState, verdict: Mapping[str, Any], seconds: float
) -> None:
    """Choose the model, and write down which it is and how the training ended."""
    clusters = logs.likelihood.clusters
    logs.write_logs(state.running_score)
    row = latest_as_good(state.plan, logs.rows, logs.scores_at, clusters.get("validation"))
    logs.run.update_info(
        chosen_update=int(row["update"]),
        updates_done=state.update,
        seconds=seconds,
        convergence=dict(verdict),
    )


def finish(logs: TrainingLogs, state: BaseState) -> TrainingRun:
    """Make the chosen model one to read, and close the run.

    The checkpoint is then no longer what it was: nothing is chosen again after a kill in here.
    """
    run = logs.run
    logs.turn(run.info["chosen_update"], state)
    run.update_info(status="finished")
    run.remove_left_over()
    return run


def convergence_of(state: BaseState) -> dict[str, Any]:
    """Return what run.json says of the convergence, judged by where the training ended."""
    found = state.assessed(Generator.from_seed(state.plan.seed, "convergence", state.update))
    reason = "; ".join(found.complaints()) or None
    status: Status = "recovered" if state.interventions.restarts else "converged"
    return {
        **_verdict("failed" if reason else status, state.interventions, reason),
        **found.to_json(),
    }


def fail(logs: TrainingLogs, state: BaseState, reason: str, good: int, seconds: float) -> NoReturn:
    """Close the run as failed, its good checkpoints left where they are.

    Raises
    ------
    TrainingFailedError
        Always.
    """
    run = logs.run
    run.resume_path.unlink(missing_ok=True)
    run.update_info(
        status="failed",
        updates_done=good,
        seconds=seconds,
        convergence=_verdict("failed", state.interventions, reason),
    )
    raise failure(run)


def failure(run: TrainingRun) -> TrainingFailedError:
    """Return what to say of a run that was closed as failed, whenever it is asked for."""
    info, plan = run.info, run.plan
    found = info["convergence"]
    interventions = Interventions.from_json({"restarts": found["history"], "l1": found["l1"]})
    l1 = plan.l1_at(plan.updates, interventions.l1)
    if "collapsed" in found["reason"]:
        advice = "fewer hidden units, or larger first weights (weight_std)"
        if l1:
            advice = f"a smaller L1 penalty than {l1:g}, {advice}"
        advice += "; where the neurons do not depend on one another there is nothing to learn"
    else:
        advice = f"a smaller learning rate than {plan.learning_rate / interventions.rate_divisor:g}"
        if l1:
            advice += f" or a smaller L1 penalty than {l1:g}"
    return TrainingFailedError(
        f"{run.folder}: {found['reason']}; {len(interventions.restarts)} restarts did not mend "
        f"it. The last good checkpoint, of update {info['updates_done']}, is intact. Try {advice}."
    )


def _verdict(status: Status, interventions: Interventions, reason: str | None) -> dict[str, Any]:
    """Return what run.json says of the convergence."""
    return {
        "status": status,
        "restarts": len(interventions.restarts),
        "reason": reason,
        "history": interventions.to_json()["restarts"],
        "abandoned": interventions.to_json()["abandoned"],
        "l1": interventions.l1,
    }
