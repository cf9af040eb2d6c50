"""The command `boltzbrain interpret`: couplings, assemblies and regions of a run."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from boltzbrain.cli.display import Display
from boltzbrain.cli.options import RunFolder, option, takes
from boltzbrain.cli.summaries.results import show_interpretation
from boltzbrain.cli.terminal import out
from boltzbrain.foundations.options import names_of
from boltzbrain.interpretation.choices import Choices


@takes("choices", Choices, names_of(Choices))
def interpret(
    run: RunFolder,
    seed: Annotated[
        int | None,
        option("--seed", text="Seed of samples and shuffles.", default="that of the run"),
    ] = None,
    *,
    choices: Mapping[str, Any],
) -> None:
    """Read couplings, assemblies and regions out of the chosen model."""
    display = Display()
    with display.stage("opening the run"):
        from boltzbrain import api
    with display.stage("reading", phases=True) as stage:
        found = api.interpret(
            run,
            seed=seed,
            callbacks=(stage.show,),
            **choices,
        )
    show_interpretation(out(), found)
    typer.echo(
        f"written: {run / 'interpretation.h5'}\nnext:    boltzbrain report {shlex.quote(str(run))}"
    )
