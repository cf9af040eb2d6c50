"""The panels of a page as figures for a paper: what each is called, and which a run lacks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from boltzbrain.pages.page import PageData
from boltzbrain.pages.panels import panels
from boltzbrain.pages.panels.baselines import section
from boltzbrain.pages.panels.behaviour import behaviour_findings
from boltzbrain.pages.panels.findings import (
    Finding,
    assembly_findings,
    coupling_findings,
    in_space,
    region_findings,
)
from boltzbrain.pages.panels.in_time import time_section
from boltzbrain.pages.panels.panel import Image, Panel
from boltzbrain.pages.style import Drawing
from boltzbrain.pages.verdicts.in_time import with_time


@dataclass(frozen=True)
class Entry:
    """One figure.

    Attributes
    ----------
    name
        Name of its files without their endings.
    panel
        Anchor on the page.
    title, words, caption
        Heading of the panel, what this figure is of, and the caption of the page.
    drawing
        What draws it.
    """

    name: str
    panel: str
    title: str
    words: str
    caption: str
    drawing: Drawing


def entries_of(page: PageData) -> list[Entry]:
    """Return every figure of a page, in its order."""
    result: list[Entry] = []
    for panel in _panels(page):
        for image in panel.images:
            name = _name(panel, image)
            twice = sum(one.name == name or one.name.startswith(f"{name}-") for one in result)
            unique = f"{name}-{twice + 1}" if any(one.name == name for one in result) else name
            words = image.heading or image.words
            result.append(
                Entry(unique, panel.name, panel.title, words, panel.caption, image.drawing)
            )
    return result


def _panels(page: PageData) -> Iterator[Panel | Finding]:
    yield from panels(page)
    for one in (section(page), time_section(page)):
        yield from () if one is None else one.panels
    found = page.interpretation
    if found is not None and page.model is not None:
        yield from behaviour_findings(found)
        yield from coupling_findings(found, page.chosen_update)
        yield from region_findings(found)
        yield from assembly_findings(found)
        placed = in_space(found)
        yield from () if placed is None else (placed,)


def _name(panel: Panel | Finding, image: Image) -> str:
    if len(panel.images) == 1:
        return panel.name
    words = slug(image.heading or image.words)
    return words if words.startswith(panel.name) else f"{panel.name}-{words}"


def slug(words: str) -> str:
    """Return words as the name of a file.

    Examples
    --------
    >>> slug("mean |J|, uniform reference"), slug("rates, generated against test")
    ('mean-abs-j-uniform-reference', 'rates-generated-against-test')
    """
    plain = re.sub(r"\|(\w+)\|", r"abs \1", words).lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def left_out(page: PageData) -> list[tuple[str, str]]:
    """Return what a run, as one types it RUN, has no figures of, and what would give them."""
    models = page.evaluation.get("baselines") or {}
    found = page.interpretation
    lacking = (
        (
            found is None,
            "couplings, regions and assemblies",
            "boltzbrain interpret RUN",
        ),
        (
            found is not None and not any(page.regions),
            "couplings between regions",
            "a recording that names the regions of its neurons",
        ),
        (
            found is not None and int(found["neurons/positioned"].sum()) < 2,
            "assemblies in space",
            "a recording with the positions of its neurons",
        ),
        (
            found is not None and not found.summary.get("behaviour"),
            "what assemblies do",
            "a recording with trials or covariates (boltzbrain fit --trials, --covariates)",
        ),
        (
            not models,
            "simpler models beside the RBM",
            "boltzbrain evaluate RUN --baselines all",
        ),
        (
            not with_time(models),
            "models that see earlier bins",
            "boltzbrain evaluate RUN --baselines hmm,history,hmmglm --controls",
        ),
        (
            not len(page.test),
            "a neuron given all others, reconstruction, hidden units of generated activity",
            "a training that leaves bins for a test (boltzbrain fit without --all-data)",
        ),
    )
    return [(what, how) for is_lacking, what, how in lacking if is_lacking]
