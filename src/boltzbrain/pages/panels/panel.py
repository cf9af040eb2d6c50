"""What every entry of the page is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from markupsafe import Markup

from boltzbrain.pages.sharing import shared
from boltzbrain.pages.style import Drawing, save_svg, svg_uri
from boltzbrain.pages.verdicts.checks import TITLES
from boltzbrain.pages.verdicts.verdict import Verdict


@dataclass
class Image:
    """One figure of the page.

    Attributes
    ----------
    drawing, words, heading
        What draws it, its words for those who cannot see it, and a heading.
    wide
        Whether it takes a row of its own.
    """

    drawing: Drawing
    words: str
    heading: str = ""
    wide: bool = False
    _address: Markup = field(default=Markup(), init=False, repr=False)

    @property
    def address(self) -> Markup:
        """Its picture as a ``data:`` address, drawn when it is first asked for."""
        if not self._address:
            self._address = _picture(self)
        return self._address


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
    doubtful
        Whether it is pale, as what it shows should not be interpreted; None: where the RBM
        should not be.
    """

    name: str
    title: str
    caption: str
    good: str
    images: Sequence[Image]
    wide: bool = False
    verdict: Verdict | None = None
    doubtful: bool | None = None


def check_panel(
    name: str, caption: str, good: str, images: Sequence[Image], *, wide: bool = False
) -> Panel:
    """Return the panel of a check, under the heading of `verdicts.checks.TITLES`."""
    return Panel(name, TITLES[name], caption, good, images, wide)


def draw(drawing: Drawing, words: str, heading: str = "", *, wide: bool = False) -> Image:
    """Make an image of the page of what draws it."""
    return Image(drawing, words, heading, wide)


class Shown(Protocol):
    """An entry of the page: a panel, a finding."""

    @property
    def images(self) -> Sequence[Image]:
        """Its figures."""


def draw_together(*entries: Shown) -> None:
    """Draw the pictures of many entries, on all cores where that is safe."""
    listed = [image for entry in entries for image in entry.images]
    for image, address in zip(listed, shared(_picture, listed), strict=True):
        image._address = address


def _picture(image: Image) -> Markup:
    return svg_uri(save_svg(image.drawing.alone()))
