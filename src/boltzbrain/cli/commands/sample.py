"""The command `boltzbrain sample`: activity drawn from a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from boltzbrain.cli.opening import open_runs
from boltzbrain.cli.options import Device, RunFolder, option
from boltzbrain.cli.summaries.results import show_mixing
from boltzbrain.cli.terminal import out, say
from boltzbrain.foundations.showing.display import Display


def sample(
    run: RunFolder,
    output: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE.npz", help="npz file to write.")
    ],
    n: Annotated[int, typer.Option("-n", help="Number of samples.")] = 10_000,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the samples.")] = 0,
    update: Annotated[
        int | None,
        option(
            "--update", text="Draw from the checkpoint of this update.", default="the chosen one"
        ),
    ] = None,
    sampler: Annotated[
        str | None,
        option(
            "--sampler",
            metavar="NAME",
            text="[bold]trajectory[/]: chains that exchange states along the checkpoints of the "
            "training; [bold]annealing[/], [bold]temperature[/]: along a ladder from independent "
            "neurons, or from a hot model; [bold]moves[/]: chains that switch hidden units with "
            "all their neurons; [bold]gibbs[/]: one annealed chain for each sample.",
            default="moves for a run of the recipe assemblies, else trajectory",
        ),
    ] = None,
    chains: Annotated[
        int | None, option("--chains", text="Chains of each rung.", default="200")
    ] = None,
    sweeps: Annotated[
        int | None,
        option(
            "--sweeps",
            text="Sweeps between two samples of a chain; of gibbs: sweeps after annealing.",
            default="2; of gibbs 1000",
        ),
    ] = None,
    warm_up: Annotated[
        int | None,
        option("--warm-up", text="Steps before the first sample.", default="100"),
    ] = None,
    anneal: Annotated[
        int | None,
        option(
            "--anneal",
            text="Of gibbs: rungs from independent neurons to the model.",
            default="200",
        ),
    ] = None,
    device: Device = "auto",
) -> None:
    """Draw activity from a trained model."""
    display = Display()
    open_runs(display, [run])
    with display.stage("sampling") as stage:
        from boltzbrain import api

        drawn = api.sample(
            run,
            n,
            seed=seed,
            update=update,
            sampler=sampler,
            chains=chains,
            sweeps=sweeps,
            warm_up=warm_up,
            anneal=anneal,
            device=device,
            out=output,
            callbacks=(stage.show,),
            progress=False,
        )
    say(
        f"{output}: {drawn.n_bins} samples of {drawn.n_neurons} neurons, "
        f"mean activity {drawn.states.mean():.4f}"
    )
    show_mixing(out(), drawn)
