"""The command `boltzbrain convert`: a recording in another format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from boltzbrain.cli.options import takes
from boltzbrain.cli.summaries.losses import warn_of_losses
from boltzbrain.cli.terminal import say
from boltzbrain.foundations.disk.folders import new_file
from boltzbrain.foundations.options import names_of
from boltzbrain.foundations.showing.display import Display
from boltzbrain.preparing.preparation import BINS, RECORDING, Preparation
from boltzbrain.preparing.prepare import read_as_asked


@takes("preparation", Preparation, names_of(Preparation, RECORDING, BINS), whole=True)
def convert(
    recording: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Recording in any format that is read; several are joined as --join says.",
        ),
    ],
    output: Annotated[
        Path, typer.Argument(metavar="OUTPUT", help="File to write, ending in .npz or .nwb.")
    ],
    *,
    preparation: Preparation,
) -> None:
    """Write a recording as npz (binned) or NWB (spike times)."""
    display = Display()
    with display.stage("starting"):
        from boltzbrain import api
        from boltzbrain.data.activity import Activity
        from boltzbrain.preparing.convert import RECORDING_ENDINGS

        new_file("OUTPUT", output, RECORDING_ENDINGS)
    whole = read_as_asked(preparation, recording, display)
    with display.stage(f"writing {output.name}"):
        written = api.convert(
            whole,
            output,
            bin_ms=preparation.bin_ms,
            epochs=preparation.epochs,
            memory_limit_gb=preparation.memory_limit_gb,
        )
    warn_of_losses(written, preparation)
    form = f"states in {written.n_bins} bins" if isinstance(written, Activity) else "as read"
    say(f"{output}: {len(written.neurons)} neurons, {form}")
