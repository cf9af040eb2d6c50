"""The page: one self-contained HTML file that opens anywhere, without the network."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from boltzbrain.foundations.disk.folders import one_writer
from boltzbrain.pages.explore import explore_data
from boltzbrain.pages.glance import glance
from boltzbrain.pages.glossary import GLOSSARY
from boltzbrain.pages.html import embedded, rendered, write_html
from boltzbrain.pages.motifs.section import MotifSection, motif_section
from boltzbrain.pages.page import PageData, page_data
from boltzbrain.pages.panels import Panel, panels
from boltzbrain.pages.panels.baselines import section
from boltzbrain.pages.panels.in_time import TimeSection, time_section
from boltzbrain.pages.panels.interpretation import InterpretationSection, interpretation_section
from boltzbrain.pages.panels.panel import draw_together
from boltzbrain.pages.verdicts.checks import WORDS, checks
from boltzbrain.pages.viewer.content import pack_scene
from boltzbrain.training.run.run import TrainingRun


def write_report(run: TrainingRun, path: Path | str | None = None) -> Path:
    """Write the page of an evaluated run.

    Parameters
    ----------
    run
        A run that `evaluate` has scored.
    path
        Where to write; report.html in the run folder where None.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If the run is not evaluated, its folder is being written, or the file cannot be written.
    """
    target = run.folder / "report.html" if path is None else Path(path)
    into = target.parent.resolve() == run.folder.resolve()
    with one_writer(run.folder, "report") if into else contextlib.nullcontext():
        return write_page(page_data(run), target)


def write_page(page: PageData, path: Path) -> Path:
    """Write a page, whole or not at all.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    return write_html(path, render(page))


def render(page: PageData) -> str:
    """Return the page as HTML."""
    drawn = {one.name: one for one in panels(page)}
    found = checks(page.evaluation, page.log, page.chosen_update, page.convergence)
    reading, in_time = interpretation_section(page), time_section(page)
    motifs = None if page.motifs is None else motif_section(page.motifs)
    kinds = [one for one in drawn.values() if one.verdict is not None]
    first, simpler = glance(page, found), section(page)
    draw_together(
        *drawn.values(),
        first,
        *(simpler.panels if simpler else ()),
        *(in_time.panels if in_time else ()),
        *(reading.findings if reading else ()),
        *((motifs,) if motifs else ()),
    )
    explore = explore_data(page)
    return rendered(
        "report.html.j2",
        page=page,
        glance=first,
        checks=found,
        words=WORDS,
        drawn=drawn,
        kinds=kinds,
        viewer=None if page.scene is None else pack_scene(page.scene),
        reading=reading,
        in_time=in_time,
        motifs=motifs,
        baselines=simpler,
        inside=_inside(page, reading, in_time, motifs, kinds),
        explore=explore,
        explore_json=embedded(explore),
        glossary=GLOSSARY,
        figures=list(_flat(page.evaluation)),
        data=embedded(page.evaluation),
    )


def _inside(
    page: PageData,
    reading: InterpretationSection | None,
    in_time: TimeSection | None,
    motifs: MotifSection | None,
    kinds: Sequence[Panel],
) -> list[tuple[str, str]]:
    """Return anchor and heading of what is within the part that tells what was found."""
    listed = [] if page.scene is None else [("brain", "The brain in motion")]
    if reading is not None:
        listed.append(("gallery", "Assembly by assembly"))
        listed += [(one.name, one.title) for one in reading.findings]
    listed += [] if in_time is None else [("in-time", "In time")]
    listed += [] if motifs is None else [("motifs", "Motifs")]
    listed.append(("explore", "Look closer"))
    return listed + ([("kind", "What kind of model")] if kinds else [])


def _flat(value: Any, path: str = "") -> list[tuple[str, str]]:
    """Return every figure of a nested result as its dotted path and its text."""
    if isinstance(value, Mapping):
        return [
            row
            for name, one in value.items()
            if name not in ("reasons", "format", "version", "belongs")
            for row in _flat(one, f"{path}.{name}" if path else str(name))
        ]
    if isinstance(value, list) and len(value) > 8:
        return []  # per neuron; the embedded JSON holds them
    text = "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
    return [(path, text)]
