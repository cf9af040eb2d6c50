"""What every entry of the page is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from boltzbrain.pages.style import data_uri, save_svg
from boltzbrain.pages.verdicts.checks import TITLES
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
    images
        One or more figures, side by side where there is room.
    wide
        Whether the panel takes the whole width.
    verdict
        The judgement, where the panel is no check of the model: where it tells what kind of model
        this is, or whether the order of bins in time, which the training does not see, is
        reproduced. A check has its verdict from `verdicts.checks`.
    """

    name: str
    title: str
    caption: str
    good: str
    images: Sequence[Image]
    wide: bool = False
    verdict: Verdict | None = None


def check_panel(
    name: str, caption: str, good: str, images: Sequence[Image], *, wide: bool = False
) -> Panel:
    """Return the panel of a check, under the heading of `verdicts.checks.TITLES`."""
    return Panel(name, TITLES[name], caption, good, images, wide)


def draw(ax: Axes, words: str, heading: str = "", *, wide: bool = False) -> Image:
    """Turn axes into an image of the page."""
    return Image(data_uri(save_svg(ax)), words, heading, wide)
