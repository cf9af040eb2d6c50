"""The house style of every figure: one palette, one size of text, readable in print."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache, wraps
from typing import Any, Concatenate, ParamSpec, Protocol, cast
from urllib.parse import quote

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.ticker import (
    FuncFormatter,
    LogFormatterSciNotation,
    LogLocator,
    NullFormatter,
)

INK, MUTED, FAINT = "#1b1b1f", "#6a6a72", "#dcdce2"
TEST, GENERATED, TRAIN, VALIDATION, INDEPENDENT = (
    "#0072b2",
    "#d55e00",
    "#8a8a94",
    "#009e73",
    "#8f4a96",
)
"""One colour for one thing on every figure, colour-blind safe (after Okabe and Ito)."""
CATEGORIES = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#d55e00",
    "#7f7f00",
    "#5b5b9f",
)
"""Colours that tell neighbouring regions or clusters apart; they repeat."""

COLOUR_WORDS = ("blue", "orange", "green", "pink")
"""What the first of them are called."""

DIVERGING = LinearSegmentedColormap.from_list("diverging", [TEST, "#ffffff", GENERATED])
"""Of values with a sign: negative blue, 0 white, positive orange."""

SMALL, WIDE, TALL, BROAD = (3.4, 2.8), (4.3, 2.8), (3.4, 3.6), (4.6, 2.3)
"""Inches: one column of a journal, a column and a half, a column for a map, a raster beside one."""

_RC: Any = {
    # what a user has set for other figures would change numbers and names
    "axes.formatter.use_locale": False,
    "text.usetex": False,
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.grid": False,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.5,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "lines.linewidth": 1.5,
    "lines.markersize": 4,
    "savefig.dpi": 200,
    "svg.fonttype": "path",
    "svg.hashsalt": "boltzbrain",
    "text.color": INK,
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "xtick.labelsize": 8,
    "xtick.major.width": 0.7,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 8,
    "ytick.major.width": 0.7,
}

LEAST_TEXT = 5.0
"""Points: the smallest text that journals print; what is designed smaller stays as it is."""

_TEXT_SIZES = [
    name
    for name in _RC
    if name == "font.size" or name.endswith(("labelsize", "titlesize", "fontsize"))
]

P = ParamSpec("P")


def as_text(name: object) -> str:
    r"""Return a name as a figure shows it: no formula, and a number for a sign without a glyph.

    Examples
    --------
    >>> as_text("$x_1$"), as_text("_x"), as_text("\x1b[31m")
    ('\\$x_1\\$', '\u200b_x', '\\x1b[31m')
    """
    glyphs = _glyphs()
    text = "".join(
        sign if ord(sign) in glyphs else sign.encode("unicode_escape").decode()
        for sign in str(name).encode("utf-8", "backslashreplace").decode()
    ).replace("$", "\\$")
    # a legend leaves labels out that begin with an underscore: something without width precedes it
    return f"\u200b{text}" if text.startswith("_") else text


@cache
def _glyphs() -> frozenset[int]:
    """Return the signs that the font of the figures has."""
    return frozenset(get_font(findfont(_RC["font.sans-serif"][0])).get_charmap())


def house_style(scale: float = 1.0) -> AbstractContextManager[None]:
    """Return a context in which matplotlib draws in the house style, with text so much smaller."""
    sizes = {name: _shrunk(_RC[name], scale) for name in _TEXT_SIZES}
    return mpl.rc_context({**_RC, **sizes})


def text_size(size: float) -> float:
    """Return a size of text, in points, at the scale of the style in which one draws."""
    return _shrunk(size, mpl.rcParams["font.size"] / _RC["font.size"])


def _shrunk(size: float, scale: float) -> float:
    return max(scale * size, min(size, LEAST_TEXT))


@dataclass(frozen=True)
class Drawing:
    """A figure that is yet to be drawn.

    Attributes
    ----------
    size
        Inches, wide and high, that it is designed for.
    draw
        Draws it on axes.
    """

    size: tuple[float, float]
    draw: Callable[[Axes], None]

    def on(self, ax: Axes, scale: float = 1.0) -> Axes:
        """Draw it on some axes in the house style, with text so much smaller, and return them."""
        with house_style(scale):
            self.draw(ax)
            _write_powers_plainly(ax)
        return ax

    def alone(self, width: float | None = None) -> Axes:
        """Draw it in a figure of its own, so many inches wide, and return the axes.

        Height and text of a narrow figure are smaller, those of a wide one as they are designed.
        """
        scale = 1.0 if width is None else width / self.size[0]
        size, text = (scale * self.size[0], scale * self.size[1]), min(scale, 1.0)
        with house_style(text):
            ax = Figure(figsize=size, layout="constrained").add_subplot()
        return self.on(ax, text)


class DrawingFunction(Protocol[P]):
    """A function that draws a figure now and returns its axes, or hands it on to be drawn later."""

    __name__: str

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Axes:
        """Draw the figure."""

    def later(self, *args: P.args, **kwargs: P.kwargs) -> Drawing:
        """Return what draws the figure."""


def figure(
    size: tuple[float, float] = SMALL,
) -> Callable[[Callable[Concatenate[Axes, P], None]], DrawingFunction[P]]:
    """Turn a function that draws on axes into one with an option ``ax`` that returns them.

    Where ``ax`` is None, axes in a figure of their own of the given size in inches are made.
    Drawing happens in the house style, and what the caller has set for matplotlib is left as it is.
    """

    def decorate(draw: Callable[Concatenate[Axes, P], None]) -> DrawingFunction[P]:
        def later(*args: P.args, **kwargs: P.kwargs) -> Drawing:
            return Drawing(size, lambda ax: draw(ax, *args, **kwargs))

        @wraps(draw)
        def drawn(*args: P.args, **kwargs: P.kwargs) -> Axes:
            ax = cast("Axes | None", kwargs.pop("ax", None))
            drawing = later(*args, **kwargs)
            return drawing.alone() if ax is None else drawing.on(ax)

        drawn.later = later  # type: ignore[attr-defined]
        return cast("DrawingFunction[P]", drawn)

    return decorate


_TOLD = "boltzbrain_data"


def tell(artist: Any, **columns: Any) -> None:
    """Say what the data of something drawn are, where its outline or its colour is not they.

    Parameters
    ----------
    artist
        What was drawn.
    columns
        Of `pages.plates.data.COLUMNS`, each a value or one per row; of a map ``value`` alone. None:
        what is drawn is told elsewhere.
    """
    vars(artist)[_TOLD] = columns


def told(artist: Any) -> Mapping[str, Any] | None:
    """Return what `tell` said of something drawn; None where it said nothing."""
    found: Mapping[str, Any] | None = vars(artist).get(_TOLD)
    return found


def power_of_ten(power: int) -> str:
    """Return 10 to a power with raised signs of the font.

    Examples
    --------
    >>> power_of_ten(-12)
    '10⁻¹²'
    """
    return "10" + str(power).translate(_RAISED)


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_EXPONENT = re.compile(r"\^\{(.+?)\}")


class _PlainPowers(LogFormatterSciNotation):
    """Powers in raised signs of the font: a formula takes ten times as long to draw."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Return the label of a tick."""
        formula = str(super().__call__(x, pos))
        text = formula.removeprefix(r"$\mathdefault{").removesuffix("}$").replace(r"\times", " × ")
        return _EXPONENT.sub(lambda found: found[1].translate(_RAISED), text)


