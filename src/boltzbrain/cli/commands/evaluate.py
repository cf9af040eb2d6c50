"""The command `boltzbrain evaluate`: the score of a run, beside simpler models if asked."""

from __future__ import annotations

from typing import Annotated

import typer

from boltzbrain.cli.opening import open_runs
from boltzbrain.cli.options import Device, RunFolder, option
from boltzbrain.cli.several.every import evaluate_animals
from boltzbrain.cli.streams import path_to_type
from boltzbrain.cli.summaries.baselines import show_baselines
from boltzbrain.cli.summaries.results import show_belief, show_evaluation
from boltzbrain.cli.terminal import out, say
from boltzbrain.foundations.showing.display import Display


def evaluate(
    run: RunFolder,
    seed: Annotated[
        int | None,
        option("--seed", text="Seed of samples and estimates.", default="that of the run"),
    ] = None,
    full: Annotated[
        bool,
        typer.Option("--full", help="Fit logistic regression to every neuron, not to 50 of them."),
    ] = False,
    baselines: Annotated[
        str | None,
        option(
            "--baselines",
            metavar="NAME,NAME,...",
            text="Simpler models to fit and score beside it, of independent, ising, kpairwise, "
            "glm, pca, vae, hopfield, and of those that see earlier bins, hmm, history, hmmglm, "
            "hmmsigns; 'all' for every one.",
            default="none; those fitted before are kept, if the model is the same",
        ),
    ] = None,
    controls: Annotated[
        bool,
        typer.Option(
            "--controls",
            help="Fit what a gain with time may rest on otherwise: place in the trial, slow "
            "states, the past of another segment.",
        ),
    ] = False,
    device: Device = "auto",
) -> None:
    """Score the chosen model on the test fold and compare its statistics."""
    display = Display()
    names = baseline_names(baselines)
    if (run / "study.json").is_file():
        evaluate_animals(run, display, device)
        return
    open_runs(display, [run])
    with display.stage("evaluating", phases=True) as stage:
        from boltzbrain import api
        from boltzbrain.training.run.run import TrainingRun

        opened = TrainingRun.open(run)
        found = api.evaluate(
            opened,
            seed=seed,
            full=full,
            baselines=names,
            controls=controls,
            device=device,
            callbacks=(stage.show,),
            progress=False,
        )
    show_evaluation(out(), found)
    if "baselines" in found:
        show_baselines(out(), found["baselines"], names)
    show_belief(out(), opened, found)
    say(f"written: {run / 'evaluation.json'}", f"next:    boltzbrain report {path_to_type(run)}")


def baseline_names(text: str | None) -> list[str]:
    """Return the names of baselines given as NAME,NAME, 'all' for every one."""
    names = [part.strip() for part in (text or "").split(",") if part.strip()]
    if names == ["all"]:
        # here, as it takes a second
        from boltzbrain.comparison.compare import NAMES

        return list(NAMES)
    return names
