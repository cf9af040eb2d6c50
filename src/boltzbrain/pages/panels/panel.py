"""What every entry of the page is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from boltzbrain.pages.style import data_uri, save_svg
from boltzbrain.pages.verdicts.verdict import Verdict


@dataclass(frozen=True)
class Image:
    """One drawn figure.

    Attributes
    ----------
    address, words, heading
        Its address, its words for those who cannot see it, and a heading.
    wide
        Whether it takes a row of its own.
    """

    address: str
    words: str
    heading: str = ""
    wide: bool = False


@dataclass(frozen=True)
class Panel:
    """One entry of the page.

    Attributes
    ----------
    name
        Anchor on the page.
    title, caption, good
        Heading, what is shown, and what a good model looks like.
    verdict
        The judgement.
    images
        One or more figures, side by side where there is room.
    wide
        Whether the panel takes the whole width.
    counts
        Whether the verdict counts in the summary of the model. It does not where it tells what kind
        of model this is, or whether the order of bins in time, which the training does not see,
        is reproduced.
    """

    name: str
    title: str
    caption: str
    good: str
    verdict: Verdict
    images: Sequence[Image]
    wide: bool = False
    counts: bool = True


def draw(ax: Axes, words: str, heading: str = "", *, wide: bool = False) -> Image:
    """Turn axes into an image of the page."""
    return Image(data_uri(save_svg(ax)), words, heading, wide)