def _write_powers_plainly(ax: Axes) -> None:
    """Replace formulas at the ticks of logarithmic axes, those of colour bars among them."""
    bars = [one.colorbar.ax for one in (*ax.collections, *ax.images) if one.colorbar is not None]
    for axis in (axis for one in (ax, *bars) for axis in (one.xaxis, one.yaxis)):
        major, minor = axis.get_major_formatter(), axis.get_minor_formatter()
        if type(major) is LogFormatterSciNotation:
            axis.set_major_formatter(_PlainPowers(vars(major)["_base"]))
        if type(minor) is LogFormatterSciNotation:
            axis.set_minor_formatter(_PlainPowers(vars(minor)["_base"]))


def plain_logarithms(ax: Axes) -> None:
    """Make the horizontal axis logarithmic, with plain numbers at 1, 2 and 5 of each decade."""
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    subs = (1.0, 2.0, 5.0) if high < 300 * low else (1.0,)
    ax.xaxis.set_major_locator(LogLocator(10, subs=subs, numticks=12))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())


def save_svg(ax: Axes) -> bytes:
    """Return the figure of some axes as SVG; the same drawing gives the same bytes."""
    figure = cast(Figure, ax.figure)
    with house_style(), io.BytesIO() as buffer:
        figure.set_dpi(mpl.rcParams["savefig.dpi"])
        # `savefig` would draw everything twice, the first time for the layout alone
        draw: Callable[..., None] = FigureCanvasSVG(figure).print_svg
        draw(buffer, metadata={"Date": None})
        return buffer.getvalue()


_COMMENT = re.compile(r"<!--.*?-->|<metadata>.*?</metadata>", re.DOTALL)
_SPACE = re.compile(r"\s*\n\s*")
_COORDINATES = re.compile(r' (?:d|x|y)="[^"]*"')
_DIGITS = re.compile(r"(\.\d\d)\d+")
_IN_ADDRESS = " !$'()*+,-./:;=?@[]_~|^{}"


def svg_uri(content: bytes) -> Markup:
    """Return an SVG of `save_svg` as a ``data:`` address for an attribute in double quotes.

    It is 30 % shorter than in base 64: coordinates, in points, have two digits behind the point,
    and what is not shown (comments, who made it) is left out.
    """
    text = _SPACE.sub(" ", _COMMENT.sub("", content.decode()))
    text = _COORDINATES.sub(lambda found: _DIGITS.sub(r"\1", found[0]), text).replace("> <", "><")
    # quotes of one kind need no escape within the other's
    text = text.replace("'", "&#39;").replace('"', "'")
    return Markup("data:image/svg+xml," + quote(text, safe=_IN_ADDRESS))
