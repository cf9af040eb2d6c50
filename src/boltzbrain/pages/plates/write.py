"""The folder of figures for papers: panels, their data, plates, and a list of what is what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import matplotlib as mpl
import numpy as np
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.disk.files import FileFormat, read_ours, sha256, write_ours
from boltzbrain.foundations.disk.folders import (
    LOCK,
    folder_to_write,
    given_path,
    one_writer,
    together,
)
from boltzbrain.pages.page import PageData, page_data
from boltzbrain.pages.plates.choices import FORMATS, FigureChoices, inches
from boltzbrain.pages.plates.data import data_of
from boltzbrain.pages.plates.entries import Entry, entries_of, left_out
from boltzbrain.pages.plates.plates import LETTERS, PLATES, Plate, draw_plate, rows_of
from boltzbrain.pages.sharing import shared
from boltzbrain.pages.style import house_style
from boltzbrain.training.run.run import TrainingRun

LISTED, CAPTIONS = "figures.json", "captions.md"
FIGURES = FileFormat("boltzbrain figures", command="boltzbrain figures", what="figures.json")

MOST_POINTS = 3000
"""Points of one series that stay vectors; more are a raster."""
DPI = 300
"""Of rasters, and of png."""

_SAVED: Any = {
    # TrueType: text stays text, and editors find the font in the file
    "pdf.fonttype": 42,
    # text stays text in an svg as well, whose fonts are those of the machine that shows it
    "svg.fonttype": "none",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
}
_METADATA: Mapping[str, Mapping[str, Any]] = {
    "svg": {"Date": None},
    "pdf": {"CreationDate": None, "ModDate": None},
    "png": {},
}
"""No dates: the same run gives the same bytes."""


def save_figures(run: TrainingRun | str | Path, out: str | Path, **choices: Any) -> Path:
    """Write every panel of a run's page as a figure for a paper, with its data, and plates of them.

    Parameters
    ----------
    run
        A finished run or its folder, evaluated by `evaluate`; what `interpret` and the baselines of
        `evaluate` add is drawn where it is there.
    out
        The folder, new, empty, or one that this wrote, whose files are replaced.
    **choices
        Fields of `pages.plates.choices.FigureChoices`: ``formats``, ``width``, ``plate_width``.

    Returns
    -------
    Path
        The folder: NAME.svg and the like, NAME.csv (see `pages.plates.data.data_of`), captions.md
        with the caption of each, and figures.json, the same for a program.

    Raises
    ------
    InputError
        If the run is not evaluated, a choice is unknown or out of range, or the folder holds
        something else or a figure that was changed since.
    """
    chosen = FigureChoices(**choices)
    folder = folder_to_write("out", out)
    _require_free(folder)
    opened = run if isinstance(run, TrainingRun) else TrainingRun.open(given_path("run", run))
    page = page_data(opened)
    with one_writer(folder, "figures"):
        before = _require_free(folder)
        written = _write(folder, page, chosen)
        for name in before - set(written):
            (folder / name).unlink(missing_ok=True)
    return folder


def _require_free(folder: Path) -> set[str]:
    """Return the names of the figures that a folder holds, refused if it holds anything else."""
    held = (
        sorted(one.name for one in folder.iterdir() if one.name != LOCK) if folder.exists() else []
    )
    if not held:
        return set()
    if LISTED not in held:
        must = "be empty, absent, or a folder that 'boltzbrain figures' wrote"
        raise bad_input("out", must, held[0], file=folder)
    written = read_ours(folder / LISTED, FIGURES).get("sha256")
    if not isinstance(written, dict):
        raise bad_input(LISTED, "say what was written", "no hashes", file=folder)
    for name in held:
        if name != LISTED and (name not in written or sha256(folder / name) != written[name]):
            must = "hold nothing but figures as they were written (else something would be lost)"
            what = f"{name}, which was {'changed' if name in written else 'put there since'}"
            raise bad_input("out", must, what, file=folder)
    return set(held)


def _write(folder: Path, page: PageData, chosen: FigureChoices) -> set[str]:
    """Draw everything, and return the names of what is in the folder then."""
    entries = entries_of(page)
    width, across = (inches(name, getattr(chosen, name)) for name in ("width", "plate_width"))
    plates = [(one, rows) for one in PLATES if (rows := rows_of(one, entries))]
    with together(folder) as place:
        places = {
            name: {ending: place(f"{name}.{ending}") for ending in endings}
            for names, endings in (
                ([one.name for one in entries], (*chosen.formats, "csv")),
                ([one.name for one, _ in plates], chosen.formats),
            )
            for name in names
        }
        work: list[Callable[[], dict[str, Any]]] = [
            partial(_draw_plate, one, rows, across, page.evaluation, places[one.name])
            for one, rows in plates
        ]
        work += [partial(_draw_entry, one, width, places[one.name]) for one in entries]
        # the plates take longest: they begin first
        told = shared(_done, work)
        sheets, panels = told[: len(plates)], told[len(plates) :]
        captions, listed = place(CAPTIONS), place(LISTED)
        captions.write_text(_in_words(panels, sheets), encoding="utf-8", errors="backslashreplace")
        sums = {
            f"{name}.{ending}": sha256(path)
            for name, files in places.items()
            for ending, path in files.items()
        }
        hashes = {**sums, CAPTIONS: sha256(captions)}
        content = {
            "environment": {"boltzbrain": version("boltzbrain")},
            "recording": page.title,
            "chosen_update": page.chosen_update,
            "figures": panels,
            "plates": sheets,
            "left_out": [{"what": what, "with": how} for what, how in left_out(page)],
            "sha256": hashes,
        }
        write_ours(listed, FIGURES, content)
    return {LISTED, *hashes}


def _done(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    return work()


def _draw_entry(entry: Entry, width: float, places: Mapping[str, Path]) -> dict[str, Any]:
    """Draw a figure and write its data; return what is told of it."""
    ax = entry.drawing.alone(width)
    data_of(ax).to_csv(
        places["csv"], index=False, float_format="%.8g", lineterminator="\n",
        errors="backslashreplace",
    )  # fmt: skip
    size = _save(cast(Figure, ax.figure), places)
    return {
        "name": entry.name,
        "title": entry.title,
        "words": entry.words,
        "caption": entry.caption,
        "x": ax.get_xlabel(),
        "y": ax.get_ylabel(),
        "size_mm": size,
        "files": [f"{entry.name}.{ending}" for ending in places],
    }


def _draw_plate(
    plate: Plate,
    rows: Sequence[Sequence[Entry]],
    width: float,
    evaluation: Mapping[str, Any],
    places: Mapping[str, Path],
) -> dict[str, Any]:
    size = _save(draw_plate(plate, rows, width, evaluation), places)
    shown = [one for row in rows for one in row]
    return {
        "name": plate.name,
        "title": plate.title,
        "panels": {letter: one.name for letter, one in zip(LETTERS, shown, strict=False)},
        "size_mm": size,
        "files": [f"{plate.name}.{ending}" for ending in places],
    }


def _save(figure: Figure, places: Mapping[str, Path]) -> list[float]:
    """Save a figure in the formats that have a place; return its size in millimetres."""
    for one in figure.findobj(PathCollection):
        one.set_rasterized(len(np.asarray(one.get_offsets())) > MOST_POINTS)
    with house_style(), mpl.rc_context(_SAVED):
        for ending in FORMATS:
            if ending in places:
                figure.savefig(places[ending], format=ending, dpi=DPI, metadata=_METADATA[ending])
    return [round(25.4 * float(one), 1) for one in figure.get_size_inches()]


def _in_words(panels: Sequence[Mapping[str, Any]], sheets: Sequence[Mapping[str, Any]]) -> str:
    """Return the captions of all figures, for people."""
    of = {one["name"]: one for one in panels}
    lines = ["# Figures and their captions", ""]
    for sheet in sheets:
        lines += [f"## {sheet['name']}", "", f"{sheet['title']}.", ""]
        for letter, name in sheet["panels"].items():
            one = of[name]
            lines.append(
                f"- **{letter}**, {one['title']} ({one['words']}; {name}.csv). {one['caption']}"
            )
        lines.append("")
    for name, one in of.items():
        lines += [f"## {name}", "", f"**{one['title']}** ({one['words']}). {one['caption']}", ""]
    return "\n".join(lines)


def listed_in(folder: Path) -> dict[str, Any]:
    """Return what a folder of figures says of them: the content of figures.json."""
    return read_ours(folder / LISTED, FIGURES)
