"""The page: one self-contained HTML file that opens anywhere, without the network."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from boltzbrain.foundations.files import atomic_write
from boltzbrain.foundations.folders import one_writer
from boltzbrain.foundations.showing.numbers import number, with_error
from boltzbrain.pages.explore import explore_data
from boltzbrain.pages.page import PageData, page_data
from boltzbrain.pages.panels import Panel, panels
from boltzbrain.pages.panels.baselines import section
from boltzbrain.pages.panels.in_time import time_section
from boltzbrain.pages.panels.interpretation import interpretation_section
from boltzbrain.pages.verdicts import activity as verdicts
from boltzbrain.pages.verdicts import score as score_verdicts
from boltzbrain.pages.verdicts.baselines import gain_error
from boltzbrain.pages.verdicts.verdict import Verdict
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
    text = render(page)
    with atomic_write(path) as temporary:
        # the name of a file may hold bytes that are no text
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
    return path


def render(page: PageData) -> str:
    """Return the page as HTML."""
    environment = Environment(
        loader=PackageLoader("boltzbrain.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    drawn = panels(page)
    marks = _marks(page, drawn)
    counted = [(title, mark) for title, _, mark in marks[: len(marks) - len(drawn)]]
    counted += [(one.title, one.verdict) for one in drawn if one.counts]
    explore = explore_data(page)
    return environment.get_template("report.html.j2").render(
        page=page,
        explore=explore,
        explore_json=_embedded(explore),
        viewer=None if page.scene is None else pack_scene(page.scene),
        panels=drawn,
        reading=interpretation_section(page),
        baselines=section(page),
        in_time=time_section(page),
        overall=verdicts.overall(counted),
        marks=marks,
        headline=_headline(page.evaluation),
        figures=list(_flat(page.evaluation)),
        data=_embedded(page.evaluation),
    )


def _marks(page: PageData, drawn: list[Panel]) -> list[tuple[str, str, Verdict]]:
    """Return the lines of the summary: heading, anchor and verdict, the held-out gain first."""
    lines = [
        ("Held-out score", "numbers", score_verdicts.gain(page.evaluation)),
        ("Likelihood estimate", "numbers", score_verdicts.log_partition(page.evaluation)),
        ("Convergence", "training", score_verdicts.convergence(page.convergence)),
    ]
    return lines + [(panel.title, panel.name, panel.verdict) for panel in drawn]


def _headline(evaluation: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the few figures that stand large at the top: text of the figure and its meaning."""
    scores, statistics = evaluation["log_likelihood"], evaluation["statistics"]
    gain = scores["gain"]
    shown = []
    if gain["value"] is not None:
        score = with_error(gain["value"], gain_error(gain), 2, "+")
        shown.append((score, "nats per test bin over independent neurons"))
    if scores["bits_per_spike"] is not None:
        bits = number(scores["bits_per_spike"], 3)
        shown.append((bits, "bits per spike over independent neurons"))
    for name in ("rates", "covariances"):
        value, ceiling = statistics[name]["pearson"], statistics["ceiling"][name]["pearson"]
        if value is not None and ceiling is not None:
            words = f"correlation of generated and test {name} (train and test: {ceiling:.3f})"
            shown.append((f"{value:.3f}", words))
    return shown


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


def _embedded(evaluation: Mapping[str, Any]) -> Markup:
    """Return JSON that cannot end the script element that holds it."""
    text = json.dumps(evaluation, allow_nan=False, ensure_ascii=True)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
