"""The command `boltzbrain report`: the page of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from boltzbrain.cli.display import Display
from boltzbrain.cli.options import RunFolder, option


def report(
    run: RunFolder,
    output: Annotated[
        Path | None,
        option("--out", "-o", metavar="FILE.html", text="The page.", default="RUN/report.html"),
    ] = None,
) -> None:
    """Write the page of a run: one html file that needs nothing else."""
    with Display().stage("drawing the page"):
        from boltzbrain import api

        page = api.report(run, output)
    typer.echo(str(page))
