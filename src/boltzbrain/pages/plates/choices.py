"""What may be chosen of figures for papers."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from pydantic import ValidationInfo, field_validator

from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.options import Options, setting

FORMATS = ("svg", "pdf", "png")
INCHES = {"mm": 1 / 25.4, "cm": 1 / 2.54, "in": 1.0}
LEAST_MM, MOST_MM = 40.0, 500.0


class FigureChoices(Options):
    """Options of `save_figures`."""

    noun: ClassVar[str] = "a choice of figures"
    group: ClassVar[str] = "How figures are drawn"

    formats: tuple[str, ...] = setting(
        ("svg", "pdf"),
        "formats, with commas between",
        flag="--format",
        metavar="NAME,NAME",
        names=FORMATS,
    )
    width: str = setting(
        "89mm",
        "width of a panel with its unit, as 89mm, 8.9cm or 3.5in: a column of a journal",
        flag="--width",
        metavar="LENGTH",
    )
    plate_width: str = setting(
        "183mm",
        "width of a plate of several panels, with its unit: a page of a journal",
        flag="--plate-width",
        metavar="LENGTH",
    )

    @field_validator("formats", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """Take formats as one text with commas between, or several."""
        words = (value,) if isinstance(value, str) else value
        if not isinstance(words, (tuple, list)) or not all(isinstance(one, str) for one in words):
            return value
        split = [one.strip() for word in words for one in word.split(",")]
        if not any(split):
            raise bad_input("formats", "be one or more of " + ", ".join(FORMATS), "none")
        return tuple(dict.fromkeys(split))

    @field_validator("width", "plate_width", mode="before")
    @classmethod
    def _measured(cls, value: Any, info: ValidationInfo) -> Any:
        inches(str(info.field_name), value)
        return value


def inches(name: str, length: Any) -> float:
    """Return a length given with its unit in inches.

    Raises
    ------
    InputError
        If it has no unit, or is too small or too large for a figure.

    Examples
    --------
    >>> inches("width", "3.5in")
    3.5
    """
    found = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*(mm|cm|in)\s*", str(length))
    size = float(found[1]) * INCHES[found[2]] if found else 0.0
    if not LEAST_MM <= 25.4 * size <= MOST_MM:
        must = f"be a length with its unit, mm, cm or in, of {LEAST_MM:g} to {MOST_MM:g} mm"
        raise bad_input(name, must, length)
    return size
