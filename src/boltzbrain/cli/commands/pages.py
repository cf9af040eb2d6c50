"""The commands that show a run: `boltzbrain report`, `figures`, `view` and `methods`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from boltzbrain.cli.opening import open_runs
from boltzbrain.cli.options import RunFolder, option, takes
from boltzbrain.cli.streams import path_to_type
from boltzbrain.cli.terminal import say, say_path
from boltzbrain.foundations.options import names_of
from boltzbrain.foundations.showing.display import Display
from boltzbrain.pages.plates.choices import FigureChoices


def report(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="Run folder that 'boltzbrain fit' wrote, or study that 'boltzbrain align' wrote.",
        ),
    ],
    output: Annotated[
        Path | None,
        option("--out", "-o", metavar="FILE.html", text="The page.", default="RUN/report.html"),
    ] = None,
) -> None:
    """Write the page of a run or a study: one html file that needs nothing else."""
    display = Display()
    if (run / "study.json").is_file():
        with display.stage("drawing the page of the study"):
            from boltzbrain.alignment.shown.page import write_study_page

            page = write_study_page(run, output)
        say_path(page)
        return
    open_runs(display, [run])
    with display.stage("drawing the page"):
        from boltzbrain import api

        page = api.report(run, output)
    say_path(page)


@takes("choices", FigureChoices, names_of(FigureChoices))
def figures(
    run: RunFolder,
    output: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="Folder for the figures.")
    ],
    *,
    choices: Mapping[str, Any],
) -> None:
    """Write the figures of a run for a paper: vector files, their data as csv, plates."""
    display = Display()
    FigureChoices(**choices)
    open_runs(display, [run])
    with display.stage("drawing the figures"):
        from boltzbrain.pages.plates.write import listed_in, save_figures

        folder = save_figures(run, output, **choices)
        told = listed_in(folder)
    for sheet in told["plates"]:
        say(f"plate: {folder / sheet['files'][0]} ({len(sheet['panels'])} panels)")
    say(
        f"{len(told['figures'])} figures with their data in {folder}; captions.md says what each is"
    )
    for one in told["left_out"]:
        how = one["with"].replace("RUN", path_to_type(run))
        say(f"left out: {one['what']}; for it: {how}")


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


def methods(run: RunFolder) -> None:
    """Print the methods paragraphs of a run for a paper, with its figures and references."""
    open_runs(Display(), [run])
    from boltzbrain.pages import methods as told

    say(*told.methods(run).splitlines())
