"""The first screen of the page: what was recorded, what was found, and whether to believe it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from boltzbrain.interpretation.file import Interpretation
from boltzbrain.pages import figures, story
from boltzbrain.pages.figures.couplings import clustered
from boltzbrain.pages.figures.rasters import draw_raster
from boltzbrain.pages.page import PageData
from boltzbrain.pages.panels.activity import RASTER_BINS
from boltzbrain.pages.panels.findings import in_space
from boltzbrain.pages.panels.panel import Image, draw
from boltzbrain.pages.style import SMALL, TEST, Drawing
from boltzbrain.pages.verdicts.checks import Check, belief, counted
from boltzbrain.pages.verdicts.verdict import Verdict


@dataclass(frozen=True)
class Bar:
    """One score as a bar.

    Attributes
    ----------
    score
        The score.
    start, width
        Where the bar begins and how long it is, per cent of the row.
    low, high
        One standard error below and above its end, per cent of the row.
    """

    score: story.Score
    start: float
    width: float
    low: float
    high: float


@dataclass(frozen=True)
class Glance:
    """What stands first on the page.

    Attributes
    ----------
    recorded
        What was recorded, one line.
    answer
        What was found, sentence by sentence.
    scored
        How the model scores, one sentence.
    bars
        The scores of all models, drawn to one scale.
    belief, counted
        Whether to believe the model, and how many checks it passed.
    finding, caption
        The figure that shows what was found, and what it shows.
    """

    recorded: str
    answer: Sequence[str]
    scored: str
    bars: Sequence[Bar]
    belief: Verdict
    counted: str
    finding: Image
    caption: str

    @property
    def images(self) -> Sequence[Image]:
        """The figure, as what is drawn with others."""
        return (self.finding,)

    @property
    def doubtful(self) -> bool:
        """Whether what the model says should not be read."""
        return self.belief.level == "poor"


def glance(page: PageData, checks: Sequence[Check]) -> Glance:
    """Return the first screen of a page.

    Parameters
    ----------
    page
        What the page is made of.
    checks
        The checks of the model.
    """
    read = page.interpretation
    hidden = 0 if page.model is None else page.model.weights.shape[1]
    finding, caption = _finding(page)
    return Glance(
        story.recorded(page.neurons, page.regions, page.bins, page.bin_width_s),
        [story.not_interpreted(hidden, page.neurons)] if read is None else story.found(read),
        story.scored(page.evaluation),
        _bars(story.scores(page.evaluation)),
        belief(checks),
        counted(checks),
        finding,
        caption,
    )


def _bars(scores: Sequence[story.Score]) -> list[Bar]:
    """Return scores drawn to one scale, 0 included; a lone score has nothing beside it."""
    if len(scores) < 2:
        return []
    ends = [one.value + sign * (one.error or 0.0) for one in scores for sign in (-1.0, 1.0)]
    low, high = min(0.0, *ends), max(0.0, *ends)
    span = (high - low) or 1.0

    def at(value: float) -> float:
        return round(100 * (value - low) / span, 2)

    return [
        Bar(
            one,
            at(min(0.0, one.value)),
            round(100 * abs(one.value) / span, 2),
            at(one.value - (one.error or 0.0)),
            at(one.value + (one.error or 0.0)),
        )
        for one in scores
    ]


def _finding(page: PageData) -> tuple[Image, str]:
    """Return the figure that shows most of what was found, and its caption."""
    read = page.interpretation
    if read is not None:
        placed = in_space(read)
        if placed is not None:
            return placed.images[0], placed.caption
        maps = read.maps("uniform")
        if maps is not None and len(maps.names) > 1:
            return _region_map(read)
    return _sorted_raster(page)


def _region_map(read: Interpretation) -> tuple[Image, str]:
    maps = read.maps("uniform")
    assert maps is not None
    order = clustered(maps.l1)
    drawn = figures.region_map.later(
        [maps.names[place] for place in order.tolist()],
        maps.counts[order],
        maps.l1[np.ix_(order, order)],
        "mean |J| (nats)",
    )
    words = "Mean size of the couplings between and within regions"
    return draw(drawn, words), f"{words}; regions with similar profiles stand together."


def _sorted_raster(page: PageData) -> tuple[Image, str]:
    """Return recorded bins with the neurons of one assembly, or hidden unit, side by side."""
    states, segment = page.in_time[0].states[:RASTER_BINS], page.in_time[1][:RASTER_BINS]
    read = page.interpretation
    if read is not None:
        strongest, noun = np.asarray(read["neurons/strongest_assembly"]), "assembly"
    elif page.model is not None:
        weights = page.model.in_sign_gauge().weights.to("cpu").numpy()
        strongest, noun = np.abs(weights).argmax(axis=1), "hidden unit"
    else:
        strongest, noun = np.full(page.neurons, -1), "hidden unit"
    order = np.lexsort((-states.mean(axis=0), strongest, strongest < 0))
    names = [f"{one}" if one >= 0 else "" for one in strongest[order].tolist()]
    breaks = (np.flatnonzero(np.diff(segment)) + 1).tolist()
    drawn = Drawing(
        SMALL,
        lambda ax: draw_raster(ax, states[:, order], names, page.bin_width_s, breaks, TEST),
    )
    words = f"Recorded activity, neurons sorted by the {noun} that they are tied to most strongly"
    return draw(drawn, words), f"{words} (numbers at the side)."
