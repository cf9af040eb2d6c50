"""The command `boltzbrain view`: the brain viewer of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from boltzbrain.cli.opening import open_runs
from boltzbrain.cli.options import RunFolder, option
from boltzbrain.cli.terminal import say_path
from boltzbrain.foundations.showing.display import Display


def view(
    run: RunFolder,
    output: Annotated[
        Path | None,
        option("--out", "-o", metavar="FILE.html", text="The viewer.", default="RUN/view.html"),
    ] = None,
) -> None:
    """Write the brain viewer of a run: neurons in space and time, one html file for a browser."""
    display = Display()
    open_runs(display, [run])
    with display.stage("packing the viewer"):
        from boltzbrain.pages.viewer import view as viewer

        page = viewer.view(run, output)
    say_path(page)
