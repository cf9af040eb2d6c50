"""The command `boltzbrain report`: the page of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from boltzbrain.cli.opening import open_runs
from boltzbrain.cli.options import RunFolder, option
from boltzbrain.cli.terminal import say_path
from boltzbrain.foundations.showing.display import Display


def report(
    run: RunFolder,
    output: Annotated[
        Path | None,
        option("--out", "-o", metavar="FILE.html", text="The page.", default="RUN/report.html"),
    ] = None,
) -> None:
    """Write the page of a run: one html file that needs nothing else."""
    display = Display()
    open_runs(display, [run])
    with display.stage("drawing the page"):
        from boltzbrain import api

        page = api.report(run, output)
    say_path(page)
