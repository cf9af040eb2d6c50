"""The command `boltzbrain interpret`: couplings, assemblies and regions of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from boltzbrain.cli.opening import open_runs
from boltzbrain.cli.options import RunFolder, option, takes
from boltzbrain.cli.several.every import interpret_animals
from boltzbrain.cli.streams import path_to_type
from boltzbrain.cli.summaries.results import show_interpretation
from boltzbrain.cli.terminal import out, say
from boltzbrain.foundations.options import names_of
from boltzbrain.foundations.showing.display import Display
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
    """Read couplings, assemblies and regions out of the chosen model, or of every animal's."""
    display = Display()
    if (run / "study.json").is_file():
        interpret_animals(run, display, choices, seed)
        say(f"next:    boltzbrain compare {path_to_type(run)} -o FOLDER")
        return
    open_runs(display, [run])
    with display.stage("reading", phases=True) as stage:
        from boltzbrain import api

        found = api.interpret(
            run,
            seed=seed,
            callbacks=(stage.show,),
            progress=False,
            **choices,
        )
    show_interpretation(out(), found)
    say(f"written: {run / 'interpretation.h5'}", f"next:    boltzbrain report {path_to_type(run)}")
