"""A run as a paper's methods section tells it: data, model, training, score, software, references.

Every figure stands in the run's files; what a run does not have (no evaluation, no interpretation)
is left out, and the command that makes it is named at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from boltzbrain.data.activity import FOLDS, Activity, stretches
from boltzbrain.evaluation.results import evaluation_of
from boltzbrain.foundations.showing.display import duration
from boltzbrain.foundations.showing.numbers import number
from boltzbrain.foundations.showing.told import counted
from boltzbrain.interpretation.interpret import interpretation_of
from boltzbrain.pages.story import found, scored
from boltzbrain.training.plan import TrainingPlan
from boltzbrain.training.run.run import TrainingRun

REFERENCES = {
    "binary": "Béreux, Catania, Decelle, Mignacco, Navas Gómez and Seoane, arXiv:2603.11032 (2026)",
    "compositional": "van der Plas, Tubiana, Le Goc, Migault, Kunst, Baier, Bormuth, Englitz and "
    "Debrégeas, eLife 12:e83139 (2023)",
    "pcd": "Tieleman, Training restricted Boltzmann machines using approximations to the "
    "likelihood gradient, ICML (2008)",
    "centred": "Melchior, Fischer and Wiskott, How to center deep Boltzmann machines, JMLR 17:99 "
    "(2016)",
    "trajectory": "Béreux, Decelle, Furtlehner, Rosset and Seoane, Fast training and "
    "sampling of restricted Boltzmann machines, ICLR (2025)",
    "annealing": "Neal, Annealed importance sampling, Statistics and Computing 11:125 (2001)",
}
_FAMILY = {"bereux2026": "binary", "assemblies": "compositional", "vanderplas2023": "compositional"}
_UNITS = {
    "bernoulli": "binary",
    "ising": "spin (±1)",
    "relu": "rectified linear",
    "drelu": "double rectified linear (dReLU)",
    "gaussian": "Gaussian",
}
_MOVED = {
    "moves": ", each with a Metropolis move of every hidden unit, the neurons integrated out,",
    "trajectory": " and exchanges with earlier models of the training (parallel tempering along "
    "its trajectory)",
}
_WAYS = {
    "segments": "whole segments at random",
    "blocks": "blocks of time",
    "shuffled": "single bins at random",
    "csv": "a table",
}


def methods(run: TrainingRun | str | Path) -> str:
    """Return the methods paragraphs of a run as Markdown.

    Parameters
    ----------
    run
        A finished run, or its folder.

    Returns
    -------
    str
        Paragraphs on the recording, the model, its training, its score and the software, with the
        references; whoever publishes it reads and shortens it.

    Raises
    ------
    InputError
        If the run is not finished, or one of its files is damaged.
    """
    run = run if isinstance(run, TrainingRun) else TrainingRun.open(run)
    activity, plan = run.activity(), run.plan
    run.chosen_update  # noqa: B018  # refuses a run that is not finished
    paragraphs = [
        f"**Recording.** {_recording(activity)}",
        f"**Model.** {_model(run)}",
        f"**Training.** {_training(run)}",
    ]
    missing = []
    if (run.folder / "evaluation.json").is_file():
        paragraphs.append(f"**Score.** {_score(evaluation_of(run))}")
    else:
        missing.append("the score (`boltzbrain evaluate`)")
    if (run.folder / "interpretation.h5").is_file():
        doubt = (
            "**A training that has not converged should not be interpreted.** "
            if run.info["convergence"]["status"] == "failed"
            else ""
        )
        paragraphs.append(f"**Reading.** {doubt}{' '.join(found(interpretation_of(run)))}")
    else:
        missing.append("couplings and assemblies (`boltzbrain interpret`)")
    paragraphs.append(f"**Software.** {_software(run)}")
    references = "\n".join(f"- {REFERENCES[name]}." for name in _references(plan))
    paragraphs.append(f"**References.**\n\n{references}")
    if missing:
        paragraphs.append(f"*Not in this run: {' and '.join(missing)}.*")
    return "\n\n".join(paragraphs) + "\n"


def _recording(activity: Activity) -> str:
    first, _ = stretches(activity.segment)
    source = Path(activity.source.path).name
    kept = [
        f"The activity of {counted(activity.n_neurons, 'neuron')}"
        + (f" (`{source}`)" if source else "")
        + f" was described in {activity.n_bins:,} bins of {1000 * activity.bin_width_s:g} ms "
        f"({duration(activity.n_bins * activity.bin_width_s)} in "
        f"{counted(len(first), 'segment')}), 1 where a neuron was active in the bin and 0 where "
        "it was not."
    ]
    kept += [_STEPS[step.name](step.options) for step in activity.steps if step.name in _STEPS]
    others = sorted({step.name for step in activity.steps} - set(_STEPS))
    if others:
        kept.append(f"Other steps, with their options in `activity.h5`: {', '.join(others)}.")
    return " ".join(one for one in kept if one)


def _deconvolved(told: Mapping[str, Any]) -> str:
    decay = told.get("decay_s")
    kernel = f", decay of the indicator {decay:.2g} s" if decay else ""
    return f"Calcium traces were made binary by {told['method']} ({told['rule']}{kernel})."


def _binned(told: Mapping[str, Any]) -> str:
    lost, part = told.get("spikes_lost"), told.get("multi_spike_fraction")
    if not lost:
        return ""
    return f"{part:.1%} of the active bins held more than one spike, of which one counted."


def _split(told: Mapping[str, Any]) -> str:
    bins = told["bins"]
    shares = ", ".join(f"{bins[name]:,} {name}" for name in FOLDS)
    gap = f", {bins['gap']:,} between them left out" if bins.get("gap") else ""
    seed = f", seed {told['seed']}" if "seed" in told else ""
    warning = f" ({told['warning']})" if told.get("warning") else ""
    return f"Folds were made by {_WAYS.get(told['by'], told['by'])}{seed}: {shares}{gap}{warning}."


def _dropped(told: Mapping[str, Any]) -> str:
    if not told["dropped"]:
        return ""
    return (
        f"{counted(len(told['dropped']), 'neuron')} active in fewer than "
        f"{told['min_active_bins']} training bins were left out."
    )


_STEPS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "deconvolve": _deconvolved,
    "binarize": _binned,
    "split": _split,
    "drop_rare_neurons": _dropped,
}


def _model(run: TrainingRun) -> str:
    plan = run.plan
    context = run.in_context() if plan.context is not None else None
    model = run.best if context is None else context.rbm
    text = (
        f"A restricted Boltzmann machine with {len(model.visible):,} binary visible units, one a "
        f"neuron, and {counted(len(model.hidden), f'{_UNITS[model.hidden.kind]} hidden unit')}"
    )
    if context is not None:
        text += f"; the fields of every bin follow its context ({plan.context}), the weights do not"
    return f"{text}."


def _training(run: TrainingRun) -> str:
    plan, info = run.plan, run.info
    last = plan.final_learning_rate
    fall = f" falling to {last:g}" if last is not None and last != plan.learning_rate else ""
    penalties = [
        f"{name} penalty {value:g}"
        for name, value in (("L1", plan.l1_at(plan.updates, info["convergence"].get("l1"))),
                            ("L2", plan.l2))
        if value
    ]  # fmt: skip
    moved = counted(plan.sweeps, "sweep")
    if plan.weights_from == "assemblies":
        moved = "one Metropolis move of every hidden unit, the neurons integrated out,"
    elif plan.chains_by != "gibbs":
        moved += _MOVED[plan.chains_by]
    text = (
        f"It was trained by persistent contrastive divergence (recipe `{plan.preset}`, seed "
        f"{plan.seed}): {info['updates_done']:,} updates of batches of {plan.batch:,} bins and "
        f"{plan.chains:,} chains with {moved} an update, {plan.optimizer}, "
        f"learning rate {plan.learning_rate:g}{fall}"
        + (f", {' and '.join(penalties)}" if penalties else "")
        + f". The checkpoint of update {run.chosen_update:,} was used, the latest whose "
        "log-likelihood of the held-out validation bins is within one standard error of the best."
    )
    told = info["convergence"]
    if told["status"] == "failed":
        return f"{text} **The training did not converge: {told['reason']}.**"
    within = told["within"]
    return (
        f"{text} It converged by the chains of the finished model ({told['sampler']}): "
        f"{min(within.values()):.1%} or more of the means of v, h and v h agree with the training "
        f"bins within 3 standard errors, split R-hat of the energy is {told['r_hat']:.3f}."
    )


def _score(evaluation: Mapping[str, Any]) -> str:
    forward = evaluation["log_likelihood"]["log_partition"]["forward"]
    text = f"Held-out score: {scored(evaluation)}"
    if forward["value"] is None:
        return text
    share = forward["effective_sample_size"] / forward["chains"]
    clusters = evaluation["log_likelihood"]["gain"].get("clusters") or {}
    over, noun = clusters.get("number"), str(clusters.get("by", ""))
    plural = f"{noun}es" if noun.endswith("ch") else f"{noun}s"
    return (
        f"{text} Log Z by annealed importance sampling, {forward['chains']:,} chains, effective "
        f"share {share:.0%}, standard error {number(forward['stderr'], 2)} nats"
        + (f"; errors over {over:,} {plural}" if over else "")
        + "."
    )


def _software(run: TrainingRun) -> str:
    told = run.info["environment"]
    data = run.info["data"]
    return (
        f"boltzbrain {told['boltzbrain']} (Python {told['python']}, PyTorch {told['torch']}, NumPy "
        f"{told['numpy']}). The plan (SHA-256 {run.info['plan_sha256'][:12]}) and the activity "
        f"(SHA-256 {data['sha256'][:12]}) with every hyperparameter and step lie in the run folder."
    )


def _references(plan: TrainingPlan) -> list[str]:
    names = [_FAMILY.get(plan.preset, plan.preset)] if plan.preset else []
    names += ["pcd", *(["centred"] if plan.centred else [])]
    names += [*(["trajectory"] if plan.chains_by == "trajectory" else []), "annealing"]
    return [name for name in names if name in REFERENCES]
