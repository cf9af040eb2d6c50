"""The command `boltzbrain compare`: several runs side by side."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated

import typer

from boltzbrain.cli.opening import open_runs
from boltzbrain.cli.options import option
from boltzbrain.cli.summaries.results import show_comparison
from boltzbrain.cli.terminal import out, say
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.showing.display import Display


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="Run folders that 'boltzbrain interpret' has read, or a study of several animals.",
        ),
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
    groups: Annotated[
        str | None,
        option(
            "--groups",
            metavar="NAME,...",
            text="Group of each run, of two groups of animals, whose differences are tested by "
            "permuting the animals; or FILE.csv with columns run and group.",
            default="those of a study's toml file",
        ),
    ] = None,
    kind: Annotated[
        str, typer.Option("--kind", help="Which region map to compare: mean, l1 or rms.")
    ] = "l1",
    seed: Annotated[int, typer.Option("--seed", help="Seed of every shuffle.")] = 0,
) -> None:
    """Compare runs: repeats of one animal, several animals, two groups, a structural matrix."""
    display = Display()
    with display.stage("opening the animals"):
        from boltzbrain.alignment.every import runs_to_compare

        opened, told = runs_to_compare(runs)
    folders = [one.folder for one in opened]
    open_runs(display, folders)
    named = _groups(groups, folders) or told
    with display.stage("comparing"):
        from boltzbrain import api

        found = api.compare(
            opened, structure=structure, out=output, groups=named or None, kind=kind, seed=seed
        )
    show_comparison(out(), found)
    say(f"written: {output / 'comparison.json'}", f"         {output / 'comparison.html'}")
    if found.groups is not None:
        say(f"         {output / 'groups.csv'}")


def _groups(text: str | None, folders: list[Path]) -> list[str]:
    """Return the group of each run, as they are typed or as a csv file tells them."""
    if text is None:
        return []
    if not text.lower().endswith(".csv"):
        return [one.strip() for one in text.split(",")]
    path = Path(text)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise bad_input("groups", "be a csv file that can be read", error, file=path) from None
    if not rows or not {"run", "group"} <= set(rows[0]):
        got = ", ".join(rows[0]) if rows else "no row"
        raise bad_input("groups", "have columns run and group", got, file=path)
    known = {Path(row["run"]).name: row["group"] for row in rows}
    for folder in folders:
        if folder.name not in known:
            raise bad_input("groups", f"have a row of the run {folder.name}", "none", file=path)
    return [known[folder.name] for folder in folders]
