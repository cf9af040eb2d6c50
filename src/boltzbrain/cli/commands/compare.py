"""The command `boltzbrain compare`: several runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from boltzbrain.cli.opening import open_runs
from boltzbrain.cli.options import option
from boltzbrain.cli.summaries.results import show_comparison
from boltzbrain.cli.terminal import out, say
from boltzbrain.foundations.showing.display import Display


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Run folders that 'boltzbrain interpret' has read."),
    ],
    output: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="Folder for the comparison.")
    ],
    structure: Annotated[
        Path | None,
        option(
            "--structure",
            metavar="CSV",
            text="Structural matrix, names of regions in the first row and column.",
            default="none",
        ),
    ] = None,
    kind: Annotated[
        str, typer.Option("--kind", help="Which region map to compare: mean, l1 or rms.")
    ] = "l1",
    seed: Annotated[int, typer.Option("--seed", help="Seed of every shuffle.")] = 0,
) -> None:
    """Compare runs: repeats of one animal, several animals, a structural matrix."""
    display = Display()
    open_runs(display, runs)
    with display.stage("comparing"):
        from boltzbrain import api

        found = api.compare(runs, structure=structure, out=output, kind=kind, seed=seed)
    show_comparison(out(), found)
    say(f"written: {output / 'comparison.json'}", f"         {output / 'comparison.html'}")
